package server

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/config"
	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/metrics"
)

// This file is what SIGHUP does. The flags and the environment are those of the start; the
// configuration file, the token files and the certificate are read again, and checked as at the
// start. Where anything is wrong nothing changes, and one line of the log says all that is. Else
// what may change while the daemon runs is taken over at once, for what is decided from then on,
// and what may not is named in a warning.

// originRule is handshake.SameOrigin's rule for browsers.
type originRule = func(origin, host []byte) bool

// allowOrigins lets the pages of other origins connect, besides those that always may.
func (d *daemon) allowOrigins(origins []string) {
	rule := handshake.SameOrigin(origins, handshake.IsLoopback(d.listener.Addr()))
	d.origins.Store(&rule)
}

// logConfiguration logs what the daemon runs with, as far as somebody gave it, and what is unwise
// about that.
func (d *daemon) logConfiguration(l *config.Loaded) {
	var given []any
	for _, s := range l.Given() {
		given = append(given, slog.String(s.Name, s.Value))
	}
	d.log.Info("settings", slog.Group("given", given...), "open_files_max", config.OpenFiles())
	for _, w := range l.Warnings {
		d.log.Warn("configuration", "problem", w)
	}
}

// hangup has the daemon read its configuration again. It does not wait for that: a file may be on a
// disk that is slow, and signals must be heard.
func (d *daemon) hangup() {
	select {
	case d.hangups <- struct{}{}:
	default: // it will be read again anyway
	}
}

// reloadPatience is how long a reload that is under way when the daemon ends is waited for.
const reloadPatience = time.Second

// serveReloads reloads after each hangup, until the function is called that it gives.
func (d *daemon) serveReloads() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-d.hangups:
				d.reload()
			}
		}
	}()
	return func() {
		close(quit)
		select {
		case <-done:
		case <-after(reloadPatience):
		}
	}
}

// oldSettings is how the daemon serves after a reload that was refused.
const oldSettings = "with the old settings: the new ones are bad, see the log"

// reload takes over what has changed, and tells the service manager. A daemon that drains has told
// it so, and stays with what it has.
func (d *daemon) reload() {
	if !d.draining.Load() {
		d.tellManager(d.manager.Reloading())
	}
	if d.audit != nil { // whatever becomes of the rest: it may have been moved away
		d.audit.Reopen()
		d.log.Info("opening the audit log again", "file", d.config.AuditLog)
	}
	c := d.inForce.Load()
	status := "serving"
	switch {
	case d.draining.Load():
		d.log.Info("nothing is read again in a drain", "signal", "SIGHUP")
	case !c.ReadsFiles():
		d.noteReload(nil)
		d.log.Info("nothing to read again", "signal", "SIGHUP")
	default:
		if err := d.takeOver(c); err != nil {
			status = "serving " + oldSettings
			d.noteReload(err)
			d.log.Error("the old settings stay", "error", oneLine(err))
		}
	}
	if !d.draining.Load() {
		d.tellManager(d.manager.Ready(status))
	}
}

// noteReload keeps how the configuration was read last, for the metrics; before the line of the log
// about it, so that whoever has read that sees it there.
func (d *daemon) noteReload(err error) {
	r := metrics.Reload{Succeeded: now()}
	if err != nil {
		r = metrics.Reload{Failed: true, Succeeded: d.reloaded.Load().Succeeded}
	}
	d.reloaded.Store(&r)
}

// oneLine is an error of several problems on a line of its own.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// takeOver reads and checks everything again, and takes it over, all or nothing.
func (d *daemon) takeOver(old *config.Loaded) error {
	next, pair, err := load(&d.process)
	if err != nil {
		return err
	}
	taken, err := old.Take(next)
	if err == nil && d.operator != nil {
		err = d.operator.server.SetTokens(taken.AdminTokens) // it may refuse them, so it is first
	}
	if err != nil {
		return err
	}
	d.tokens.Set(taken.Tokens)
	if pair != nil && d.tls != nil { // TLS itself begins or ends by a restart
		d.tls.use(taken.TLSCert, pair)
	}
	d.apply(old, taken)
	d.inForce.Store(taken)
	d.noteReload(nil)
	change := old.LogLevel != taken.LogLevel // else a level that an operator has set stays
	if change {
		d.level.Set(min(taken.LogLevel, slog.LevelInfo)) // for the lines about the reload itself
	}
	d.logReload(old, next, taken)
	if change {
		d.level.Set(taken.LogLevel)
	}
	return nil
}

// apply has the parts go by the settings that were taken; secrets, certificate and log level are
// excepted.
func (d *daemon) apply(old, taken *config.Loaded) {
	d.allowOrigins(taken.Origins)
	d.gateway.SetLimits(limits(&taken.Config))
	d.gateway.SetMaxConnectionsPerIP(taken.MaxConnectionsPerIP)
	if d.operator != nil {
		d.operator.server.SetReadOnly(taken.AdminReadOnly)
	}
	if h, ok := d.backend.(*backend.HTTP); ok {
		h.SetToken(taken.BackendToken)
	}
	if old.SummaryInterval != taken.SummaryInterval {
		select {
		case <-d.summary.pace: // one that it has not seen yet
		default:
		}
		d.summary.pace <- taken.SummaryInterval
	}
}

// limits are those settings of the gateway that may change while it serves.
func limits(c *config.Config) gateway.Limits {
	return gateway.Limits{
		EvictIdle:          c.OnSessionLimit == evictIdle,
		MaxSessionsPerUser: c.MaxSessionsPerUser, EvictUsersIdle: c.OnUserLimit == evictIdle,
		SessionMaxInflight: c.SessionMaxInflight, GlobalMaxInflight: c.GlobalMaxInflight,
		MaxRefusedHellos: c.MaxRefusedHellos,
	}
}

// logReload logs what was read again, what has changed, and what has not although it was to.
func (d *daemon) logReload(old, next, taken *config.Loaded) {
	live, restart := 0, 0
	for _, c := range old.Changes(next) {
		if c.Live {
			live++
			d.log.Info("setting changed", "name", c.Name, "old", c.Old, "new", c.New)
		} else {
			restart++
			d.log.Warn("setting needs a restart", "name", c.Name, "runs_with", c.Old, "new", c.New)
		}
	}
	for _, w := range taken.Warnings {
		if !slices.Contains(old.Warnings, w) {
			d.log.Warn("configuration", "problem", w)
		}
	}
	for _, f := range []struct {
		file   string
		tokens int
	}{
		{taken.TokenFile, len(taken.Tokens)},
		{taken.AdminTokenFile, len(taken.AdminTokens)},
		{taken.BackendTokenFile, 1},
	} {
		if f.file != "" {
			d.log.Info("tokens read again", "file", f.file, "tokens", f.tokens)
		}
	}
	if d.tls != nil && next.TLSCert != "" {
		d.log.Info("certificate read again", "file", taken.TLSCert)
	}
	d.log.Info("reloaded", "changed", live, "need_restart", restart)
}
