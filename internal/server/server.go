// Package server is the daemon: it reads the configuration, joins the parts, runs them, and stops
// them in order.
//
//	err := server.Run(ctx, server.Process{Args: os.Args[1:], ...})
//	os.Exit(server.ExitCode(err))
//
// The first SIGTERM or SIGINT (or the end of ctx) drains: nobody is accepted any more, and the
// clients are let go evenly over --drain-window. A second one ends at once. SIGHUP reads the
// configuration again and takes over what may change; see reload.go.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/admin"
	"github.com/curfew-go/curfew/internal/audit"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/config"
	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/metrics"
	"github.com/curfew-go/curfew/internal/netloop"
	"github.com/curfew-go/curfew/internal/notify"
)

// ErrInterrupted is returned by Run when a second signal cut the drain short.
var ErrInterrupted = errors.New("interrupted before the drain was over")

// Process is what a process is given from outside.
type Process struct {
	Args    []string // without the program's name
	Env     []string // NAME=value; of it Variables are for this process alone
	Stdout  io.Writer
	Stderr  io.Writer // the log
	Signals <-chan os.Signal
	Version string
}

// Run does what the arguments ask for. Serving, it returns after a drain, and has the process
// ignore SIGPIPE: else that would end with whoever reads its log, at the next line.
func Run(ctx context.Context, p Process) error {
	loaded, pair, err := load(&p)
	if err != nil {
		return err
	}
	switch loaded.Command {
	case "help":
		return config.Usage(p.Stdout)
	case "version":
		_, err := fmt.Fprintf(p.Stdout, "curfewd %s %s %s/%s\n",
			p.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	case "config check":
		for _, w := range loaded.Warnings {
			if _, err := fmt.Fprintf(p.Stdout, "warning: %s\n", w); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintln(p.Stdout, "the configuration is good")
		return err
	case "config explain":
		return loaded.Explain(p.Stdout)
	}
	signal.Ignore(syscall.SIGPIPE)
	d, err := newDaemon(loaded, pair, p)
	if err != nil {
		return err
	}
	return d.run(ctx)
}

// ExitCode is what the process exits with after Run returned err.
func ExitCode(err error) int {
	var bad *config.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &bad):
		return 2
	}
	return 1
}

// daemon is a gateway with its listener and what it needs of the process.
type daemon struct {
	// Set by newDaemon, then only read.
	config   config.Config // as at the start; inForce has what may change
	process  Process
	version  string
	started  time.Time
	level    *slog.LevelVar
	log      *slog.Logger
	tokens   *gateway.Tokens
	backend  backend.Backend
	gateway  *gateway.Gateway
	listener net.Listener
	operator *operator    // nil: none
	events   admin.Events // of sessions, for operators who listen
	tls      *certificate // nil: no TLS
	summary  *summary
	audit    *audit.Log       // nil: none
	manager  *notify.Notifier // nil: none

	inForce atomic.Pointer[config.Loaded] // replaced by reload
	origins atomic.Pointer[originRule]    // of inForce

	hangups    chan struct{}                  // to reloads; room for one
	reloaded   atomic.Pointer[metrics.Reload] // how that went last; set by newDaemon and reload
	drainOnce  sync.Once                      // guards what showDraining sets
	draining   atomic.Bool
	drainedAt  atomic.Pointer[time.Time] // when the drain began; nil: it has not
	drained    atomic.Int64              // connections that there were then; set before drainedAt
	drainAsked chan struct{}             // by the operator; room for one
}

