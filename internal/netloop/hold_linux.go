package netloop

import (
	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// A connection of a loop that is held is not asked for what it has sent. That costs no call: only
// when the poller tells of something is it told not to.

// holds says whether the connection is held.
func (l *loop) holds(s *slot) bool { return s.busy != 0 && l.crowd.all[s.busy].hold != 0 }

// hold has the connection wait whose handler is called, once the call returns.
func (l *loop) hold(s *slot) {
	if s.has(flagEnding) {
		return
	}
	if x := l.makeBusy(s); x.hold == 0 {
		x.hold = l.now + 1
	}
	s.clear(flagReleased) // which was for the hold before
	s.set(flagHeld)
}

// unhold ends a hold, if there is one: the connection is read again.
func (l *loop) unhold(i uint32, s *slot, x *busy) {
	if x.hold == 0 {
		return
	}
	x.hold = 0
	s.clear(flagHeld | flagReleased)
	if !x.deaf && !x.broken {
		l.want(i, s, x, x.interest|poll.Read)
	}
}

// goOn does what a release wants. Deadlines have rested: that of the hello is as far away as it
// was, the others begin anew. What was kept is handled at the end of the turn.
func (l *loop) goOn(i uint32, s *slot) {
	if !s.has(flagHeld|flagReleased) || s.has(flagEnding) {
		return // it is another hold already, or none
	}
	x := l.busyOf(s)
	rested := l.now + 1 - x.hold
	s.begun += uint32(rested)
	s.life = uint32(l.now) + 1
	if x.unfinished != 0 {
		x.unfinished += rested
	}
	if l.unhold(i, s, x); s.has(flagEnding) {
		return
	}
	if !s.has(flagOpen) {
		deadline := later(l.moment(s.begun), l.srv.o.HelloTimeout)
		l.schedule(i, l.tickFrom(deadline))
		l.upgrade(i, s, x.head.B, x.asked)
		return
	}
	v := l.vitals(s, x)
	l.schedule(i, l.tickFrom(v.due(&l.srv.o)))
	l.callReleased(i, s)
}

// callReleased tells the handler that the connection is released.
func (l *loop) callReleased(i uint32, s *slot) {
	defer func() {
		if fault := recover(); fault != nil {
			l.panicked(i, s, fault)
		}
		l.calling = false
	}()
	l.calling = true
	l.srv.o.Handler.Released(Conn{on: &l.inside, id: l.id(i, s.generation())})
}

// keep keeps what was read of a connection that is held. It may lie in what was kept before.
func (l *loop) keep(i uint32, s *slot, rest []byte) {
	x := l.busyOf(s)
	switch {
	case len(rest) == 0:
		l.freeKept(x)
		return
	case x.kept != nil:
		x.handled = len(x.kept.B) - len(rest)
		return
	}
	if x.kept = l.srv.holders.pool.Grow(nil, len(rest)); x.kept == nil {
		x.mute = true
		l.end(i, s, l.srv.endOf(wsframe.FaultBuffer), complaint(wsframe.FaultBuffer))
		return
	}
	x.kept.B = append(x.kept.B, rest...)
	x.handled = 0
}

// resume handles what was kept, as far as the handler does not hold the connection again.
func (l *loop) resume(i uint32, s *slot, x *busy) {
	if !x.mute && !x.peerClosed {
		l.turn(i, s, x.kept.B[x.handled:])
	}
	if x.hold == 0 {
		l.freeKept(x)
	}
}

func (l *loop) freeKept(x *busy) {
	if x.kept != nil {
		l.srv.holders.pool.Free(x.kept)
		x.kept = nil
	}
}

// readableHeld is told of what cannot be read yet. Of a connection that broke nothing will be.
func (l *loop) readableHeld(i uint32, s *slot, x *busy, broken bool) {
	if broken {
		x.broken = true
		l.lost(i, s)
		return
	}
	l.want(i, s, x, x.interest&^poll.Read)
}

// putOut keeps what Open has sent before it held, in front of what will be sent until it is called
// again; nil: there is memory for it.
func (l *loop) putOut(s *slot) *Refusal {
	b, c := l.out, l.cargo
	l.out, l.cargo = l.out[:0], cargo{}
	if len(b) == 0 {
		return nil
	}
	x := l.makeBusy(s)
	if !x.queue.room(&l.srv.holders.pool, len(b)) {
		return &refusedInternal
	}
	x.queue.pending.B = append(x.queue.pending.B, b...)
	x.queue.cargo = c
	return nil
}

// takeOut gives back what putOut has kept, and what was sent since.
func (l *loop) takeOut(s *slot) {
	x := l.busyOf(s)
	if x.queue.waits() > 0 {
		l.out = append(l.out[:0], x.queue.pending.B...)
		l.cargo = x.queue.cargo
	}
	x.queue.drop(&l.srv.holders.pool)
	l.settle(s)
}

// dismiss ends a connection that is held in the middle of its upgrade.
func (l *loop) dismiss(i uint32, s *slot, c Cause, evicted bool) {
	if s.has(flagClosing) {
		return
	}
	if evicted {
		l.srv.stats.evicted.Add(1)
	}
	l.makeBusy(s).cause = End{Cause: c}
	l.refuse(i, s, &refusedEnded)
}
