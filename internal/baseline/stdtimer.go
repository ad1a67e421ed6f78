package baseline

import "time"

// StdTimer is what the standard library offers: a sharded map, and in each session a time.Timer
// that a touch resets.
type StdTimer struct {
	config Config
	shards shardedMap[stdSession]
}

// stdSession is guarded by its shard's lock.
type stdSession struct {
	timer *time.Timer
	stale int // How many calls of fire are under way that a touch was faster than.
	ended bool
}

// NewStdTimer makes an empty StdTimer.
func NewStdTimer(c Config) *StdTimer {
	m := &StdTimer{config: c}
	m.shards.init()
	return m
}

// Create makes sessions.
func (m *StdTimer) Create(ids []string) {
	for _, id := range ids {
		sh := m.shards.of(id)
		s := new(stdSession)
		sh.Lock()
		s.timer = time.AfterFunc(m.config.Idle, func() { m.fire(id, s) })
		sh.sessions[id] = s
		sh.Unlock()
	}
}

// Touch resets timers.
func (m *StdTimer) Touch(ids []string) (alive int) {
	for _, id := range ids {
		sh := m.shards.of(id)
		sh.Lock()
		if s := sh.sessions[id]; s != nil {
			if !s.timer.Reset(m.config.Idle) {
				s.stale++
			}
			alive++
		}
		sh.Unlock()
	}
	return alive
}

// fire ends a session, unless it was touched or removed since its timer went off.
func (m *StdTimer) fire(id string, s *stdSession) {
	sh := m.shards.of(id)
	sh.Lock()
	due := !s.ended && s.stale == 0
	if due {
		s.ended = true
		delete(sh.sessions, id)
	} else {
		s.stale--
	}
	sh.Unlock()
	if due {
		m.config.expired(id)
	}
}

// Remove ends sessions and stops their timers.
func (m *StdTimer) Remove(ids []string) (removed int) {
	for _, id := range ids {
		sh := m.shards.of(id)
		sh.Lock()
		if s := sh.sessions[id]; s != nil {
			s.timer.Stop()
			s.ended = true
			delete(sh.sessions, id)
			removed++
		}
		sh.Unlock()
	}
	return removed
}

// Len is the number of sessions.
func (m *StdTimer) Len() int { return m.shards.len() }

// Close stops all timers.
func (m *StdTimer) Close() {
	for i := range m.shards {
		sh := &m.shards[i]
		sh.Lock()
		for _, s := range sh.sessions {
			s.timer.Stop()
			s.ended = true
		}
		clear(sh.sessions)
		sh.Unlock()
	}
}