// newDaemon makes a daemon that shows pair to its clients; nil: that does not speak TLS.
func newDaemon(loaded *config.Loaded, pair *tls.Certificate, p Process) (*daemon, error) {
	c := loaded.Config
	d := &daemon{
		config: c, process: p, version: p.Version, started: now(), level: new(slog.LevelVar),
		tokens: new(gateway.Tokens), drainAsked: make(chan struct{}, 1),
		hangups: make(chan struct{}, 1),
	}
	d.inForce.Store(loaded)
	d.reloaded.Store(&metrics.Reload{Succeeded: d.started})
	d.level.Set(c.LogLevel)
	d.log = newLogger(c.LogFormat, d.level, p.Stderr)
	d.tokens.Set(c.Tokens)
	d.logConfiguration(loaded)
	if pair != nil {
		d.tls = &certificate{log: d.log}
		d.tls.use(c.TLSCert, pair)
	}
	var err error
	if d.manager, err = notify.FromEnvironment(p.Env, os.Getpid()); err != nil {
		d.log.Warn("the service manager is not told everything", "error", err)
	}
	if err := d.openAudit(); err != nil {
		return nil, err
	}
	if err := d.open(); err != nil {
		return nil, errors.Join(err, d.closeAudit())
	}
	d.summary = &summary{log: d.log, counts: d.gateway.Counts, pace: make(chan time.Duration, 1)}
	d.log.Info("listening", "address", d.listener.Addr().String(), "paths", c.Paths,
		"admin", d.operator.address(), "mode", c.Mode, "tls", d.tls != nil,
		"version", p.Version, "pid", os.Getpid())
	return d, nil
}

// open makes what serves, or nothing of it.
func (d *daemon) open() (err error) {
	if d.backend, err = d.newApplication(); err != nil {
		return err
	}
	if d.listener, err = netloop.Listen(context.Background(), d.config.Listen); err != nil {
		return errors.Join(d.blame("listen", err),
			d.closeBackend(context.Background(), abortPatience))
	}
	if d.gateway, err = gateway.New(d.options()); err != nil {
		return errors.Join(err, d.listener.Close(),
			d.closeBackend(context.Background(), abortPatience))
	}
	if d.operator, err = d.openOperator(); err != nil {
		return errors.Join(err, d.listener.Close(), d.gateway.Close(),
			d.closeBackend(context.Background(), abortPatience))
	}
	return nil
}

// blame names the setting that an error is about, by the name by which it was given.
func (d *daemon) blame(setting string, err error) error {
	return fmt.Errorf("%s: %w", d.inForce.Load().Named(setting), err)
}

// tlsConfig is what connections speak TLS by; nil: they do not.
func (d *daemon) tlsConfig() *tls.Config {
	if d.tls == nil {
		return nil
	}
	return d.tls.config()
}

// options are the gateway's, as the configuration says.
func (d *daemon) options() gateway.Options {
	c := d.config
	o := gateway.Options{
		IdleTimeout: c.IdleTimeout, Grace: c.Grace, MaxLifetime: c.MaxLifetime,
		Tick: c.Tick, MaxSessions: c.MaxSessions,
		ResumeWindow: c.ResumeWindow, EvictIdle: c.OnSessionLimit == evictIdle,
		MaxSessionsPerUser: c.MaxSessionsPerUser, EvictUsersIdle: c.OnUserLimit == evictIdle,
		SessionMaxInflight: c.SessionMaxInflight, GlobalMaxInflight: c.GlobalMaxInflight,
		Backend: d.backend, BackendTimeout: c.BackendTimeout,
		Net:              netOptions(c),
		Tokens:           d.tokens,
		MaxRefusedHellos: c.MaxRefusedHellos,
		OnEnd:            d.auditEnd(),
		OnEvent:          d.publish,
		Watched:          d.events.Watched,
		Logger:           d.log,
	}
	d.allowOrigins(c.Origins)
	o.Net.Origin = func(origin, host []byte) bool { return (*d.origins.Load())(origin, host) }
	if c.Wheel == "russellluo" {
		o.Wheel = engine.WheelRussellLuo
	}
	if c.TouchOn == "any" {
		o.TouchOn = gateway.TouchAny
	}
	o.Net.TLS = d.tlsConfig()
	return o
}

// evictIdle is the policy of a limit by which the idlest goes.
const evictIdle = "evict-idle"

