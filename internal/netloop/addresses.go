package netloop

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// addresses counts connections by the address of their peers. Where there is no limit it counts
// nothing.
type addresses struct {
	limit atomic.Int64 // 0: none

	mu struct {
		sync.Mutex
		counts map[netip.Addr]int
	}
}

// add counts a connection, or gives false where the address has as many as it may.
func (a *addresses) add(ip netip.Addr, limit int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if int64(a.mu.counts[ip]) >= limit {
		return false
	}
	if a.mu.counts == nil {
		a.mu.counts = make(map[netip.Addr]int)
	}
	a.mu.counts[ip]++
	return true
}

// remove takes back an add.
func (a *addresses) remove(ip netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.counts[ip]--; a.mu.counts[ip] <= 0 {
		delete(a.mu.counts, ip)
	}
}

// claim is the part of one connection in the count.
type claim uint8

const (
	claimNone    claim = iota // nothing is counted yet
	claimCounted              // it stands in the count
	claimRefused              // there was no room for it
)

// admit counts a connection from ip, once it is known who its peer is. It is asked at accept, and
// again when a proxy has said more.
func (s *Server) admit(c claim, ip netip.Addr, last bool) claim {
	limit := s.addresses.limit.Load()
	switch {
	case limit == 0 || c != claimNone || !ip.IsValid():
		return c
	case !last && (s.o.ProxyProtocol.Contains(ip) || s.o.TrustedProxies.Contains(ip)):
		return claimNone // a proxy, which will say for whom it asks
	case s.addresses.add(ip, limit):
		return claimCounted
	}
	return claimRefused
}
