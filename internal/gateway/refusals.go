package gateway

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refusalsWindow is the time in which the refused hellos of an address are counted together.
	refusalsWindow = time.Minute
	// refusalsMax bounds the addresses that are counted in a window. Who has more than these finds
	// other ways.
	refusalsMax = 1 << 16
)

// refusals counts hellos that were refused for what they said, by address, so that nobody guesses
// secrets by the thousand.
type refusals struct {
	limit atomic.Int64 // 0: none

	mu struct {
		sync.Mutex
		until  time.Time // when the counts begin anew
		counts map[netip.Addr]int
	}
}

// note counts a refused hello.
func (r *refusals) note(ip netip.Addr) {
	if r.limit.Load() == 0 || !ip.IsValid() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := now(); !t.Before(r.mu.until) {
		r.mu.until = t.Add(refusalsWindow)
		r.mu.counts = make(map[netip.Addr]int)
	}
	if n, ok := r.mu.counts[ip]; ok || len(r.mu.counts) < refusalsMax {
		r.mu.counts[ip] = n + 1
	}
}

// blocked says for how long an address is not listened to; 0: it is.
func (r *refusals) blocked(ip netip.Addr) time.Duration {
	limit := r.limit.Load()
	if limit == 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if int64(r.mu.counts[ip]) < limit {
		return 0
	}
	return max(0, r.mu.until.Sub(now()))
}
