package netloop

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// outKept is how large the loop's memory for what is sent in a turn may stay.
const outKept = 256 << 10

// send sends a message to the connection whose turn it is, which is not closing.
func (l *loop) send(i uint32, s *slot, kind Kind, payload []byte) bool {
	op := opOf(kind)
	x := l.busyOf(s)
	if x == nil || x.flight == nil {
		if !s.has(flagOpen) && len(l.out) > l.srv.o.WriteBufferBytes {
			l.end(i, s, End{CauseSlow, CodeSlow}, reasonSlow) // nothing can be written yet
			return false
		}
		l.out = wsframe.Server.AppendMessage(l.out, s.deflate(), op, payload)
		l.cork(i, s)
		return true
	}
	was := x.queue.dropped
	out := x.queue.put(&l.srv.o, &l.srv.holders.pool, s.deflate(), op, payload)
	l.srv.stats.dropped.Add(uint64(x.queue.dropped - was))
	if out == outcomeFull {
		x.queue.drop(&l.srv.holders.pool)
		l.end(i, s, End{CauseSlow, CodeSlow}, reasonSlow)
	}
	return out == outcomeQueued
}

// cork lets what was sent wait for the end of the turn, but not too much of it.
func (l *loop) cork(i uint32, s *slot) {
	if len(l.out) >= corkBytesMax && s.has(flagOpen) {
		l.flush(i, s)
	}
}

// pong answers a ping.
func (l *loop) pong(i uint32, s *slot, payload []byte) {
	if x := l.busyOf(s); x != nil && x.flight != nil {
		x.queue.pong(&l.srv.holders.pool, payload)
		return
	}
	l.out = wsframe.Server.AppendFrame(l.out, wsframe.OpPong, true, payload)
	l.cork(i, s)
}

// ping asks for a sign of life.
func (l *loop) ping(s *slot) {
	s.life = uint32(l.now) + 1 // from which the ping timeout runs
	s.set(flagPinged)
	if x := l.busyOf(s); x != nil && x.flight != nil {
		x.queue.frame(&l.srv.holders.pool, wsframe.OpPing, nil)
		return
	}
	l.out = wsframe.Server.AppendFrame(l.out, wsframe.OpPing, true, nil)
}

// flush writes what was sent in a turn. What the socket does not take is kept, and written when it
// does.
func (l *loop) flush(i uint32, s *slot) {
	b := l.out
	l.out = b[:0]
	if cap(b) > outKept {
		l.out = nil
	}
	if x := l.busyOf(s); x != nil && (x.broken || x.hungUp) {
		return
	}
	n, err := poll.WriteSocket(int(s.fd), b)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		l.writeFailed(i, s)
		return
	}
	if n == len(b) {
		return
	}
	x := l.makeBusy(s)
	flight := l.srv.holders.pool.Grow(nil, len(b)-n)
	if flight == nil {
		x.broken, x.reset = true, true
		l.end(i, s, End{Cause: CauseSlow}, "")
		return
	}
	flight.B = append(flight.B, b[n:]...)
	l.launch(i, s, x, flight)
	l.want(i, s, x, x.interest|poll.Write)
}

// launch has a batch written next.
func (l *loop) launch(i uint32, s *slot, x *busy, batch *wsframe.Buffer) {
	x.flight, x.written, x.queue.flight = batch, 0, len(batch.B)
	x.writeBy = l.after(l.srv.o.writeTimeout())
	if s.has(flagClosing) {
		x.writeBy = x.closeAt
	}
	l.schedule(i, x.writeBy)
}

// writable goes on with what waits to be written.
func (l *loop) writable(i uint32, s *slot) {
	x := l.busyOf(s)
	if x == nil {
		return
	}
	for x.flight != nil {
		n, err := poll.WriteSocket(int(s.fd), x.flight.B[x.written:])
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			l.writeFailed(i, s)
			return
		}
		if x.written += n; x.written < len(x.flight.B) {
			return
		}
		x.queue.done(&l.srv.holders.pool, x.flight)
		x.flight = nil
		if batch := x.queue.take(&l.srv.holders.pool); batch != nil {
			l.launch(i, s, x, batch)
		}
	}
	l.want(i, s, x, x.interest&^poll.Write)
}

// writeFailed ends a connection to which nothing can be written any more.
func (l *loop) writeFailed(i uint32, s *slot) {
	x := l.makeBusy(s)
	x.broken = true
	x.queue.drop(&l.srv.holders.pool)
	l.end(i, s, End{Cause: CauseLost}, "")
}

// want asks the poller for something else than before.
func (l *loop) want(i uint32, s *slot, x *busy, interest poll.Interest) {
	if x.interest == interest {
		return
	}
	x.interest = interest
	if err := l.poll.Modify(int(s.fd), key(i, s), interest); err != nil {
		x.broken = true // without it nothing would be heard of the connection
		l.end(i, s, End{Cause: CauseLost}, "")
	}
}

