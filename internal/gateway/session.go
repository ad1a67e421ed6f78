package gateway

import (
	"context"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// link is the value of a session: who it belongs to. Most sessions are no more than this.
type link struct {
	state *state     // what there is beyond the link; where it is not nil, the rest means nothing
	conn  netloop.ID // the connection that it began and ends with
	wants wants
}

// wants are the wishes of a client.
type wants uint8

const (
	wantsExpiring wants = 1 << iota // to be told when grace begins
	wantsResume                     // to keep its session when the connection is lost
)

// Reason is why a session ended.
type Reason string

// The reasons. The first three are time's.
const (
	ReasonIdle     Reason = "idle"     // its idle timeout and grace passed
	ReasonLifetime Reason = "lifetime" // its lifetime passed
	ReasonWindow   Reason = "window"   // nobody resumed it in time
	ReasonBye      Reason = "bye"      // the client said bye
	ReasonClosed   Reason = "closed"   // the client closed its connection
	ReasonLost     Reason = "lost"     // the connection broke, or showed no life
	ReasonSlow     Reason = "slow"     // the client did not read
	ReasonRevoked  Reason = "revoked"  // the operator ended it
	ReasonEvicted  Reason = "evicted"  // it made room for a new one
	ReasonPolicy   Reason = "policy"   // the client broke the protocol or a limit
	ReasonDrained  Reason = "drained"  // the daemon is going away
)

// ByTime says whether time ended the session.
func (r Reason) ByTime() bool {
	return r == ReasonIdle || r == ReasonLifetime || r == ReasonWindow
}

func reasonOf(r engine.Reason) Reason {
	if r == engine.ReasonLifetime {
		return ReasonLifetime
	}
	return ReasonIdle
}

// End is the one event that each session ends in.
type End struct {
	Session string
	User    string // "" where it has none
	Reason  Reason
	Late    time.Duration  // how long after its time it ended, where time ended it
	Remote  netip.AddrPort // of the connection that it was on; zero where it had none

	resumable bool // its client speaks ProtocolJSON, also where it had no connection
}

// forever is an idle timeout that never passes.
const forever time.Duration = math.MaxInt64

// create makes a session for a connection. Nobody else has heard of it yet, but who watches. Where
// the table is full and the policy is to evict, the idlest goes.
func (g *Gateway) create(c netloop.Conn, l link) (engine.Session[link], error) {
	s, err := g.enter(l)
	for n := 0; err != nil && n < evictTries && g.evictIdlest(err); n++ {
		s, err = g.enter(l)
	}
	if err != nil {
		g.counters.rejects(err)
		return s, err
	}
	g.counters.created.Add(1)
	g.tellCreated(c, s)
	g.idlest.add(g, s) // not before: from now on it may be evicted
	return s, nil
}

// enter enters a session into the table.
func (g *Gateway) enter(l link) (engine.Session[link], error) {
	st := l.state
	if st == nil {
		return g.table.Create(l)
	}
	st.mu.Lock() // others may find it before it has its ref
	defer st.mu.Unlock()
	s, err := g.table.Create(l)
	st.ref = s.Ref()
	return s, err
}

// began says that a session of a connection has begun. It is called in a callback about c.
func (g *Gateway) began(c netloop.Conn, s engine.Session[link]) {
	c.SetTag(uint64(s.Ref()))
	c.Ready()
	if g.log.Enabled(context.Background(), slog.LevelDebug) {
		g.log.Debug("session began", "session", s.ID(), "remote", c.Remote())
	}
}

// session is the session of a connection. Its methods say whether it lives.
func (g *Gateway) session(c netloop.Conn) engine.Session[link] {
	return g.table.At(engine.Ref(c.Tag()))
}

// finish ends a session, and gives the connection that it was on, if any. It gives ok only to who
// ended it: not where it had ended before, or where still (nil: always) says that the reason to end
// it is gone; that is asked under the lock of the state.
func (g *Gateway) finish(
	s engine.Session[link], why Reason, late time.Duration, still func(st *state) bool,
) (conn netloop.ID, ok bool) {
	l, ok := s.Value()
	if !ok {
		return 0, false
	}
	e := End{Reason: why, Late: late}
	if l.state != nil || g.reports() {
		e.Session = s.ID() // afterwards it has none
	}
	if l.state == nil {
		if l, ok = s.Remove(); ok && l.state == nil {
			g.counters.ended[why.number()].Add(1)
			g.report(e, l.conn)
		} else if ok { // it has got one just now
			return g.took(l.state, e), true
		}
		return l.conn, ok
	}
	st := l.state
	st.mu.Lock()
	if st.phase == ended || still != nil && !still(st) {
		st.mu.Unlock()
		return 0, false
	}
	g.buryLocked(st, &e) // before it is gone: whoever resumes finds the one or the other
	if _, ok = s.Remove(); !ok {
		st.mu.Unlock()
		return 0, false // by time, just now: that gives the reason
	}
	var t toll
	conn, told := g.endLocked(st, &e, &t)
	st.mu.Unlock()
	g.ended(e, conn, told, &t)
	return conn, true
}

// took takes down the state of a session that was removed, and reports the end.
func (g *Gateway) took(st *state, e End) (conn netloop.ID) {
	var t toll
	st.mu.Lock()
	conn, told := g.endLocked(st, &e, &t)
	st.mu.Unlock()
	g.ended(e, conn, told, &t)
	return conn
}

// ended counts and reports the end of a session whose state was taken down.
func (g *Gateway) ended(e End, conn netloop.ID, told bool, t *toll) {
	g.counters.add(t)
	if told {
		g.report(e, conn)
	}
}

// end ends the session of a connection, if it has one that lives and is still on it.
func (g *Gateway) end(c netloop.Conn, why Reason) {
	g.finish(g.session(c), why, 0, func(st *state) bool { return st.conn == c.ID() })
}

// buryLocked remembers a session that is ending for whoever comes to resume it.
func (g *Gateway) buryLocked(st *state, e *End) {
	if !st.resumable() || e.Reason == ReasonBye || len(e.Session) != sessionIDBytes {
		return
	}
	t := g.elapsed()
	stone := tombstone{newest: st.newest, reason: e.Reason, until: t + tombstoneLife}
	copy(stone.id[:], e.Session)
	if st.recent != nil && t < st.recent.spareUntil {
		stone.spare = st.recent.spare
	}
	g.tombstones.add(stone, t)
}

// endLocked takes down the state of a session that has ended, and notes what that changes in the
// counts. The end is to be reported, once the lock is free, unless the session never began, or its
// beginning is just being told, or messages of its client are still on their way: then who tells
// that, or delivers the last one, does it.
func (g *Gateway) endLocked(st *state, e *End, t *toll) (conn netloop.ID, toReport bool) {
	conn, was := st.conn, st.phase
	st.conn, st.phase = 0, ended
	t.arrivedLocked(st)
	e.User, e.resumable = st.user(), st.resumable()
	st.forget(&g.replays)
	g.users.leave(st)
	if was == asking {
		g.pending.Add(-1)
		return conn, false
	}
	t.end(e.Reason)
	f := st.flight
	if f == nil {
		return conn, true
	}
	for _, c := range f.calls {
		c.cancel()
	}
	if len(f.waiting) > 0 || was == entering {
		last := *e                     // so that the others need no memory of their own
		last.Remote = g.remoteOf(conn) // it may be gone by then
		f.last = &last
		return conn, false
	}
	return conn, true
}

// reports says whether anybody asks for the ends of sessions.
func (g *Gateway) reports() bool {
	return g.o.OnEnd != nil || !g.prompt || g.watched() ||
		g.log.Enabled(context.Background(), slog.LevelDebug)
}

// remoteOf is the peer of a connection, as far as it is still known.
func (g *Gateway) remoteOf(id netloop.ID) netip.AddrPort {
	if c, _ := g.net.Conn(id); c != (netloop.Conn{}) { // it may be closing already
		return c.Remote()
	}
	return netip.AddrPort{}
}

// report tells of an end, once for each session, and which connection that was on, 0 where it is
// not known.
func (g *Gateway) report(e End, conn netloop.ID) {
	g.log.Debug("session ended", "session", e.Session, "reason", e.Reason)
	g.o.Backend.Ended(backend.Session{ID: e.Session, User: e.User},
		backend.End{Reason: string(e.Reason), ByTime: e.Reason.ByTime()})
	if g.o.OnEnd != nil {
		if !e.Remote.IsValid() {
			e.Remote = g.remoteOf(conn)
		}
		g.o.OnEnd(e)
	}
	if e.Session != "" && g.watched() {
		var c netloop.Conn
		if conn != 0 {
			c, _ = g.net.Conn(conn) // it may be closing already
		}
		told := Event{Type: EventEnd, Session: e.Session, User: e.User, Reason: e.Reason}
		if e.Remote.IsValid() {
			told.Remote = e.Remote.String()
		}
		if e.resumable {
			told.Protocol = ProtocolJSON
		}
		g.tell(told, c)
	}
}

// expired is one session of a batch that time has ended.
type expired struct {
	End
	conn netloop.ID
	told bool // it is to be reported now
}

// onExpire takes down the sessions that time has ended, reports them, tells their clients and
// closes their connections. All are taken down first, so that whoever resumes meanwhile learns why
// not.
func (g *Gateway) onExpire(batch []engine.Expired[link]) {
	t := now()
	var counts toll
	reports := g.reports()
	ends := g.expiring[:0]
	for i := range batch {
		x := &batch[i]
		e := expired{conn: x.Value.conn, told: reports}
		e.Reason, e.Late = reasonOf(x.Reason), t.Sub(x.Due)
		if st := x.Value.state; st != nil {
			e.Session = x.ID()
			st.mu.Lock()
			g.buryLocked(st, &e.End)
			e.conn, e.told = g.endLocked(st, &e.End, &counts)
			st.mu.Unlock()
		} else {
			counts.end(e.Reason)
			if e.told {
				e.Session = x.ID()
			}
		}
		ends = append(ends, e)
	}
	g.counters.add(&counts)
	for i := range ends {
		e := &ends[i]
		if e.told {
			g.report(e.End, e.conn)
		}
		if c, ok := g.net.Conn(e.conn); ok {
			sayExpired(c, batch[i].AppendID, e.Reason)
		}
	}
	clear(ends)
	g.expiring = ends
}

// sayExpired tells a client that the time of its session is over, and closes the connection.
func sayExpired(c netloop.Conn, appendID func([]byte) []byte, why Reason) {
	if c.Protocol() != ProtocolRaw {
		sendExpired(c, appendID, why)
	}
	switch why {
	case ReasonLifetime:
		c.Close(codeLifetime, "session lifetime")
	default:
		c.Close(codeIdle, "session idle")
	}
}

// onGrace warns the clients who asked for it, and keeps count of the detached sessions among those
// in grace.
func (g *Gateway) onGrace(batch []engine.Session[link]) {
	graced := int64(0)
	defer func() { g.counters.graced.Add(graced) }()
	for _, s := range batch {
		l, ok := s.Value()
		if !ok {
			continue
		}
		if l.state != nil {
			l.state.mu.Lock()
			l.conn, l.wants = l.state.conn, l.state.wants
			graced += g.regraceLocked(s, l.state)
			l.state.mu.Unlock()
		}
		if l.wants&wantsExpiring == 0 {
			continue
		}
		info, ok := s.Info()
		if !ok || info.State != engine.StateGrace {
			continue // it was touched meanwhile
		}
		if c, ok := g.net.Conn(l.conn); ok {
			sendExpiring(c, info.Deadline.Sub(now()))
		}
	}
}