// netOptions are those of the network side.
func netOptions(c config.Config) netloop.Options {
	o := netloop.Options{
		Loops:               c.Loops,
		Paths:               c.Paths,
		Compression:         c.Compression,
		ProxyProtocol:       c.ProxyProtocol,
		TrustedProxies:      c.TrustedProxies,
		MaxConnectionsPerIP: c.MaxConnectionsPerIP,
		HelloTimeout:        c.HelloTimeout,
		PingInterval:        c.PingInterval,
		PingTimeout:         c.PingTimeout,
		MaxMessageBytes:     c.MaxMessageBytes,
		WriteBufferBytes:    c.WriteBufferBytes,
		BufferTotalBytes:    c.BufferTotalBytes,
	}
	if c.Mode == "epoll" {
		o.Mode = netloop.ModeEpoll
	}
	switch c.OnSlow {
	case "drop-newest":
		o.OnSlow = netloop.SlowDropNewest
	case "drop-oldest":
		o.OnSlow = netloop.SlowDropOldest
	}
	return o
}

// run serves until it is told to stop, and stops.
func (d *daemon) run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- d.gateway.Serve(d.listener) }()
	go d.operator.serve(d.log)
	summing, stopSumming := context.WithCancel(context.Background())
	summed := make(chan struct{})
	go func() {
		defer close(summed)
		d.summary.run(summing, d.config.SummaryInterval)
	}()
	stopReloads := d.serveReloads()
	stopManager := d.serveManager()

	err := d.serve(ctx, served)
	stopReloads()
	err = errors.Join(err, d.gateway.Close(), d.operator.close())
	err = errors.Join(err, d.closeBackend(context.Background(), abortPatience))
	stopSumming()
	<-summed
	stopManager()
	d.summary.write()
	err = errors.Join(err, d.closeAudit())
	d.log.Info("stopped", "network", networkSummary(d.gateway.NetStats()),
		"application", applicationSummary(d.backend), "audit", auditSummary(d.audit))
	return err
}

// serve waits for the reason to stop and drains.
func (d *daemon) serve(ctx context.Context, served <-chan error) error {
	for {
		select {
		case err := <-served:
			return err // the listener broke: Drain was not called yet
		case <-ctx.Done():
			return d.drain("context ended", nil)
		case <-d.drainAsked:
			return d.drain("asked by the operator", nil)
		case s := <-d.process.Signals:
			if s == syscall.SIGHUP {
				d.hangup()
				continue
			}
			return d.drain(s.String(), s)
		}
	}
}

// showDraining has the daemon say from now on, to whoever asks, that it drains. Twice is fine.
func (d *daemon) showDraining() {
	d.drainOnce.Do(func() {
		began := now()
		d.drained.Store(int64(d.gateway.NetStats().Open))
		d.drainedAt.Store(&began)
		d.draining.Store(true)
	})
}

// drain lets the clients go, until a second signal comes; first is the one that began it, nil where
// something else did.
func (d *daemon) drain(why string, first os.Signal) error {
	d.showDraining()
	window := d.inForce.Load().DrainWindow
	d.log.Info("draining", "reason", why, "window", window, "live", d.gateway.Stats().Live)
	d.tellManager(d.manager.Stopping("draining: " + why))
	d.tellManager(d.manager.ExtendTimeout(extension, "draining: "+why))
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-d.process.Signals:
				switch {
				case s == syscall.SIGHUP:
					d.hangup()
				case first == nil: // an orchestrator's, after it has asked for the drain
					first = s
				default:
					interrupt()
				}
			}
		}
	}()
	err := d.gateway.Drain(ctx, window)
	if err == nil {
		err = d.closeBackend(ctx, endPatience)
	}
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	return err
}

// endPatience is how long the application may be told of ends when the daemon ends by itself, and
// abortPatience when it was cut short.
const (
	endPatience   = 10 * time.Second
	abortPatience = time.Second
)

// closeBackend tells the application what it has not been told yet. Twice is fine.
func (d *daemon) closeBackend(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return d.backend.Close(ctx)
}
