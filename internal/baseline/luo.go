package baseline

import (
	"time"

	"github.com/RussellLuo/timingwheel"
)

// The wheel of Luo: as fine as the engine's default, and large enough that an hour's timeout lies
// in its first overflow wheel.
const (
	luoTick  = 10 * time.Millisecond
	luoSlots = 4096
)

// Luo is a sharded map whose sessions have timers of github.com/RussellLuo/timingwheel. That has
// no Reset, so a touch is what its users do: Stop, and AfterFunc anew. Its timers may fire up to
// a tick early, and Luo ends sessions when they fire.
type Luo struct {
	config Config
	wheel  *timingwheel.TimingWheel
	shards shardedMap[luoSession]
}

// luoSession is guarded by its shard's lock.
type luoSession struct {
	timer *timingwheel.Timer
	round uint64 // Tells the timer that counts from those that were stopped too late.
}

// NewLuo makes an empty Luo and starts its wheel.
func NewLuo(c Config) *Luo {
	m := &Luo{config: c, wheel: timingwheel.NewTimingWheel(luoTick, luoSlots)}
	m.shards.init()
	m.wheel.Start()
	return m
}

// arm sets a session's timer. REQUIRES: the shard's lock.
func (m *Luo) arm(id string, s *luoSession) {
	s.round++
	round := s.round
	s.timer = m.wheel.AfterFunc(m.config.Idle, func() { m.fire(id, s, round) })
}

// Create makes sessions.
func (m *Luo) Create(ids []string) {
	for _, id := range ids {
		sh := m.shards.of(id)
		s := new(luoSession)
		sh.Lock()
		m.arm(id, s)
		sh.sessions[id] = s
		sh.Unlock()
	}
}

// Touch stops timers and sets others.
func (m *Luo) Touch(ids []string) (alive int) {
	for _, id := range ids {
		sh := m.shards.of(id)
		sh.Lock()
		if s := sh.sessions[id]; s != nil {
			s.timer.Stop()
			m.arm(id, s)
			alive++
		}
		sh.Unlock()
	}
	return alive
}

// fire ends a session, unless it was touched or removed since its timer went off.
func (m *Luo) fire(id string, s *luoSession, round uint64) {
	sh := m.shards.of(id)
	sh.Lock()
	if s.round != round {
		sh.Unlock()
		return
	}
	delete(sh.sessions, id)
	sh.Unlock()
	m.config.expired(id)
}

// Remove ends sessions and stops their timers.
func (m *Luo) Remove(ids []string) (removed int) {
	for _, id := range ids {
		sh := m.shards.of(id)
		sh.Lock()
		if s := sh.sessions[id]; s != nil {
			s.timer.Stop()
			s.round++
			delete(sh.sessions, id)
			removed++
		}
		sh.Unlock()
	}
	return removed
}

// Len is the number of sessions.
func (m *Luo) Len() int { return m.shards.len() }

// Close stops the wheel. Timers that are left never fire.
func (m *Luo) Close() { m.wheel.Stop() }
