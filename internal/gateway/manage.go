package gateway

import (
	"iter"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/netloop"
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
	Deadline     time.Time // as in Outline
	Idle         time.Duration
	Resumable    bool
	Epoch        uint32 // how many connections it has had
	Seq          uint64 // of the last numbered frame
	InFlight     int    // requests at the application
	QueuedBytes  int    // that wait to be written
	ReplayBytes  int    // that are kept for a resume
}

// Outline is what is worth knowing of very many sessions at once.
type Outline struct {
	Ref          uint64 // names the session while it lives
	State        string
	User         string
	Created      time.Time
	LastActivity time.Time
	// Deadline is when its idle timeout or its lifetime is over if nothing more happens, and when
	// it ends where it is in grace, or detached, which hides grace; zero: never.
	Deadline time.Time
}

// outline is the outline of a session, with its idle timeout and its value; false: it has ended, or
// not begun.
func (g *Gateway) outline(
	s engine.Session[link],
) (o Outline, idle time.Duration, l link, ok bool) {
	v, ok := s.View()
	if !ok {
		return o, 0, l, false
	}
	l = v.Value
	o = Outline{
		Ref: uint64(s.Ref()), State: StateLive, Created: v.Created, LastActivity: v.LastTouch,
		Deadline: v.Deadline,
	}
	if v.State == engine.StateGrace {
		o.State = StateGrace
	}
	if l.state == nil {
		return o, v.IdleTimeout, l, true
	}
	l.state.mu.Lock()
	defer l.state.mu.Unlock()
	if !l.state.seen() {
		return o, 0, l, false
	}
	g.outlineState(&o, l.state)
	return o, g.idleOf(l.state), l, true
}

// outlineState adds what the state of a session says. It is called under its lock.
func (g *Gateway) outlineState(o *Outline, st *state) {
	o.User = st.user()
	var life time.Time
	if g.o.MaxLifetime > 0 {
		life = o.Created.Add(g.o.MaxLifetime)
	}
	leaveBy := st.leaveBy.Load()
	switch {
	case st.busy():
		o.Deadline = life
	case leaveBy != 0 && o.State == StateLive && !o.Deadline.IsZero(): // its grace is to come
		o.Deadline = earlier(life, o.Deadline.Add(g.o.Grace))
	}
	if at := st.dieAt.Load(); at != 0 {
		o.Deadline = earlier(o.Deadline, g.started.Add(time.Duration(at)))
	}
	if leaveBy != 0 {
		o.State = StateDetached
		o.Deadline = earlier(o.Deadline, g.started.Add(time.Duration(leaveBy)))
	}
}

// describe says what can be seen of a session; false: it has ended, or not begun.
func (g *Gateway) describe(s engine.Session[link]) (Description, bool) {
	o, idle, l, ok := g.outline(s)
	if !ok {
		return Description{}, false
	}
	d := Description{
		ID: s.ID(), State: o.State, User: o.User, Protocol: ProtocolJSON, Idle: idle,
		Created: o.Created, LastActivity: o.LastActivity, Deadline: o.Deadline, Epoch: 1,
	}
	conn := l.conn
	if l.state != nil {
		conn = g.describeState(&d, l.state)
	}
	if c, ok := g.net.Conn(conn); ok {
		if l.state == nil && c.Tag() != uint64(s.Ref()) {
			return Description{}, false // it has not begun: its client is not answered yet
		}
		d.Remote, d.QueuedBytes = c.Remote().String(), c.Queued()
		if p := c.Protocol(); p != "" {
			d.Protocol = p
		}
	}
	return d, d.ID != "" // it may have ended meanwhile
}

// describeState adds what an outline leaves out of a session's state, and gives its connection.
func (g *Gateway) describeState(d *Description, st *state) netloop.ID {
	st.mu.Lock()
	defer st.mu.Unlock()
	d.Resumable, d.Epoch, d.Seq = st.resumable(), st.epoch, st.seq
	if st.replay != nil {
		d.ReplayBytes = st.replay.size()
	}
	if st.busy() {
		d.InFlight = len(st.flight.calls) + len(st.flight.waiting)
	}
	return st.conn
}

// earlier is the earlier of two moments, of which the zero one never comes.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// Outlines gives the outlines of all sessions that come, in the order that the gateway keeps them
// in, after the one that ref names, which may have ended; 0: of all. Each that lives throughout
// comes once, any other at most once. It stops nobody, and may be called at any time.
func (g *Gateway) Outlines(after uint64) iter.Seq[Outline] {
	return func(yield func(Outline) bool) {
		for s := range g.table.AllAfter(engine.Ref(after)) {
			if o, _, _, ok := g.outline(s); ok && !yield(o) {
				return
			}
		}
	}
}

// At describes the session that an outline is of; false: it has ended.
func (g *Gateway) At(ref uint64) (Description, bool) {
	return g.describe(g.table.At(engine.Ref(ref)))
}

// find finds a session that others may see.
func (g *Gateway) find(id string) (engine.Session[link], bool) {
	s, ok := g.table.Lookup(id)
	if !ok {
		return s, false
	}
	l, ok := s.Value()
	if !ok {
		return s, false
	}
	if l.state == nil {
		c, connected := g.net.Conn(l.conn)
		return s, !connected || c.Tag() == uint64(s.Ref())
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
	if !ok || !s.Touch() {
		return false
	}
	g.regrace(s)
	return true
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
