package server

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/admin"
	"github.com/curfew-go/curfew/internal/audit"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/config"
	"github.com/curfew-go/curfew/internal/dashboard"
	"github.com/curfew-go/curfew/internal/gateway"
)

// operatorPatience is how long requests of operators may still take when the daemon ends.
const operatorPatience = time.Second

// operator is the operator's API of a daemon.
type operator struct {
	server   *admin.Server
	listener net.Listener
	served   chan error
}

// openOperator makes the operator's API, nil where there is to be none.
func (d *daemon) openOperator() (*operator, error) {
	c := d.config
	if c.Admin == "" {
		return nil, nil
	}
	l, err := admin.Listen(c.Admin)
	if err != nil {
		return nil, d.blame("admin", err)
	}
	scraped, err := d.metrics()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s, err := admin.New(admin.Options{
		Addr: l.Addr(), Sessions: sessions{d.gateway}, Ready: d.ready, Drain: d.askDrain,
		Status: d.status, Settings: d.settings, LogLevel: d.level,
		Metrics: scraped, Dashboard: dashboard.Handler(),
		Warnings: d.warnings,
		Events:   &d.events, OnAction: d.noteAction,
		Tokens: c.AdminTokens, ReadOnly: c.AdminReadOnly,
		MaxMessageBytes: int64(c.MaxMessageBytes), Logger: d.log,
	})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &operator{server: s, listener: l, served: make(chan error, 1)}, nil
}

// address is where the API is served, "" where it is not.
func (o *operator) address() string {
	if o == nil {
		return ""
	}
	return o.listener.Addr().String()
}

func (o *operator) serve(log *slog.Logger) {
	if o == nil {
		return
	}
	err := o.server.Serve(o.listener)
	if err != nil {
		log.Error("the operator's API has ended", "error", err)
	}
	o.served <- err
}

// close ends the API.
func (o *operator) close() error {
	if o == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), operatorPatience)
	defer cancel()
	err := o.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // a request that took too long does not matter any more
	}
	return errors.Join(err, <-o.served)
}

// errDraining is why newcomers should go elsewhere.
var errDraining = errors.New("draining")

func (d *daemon) ready() error {
	if d.draining.Load() {
		return errDraining
	}
	return nil
}

// askDrain has the daemon drain as on SIGTERM. Whoever asks how it is after that is told so.
func (d *daemon) askDrain() {
	d.showDraining()
	select {
	case d.drainAsked <- struct{}{}:
	default: // it was asked before
	}
}

// noteAction keeps in the log what an operator did, or was not let do. Messages that were pushed
// are the daily work of an application, and would fill it.
func (d *daemon) noteAction(a admin.Action) {
	level := slog.LevelInfo
	if a.Error == "" && strings.HasSuffix(a.Path, "/messages") {
		level = slog.LevelDebug
	}
	attributes := []any{
		"method", a.Method, "path", a.Path, "remote", a.Remote, "status", a.Status,
	}
	if a.Error != "" {
		attributes = append(attributes, "error", a.Error, "missed", a.Missed)
	}
	d.log.Log(context.Background(), level, "an operator's action", attributes...)
	d.audit.Action(audit.Action(a))
}

// publish tells operators what happened to a session.
func (d *daemon) publish(e gateway.Event) {
	t := admin.EventType(e.Type)
	if e.Type == gateway.EventEnd {
		t = admin.EventDisconnect
		if e.Reason.ByTime() {
			t = admin.EventExpire
		}
	}
	d.events.Publish(admin.Event{
		Type: t, Session: e.Session, User: e.User, Remote: e.Remote, Protocol: e.Protocol,
		Reason: string(e.Reason),
	})
}

// sessions are the gateway's, as the operator's API wants them.
type sessions struct{ g *gateway.Gateway }

// Outlines is all of them after one.
func (s sessions) Outlines(after uint64) iter.Seq[admin.Outline] {
	return func(yield func(admin.Outline) bool) {
		for o := range s.g.Outlines(after) {
			if !yield(admin.Outline{
				Ref: o.Ref, State: admin.State(o.State), User: o.User,
				Created: o.Created, LastActivity: o.LastActivity, Deadline: o.Deadline,
			}) {
				return
			}
		}
	}
}

// At is the one that an outline is of.
func (s sessions) At(ref uint64) (admin.Session, bool) {
	d, ok := s.g.At(ref)
	return sessionOf(&d), ok
}

// Get is one of them.
func (s sessions) Get(id string) (admin.Session, bool) {
	d, ok := s.g.Session(id)
	return sessionOf(&d), ok
}

// Kick ends one of them.
func (s sessions) Kick(id string) bool { return s.g.Kick(id) }

// Touch touches one of them.
func (s sessions) Touch(id string) bool { return s.g.Touch(id) }

// KickUser ends all of a user.
func (s sessions) KickUser(user string) int { return s.g.KickUser(user) }

// Push pushes to one of them, and gives admin's errors.
func (s sessions) Push(id string, m admin.Message) error {
	switch err := s.g.Push(id, messageOf(m)); {
	case errors.Is(err, gateway.ErrNoSession):
		return admin.ErrNotFound
	case errors.Is(err, gateway.ErrFull):
		return admin.ErrFull
	case errors.Is(err, gateway.ErrUnsupported):
		return admin.ErrUnsupported
	default:
		return err
	}
}

// PushUser pushes to all of a user.
func (s sessions) PushUser(user string, m admin.Message) (sent, refused int) {
	return s.g.PushUser(user, messageOf(m))
}

// PushAll pushes to all that are meant.
func (s sessions) PushAll(f admin.Filter, m admin.Message) (sent, refused int) {
	return s.g.PushAll(string(f.State), f.User, messageOf(m))
}

func sessionOf(d *gateway.Description) admin.Session {
	return admin.Session{
		ID: d.ID, State: admin.State(d.State), User: d.User,
		Created: d.Created, LastActivity: d.LastActivity, Deadline: d.Deadline, IdleTimeout: d.Idle,
		Protocol: d.Protocol, Remote: d.Remote,
		InFlight: d.InFlight, QueuedBytes: int64(d.QueuedBytes),
		Resumable: d.Resumable, Epoch: uint64(d.Epoch), Seq: d.Seq,
		ReplayBytes: int64(d.ReplayBytes),
	}
}

// messageOf is a message of an operator as one of the application, for whom it speaks.
func messageOf(m admin.Message) backend.Message {
	kinds := map[admin.Kind]backend.Kind{
		admin.JSON: backend.JSON, admin.Text: backend.Text, admin.Binary: backend.Binary,
	}
	return backend.Message{Kind: kinds[m.Kind], Data: m.Data}
}

// spareRequests is how many requests the application may have beside messages, calls and newcomers:
// ends of sessions, and for the list of tools.
const spareRequests = 32

// newApplication is the application behind the gateway.
func (d *daemon) newApplication() (backend.Backend, error) {
	c := d.config
	if c.Backend == config.BackendEcho {
		return backend.Echo{}, nil
	}
	return backend.NewHTTP(backend.HTTPOptions{
		URL: c.Backend, Token: c.BackendToken, Timeout: c.BackendTimeout, Logger: d.log,
		Concurrency: min(gateway.BackendConcurrency+c.GlobalMaxInflight+spareRequests, 1<<16),
	})
}
