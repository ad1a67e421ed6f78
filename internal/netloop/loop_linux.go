package netloop

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wheel"
	"github.com/curfew-go/curfew/internal/wsframe"
)

const (
	// tick is the resolution of a connection's timers.
	tick = 10 * time.Millisecond
	// readBytesMax is how much one read may bring.
	readBytesMax = 64 << 10
	// errandsMax and visitsMax bound what a turn does for others than those who sent something,
	// so that these wait for a few milliseconds at most, however much falls due at once.
	errandsMax = 64
	visitsMax  = 64
	// busyGap is how close turns follow one another in a loop that is busy.
	busyGap = 5 * time.Millisecond
	// staleShare is the share of stale entries in the wheel from which on it is compacted.
	staleShare = 4
)

// loop serves the connections of one thread of work: it accepts, reads, parses, calls the handler,
// writes, and keeps time. All of them are its goroutine's own.
type loop struct {
	// Set by newLoop, then only read.
	srv     *Server
	number  int // from 1
	poll    *poll.Poller
	inside  inside  // what a handler is given during a call
	outside outside // what is given to everybody else
	in      []byte  // what every read reads into
	pending func() bool

	// For anybody.
	slots  slab
	inbox  inbox
	quit   atomic.Bool
	beat   beat
	newest newest // listeners that are to be served
	shown  shown

	// The rest belongs to the goroutine.
	listeners []*listener
	stopped   bool          // it has done what Stop wants
	turned    time.Duration // when the last turn began
	busy      bool          // and that was close to the one before
	now       wheel.Tick
	wheel     *wheel.Wheel
	due       [visitsMax]uint32
	more      bool // the wheel has more that is due
	crowd     crowd
	parser    handshake.Parser
	scratch   wsframe.Parser // of the connection whose turn it is, where it has none

	// What the loop counts; see publish.
	traffic     traffic
	connections int
	turns       uint64
	worked      time.Duration // in all turns
	published   wheel.Tick

	// The connection whose turn it is.
	current uint32
	out     []byte // what was sent to it and not written yet
	cargo   cargo  // of out
	taken   int    // bytes taken out of the inbox that its slot still counts as there
	spare   []byte // memory to exchange with out
	header  []byte // memory for the header lines of a handler
	calling bool   // the handler is being called about it
}

func newLoop(s *Server, number int) (*loop, error) {
	p, err := poll.New()
	if err != nil {
		return nil, err
	}
	l := &loop{srv: s, number: number, poll: p, in: make([]byte, readBytesMax)}
	l.inside.l, l.outside.l = l, l
	l.inbox.bytesMax = inboxBytes(&s.o)
	l.now = l.tickAt(s.elapsed())
	l.wheel = wheel.New(l.now)
	l.pending = l.hasWork
	return l, nil
}

// inboxBytes bounds the messages in one loop's inbox: all loops together hold half of what all
// connections may hold.
func inboxBytes(o *Options) int {
	if o.BufferTotalBytes == 0 {
		return 1 << 30
	}
	return int(min(o.BufferTotalBytes/int64(2*o.Loops), 1<<30))
}

// id is the ID of a connection.
func (l *loop) id(i, generation uint32) ID {
	return ID(l.number)<<56 | ID(i)<<32 | ID(generation)
}

// tickAt is the tick that a moment is in.
func (l *loop) tickAt(t time.Duration) wheel.Tick { return wheel.Tick(t / tick) }

// after is a tick that begins no earlier than d from now.
func (l *loop) after(d time.Duration) wheel.Tick { return l.now + 2 + wheel.Tick(d/tick) }

// moment is when a tick begins of which a slot keeps the lower half. It is not half a year away.
func (l *loop) moment(low uint32) time.Duration {
	return time.Duration(int64(l.now)-int64(int32(uint32(l.now)-low))) * tick
}

// run is the loop's goroutine. It ends when the server is closed, or with an error.
func (l *loop) run() error {
	defer l.cutOff()
	for !l.quit.Load() {
		events, err := l.poll.Wait(l.nextLook(), l.busy, l.pending)
		if err != nil {
			return fmt.Errorf("netloop: loop %d: %w", l.number, err)
		}
		l.beat.answer()
		t := l.srv.elapsed()
		l.busy = t-l.turned < busyGap && !l.srv.o.Shares
		l.turned = t
		l.now = max(l.now, l.tickAt(t))
		for i := range events {
			l.event(events[i].Key(), events[i].Ready())
		}
		l.runErrands()
		l.visitDue()
		l.tendListeners()
		if l.srv.isStopping() && !l.stopped {
			l.stop()
		}
		l.turns++
		l.worked += l.srv.elapsed() - t
		if !l.busy || l.now != l.published {
			l.publish()
		}
	}
	return nil
}

