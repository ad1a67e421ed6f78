package netloop

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wheel"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// end begins the closing stage, for the first cause of an end. Where somebody outside was faster,
// an errand is on its way that will.
func (l *loop) end(i uint32, s *slot, e End, reason string) {
	if s.conclude(s.generation(), 0) {
		l.conclude(i, s, e, reason, false)
	}
}

// conclude begins the closing stage: a close frame follows what waits, and the handler is told at
// the end of the turn. Of one that is evicted nothing is kept.
func (l *loop) conclude(i uint32, s *slot, e End, reason string, evicted bool) {
	if s.has(flagClosing) {
		return
	}
	s.set(flagClosing)
	l.srv.stats.ends[e.Cause].Add(1)
	x := l.makeBusy(s)
	l.unhold(i, s, x)
	x.cause = e
	x.closeAt = l.after(min(closeTimeout, l.srv.o.writeTimeout()))
	x.writeBy = min(x.writeBy, x.closeAt)
	l.schedule(i, x.closeAt)
	switch {
	case evicted:
		l.srv.stats.evicted.Add(1)
		x.mute = true
		x.queue.drop(&l.srv.holders.pool)
	case e.Cause == CauseSlow:
		x.queue.drop(&l.srv.holders.pool) // nobody reads it
	}
	if e.Cause == CauseLost || x.broken {
		return
	}
	if x.flight != nil {
		x.queue.closeFrame(&l.srv.holders.pool, e.Code, reason)
		return
	}
	l.out = wsframe.Server.AppendClose(l.out, wsframe.Code(e.Code), reason)
	l.cargo.close()
}

// lost ends a connection from which nothing more comes. What waits may still be written.
func (l *loop) lost(i uint32, s *slot) {
	x := l.makeBusy(s)
	x.deaf, x.mute = true, true
	if !x.broken {
		l.want(i, s, x, x.interest&^poll.Read)
	}
	if s.has(flagOpen) {
		l.end(i, s, End{Cause: CauseLost}, "")
		return
	}
	s.set(flagEnding | flagClosing)
	x.closeAt = l.now
}

// refuse answers a handshake with something else than 101.
func (l *loop) refuse(i uint32, s *slot, r *Refusal) {
	l.srv.stats.refused(r.Status)
	x := l.makeBusy(s)
	l.unhold(i, s, x)
	l.freeHead(x)
	x.queue.drop(&l.srv.holders.pool)
	x.mute = true
	x.closeAt = l.after(closeTimeout)
	s.set(flagEnding | flagClosing)
	l.schedule(i, x.closeAt)
	l.out = handshake.AppendRefusal(l.out[:0], r)
	l.cargo = cargo{other: len(l.out)}
}

// giveUpUpgrade ends an upgrade that is not through: with an answer where there was a question.
func (l *loop) giveUpUpgrade(i uint32, s *slot, r *Refusal) {
	if x := l.busyOf(s); x != nil && x.head != nil {
		l.refuse(i, s, r)
		return
	}
	x := l.makeBusy(s)
	x.broken = true
	s.set(flagEnding | flagClosing)
}

// teardown goes as far as it can in letting go of a connection, and says whether it is gone.
func (l *loop) teardown(i uint32, s *slot, x *busy) bool {
	if x.mute || x.peerClosed {
		x.parser.Reset(l.srv.rulesFor(s.deflate())) // nobody will read on
	}
	switch {
	case x.broken, x.flight == nil && x.deaf:
		l.destroy(i, s, x.reset)
		return true
	case x.flight == nil && (x.mute || x.peerClosed) && !x.hungUp:
		// Closing a socket with unread bytes resets it, and the peer might lose what was written
		// last: the peer must let go first.
		x.hungUp = true
		if unix.Shutdown(int(s.fd), unix.SHUT_WR) != nil {
			l.destroy(i, s, false)
			return true
		}
	}
	return false
}

// destroy lets go of a connection at once. What the peer does not read is not worth the kernel's
// memory: with reset it is thrown away.
func (l *loop) destroy(i uint32, s *slot, reset bool) {
	if reset {
		_ = unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER,
			&unix.Linger{Onoff: 1, Linger: 0})
	}
	_ = unix.Close(int(s.fd))
	l.wheel.Cancel(i)
	l.connections--
	if x := l.busyOf(s); x != nil {
		l.countClose(s, x, SideNone, 0)
		pool := &l.srv.holders.pool
		l.freeHead(x)
		l.freeKept(x)
		x.parser.Reset(l.srv.rulesFor(s.deflate()))
		x.queue.drop(pool)
		if x.flight != nil {
			x.queue.done(pool, x.flight)
			x.flight = nil
		}
		l.account(i, s, x)
		l.release(s)
	}
	if s.has(flagCounted) {
		l.srv.addresses.remove(s.peer().Addr())
	}
	l.slots.give(i)
	l.srv.leave()
}

func (l *loop) freeHead(x *busy) {
	if x.head != nil {
		l.srv.heads.Free(x.head)
		x.head, x.asked = nil, 0
	}
}

// visit does what is due of a connection, and says when to look again.
func (l *loop) visit(i uint32, s *slot) {
	x := l.busyOf(s)
	switch {
	case s.has(flagClosing):
		if l.now < x.closeAt {
			l.schedule(i, x.closeAt)
			return
		}
		x.broken, x.reset = true, x.flight != nil
	case x != nil && x.hold != 0 && (x.flight == nil || l.now < x.writeBy):
		if x.flight != nil {
			l.schedule(i, x.writeBy) // which does not rest
		}
	case !s.has(flagOpen):
		deadline := l.tickFrom(l.srv.askBy(l.moment(s.begun)))
		if l.now < deadline {
			l.schedule(i, deadline)
			return
		}
		l.giveUpUpgrade(i, s, &refusedSlow)
	case x != nil && x.flight != nil && l.now >= x.writeBy:
		x.broken, x.reset = true, true
		l.end(i, s, End{Cause: CauseSlow}, "")
	default:
		l.examine(i, s, x)
	}
}

// examine looks for signs of life of an open connection.
func (l *loop) examine(i uint32, s *slot, x *busy) {
	v := l.vitals(s, x)
	switch verdict := v.look(&l.srv.o, l.moment(uint32(l.now))); verdict {
	case verdictAlive:
	case verdictAsk:
		l.ping(s)
		v = l.vitals(s, x)
	default:
		e, reason := verdict.end()
		l.end(i, s, e, reason)
		return
	}
	at := l.tickFrom(v.due(&l.srv.o))
	if x != nil && x.flight != nil {
		at = min(at, x.writeBy)
	}
	l.schedule(i, at)
}

// vitals are those of an open connection.
func (l *loop) vitals(s *slot, x *busy) vitals {
	v := vitals{
		ready: s.has(flagReady), accepted: l.moment(s.begun), life: l.moment(s.life),
		pinged: never, unfinished: never,
	}
	if s.has(flagPinged) {
		v.pinged = v.life
	}
	if x != nil && x.unfinished != 0 {
		v.unfinished = l.moment(uint32(x.unfinished))
	}
	return v
}

// tickFrom is the first tick that does not begin before a moment.
func (l *loop) tickFrom(t time.Duration) wheel.Tick {
	n := wheel.Tick(t / tick)
	if t%tick != 0 {
		n++
	}
	return n
}
