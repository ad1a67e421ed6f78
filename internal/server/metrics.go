package server

import (
	"net/http"
	"runtime"
	"time"

	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/metrics"
)

// metrics serves the daemon's numbers to Prometheus.
func (d *daemon) metrics() (http.Handler, error) {
	c := d.config
	return metrics.Handler(metrics.Source{
		Table: d.gateway.Stats, Wheel: d.gateway.Wheel,
		Network: d.gateway.NetStats, Gateway: d.gateway.Counts,
		Backend: d.applicationStats, Audit: d.auditStats,
		Reload: d.lastReload, Certificate: d.certificateExpires,
		Drain: d.drainStarted, Limits: d.limits,
		Started: d.started, Version: d.version, GoVersion: runtime.Version(),
		Mode: c.Mode, WheelKind: c.Wheel,
	}, d.log)
}

// applicationStats is what an application over HTTP was asked; false where there is none.
func (d *daemon) applicationStats() (backend.HTTPStats, bool) {
	h, ok := d.backend.(*backend.HTTP)
	if !ok {
		return backend.HTTPStats{}, false
	}
	return h.Stats(), true
}

// auditStats is what became of the entries of the audit log, nothing where there is none.
func (d *daemon) auditStats() metrics.Audit { return metrics.Audit(d.audit.Stats()) }

// lastReload is how the configuration was read last.
func (d *daemon) lastReload() metrics.Reload { return *d.reloaded.Load() }

// certificateExpires is when the certificate that is shown does, zero without TLS.
func (d *daemon) certificateExpires() time.Time {
	if d.tls == nil {
		return time.Time{}
	}
	return d.tls.current.Load().Leaf.NotAfter
}

// drainStarted is when the drain began, zero while there is none.
func (d *daemon) drainStarted() time.Time {
	if at := d.drainedAt.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// limits are those in force, which a reload may change.
func (d *daemon) limits() metrics.Limits {
	c := d.inForce.Load()
	return metrics.Limits{
		Sessions: c.MaxSessions, BufferBytes: c.BufferTotalBytes,
		Tick: c.Tick, DrainWindow: c.DrainWindow,
	}
}
