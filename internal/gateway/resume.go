package gateway

import (
	"slices"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/netloop"
)

const (
	// takeoversMax is how many resumes within takeoversTime may find the session still connected.
	takeoversMax  = 5
	takeoversTime = 30 * time.Second
	// spareTime is how long the token before the newest stays good.
	spareTime = 10 * time.Second
)

// detach keeps a session whose connection is lost, if it can be resumed; else it ends. It does
// nothing where the session is on another connection by now.
func (g *Gateway) detach(c netloop.Conn, s engine.Session[link], st *state, why Reason) {
	st.mu.Lock()
	stays := st.resumable() && why != ReasonPolicy && !g.draining.Load()
	if st.phase == ended || st.conn != c.ID() || !stays {
		st.mu.Unlock()
		g.end(c, why)
		return
	}
	id := s.ID()
	if id == "" { // its time is over, and who took it out of the table is about to say so
		st.mu.Unlock()
		return
	}
	at := g.later(g.o.ResumeWindow)
	st.conn = 0
	st.leaveBy.Store(int64(at))
	g.counters.detachedEver.Add(1)
	g.counters.detached.Add(1)
	g.counters.graced.Add(g.regraceLocked(s, st))
	g.shrink(st)
	look, watched := at, false
	if st.recent != nil { // it is shrunk again when that is over, and looked at then
		look, watched = min(at, st.recent.over()|toShrink), st.recent.watched
		st.recent.watched = look != at
	}
	st.mu.Unlock()
	g.log.Debug("session detached", "session", id, "reason", why)
	if g.watched() {
		g.tell(Event{Type: EventDetach, Session: id, User: st.userNow(), Reason: why}, c)
	}
	if !watched {
		g.deadlines.add(g, appointment{at: look, ref: s.Ref()})
	}
}

// shrink gives memory back that a detached session does not need.
func (g *Gateway) shrink(st *state) {
	if st.replay != nil && len(st.replay.frames) == 0 {
		st.forget(&g.replays)
	}
	if st.recent != nil && st.recent.over() <= g.elapsed() {
		st.recent = nil
	}
	if f := st.flight; f != nil && !st.busy() {
		st.flight = nil
	}
}

// resume gives a session that a client has a token of to its new connection.
func (g *Gateway) resume(c netloop.Conn, h *hello) {
	p := present(h.resumeToken)
	s, found := g.table.Lookup(p.session)
	var st *state
	if l, ok := s.Value(); found && ok {
		st = l.state
	}
	if st == nil {
		st = new(state) // no token fits it
	}
	old, r, ok := g.move(c, s, st, &p, h)
	if !ok {
		if r == refusedUnknown {
			r = g.unknown(&p, found)
		}
		g.refuse(c, r, &g.counters.resumeRefused)
		return
	}
	g.log.Debug("session resumed", "session", p.session, "remote", c.Remote(), "takeover", old != 0)
	g.counters.resumed.Add(1)
	if old != 0 {
		g.counters.takenOver.Add(1)
	}
	if g.watched() {
		g.tell(Event{Type: EventResume, Session: p.session, User: st.userNow()}, c)
	}
	if o, ok := g.net.Conn(old); ok {
		o.Close(codeTaken, "session resumed elsewhere")
	}
}

// unknown is what a client is told whose token fits no session; named says whether the session that
// it names lives. Who brings a token of a session that nobody knows guesses nothing: after a
// restart everybody does.
func (g *Gateway) unknown(p *presented, named bool) refusal {
	why, known := g.tombstones.reason(p, g.elapsed())
	if why != "" {
		return refusedEnded(why)
	}
	r := refusedUnknown
	r.guilty = named || known || p.session == ""
	return r
}

// move moves a session to a new connection, if its client may have it, and gives the one that it
// was on, 0 where it was detached.
func (g *Gateway) move(
	c netloop.Conn, s engine.Session[link], st *state, p *presented, h *hello,
) (old netloop.ID, r refusal, ok bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	t := g.elapsed()
	newest := p.fits(&st.newest)
	spare := st.recent.fits(p, t)
	if !newest && !spare || st.phase == ended {
		return 0, refusedUnknown, false
	}
	if st.conn != 0 {
		if wait := st.takeover(t); wait > 0 {
			return 0, refusedTakeover(wait), false
		}
	}
	if !s.Touch() {
		r := refusedUnknown // its time is over, and nobody has been told why yet
		r.guilty = false
		return 0, r, false
	}
	if newest {
		st.recently().spare, st.recent.spareUntil = st.newest, t+spareTime
	} else {
		st.recent.spare = tokenHash{}
	}
	old = st.conn
	st.conn = c.ID()
	st.epoch++
	var counts toll
	counts.arrivedLocked(st)
	g.counters.add(&counts)
	st.wants = st.wants&^h.named | h.wants&h.named | wantsResume
	g.limitIdle(s, st, h.idle)
	c.SetTag(uint64(s.Ref()))
	c.Ready()
	g.welcomeLocked(c, s, st, h)
	return old, refusal{}, true
}

