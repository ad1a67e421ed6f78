package gateway

import (
	"sync"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// deadlines are the ends of sessions that the table does not know of: of the resume window, and of
// a lifetime that the application shortened. Its methods may be called at the same time.
type deadlines struct {
	mu struct {
		sync.Mutex
		agenda agenda
		timer  *time.Timer // nil: nothing was ever due
		armed  time.Duration
		closed bool
		late   engine.Histogram // how long after they were due sessions ended
	}
}

// toShrink marks the moments at which a detached session is to take less memory; those at which one
// ends are even.
const toShrink time.Duration = 1

// dueStep bounds what is taken out of the agenda at a time.
const dueStep = 256

// add has a session looked at when a moment has come.
func (d *deadlines) add(g *Gateway, x appointment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.agenda.add(x, g.stillDue)
	d.armLocked(g)
}

// armLocked has the timer run when the first is due.
func (d *deadlines) armLocked(g *Gateway) {
	first, ok := d.mu.agenda.first()
	if !ok || d.mu.closed || d.mu.armed != 0 && d.mu.armed <= first.at {
		return
	}
	d.mu.armed = first.at
	wait := max(0, first.at-g.elapsed())
	if d.mu.timer == nil {
		d.mu.timer = afterFunc(wait, func() { d.run(g) })
	} else {
		d.mu.timer.Reset(wait)
	}
}

// run looks at all that are due. It is called by the timer.
func (d *deadlines) run(g *Gateway) {
	var due [dueStep]appointment
	for {
		n := d.take(g, due[:])
		for _, x := range due[:n] {
			g.meetDeadline(x)
		}
		if n < len(due) {
			return
		}
	}
}

// take takes out what is due, as far as there is room. When that is all, the timer runs again when
// the next is due.
func (d *deadlines) take(g *Gateway, due []appointment) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := g.elapsed()
	for n < len(due) {
		first, ok := d.mu.agenda.first()
		if !ok || first.at > t {
			d.mu.armed = 0
			d.armLocked(g)
			break
		}
		d.mu.agenda.pop()
		due[n] = first
		n++
	}
	return n
}

// ended counts how late a session ended.
func (d *deadlines) ended(late time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.late.Add(late)
}

// lateness is how late sessions ended, together with others.
func (d *deadlines) lateness(others engine.Histogram) engine.Histogram {
	d.mu.Lock()
	defer d.mu.Unlock()
	return others.Plus(d.mu.late)
}

// close ends it. A run that has begun goes on; what it finds has ended.
func (d *deadlines) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.closed = true
	if d.mu.timer != nil {
		d.mu.timer.Stop()
	}
}

// stillDue says whether an appointment still holds.
func (g *Gateway) stillDue(x appointment) bool {
	l, ok := g.table.At(x.ref).Value()
	if !ok || l.state == nil {
		return false
	}
	if x.at&toShrink != 0 {
		return true // recent.watched relies on it, also where the session is connected meanwhile
	}
	return l.state.leaveBy.Load() == int64(x.at) || l.state.dieAt.Load() == int64(x.at)
}

// meetDeadline ends a session if the moment that has come is the end of its resume window or of its
// lifetime, or shrinks it.
func (g *Gateway) meetDeadline(x appointment) {
	s := g.table.At(x.ref)
	if x.at&toShrink != 0 {
		if l, ok := s.Value(); ok && l.state != nil {
			if next := g.shrinkAgain(l.state); next > 0 {
				g.deadlines.add(g, appointment{at: next, ref: x.ref})
			}
		}
		return
	}
	late := g.elapsed() - x.at
	if _, ok := g.finish(s, ReasonWindow, late, func(st *state) bool {
		return st.leaveBy.Load() == int64(x.at)
	}); ok {
		g.deadlines.ended(late)
		return
	}
	id := []byte(s.ID())
	conn, ok := g.finish(s, ReasonLifetime, late, func(st *state) bool {
		return st.dieAt.Load() == int64(x.at)
	})
	if !ok {
		return
	}
	g.deadlines.ended(late)
	if c, ok := g.net.Conn(conn); ok {
		sayExpired(c, func(b []byte) []byte { return append(b, id...) }, ReasonLifetime)
	}
}

// shrinkAgain shrinks a detached session that remembered something for some seconds more, and gives
// the moment at which it is to be looked at next; 0: at none.
func (g *Gateway) shrinkAgain(st *state) (next time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	r := st.recent
	if r == nil {
		return 0 // its end stands in the agenda by itself
	}
	r.watched = false
	if st.conn != 0 || st.phase == ended {
		return 0
	}
	g.shrink(st)
	leaveBy := time.Duration(st.leaveBy.Load())
	if st.recent == nil {
		return leaveBy
	}
	next = min(leaveBy, r.over()|toShrink)
	r.watched = next != leaveBy
	return next
}

// later is an even moment that is no earlier than d from now.
func (g *Gateway) later(d time.Duration) time.Duration {
	at := (g.elapsed() + d + toShrink) &^ toShrink
	if at < d {
		at = forever &^ toShrink // it is centuries away
	}
	return at
}

// dieAfter has a session end when the application wants it to.
func (g *Gateway) dieAfter(s engine.Session[link], st *state, lifetime time.Duration) {
	at := g.later(lifetime)
	st.dieAt.Store(int64(at))
	g.deadlines.add(g, appointment{at: at, ref: s.Ref()})
}
