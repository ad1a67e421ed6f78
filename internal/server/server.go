// Package server is the daemon: it reads the configuration, joins the parts, runs them, and stops
// them in order.
//
//	err := server.Run(ctx, server.Process{Args: os.Args[1:], ...})
//	os.Exit(server.ExitCode(err))
//
// The first SIGTERM or SIGINT (or the end of ctx) drains: nobody is accepted any more, and the
// clients are let go evenly over --drain-window. A second one ends at once. SIGHUP reads the token
// files and the certificate again.
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
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/config"
	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/netloop"
)

// ErrInterrupted is returned by Run when a second signal cut the drain short.
var ErrInterrupted = errors.New("interrupted before the drain was over")

// Process is what a process is given from outside.
type Process struct {
	Args    []string // without the program's name
	Env     []string // NAME=value
	Stdout  io.Writer
	Stderr  io.Writer // the log
	Signals <-chan os.Signal
	Version string
}

// Run does what the arguments ask for. Serving, it returns after a drain.
func Run(ctx context.Context, p Process) error {
	loaded, err := config.Load(p.Args, p.Env)
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
	d, err := newDaemon(loaded, p)
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
	config   config.Config
	log      *slog.Logger
	signals  <-chan os.Signal
	tokens   *gateway.Tokens
	backend  backend.Backend
	gateway  *gateway.Gateway
	listener net.Listener
	operator *operator    // nil: none
	tls      *certificate // nil: no TLS
	summary  *summary

	draining   atomic.Bool
	drainAsked chan struct{} // by the operator; room for one
}

func newDaemon(loaded *config.Loaded, p Process) (*daemon, error) {
	c := loaded.Config
	d := &daemon{
		config: c, log: newLogger(c, p.Stderr), signals: p.Signals, tokens: new(gateway.Tokens),
		drainAsked: make(chan struct{}, 1),
	}
	d.tokens.Set(c.Tokens)
	for _, w := range loaded.Warnings {
		d.log.Warn("configuration", "problem", w)
	}
	if c.TLSCert != "" {
		d.tls = &certificate{log: d.log}
		if err := d.tls.load(c.TLSCert, c.TLSKey); err != nil {
			return nil, err
		}
	}
	if err := d.open(); err != nil {
		return nil, err
	}
	d.summary = &summary{log: d.log, stats: d.gateway.Stats}
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
		return errors.Join(err, d.closeBackend(context.Background(), abortPatience))
	}
	if d.gateway, err = gateway.New(d.options(d.listener)); err != nil {
		return errors.Join(err, d.listener.Close(),
			d.closeBackend(context.Background(), abortPatience))
	}
	if d.operator, err = d.openOperator(); err != nil {
		return errors.Join(err, d.listener.Close(), d.gateway.Close(),
			d.closeBackend(context.Background(), abortPatience))
	}
	return nil
}

// tlsConfig is what connections speak TLS by; nil: they do not.
func (d *daemon) tlsConfig() *tls.Config {
	if d.tls == nil {
		return nil
	}
	return d.tls.config()
}

// options are the gateway's, as the configuration says.
func (d *daemon) options(l net.Listener) gateway.Options {
	c := d.config
	o := gateway.Options{
		IdleTimeout: c.IdleTimeout, Grace: c.Grace, MaxLifetime: c.MaxLifetime,
		Tick: c.Tick, MaxSessions: c.MaxSessions,
		ResumeWindow: c.ResumeWindow, EvictIdle: c.OnSessionLimit == evictIdle,
		MaxSessionsPerUser: c.MaxSessionsPerUser, EvictUsersIdle: c.OnUserLimit == evictIdle,
		SessionMaxInflight: c.SessionMaxInflight, GlobalMaxInflight: c.GlobalMaxInflight,
		Backend: d.backend, BackendTimeout: c.BackendTimeout,
		Net:              netOptions(c, l),
		Tokens:           d.tokens,
		MaxRefusedHellos: c.MaxRefusedHellos,
		Logger:           d.log,
	}
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
func netOptions(c config.Config, l net.Listener) netloop.Options {
	o := netloop.Options{
		Loops:               c.Loops,
		Paths:               c.Paths,
		Compression:         c.Compression,
		Origin:              handshake.SameOrigin(c.Origins, handshake.IsLoopback(l.Addr())),
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

	err := d.serve(ctx, served)
	err = errors.Join(err, d.gateway.Close(), d.operator.close())
	err = errors.Join(err, d.closeBackend(context.Background(), abortPatience))
	stopSumming()
	<-summed
	d.summary.write()
	d.log.Info("stopped", "network", networkSummary(d.gateway.NetStats()),
		"application", applicationSummary(d.backend))
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
		case s := <-d.signals:
			if s == syscall.SIGHUP {
				d.reread()
				continue
			}
			return d.drain(s.String(), s)
		}
	}
}

// drain lets the clients go, until a second signal comes; first is the one that began it, nil where
// something else did.
func (d *daemon) drain(why string, first os.Signal) error {
	d.draining.Store(true)
	d.log.Info("draining", "reason", why, "window", d.config.DrainWindow,
		"live", d.gateway.Stats().Live)
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-d.signals:
				switch {
				case s == syscall.SIGHUP:
				case first == nil: // an orchestrator's, after it has asked for the drain
					first = s
				default:
					interrupt()
				}
			}
		}
	}()
	err := d.gateway.Drain(ctx, d.config.DrainWindow)
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

// reread reads the files again that may change while the daemon runs. What cannot be read stays as
// it was.
func (d *daemon) reread() {
	if d.config.TokenFile == "" && d.config.AdminTokenFile == "" && d.tls == nil {
		d.log.Info("nothing to read again", "signal", "SIGHUP")
		return
	}
	if d.config.TokenFile != "" {
		d.rereadTokens(d.config.TokenFile, func(tokens []string) error {
			d.tokens.Set(tokens)
			return nil
		})
	}
	if d.config.AdminTokenFile != "" && d.operator != nil {
		d.rereadTokens(d.config.AdminTokenFile, d.operator.server.SetTokens)
	}
	if d.tls != nil {
		d.rereadCertificate()
	}
}

func (d *daemon) rereadTokens(file string, set func([]string) error) {
	tokens, err := config.ReadTokens(file)
	if err == nil {
		err = set(tokens)
	}
	if err != nil {
		d.log.Error("the old tokens stay", "error", err)
		return
	}
	d.log.Info("tokens read again", "file", file, "tokens", len(tokens))
}

func (d *daemon) rereadCertificate() {
	if err := d.tls.reload(); err != nil {
		d.log.Error("the old certificate stays", "error", err)
		return
	}
	d.log.Info("certificate read again", "file", d.config.TLSCert)
}

func newLogger(c config.Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
