package gateway

import (
	"errors"
	"sync"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/netloop"
)

const (
	// evictTries is how often a newcomer may make room, when others are faster to take it.
	evictTries = 8
	// evictLooks bounds how many sessions one eviction looks at that turn out to be less idle than
	// they were when they were looked at last. Each such look is paid for by a touch.
	evictLooks = 1024
)

// idlest knows the sessions by their last touch, as of the last time that anybody looked: since
// touches only make that later, the first in the agenda that has not moved is the one idle longest.
// It is kept only where sessions are evicted.
type idlest struct {
	mu struct {
		sync.Mutex
		agenda agenda
	}
}

// add enters a session that has begun.
func (i *idlest) add(g *Gateway, s engine.Session[link]) {
	if g.limits.Load().EvictIdle {
		i.enter(g, appointment{at: g.elapsed(), ref: s.Ref()})
	}
}

func (i *idlest) enter(g *Gateway, a appointment) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mu.agenda.add(a, func(x appointment) bool {
		_, ok := g.table.At(x.ref).Value()
		return ok
	})
}

// take finds the session that is idle longest and not busy; false: there is none. It stays entered.
func (i *idlest) take(g *Gateway) (engine.Session[link], bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for range evictLooks {
		first, ok := i.mu.agenda.first()
		if !ok {
			break
		}
		s := g.table.At(first.ref)
		at, busy, ok := g.idleSince(s)
		switch {
		case !ok:
			i.mu.agenda.pop()
		case busy:
			i.mu.agenda.delay(g.elapsed() + 1)
		case at > first.at:
			i.mu.agenda.delay(at)
		default:
			return s, true
		}
	}
	return engine.Session[link]{}, false
}

// idleSince is when a session was touched last, since the gateway began, and whether it is busy.
func (g *Gateway) idleSince(s engine.Session[link]) (at time.Duration, busy, ok bool) {
	l, ok := s.Value()
	if !ok {
		return 0, false, false
	}
	if l.state != nil {
		l.state.mu.Lock()
		busy = l.state.busy() || l.state.phase == asking
		l.state.mu.Unlock()
	}
	info, ok := s.Info()
	return info.LastTouch.Sub(g.started), busy, ok
}

// evictIdlest makes room in a full table, and says whether that may have helped.
func (g *Gateway) evictIdlest(err error) bool {
	if !g.limits.Load().EvictIdle || !errors.Is(err, engine.ErrFull) {
		return false
	}
	s, ok := g.idlest.take(g)
	if ok {
		g.evict(s) // or somebody else was faster: then there may be room now
	}
	return ok
}

// evict ends a session to make room, unless it has become busy.
func (g *Gateway) evict(s engine.Session[link]) {
	conn, ok := g.finish(s, ReasonEvicted, 0, func(st *state) bool {
		return !st.busy() && st.phase != asking
	})
	if ok {
		g.closeFor(conn, ReasonEvicted)
	}
}

// evictOf makes room among the sessions of a user, and says whether that may have helped.
func (g *Gateway) evictOf(name string) bool {
	var idlest engine.Session[link]
	var since time.Duration
	found := false
	for _, ref := range g.users.of(name) {
		s := g.table.At(ref)
		if at, busy, ok := g.idleSince(s); ok && !busy && (!found || at < since) {
			idlest, since, found = s, at, true
		}
	}
	if found {
		g.evict(idlest)
	}
	return found
}

// closeFor closes the connection of a session that was evicted or revoked.
func (g *Gateway) closeFor(conn netloop.ID, why Reason) {
	c, ok := g.net.Conn(conn)
	if !ok {
		return
	}
	if why == ReasonEvicted {
		c.Close(codeLimit, "session limit")
	} else {
		c.Close(codeRevoked, "session revoked")
	}
}
