package gateway

import (
	"iter"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// States of a session, in the words of the protocol.
const (
	StateLive     = "live"
	StateDetached = "detached" // it has no connection; this hides grace
	StateGrace    = "grace"
)

// Description is what can be seen of a session from outside.
type Description struct {
	ID           string
	State        string
	User         string // "" where it has none
	Remote       string // "" where it has no connection
	Protocol     string
	Created      time.Time
	LastActivity time.Time
	Deadline     time.Time // when it ends if nothing more happens; zero: it does not
	Idle         time.Duration
	Resumable    bool
	Epoch        uint32 // how many connections it has had
	Seq          uint64 // of the last numbered frame
	InFlight     int    // requests at the application
	QueuedBytes  int    // that wait to be written
	ReplayBytes  int    // that are kept for a resume
}

// describe says what can be seen of a session; false: it has ended, or not begun.
func (g *Gateway) describe(s engine.Session[link]) (Description, bool) {
	l, ok := s.Value()
	if !ok {
		return Description{}, false
	}
	info, ok := s.Info()
	if !ok {
		return Description{}, false
	}
	d := Description{
		ID: info.ID, State: StateLive, Protocol: ProtocolJSON, Idle: info.IdleTimeout,
		Created: info.Created, LastActivity: info.LastTouch, Deadline: info.Deadline, Epoch: 1,
	}
	if info.State == engine.StateGrace {
		d.State = StateGrace
	}
	conn := l.conn
	if st := l.state; st != nil {
		st.mu.Lock()
		defer st.mu.Unlock()
		if !st.seen() {
			return Description{}, false
		}
		conn = st.conn
		g.describeState(&d, st, info.Created)
	}
	if c, ok := g.net.Conn(conn); ok {
		d.Remote, d.QueuedBytes = c.Remote().String(), c.Queued()
		if p := c.Protocol(); p != "" {
			d.Protocol = p
		}
	}
	return d, true
}

// describeState adds what the state of a session says. It is called under its lock.
func (g *Gateway) describeState(d *Description, st *state, created time.Time) {
	d.User, d.Resumable, d.Epoch, d.Seq = st.user(), st.resumable(), st.epoch, st.seq
	d.Idle = g.idleOf(st)
	if st.replay != nil {
		d.ReplayBytes = st.replay.size()
	}
	if st.busy() {
		d.InFlight = len(st.flight.calls) + len(st.flight.waiting)
		d.Deadline = time.Time{}
		if g.o.MaxLifetime > 0 {
			d.Deadline = created.Add(g.o.MaxLifetime)
		}
	}
	if at := st.dieAt.Load(); at != 0 {
		d.Deadline = earlier(d.Deadline, g.started.Add(time.Duration(at)))
	}
	if at := st.leaveBy.Load(); at != 0 {
		d.State = StateDetached
		d.Deadline = earlier(d.Deadline, g.started.Add(time.Duration(at)))
	}
}

// earlier is the earlier of two moments, of which the zero one never comes.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// Sessions describes all sessions: each that lives throughout once, any other at most once. It
// stops nobody, and may be called at any time.
func (g *Gateway) Sessions() iter.Seq[Description] {
	return func(yield func(Description) bool) {
		for s := range g.table.All() {
			if d, ok := g.describe(s); ok && !yield(d) {
				return
			}
		}
	}
}

// find finds a session that others may see.
func (g *Gateway) find(id string) (engine.Session[link], bool) {
	s, ok := g.table.Lookup(id)
	if !ok {
		return s, false
	}
	l, ok := s.Value()
	if !ok || l.state == nil {
		return s, ok
	}
	l.state.mu.Lock()
	defer l.state.mu.Unlock()
	return s, l.state.seen()
}

// Session describes one session; false: there is none of that ID.
func (g *Gateway) Session(id string) (Description, bool) {
	s, ok := g.find(id)
	if !ok {
		return Description{}, false
	}
	return g.describe(s)
}

// Touch touches a session as a message of its client would; false: there is none of that ID.
func (g *Gateway) Touch(id string) bool {
	s, ok := g.find(id)
	return ok && s.Touch()
}

// Kick ends a session and closes its connection; false: there is none of that ID.
func (g *Gateway) Kick(id string) bool {
	s, ok := g.find(id)
	return ok && g.kick(s)
}

func (g *Gateway) kick(s engine.Session[link]) bool {
	conn, ok := g.finish(s, ReasonRevoked, 0, nil)
	if ok {
		g.closeFor(conn, ReasonRevoked)
	}
	return ok
}

// KickUser ends all sessions that a user has at the moment, and says how many these were.
func (g *Gateway) KickUser(user string) (ended int) {
	for _, ref := range g.users.of(user) {
		if g.kick(g.table.At(ref)) {
			ended++
		}
	}
	return ended
}
