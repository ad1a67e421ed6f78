package netloop

import (
	"net/http"
	"sync/atomic"
)

// Stats are counts since the server was made, but for Open.
type Stats struct {
	Open     int            // connections at the moment, those included that come or go
	Accepted uint64         // connections
	Upgraded uint64         // connections that became WebSocket
	Refused  map[int]uint64 // handshakes, by the status that answered them
	Ended    map[Cause]uint64
	Dropped  uint64 // messages that nobody read in time; see [SlowPolicy]
	Evicted  uint64 // connections that ended for Options.BufferTotalBytes
	Starved  uint64 // connections that came when no descriptor was free
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

// Stats are the counts at the moment.
func (s *Server) Stats() Stats {
	c := &s.stats
	st := Stats{
		Open: s.Len(), Accepted: c.accepted.Load(), Upgraded: c.upgraded.Load(),
		Refused: make(map[int]uint64), Ended: make(map[Cause]uint64),
		Dropped: c.dropped.Load(), Evicted: c.evicted.Load(), Starved: c.starved.Load(),
	}
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