// welcomeLocked answers the hello that brought a session that can be resumed to a connection: with
// a new token, and with what the client has missed.
func (g *Gateway) welcomeLocked(c netloop.Conn, s engine.Session[link], st *state, h *hello) {
	var id [sessionIDBytes]byte
	var token []byte
	token, st.newest = newResumeToken(s.AppendID(id[:0]))
	a := resumeAck{
		token: token, resumed: h.resumeToken != "", seq: st.seq, epoch: st.epoch,
		window: g.o.ResumeWindow, node: g.node,
	}
	missed := 0
	if a.resumed {
		missed, a.gap = st.missed(h.resumeSeq)
	}
	if a.gap {
		g.counters.replayGaps.Add(1)
	}
	sendHelloAck(c, s, g.idleOf(st), &a)
	if st.replay == nil {
		return
	}
	st.replay.drop(len(st.replay.frames) - missed) // the client has them
	st.replay.trim(replayIdleMax, &g.replays)
	bytes := 0
	st.replay.last(missed, func(frame []byte) {
		g.sendLocked(st, c, frame)
		bytes += len(frame)
	})
	if missed > 0 {
		g.counters.replayed.Add(uint64(missed))
		g.counters.replayedBytes.Add(uint64(bytes))
	}
}

// missed is how many of the kept frames a client lacks that has those up to seq, and whether it
// lacks others. A client that claims to have more than there are gets all that is kept.
func (st *state) missed(seq seqNumber) (frames int, gap bool) {
	kept := 0
	if st.replay != nil {
		kept = len(st.replay.frames)
	}
	if seq.wild || seq.n > st.seq {
		return kept, true
	}
	lacks := st.seq - seq.n
	if lacks > uint64(kept) {
		return kept, true
	}
	return int(lacks), false
}

// acknowledge forgets frames that the client has.
func (st *state) acknowledge(seq seqNumber, b *budget) {
	if st.replay == nil || seq.wild || seq.n > st.seq {
		return
	}
	if missed, gap := st.missed(seq); !gap {
		st.replay.drop(len(st.replay.frames) - missed)
		st.replay.trim(replayIdleMax, b)
	}
}

// recently gives the state room for what matters for seconds only.
func (st *state) recently() *recent {
	if st.recent == nil {
		st.recent = new(recent)
	}
	return st.recent
}

// fits says whether a token is the spare one, and still good.
func (r *recent) fits(p *presented, t time.Duration) bool {
	if r == nil {
		r = new(recent)
	}
	return p.fits(&r.spare) && t < r.spareUntil
}

// takeover counts a takeover, unless there were too many of late: then it gives the time after
// which there may be another one.
func (st *state) takeover(t time.Duration) (wait time.Duration) {
	r := st.recently()
	r.takeovers = slices.DeleteFunc(r.takeovers, func(at time.Duration) bool {
		return t-at >= takeoversTime
	})
	if len(r.takeovers) >= takeoversMax {
		return takeoversTime - (t - r.takeovers[0])
	}
	r.takeovers = append(r.takeovers, t)
	return 0
}

// over is when nothing of it matters any more.
func (r *recent) over() time.Duration {
	over := r.spareUntil
	if n := len(r.takeovers); n > 0 {
		over = max(over, r.takeovers[n-1]+takeoversTime)
	}
	return over
}

// limitIdle takes the idle timeout that a client wants, if that is shorter than what it may have;
// 0: it wants nothing.
func (g *Gateway) limitIdle(s engine.Session[link], st *state, wanted time.Duration) {
	if wanted == 0 {
		return
	}
	limit := g.o.IdleTimeout
	if st.grant != nil && st.grant.idle > 0 {
		limit = min(limit, st.grant.idle)
	}
	st.idle = min(wanted, limit)
	if !st.busy() {
		s.SetIdleTimeout(st.idle)
	}
}

// idleOf is the idle timeout of a session.
func (g *Gateway) idleOf(st *state) time.Duration {
	if st.idle == 0 {
		return g.o.IdleTimeout
	}
	return st.idle
}
