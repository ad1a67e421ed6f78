package netloop

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// shown is what a loop shows of itself to everybody, as of its last publishing. The loop is its
// only writer.
type shown struct {
	_     [meterBytes]byte // what lies before it in the loop is written all the time
	meter meter

	connections atomic.Int64
	busy        atomic.Int64 // nanoseconds
	turns       atomic.Uint64
	bytes       atomic.Int64
	_           [meterBytes]byte
}

// publish shows what the loop has counted. A loop that turns all the time does it once a tick,
// since storing so that others see it costs more than counting; one that is about to park does it
// before. One that lingers instead looks around after some milliseconds, and then parks.
func (l *loop) publish() {
	l.published = l.now
	l.shown.meter.show(&l.traffic)
	l.shown.connections.Store(int64(l.connections))
	l.shown.busy.Store(int64(l.worked))
	l.shown.turns.Store(l.turns)
	l.shown.bytes.Store(l.slots.bytes() + l.crowd.bytes() + l.wheel.Bytes())
}

// addTo adds what the loops show to Stats.
func (f *fleet) addTo(s *Stats) {
	for _, l := range f.list() {
		l.shown.meter.addTo(s)
		posted := l.inbox.held()
		s.Buffers += posted
		s.Queued += posted
		s.Slots += l.shown.bytes.Load()
		s.Loops = append(s.Loops, LoopStats{
			Connections: int(l.shown.connections.Load()),
			Busy:        time.Duration(l.shown.busy.Load()),
			Turns:       l.shown.turns.Load(),
		})
	}
}

// bytes is the memory of the slots.
func (b *slab) bytes() int64 {
	n := int64(cap(b.free)) * int64(unsafe.Sizeof(b.used))
	if p := b.chunks.Load(); p != nil {
		n += int64(len(*p)) * int64(unsafe.Sizeof([slotsPerChunk]slot{}))
	}
	return n
}

// bytes is the memory of the busy states, without what they point to.
func (c *crowd) bytes() int64 {
	return int64(c.made)*int64(unsafe.Sizeof(busy{})) +
		int64(cap(c.all))*int64(unsafe.Sizeof((*busy)(nil))) +
		int64(cap(c.free))*int64(unsafe.Sizeof(uint32(0)))
}

// held is how many bytes wait to be taken out.
func (b *inbox) held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		return 0
	}
	return int64(len(b.mu.bytes))
}

// countClose counts how an open connection was closed, once: by whose close frame went or came
// first.
func (l *loop) countClose(s *slot, x *busy, side Side, code Code) {
	if x.counted || !s.has(flagOpen) {
		return
	}
	x.counted = true
	l.srv.stats.closes.count(side, code)
}

// wrote counts what the socket took of what was to be written to the connection whose turn it is;
// last says that it was all.
func (l *loop) wrote(s *slot, x *busy, n int, last bool, c *cargo) {
	l.traffic.wrote(n, last, c)
	if last && c.closes {
		l.countClose(s, x, SideServer, x.cause.Code)
	}
}
