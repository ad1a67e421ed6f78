package metrics

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/curfew-go/curfew/engine"
)

// Compression is by gzip, for who asks.
func TestHandler_Compresses(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
	w := httptest.NewRecorder()
	handle(t, fixed(t)).ServeHTTP(w, r)
	if e := w.Header().Get("Content-Encoding"); e != "gzip" {
		t.Fatalf("the answer is encoded as %q", e)
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil || !bytes.Contains(body, []byte("\ncurfew_users 3020\n")) {
		t.Errorf("%v: %s", err, body)
	}
}

// Whoever comes when too many scrapes run is told to come again, and does not wait.
func TestHandler_BoundsScrapes(t *testing.T) {
	s := idle(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.Table = func() engine.Stats {
		entered <- struct{}{}
		<-leave
		return engine.Stats{}
	}
	h := handle(t, s)
	var all sync.WaitGroup
	for range scrapesMax {
		all.Go(func() { scrape(t, h, formats["text"]).Body.Close() })
	}
	for range scrapesMax {
		<-entered
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(
		t.Context(), http.MethodGet, "/metrics", http.NoBody))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("one too many is answered with %d", w.Code)
	}
	close(leave)
	all.Wait()
}

// A part that panics when it is asked takes down neither the daemon nor the rest of the scrape.
func TestHandler_SurvivesAPanic(t *testing.T) {
	s := idle(t)
	s.Table = func() engine.Stats { panic("out of order") }
	var log bytes.Buffer
	h, err := Handler(s, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	scrape(t, h, formats["text"]).Body.Close()
	all := decode(t, scrape(t, h, formats["text"]))
	if all["go_goroutines"] == nil || all["curfew_sessions"] != nil {
		t.Errorf("the scrape has %d families", len(all))
	}
	if !strings.Contains(log.String(), "out of order") || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("the log says %s", &log)
	}
	failed := all["promhttp_metric_handler_errors_total"].GetMetric()
	if n := failed[1].GetCounter().GetValue(); n != 1 && n != 2 {
		t.Errorf("%v failures are counted", failed)
	}
}
