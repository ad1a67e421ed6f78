package netloop

import (
	"errors"
	"net/http"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/realip"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// begin says whose turn it is. What is sent to that connection until finish leaves in one write.
func (l *loop) begin(i uint32) { l.current = i }

// finish ends a turn: what was kept of a connection that is not held any more is handled, what was
// sent is written, and a connection on which nothing is unfinished any more is left with its slot.
func (l *loop) finish(i uint32, s *slot) {
	if x := l.busyOf(s); x != nil && x.kept != nil && x.hold == 0 {
		l.resume(i, s, x)
	}
	if len(l.out) > 0 {
		l.flush(i, s)
	}
	if s.busy == 0 {
		if l.taken > 0 {
			l.settle(s)
		}
		return
	}
	x := l.crowd.all[s.busy]
	if s.has(flagClosing) {
		l.tell(i, s)
		if l.teardown(i, s, x) {
			return
		}
	}
	l.account(i, s, x)
	if x.idle() && !s.has(flagEnding) {
		l.release(s)
	}
}

// busyOf is a connection's busy state, nil where it has none.
func (l *loop) busyOf(s *slot) *busy {
	if s.busy == 0 {
		return nil
	}
	return l.crowd.all[s.busy]
}

// makeBusy is a connection's busy state.
func (l *loop) makeBusy(s *slot) *busy {
	if s.busy == 0 {
		s.busy, _ = l.crowd.take()
		l.crowd.all[s.busy].interest = poll.Read
	}
	return l.crowd.all[s.busy]
}

// release takes a connection's busy state, of which nothing is left.
func (l *loop) release(s *slot) {
	l.crowd.give(s.busy)
	s.busy = 0
}

// account tells the holders what a connection holds, and lets the largest go where all hold too
// much.
func (l *loop) account(i uint32, s *slot, x *busy) {
	held := x.parser.Held() + x.queue.held()
	if x.flight != nil {
		held += cap(x.flight.B)
	}
	if x.kept != nil {
		held += cap(x.kept.B)
	}
	l.settle(s)
	if held == 0 && x.held == 0 {
		return
	}
	queued := x.waits()
	l.srv.holders.queue(x.queued, queued)
	x.queued = queued
	over := l.srv.holders.note(l.id(i, s.generation()), x.held, held)
	x.held = held
	if over {
		l.srv.relieve()
	}
}

// readable reads once and handles what came. The poller tells again where there is more.
func (l *loop) readable(i uint32, s *slot, broken bool) {
	x := l.busyOf(s)
	if x != nil && x.deaf {
		x.broken = x.broken || broken
		return
	}
	if x != nil && x.hold != 0 {
		l.readableHeld(i, s, x, broken)
		return
	}
	b := l.in
	if !s.has(flagOpen) {
		b = b[:headRoom(s, x)]
	}
	n, err := poll.ReadSocket(int(s.fd), b)
	switch {
	case n > 0:
		l.received(i, s, l.in[:n])
	case errors.Is(err, unix.EAGAIN):
	default:
		if err != nil {
			l.makeBusy(s).broken = true
		}
		l.lost(i, s)
	}
}

// headRoom is how much is read at a time while the head has not come: little more than a head may
// have, since what follows it waits where the handler holds the connection.
func headRoom(s *slot, x *busy) int {
	room := handshake.MaxHeadBytes
	if s.has(flagProxied) {
		room += realip.MaxProxyBytes
	}
	if x != nil && x.head != nil {
		room -= len(x.head.B)
	}
	return max(room, 1)
}

// received handles what one read brought.
func (l *loop) received(i uint32, s *slot, b []byte) {
	if !s.has(flagOpen) && !s.has(flagClosing) {
		l.gather(i, s, b)
		return
	}
	if x := l.busyOf(s); x != nil && (x.mute || x.peerClosed) {
		if x.lingered += len(b); x.lingered > lingerBytesMax {
			x.broken = true
		}
		return
	}
	l.traffic.bytesIn += uint64(len(b))
	l.turn(i, s, b)
}

// gather takes bytes of the head, until it is whole. Then it is answered, and what follows is read
// as frames.
func (l *loop) gather(i uint32, s *slot, b []byte) {
	if l.srv.isStopping() {
		l.refuse(i, s, &refusedStopping)
		return
	}
	x := l.busyOf(s)
	if x != nil && x.head != nil {
		if b = l.keepHead(x, b); b == nil {
			l.refuse(i, s, &refusedInternal)
			return
		}
	}
	if s.has(flagProxied) {
		h, n, err := realip.ParseProxy(b)
		switch {
		case err != nil:
			l.refuse(i, s, &refusedProxy)
			return
		case n == 0:
			l.keepRestOfHead(i, s, b)
			return
		case !h.Local:
			s.setPeer(h.Source)
		}
		s.clear(flagProxied)
		b = b[n:]
	}
	var scanner handshake.Scanner
	if x != nil {
		scanner = x.scanner
	}
	end, refusal := scanner.Scan(b[:min(len(b), handshake.MaxHeadBytes)])
	switch {
	case refusal != nil:
		l.refuse(i, s, refusal)
	case end == 0:
		l.keepRestOfHead(i, s, b)
		if x = l.busyOf(s); x != nil {
			x.scanner = scanner
		}
	default:
		l.upgrade(i, s, b, end)
	}
}

// keepHead appends bytes to what has come of a head; nil: there is no memory.
func (l *loop) keepHead(x *busy, b []byte) []byte {
	head := l.srv.heads.Grow(x.head, len(x.head.B)+len(b))
	if head == nil {
		return nil
	}
	head.B = append(head.B, b...)
	x.head = head
	return head.B
}

// keepRestOfHead keeps b, which is all that has come of a head. It may lie in what was kept before.
func (l *loop) keepRestOfHead(i uint32, s *slot, b []byte) {
	x := l.makeBusy(s)
	if x.head == nil {
		if x.head = l.srv.heads.Grow(nil, max(len(b), 1)); x.head == nil {
			l.refuse(i, s, &refusedInternal)
			return
		}
	}
	x.head.B = append(x.head.B[:0], b...)
}

// upgrade answers the head that b begins with. Where it is a proper handshake, the rest is read as
// frames.
func (l *loop) upgrade(i uint32, s *slot, b []byte, end int) {
	r, refusal := l.parser.Parse(&l.srv.handshake, b[:end])
	if refusal == nil {
		refusal = l.open(i, s, r)
	}
	if refusal != nil {
		l.refuse(i, s, refusal)
		return
	}
	if l.holds(s) {
		l.keepRestOfHead(i, s, b)
		l.makeBusy(s).asked = end
		return
	}
	if rest := b[end:]; len(rest) > 0 {
		l.traffic.bytesIn += uint64(len(rest))
		l.turn(i, s, rest)
	}
	if x := l.busyOf(s); x != nil {
		l.freeHead(x) // not before: rest may lie in it
	}
}

// open asks the handler about a proper handshake and answers it. The answer goes before all that
// the handler sends.
func (l *loop) open(i uint32, s *slot, r *Request) *Refusal {
	srv := l.srv
	if s.has(flagMessaged) {
		l.takeOut(s)
	} else if !l.identify(s, r) {
		return &refusedCrowd
	}
	header, refusal := l.callOpen(i, s, r)
	if refusal != nil {
		l.out, l.cargo = l.out[:0], cargo{}
		return refusal
	}
	if l.holds(s) {
		return l.putOut(s)
	}
	l.header = header
	answer, err := l.parser.AppendAnswer(l.spare[:0], header)
	if err != nil {
		srv.o.Logger.Error("handshake was not understood after its check", "error", err)
		l.tell(i, s)
		return &refusedInternal
	}
	l.out, l.spare = append(answer, l.out...), l.out[:0]
	l.cargo.other = len(answer)
	s.life = uint32(l.now) + 1
	s.set(flagOpen)
	v := l.vitals(s, l.busyOf(s))
	l.schedule(i, l.tickFrom(v.due(&srv.o))) // a ping may be due before the hello is
	srv.stats.upgraded.Add(1)
	return nil
}

// identify finds out who asks for what. It gives false where that address has too many connections.
func (l *loop) identify(s *slot, r *Request) bool {
	peer := s.peer()
	if client := l.srv.client(peer, r); client != peer {
		s.setPeer(client)
	}
	if !l.admit(s, true) {
		return false
	}
	s.agree(l.srv.protocolNumber(r.Protocol), r.Deflate)
	return true
}

// admit counts a connection with its address, as far as that is known.
func (l *loop) admit(s *slot, last bool) bool {
	if l.srv.addresses.limit.Load() == 0 || s.has(flagCounted) {
		return true
	}
	c := l.srv.admit(claimNone, s.peer().Addr(), last)
	if c == claimCounted {
		s.set(flagCounted)
	}
	return c != claimRefused
}

// protocolNumber is the place of a subprotocol among those that may be asked for, from 1.
func (s *Server) protocolNumber(name string) int {
	for n, p := range s.o.Protocols {
		if p == name && name != "" {
			return n + 1
		}
	}
	return 0
}

// turn handles what b completes; the rest is kept.
func (l *loop) turn(i uint32, s *slot, b []byte) {
	p := &l.scratch
	if x := l.busyOf(s); x != nil {
		p = &x.parser
	}
	alive, rest := l.events(i, s, p, b)
	if l.holds(s) {
		p.Next(l.srv.rulesFor(s.deflate()), nil) // takes back the memory of the message
		l.keep(i, s, rest)
	}
	if alive {
		s.life = uint32(l.now) + 1
		if s.has(flagPinged) {
			s.clear(flagPinged)
			l.schedule(i, l.after(l.srv.o.PingInterval)) // sooner, where pongs may take longer
		}
		if x := l.busyOf(s); x != nil {
			x.unfinished = 0
		}
	}
	if p.Idle() {
		return
	}
	x := l.makeBusy(s)
	if p == &l.scratch {
		x.parser, l.scratch = l.scratch, wsframe.Parser{}
	}
	if x.unfinished == 0 {
		x.unfinished = l.now + 1
		if l.srv.o.PingInterval == 0 {
			l.schedule(i, l.after(unfinishedMax))
		}
	}
}

// events passes on what the parser finds in b, and says whether it was something. Where the handler
// holds the connection, there is a rest. A panic of the handler takes its connection and no more.
func (l *loop) events(
	i uint32, s *slot, p *wsframe.Parser, b []byte,
) (alive bool, rest []byte) {
	defer func() {
		if fault := recover(); fault != nil {
			l.panicked(i, s, fault)
		}
		l.calling = false
	}()
	l.calling = true
	rules := l.srv.rulesFor(s.deflate())
	c := Conn{on: &l.inside, id: l.id(i, s.generation())}
	var e wsframe.Event
	for {
		e, b = p.Next(rules, b)
		l.traffic.received(&e)
		switch e.Kind {
		case wsframe.None:
			return alive, nil
		case wsframe.Closing:
			x := l.makeBusy(s)
			x.peerClosed = true
			l.countClose(s, x, SideClient, Code(e.Code))
			l.end(i, s, End{CausePeer, Code(e.Code)}, "")
			return true, nil
		case wsframe.Failed:
			l.makeBusy(s).mute = true
			l.end(i, s, l.srv.endOf(e.Fault), complaint(e.Fault))
			return alive, nil
		case wsframe.Ping:
			if !s.has(flagEnding) {
				l.pong(i, s, e.Payload)
			}
		}
		alive = true
		if !s.has(flagEnding) { // else all but the close frame is of no use any more
			l.srv.pass(c, e)
			if l.holds(s) {
				return true, b
			}
		}
	}
}

// callOpen asks the handler about a connection.
func (l *loop) callOpen(i uint32, s *slot, r *Request) (header []byte, refusal *Refusal) {
	defer func() {
		l.calling = false
		if fault := recover(); fault != nil {
			l.panicked(i, s, fault)
			header, refusal = nil, &Refusal{
				Status: http.StatusInternalServerError, Reason: "internal error",
			}
		}
	}()
	l.calling = true
	s.set(flagMessaged)
	c := Conn{on: &l.inside, id: l.id(i, s.generation())}
	header, refusal = l.srv.o.Handler.Open(c, r, l.header[:0])
	if refusal != nil {
		s.clear(flagMessaged)
	}
	return header, refusal
}

// tell tells the handler of the end, once, where it knows of the connection.
func (l *loop) tell(i uint32, s *slot) {
	if !s.has(flagMessaged) {
		return
	}
	s.clear(flagMessaged)
	defer func() {
		if fault := recover(); fault != nil {
			l.panicked(i, s, fault)
		}
		l.calling = false
	}()
	l.calling = true
	end := End{Cause: CauseLost}
	if x := l.busyOf(s); x != nil && x.cause.Cause != 0 {
		end = x.cause
	}
	l.srv.o.Handler.Closed(Conn{on: &l.inside, id: l.id(i, s.generation())}, end)
}

func (l *loop) panicked(i uint32, s *slot, fault any) {
	l.srv.o.Logger.Error("handler panicked", "panic", fault, "stack", string(debug.Stack()))
	l.makeBusy(s).mute = true
	l.end(i, s, End{CausePanic, CodeInternal}, "internal error")
}
