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

// send sends a message to the connection whose turn it is, which is not closing. What comes for one
// that is held in the middle of its upgrade waits for the answer.
func (l *loop) send(i uint32, s *slot, kind Kind, payload []byte) bool {
	op := opOf(kind)
	x := l.busyOf(s)
	if x == nil || x.flight == nil && (x.asked == 0 || l.calling) {
		if !s.has(flagOpen) && len(l.out) > l.srv.o.WriteBufferBytes {
			l.end(i, s, End{CauseSlow, CodeSlow}, reasonSlow) // nothing can be written yet
			return false
		}
		l.out = wsframe.Server.AppendMessage(l.out, s.deflate(), op, payload)
		l.cargo.message()
		l.cork(i, s)
		return true
	}
	was := x.queue.dropped
	out := x.queue.put(&l.srv.o, &l.srv.holders.pool, s.deflate(), op, payload)
	l.srv.stats.dropped.Add(uint64(x.queue.dropped - was))
	if out == outcomeFull {
		x.queue.drop(&l.srv.holders.pool)
		if s.has(flagOpen) {
			l.end(i, s, End{CauseSlow, CodeSlow}, reasonSlow)
		} else if s.conclude(s.generation(), 0) {
			l.dismiss(i, s, CauseSlow, false)
		}
	}
	l.settle(s)
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
	l.cargo.frame()
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
	l.cargo.frame()
}

// flush writes what was sent in a turn. What the socket does not take is kept, and written when it
// does.
func (l *loop) flush(i uint32, s *slot) {
	b, c := l.out, l.cargo
	l.out, l.cargo = b[:0], cargo{}
	if cap(b) > outKept {
		l.out = nil
	}
	x := l.busyOf(s)
	if x != nil && (x.broken || x.hungUp) {
		return
	}
	n, err := poll.WriteSocket(int(s.fd), b)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		l.writeFailed(i, s)
		return
	}
	if l.wrote(s, x, n, n == len(b), &c); n == len(b) {
		return
	}
	x = l.makeBusy(s)
	flight := l.srv.holders.pool.Grow(nil, len(b)-n)
	if flight == nil {
		x.broken, x.reset = true, true
		l.end(i, s, End{Cause: CauseSlow}, "")
		return
	}
	flight.B = append(flight.B, b[n:]...)
	x.queue.flying = c
	l.launch(i, s, x, flight)
	l.want(i, s, x, x.interest|poll.Write)
}

// launch has a batch written next.
func (l *loop) launch(i uint32, s *slot, x *busy, batch *wsframe.Buffer) {
	x.flight, x.written, x.queue.flight = batch, 0, len(batch.B)
	l.settle(s)
	x.writeBy = l.after(l.srv.o.writeTimeout())
	if s.has(flagClosing) {
		x.writeBy = x.closeAt
	}
	l.schedule(i, x.writeBy)
}

// settle keeps in the slot how much waits for the connection whose turn it is. What was taken from
// the inbox counts as there until the loop knows what came of it, so that nothing is ever missing
// from the sum.
func (l *loop) settle(s *slot) {
	waits, held := 0, int(s.held.Load())
	if x := l.busyOf(s); x != nil {
		waits = x.waits()
	}
	if change := waits - held - l.taken; change != 0 {
		s.post(s.generation(), change)
	}
	if waits != held {
		s.held.Store(uint32(waits))
	}
	l.taken = 0
}

// posted says whether something is in the inbox for the connection whose turn it is.
func (l *loop) posted(s *slot) bool { return s.waits() > int(s.held.Load())+l.taken }

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
		x.written += n
		l.wrote(s, x, n, x.written == len(x.flight.B), &x.queue.flying)
		if x.written < len(x.flight.B) {
			x.queue.flight = len(x.flight.B) - x.written
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
	if t.l.posted(s) { // what others have sent before goes first
		return t.l.outside.send(id, kind, payload)
	}
	return !s.has(flagEnding) && t.l.send(i, s, kind, payload)
}

func (t *inside) offer(id ID, kind Kind, payload []byte) bool {
	return t.l.outside.offer(id, kind, payload)
}

func (t *inside) evict(id ID) { t.l.outside.evict(id) }

func (t *inside) close(id ID, e End, reason string) {
	i, s, ok := t.at(id)
	if !ok || t.l.posted(s) {
		t.l.outside.close(id, e, reason)
		return
	}
	t.l.end(i, s, e, reason)
}

func (t *inside) hold(id ID) {
	_, s, ok := t.at(id)
	if !ok {
		t.l.outside.hold(id)
	}
	t.l.hold(s)
}

func (t *inside) queued(id ID) int {
	n := t.l.outside.queued(id)
	if _, s, ok := t.at(id); ok && !s.has(flagEnding) {
		n += len(t.l.out) - t.l.taken
	}
	return n
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

// hold is for the handler, during a call.
func (t *outside) hold(ID) { panic("netloop: Hold outside of a call of the handler") }

// release leaves the errand that ends the holding of a connection, for whoever is first.
func (t *outside) release(id ID) {
	if s, _ := t.at(id); s.release(id.generation()) {
		t.l.inbox.post(errand{id: id, releases: true}, nil)
		t.l.poll.Wake()
	}
}

func (t *outside) queued(id ID) int {
	s, _ := t.at(id)
	n := s.waits()
	if w := s.word.Load(); uint32(w>>generationShift) != id.generation() || w&flagEnding != 0 {
		return 0
	}
	return n
}

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
	if !ok || s.word.Load()&(flagMessaged|flagEnding) != flagMessaged {
		return false
	}
	o := &t.l.srv.o
	waits, held := s.waits(), int(s.held.Load())
	limit := o.WriteBufferBytes
	if held == 0 {
		limit *= 2 // the peer had no chance to be slow
	}
	if o.OnSlow == SlowDropOldest {
		waits = max(waits-held, 0) // the loop sees to the rest
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
		t.refuse(id)
		return false
	}
	t.l.poll.Wake()
	return true
}

// offerSpare is what an offer leaves free for control frames and for what a callback under way has
// sent, which counts when its turn ends.
const offerSpare = 4<<10 + corkBytesMax

func (t *outside) offer(id ID, kind Kind, payload []byte) bool {
	s, ok := t.at(id)
	if !ok || s.word.Load()&(flagMessaged|flagEnding) != flagMessaged {
		return false
	}
	size := len(payload) + errandBytes
	if !s.reserve(id.generation(), size, t.l.srv.o.WriteBufferBytes-offerSpare) {
		return false
	}
	if !t.l.inbox.post(errand{id: id, kind: kind}, payload) {
		s.post(id.generation(), -size)
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
	if !s.conclude(e.id.generation(), flagMessaged) {
		return
	}
	t.l.inbox.post(e, []byte(reason))
	t.l.poll.Wake()
}
