package baseline

import (
	"sync"
	"time"
)

// scansPerIdle is how many clean-ups there are in an idle timeout: every 300 s of 3600 s, as the
// daemon had it by default.
const scansPerIdle = 12

// LockedMap is how the daemon that Curfew replaces kept sessions: one map under one lock, the time
// of the last activity in each session, and a task that scans them all every now and then.
type LockedMap struct {
	config Config
	stop   chan struct{}
	done   sync.WaitGroup

	mu struct {
		sync.Mutex
		sessions map[string]*lockedSession
	}
}

type lockedSession struct {
	created, lastActivity time.Time
}

// NewLockedMap makes an empty LockedMap and starts its clean-up task.
func NewLockedMap(c Config) *LockedMap {
	m := &LockedMap{config: c, stop: make(chan struct{})}
	m.mu.sessions = make(map[string]*lockedSession)
	m.done.Go(m.run)
	return m
}

func (m *LockedMap) run() {
	ticker := time.NewTicker(max(m.config.Idle/scansPerIdle, 1))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			m.Cleanup(now)
		case <-m.stop:
			return
		}
	}
}

// Cleanup ends all sessions whose last activity was longer ago than the idle timeout, and returns
// how many. It holds the lock while it looks at every session there is.
func (m *LockedMap) Cleanup(now time.Time) int {
	var stale []string
	m.mu.Lock()
	for id, s := range m.mu.sessions {
		if now.Sub(s.lastActivity) > m.config.Idle {
			stale = append(stale, id)
			delete(m.mu.sessions, id)
		}
	}
	m.mu.Unlock()
	for _, id := range stale {
		m.config.expired(id)
	}
	return len(stale)
}

// Create makes sessions.
func (m *LockedMap) Create(ids []string) {
	for _, id := range ids {
		now := time.Now()
		m.mu.Lock()
		m.mu.sessions[id] = &lockedSession{created: now, lastActivity: now}
		m.mu.Unlock()
	}
}

// Touch notes activity.
func (m *LockedMap) Touch(ids []string) (alive int) {
	for _, id := range ids {
		now := time.Now()
		m.mu.Lock()
		if s := m.mu.sessions[id]; s != nil {
			s.lastActivity = now
			alive++
		}
		m.mu.Unlock()
	}
	return alive
}

// Remove ends sessions.
func (m *LockedMap) Remove(ids []string) (removed int) {
	for _, id := range ids {
		m.mu.Lock()
		if _, ok := m.mu.sessions[id]; ok {
			delete(m.mu.sessions, id)
			removed++
		}
		m.mu.Unlock()
	}
	return removed
}

// Len is the number of sessions.
func (m *LockedMap) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mu.sessions)
}

// Close stops the clean-up task.
func (m *LockedMap) Close() {
	close(m.stop)
	m.done.Wait()
}