// inside is how a handler reaches the connection that it is called about.
type inside struct{ l *loop }

// at gives the slot, if the call is about the connection whose turn it is. A handler that uses what
// it was given for something else is served from outside.
func (t *inside) at(id ID) (i uint32, s *slot, ok bool) {
	i = id.slot()
	s = t.l.slots.at(i)
	return i, s, t.l.calling && i == t.l.current && s.generation() == id.generation()
}

func (t *inside) remote(id ID) netip.AddrPort { return t.l.outside.remote(id) }

func (t *inside) protocol(id ID) string { return t.l.outside.protocol(id) }

func (t *inside) tag(id ID) uint64 { return t.l.outside.tag(id) }

func (t *inside) ready(id ID) { t.l.outside.ready(id) }

func (t *inside) setTag(id ID, tag uint64) {
	if _, s, ok := t.at(id); ok {
		s.tag.Store(tag)
	}
}

func (t *inside) send(id ID, kind Kind, payload []byte) bool {
	i, s, ok := t.at(id)
	if !ok {
		return t.l.outside.send(id, kind, payload)
	}
	return !s.has(flagEnding) && t.l.send(i, s, kind, payload)
}

func (t *inside) evict(id ID) { t.l.outside.evict(id) }

func (t *inside) close(id ID, e End, reason string) {
	i, s, ok := t.at(id)
	if !ok {
		t.l.outside.close(id, e, reason)
		return
	}
	t.l.end(i, s, e, reason)
}

// outside is how everybody else reaches a connection: through the loop's inbox.
type outside struct{ l *loop }

// errandBytes is what an errand counts for besides its payload.
const errandBytes = 32

// at gives the slot if it still has the connection.
func (t *outside) at(id ID) (*slot, bool) {
	s := t.l.slots.at(id.slot())
	return s, s.generation() == id.generation()
}

func (t *outside) remote(id ID) netip.AddrPort {
	s, _ := t.at(id)
	peer := s.peer()
	if _, ok := t.at(id); !ok {
		return netip.AddrPort{}
	}
	return peer
}

func (t *outside) protocol(id ID) string {
	if s, ok := t.at(id); ok {
		if n := s.protocol(); n > 0 {
			return t.l.srv.o.Protocols[n-1]
		}
	}
	return ""
}

func (t *outside) tag(id ID) uint64 {
	s, _ := t.at(id)
	tag := s.tag.Load()
	if _, ok := t.at(id); !ok {
		return 0
	}
	return tag
}

// setTag is for the handler, during a call: somebody else could meet a slot that is used again.
func (t *outside) setTag(ID, uint64) { panic("netloop: SetTag outside of a call of the handler") }

func (t *outside) ready(id ID) {
	s, _ := t.at(id)
	for {
		w := s.word.Load()
		if uint32(w>>generationShift) != id.generation() || s.word.CompareAndSwap(w, w|flagReady) {
			return
		}
	}
}

func (t *outside) send(id ID, kind Kind, payload []byte) bool {
	s, ok := t.at(id)
	if !ok || s.word.Load()&(flagOpen|flagEnding) != flagOpen {
		return false
	}
	o := &t.l.srv.o
	posted, held := s.waitsPosted(), int(s.held.Load())
	limit := o.WriteBufferBytes
	if held == 0 {
		limit *= 2 // the peer had no chance to be slow
	}
	waits := posted
	if o.OnSlow != SlowDropOldest {
		waits += held // which the loop will see to otherwise
	}
	size := len(payload) + errandBytes
	if waits > 0 && waits+size > limit {
		t.refuse(id)
		return false
	}
	if !s.post(id.generation(), size) {
		return false // the connection is gone
	}
	if !t.l.inbox.post(errand{id: id, kind: kind}, payload) {
		s.post(id.generation(), -size)
		t.l.srv.stats.dropped.Add(1)
		return false
	}
	t.l.poll.Wake()
	return true
}

// refuse does what is to be done where too much waits for a connection.
func (t *outside) refuse(id ID) {
	if t.l.srv.o.OnSlow == SlowClose {
		t.close(id, End{CauseSlow, CodeSlow}, reasonSlow)
		return
	}
	t.l.srv.stats.dropped.Add(1)
}

func (t *outside) close(id ID, e End, reason string) {
	t.end(errand{id: id, cause: e.Cause, code: e.Code}, reason)
}

func (t *outside) evict(id ID) {
	t.end(errand{id: id, cause: CauseSlow, code: CodeSlow, evicts: true}, reasonEvicted)
}

// end leaves the errand that ends a connection, for whoever is first.
func (t *outside) end(e errand, reason string) {
	s, _ := t.at(e.id)
	if !s.conclude(e.id.generation(), flagOpen) {
		return
	}
	t.l.inbox.post(e, []byte(reason))
	t.l.poll.Wake()
}
