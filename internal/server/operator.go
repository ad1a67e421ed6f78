package server

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net"
	"time"

	"github.com/curfew-go/curfew/internal/admin"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/config"
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
		return nil, err
	}
	s, err := admin.New(admin.Options{
		Addr: l.Addr(), Sessions: sessions{d.gateway}, Ready: d.ready, Drain: d.askDrain,
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

// askDrain has the daemon drain as on SIGTERM.
func (d *daemon) askDrain() {
	select {
	case d.drainAsked <- struct{}{}:
	default: // it was asked before
	}
}

// sessions are the gateway's, as the operator's API wants them.
type sessions struct{ g *gateway.Gateway }

// All is all of them.
func (s sessions) All() iter.Seq[admin.Session] {
	return func(yield func(admin.Session) bool) {
		for d := range s.g.Sessions() {
			if !yield(sessionOf(&d)) {
				return
			}
		}
	}
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
