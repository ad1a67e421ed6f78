package netloop

import (
	"net/http"
	"sync/atomic"
	"time"
	"unsafe"
)

// Stats are counts since the server was made, but for Open, Buffers, Slots and what loops hold. A
// frame that came counts when its header has, one that went when the socket has taken it and what
// it was written with. Loops show what they have counted some milliseconds later.
type Stats struct {
	Open     int            // connections at the moment, those included that come or go
	Accepted uint64         // connections
	Upgraded uint64         // connections that became WebSocket
	Refused  map[int]uint64 // handshakes, by the status that answered them
	Ended    map[Cause]uint64
	Dropped  uint64 // messages that nobody read in time; see [SlowPolicy]
	Evicted  uint64 // connections that ended for Options.BufferTotalBytes
	Starved  uint64 // connections that came when no descriptor was free
	// TLSFailed is TLS handshakes that failed, but for those of peers that said nothing.
	TLSFailed uint64

	FramesIn, FramesOut     uint64 // WebSocket frames, control frames included
	MessagesIn, MessagesOut uint64 // whole messages, text and binary
	BytesIn, BytesOut       uint64 // of frames, as they are on the wire, TLS not counted

	Closed  map[Close]uint64 // connections that were open
	Buffers int64            // bytes of unfinished messages and of what waits to be written
	Queued  int64            // bytes that wait to be written; Buffers may have room for more
	// Slots is bytes that are held for connections besides: by the loops, and by goroutines, whose
	// stacks are not in it.
	Slots int64
	Loops []LoopStats // none in ModeGoroutine
}

// Close is how an open connection was closed: by which close frame, and whose. The first that came,
// or that was written, counts. Code is CodeNoStatus where it held none, CodeOther for codes that
// are not told apart, and 0 where Side is SideNone, since none came or went: the connection broke
// off, or its peer read nothing.
type Close struct {
	Code Code
	Side Side
}

// Side is who did something.
type Side uint8

// The sides.
const (
	SideNone Side = iota
	SideServer
	SideClient
)

// String is the side in one word.
func (s Side) String() string { return [...]string{"none", "server", "client"}[s] }

// LoopStats is what one loop does.
type LoopStats struct {
	Connections int
	Busy        time.Duration // that it did not wait for sockets
	Turns       uint64
}

// statuses are those that a handshake is refused with; what else a handler gives is counted as 0.
var statuses = [...]int{
	0, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
	http.StatusUpgradeRequired, http.StatusTooManyRequests,
	http.StatusRequestHeaderFieldsTooLarge, http.StatusInternalServerError,
	http.StatusServiceUnavailable, http.StatusHTTPVersionNotSupported,
}

// counters are what Stats are made of. They order nothing.
type counters struct {
	accepted atomic.Uint64
	upgraded atomic.Uint64
	statuses [len(statuses)]atomic.Uint64
	ends     [causes]atomic.Uint64
	dropped  atomic.Uint64
	evicted  atomic.Uint64
	starved  atomic.Uint64
	insecure atomic.Uint64 // TLSFailed
	closes   closes
}

func (c *counters) refused(status int) {
	for i, s := range statuses {
		if s == status {
			c.statuses[i].Add(1)
			return
		}
	}
	c.statuses[0].Add(1)
}

// readerBytes is what a connection with a goroutine takes besides the stack.
const readerBytes = int64(unsafe.Sizeof(reader{})) + readBytes

// Stats are the counts at the moment. It looks at no connection, and may be called often.
func (s *Server) Stats() Stats {
	c := &s.stats
	st := Stats{
		Open: s.Len(), Accepted: c.accepted.Load(), Upgraded: c.upgraded.Load(),
		Refused: make(map[int]uint64), Ended: make(map[Cause]uint64),
		Dropped: c.dropped.Load(), Evicted: c.evicted.Load(), Starved: c.starved.Load(),
		TLSFailed: c.insecure.Load(),
		Closed:    c.closes.counts(), Buffers: s.holders.pool.Held(),
		Queued: s.holders.queued.Load(),
	}
	for i := range s.meters {
		s.meters[i].addTo(&st)
	}
	s.mu.RLock()
	st.Slots = int64(len(s.mu.readers)) * readerBytes
	s.mu.RUnlock()
	s.fleet.addTo(&st)
	for i := range c.statuses {
		if n := c.statuses[i].Load(); n > 0 {
			st.Refused[statuses[i]] = n
		}
	}
	for i := range c.ends {
		if n := c.ends[i].Load(); n > 0 {
			st.Ended[Cause(i)] = n
		}
	}
	return st
}
