package metrics

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapesMax is how many scrapes may run at once.
const scrapesMax = 8

// Handler serves the metrics of a source, those of the Go runtime and of the process beside them,
// in the format and the compression that a request asks for. What goes wrong with a scrape is
// written to log, and counted. Its error names everything that the source lacks.
func Handler(s Source, log *slog.Logger) (http.Handler, error) {
	r, err := registry(s)
	if err != nil {
		return nil, err
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// What can be read is served: numbers are most wanted when something is wrong.
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            r,
		MaxRequestsInFlight: scrapesMax,
		EnableOpenMetrics:   true,
		ProcessStartTime:    s.Started,
	}), nil
}

// registry is all that is served.
func registry(s Source) (*prometheus.Registry, error) {
	c, err := New(s)
	if err != nil {
		return nil, err
	}
	r := prometheus.NewRegistry() // not the global one: tests have several daemons in a process
	r.MustRegister(c, collectors.NewGoCollector(), newProcess())
	return r, nil
}
