package gateway

import (
	"sync"
	"time"
)

const (
	// tombstonesMax is how many sessions are remembered after their end; the oldest go first.
	tombstonesMax = 1 << 16
	// tombstoneLife is for how long.
	tombstoneLife = 60 * time.Second
	// forgetStep bounds what one call drops of those that are over.
	forgetStep = 1024
)

// tombstone remembers a session that could have been resumed: who still has a token of it learns
// why that is over.
type tombstone struct {
	id     [sessionIDBytes]byte
	until  time.Duration // since the gateway began
	newest tokenHash
	spare  tokenHash // zero: none
	reason Reason
}

// tombstones are all of them, in a ring in the order of their ends. Its methods may be called at
// the same time.
type tombstones struct {
	mu struct {
		sync.Mutex
		ring  []tombstone // grows up to tombstonesMax
		first int         // the oldest
		count int
		byID  map[[sessionIDBytes]byte]int32
	}
}

// add remembers a session, instead of what it remembered of it before.
func (t *tombstones) add(stone tombstone, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked(now)
	m := &t.mu
	if m.byID == nil {
		m.byID = make(map[[sessionIDBytes]byte]int32)
	}
	switch {
	case m.count == tombstonesMax:
		t.dropFirstLocked()
	case m.count == len(m.ring):
		larger := make([]tombstone, max(16, min(2*len(m.ring), tombstonesMax)))
		n := copy(larger, m.ring[m.first:])
		copy(larger[n:], m.ring[:m.first])
		for i := range m.count {
			m.byID[larger[i].id] = int32(i)
		}
		m.ring, m.first = larger, 0
	}
	i := (m.first + m.count) % len(m.ring)
	m.ring[i] = stone
	m.byID[stone.id] = int32(i)
	m.count++
}

// reason says why the session of a token ended, "" where the token is wrong; known says whether the
// session that it names is remembered at all.
func (t *tombstones) reason(p *presented, now time.Duration) (why Reason, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked(now)
	var none tombstone
	stone := &none // so that all take the same time
	var id [sessionIDBytes]byte
	if copy(id[:], p.session) == sessionIDBytes {
		var i int32
		i, known = t.mu.byID[id]
		if known = known && t.mu.ring[i].until > now; known {
			stone = &t.mu.ring[i]
		}
	}
	newest, spare := p.fits(&stone.newest), p.fits(&stone.spare)
	if newest || spare {
		return stone.reason, known
	}
	return "", known
}

// size is how many sessions are remembered.
func (t *tombstones) size(now time.Duration) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked(now)
	return t.mu.count
}

// forgetLocked drops some of what is over, and all memory when nothing is left.
func (t *tombstones) forgetLocked(now time.Duration) {
	m := &t.mu
	for n := 0; n < forgetStep && m.count > 0 && m.ring[m.first].until <= now; n++ {
		t.dropFirstLocked()
	}
	if m.count == 0 && len(m.ring) > 0 {
		m.ring, m.first, m.byID = nil, 0, nil
	}
}

func (t *tombstones) dropFirstLocked() {
	m := &t.mu
	if id := m.ring[m.first].id; m.byID[id] == int32(m.first) {
		delete(m.byID, id)
	}
	m.ring[m.first] = tombstone{}
	m.first = (m.first + 1) % len(m.ring)
	m.count--
}