// hasWork says whether there is something to do although no socket is ready.
func (l *loop) hasWork() bool {
	return l.more || l.quit.Load() || l.newest.some.Load() || !l.inbox.empty() ||
		l.beat.waits() || l.srv.isStopping() && !l.stopped
}

// nextLook is when the wheel or a listener that rests has something next; zero: never.
func (l *loop) nextLook() time.Time {
	at, ok := l.wheel.Next()
	for _, li := range l.listeners {
		if li.resting() && (!ok || li.restUntil < at) {
			at, ok = li.restUntil, true
		}
	}
	if !ok {
		return time.Time{}
	}
	return l.srv.started.Add(time.Duration(at) * tick)
}

// event handles what one socket is ready for. The generation in the key says whether the socket
// is still the one that the event is about.
func (l *loop) event(key uint64, ready poll.Ready) {
	i, generation := uint32(key), uint32(key>>32)
	if generation == 0 {
		l.accept(l.listeners[i])
		return
	}
	s := l.slots.at(i)
	if s.generation() != generation || !s.has(flagUsed) {
		return
	}
	l.begin(i)
	if ready.Write() {
		l.writable(i, s)
	}
	if ready.Read() {
		l.readable(i, s, ready.Broken())
	}
	l.finish(i, s)
}

// key is what the poller is told of a connection.
func key(i uint32, s *slot) uint64 { return uint64(s.generation())<<32 | uint64(i) }

// runErrands does what others want, a bounded part of it. Errands for one connection that follow
// one another leave in one write.
func (l *loop) runErrands() {
	for n := range errandsMax {
		e, payload, ok := l.inbox.take()
		if !ok {
			return
		}
		i := e.id.slot()
		s := l.slots.at(i)
		if s.generation() != e.id.generation() || !s.has(flagUsed) {
			continue
		}
		l.begin(i)
		l.runErrand(i, s, e, payload)
		if n == errandsMax-1 || l.inbox.peek() != e.id {
			l.finish(i, s)
		}
	}
}

// runErrand does one errand.
func (l *loop) runErrand(i uint32, s *slot, e errand, payload []byte) {
	switch {
	case e.releases:
		l.goOn(i, s)
	case e.kind == 0 && s.has(flagOpen):
		l.conclude(i, s, End{e.cause, e.code}, string(payload), e.evicts)
	case e.kind == 0:
		l.dismiss(i, s, e.cause, e.evicts)
	default:
		l.taken += len(payload) + errandBytes
		if !s.has(flagClosing) {
			l.send(i, s, e.kind, payload)
		}
	}
}

// visitDue looks at the connections that the wheel has something for, a bounded part of them.
func (l *loop) visitDue() {
	n, done := l.wheel.Advance(l.now, l.due[:])
	l.more = !done
	for _, i := range l.due[:n] {
		if s := l.slots.at(i); s.has(flagUsed) {
			l.begin(i)
			l.visit(i, s)
			l.finish(i, s)
		}
	}
	if stale := l.wheel.Stale(); stale > visitsMax && stale*staleShare > l.wheel.Len() {
		l.wheel.Compact(visitsMax, nil)
	}
}

// schedule has a connection looked at no later than a tick.
func (l *loop) schedule(i uint32, at wheel.Tick) { l.wheel.Schedule(i, at) }

// stop closes the listeners when all who wait there are taken in, refuses those who are in the
// middle of an upgrade, and gives those a moment who have not asked for one.
func (l *loop) stop() {
	l.stopped = true
	for _, li := range l.listeners {
		li.takeQueue(l)
		li.close(l)
	}
	for i := range l.slots.used {
		if s := l.slots.at(i); s.has(flagUsed) && !s.has(flagOpen) && !s.has(flagClosing) {
			if x := l.busyOf(s); x == nil || x.head == nil {
				l.schedule(i, l.tickFrom(l.srv.askBy(l.moment(s.begun))))
				continue
			}
			l.begin(i)
			l.giveUpUpgrade(i, s, &refusedStopping)
			l.finish(i, s)
		}
	}
}

// cutOff cuts off whoever is left, and ends the loop.
func (l *loop) cutOff() {
	l.inbox.close()
	for _, li := range l.listeners {
		li.close(l)
	}
	for _, s := range l.newest.take(true) {
		s.drop()
	}
	for i := range l.slots.used {
		if s := l.slots.at(i); s.has(flagUsed) {
			l.begin(i)
			l.lost(i, s)
			l.tell(i, s)
			l.destroy(i, s, false)
		}
	}
	l.publish()
	if err := l.poll.Close(); err != nil {
		l.srv.o.Logger.Error("a loop did not end well", "error", err)
	}
}
