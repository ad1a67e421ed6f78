package engine_test

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// tester is what testing.T and rapid.T have in common, as far as a machine needs it.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// A machine drives a manual table and a map side by side and compares them after each step.
// Sessions of a manual table end in Advance only, so the map knows exactly who lives; when they
// may end is a span: not before they are due, and two ticks later at the latest.
type machine struct {
	t       tester
	o       engine.Options[int]
	tab     *engine.Table[int]
	epoch   time.Time
	now     time.Duration
	live    map[string]*modelSession
	refs    map[engine.Ref]*modelSession
	dead    []engine.Session[int] // Some that ended.
	pending []func()              // What the next OnExpire does.
	revive  bool                  // Whether OnGrace touches its sessions.
	ended   int                   // What OnExpire got in this Advance.
	failure string                // What failed in a callback.
	stats   engine.Stats          // What is expected.
}

// A modelSession is what the map knows of a session.
type modelSession struct {
	id               string
	handle           engine.Session[int]
	value            int
	created, touched time.Duration
	idle             time.Duration // Its own, or the table's.
	since            time.Duration // When the deadline was set; it cannot be met before.
	grace            bool
}

const modelTick = 10 * time.Millisecond

// newMachine makes a machine. What is zero in the options is as in New.
func newMachine(t tester, o engine.Options[int]) *machine {
	m := &machine{
		t: t, live: map[string]*modelSession{}, refs: map[engine.Ref]*modelSession{},
	}
	o.Manual, o.Logger, o.OnExpire, o.OnGrace = true, quiet, m.onExpire, m.onGrace
	tab, err := engine.New(o)
	if err != nil {
		t.Fatalf("New(%+v): %v", o, err)
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = engine.DefaultIdleTimeout
	}
	if o.Tick == 0 {
		o.Tick = modelTick
	}
	if o.MaxLifetime == 0 {
		o.MaxLifetime = math.MaxInt64
	}
	m.o, m.tab = o, tab
	s, _, err := tab.Ensure("epoch", 0)
	i, ok := s.Info()
	if _, removed := s.Remove(); err != nil || !ok || !removed {
		t.Fatalf("first session: %v, Info %v, Remove %v", err, ok, removed)
	}
	m.epoch = i.Created
	m.stats.Created, m.stats.Removed, m.stats.Ended = 1, 1, 1
	return m
}

func (m *machine) close() { _ = m.tab.Close() }

func sat(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func (m *machine) idleDue(s *modelSession) time.Duration { return sat(s.touched, s.idle) }
func (m *machine) lifeDue(s *modelSession) time.Duration { return sat(s.created, m.o.MaxLifetime) }

// due is when the session should end.
func (m *machine) due(s *modelSession) time.Duration {
	return min(sat(m.idleDue(s), m.o.Grace), m.lifeDue(s))
}

// mustBy is when something due must have been seen to.
func (m *machine) mustBy(s *modelSession, due time.Duration) time.Duration {
	return sat(max(due, s.since), 2*m.o.Tick)
}

func (m *machine) add(s engine.Session[int], id string, v int) {
	ms := &modelSession{
		id: id, handle: s, value: v, created: m.now, touched: m.now,
		idle: m.o.IdleTimeout, since: m.now,
	}
	if m.refs[s.Ref()] != nil || s.Ref() == 0 || m.tab.At(s.Ref()) != s {
		m.t.Fatalf("new session has Ref %#x, which is taken or 0", s.Ref())
	}
	for _, d := range m.dead {
		if d == s {
			m.t.Fatalf("new session has the handle %#x of one that ended", s.Ref())
		}
	}
	m.live[id], m.refs[s.Ref()] = ms, ms
	m.stats.Created++
}

// drop takes a session that ended out of the map.
func (m *machine) drop(s *modelSession) {
	delete(m.live, s.id)
	delete(m.refs, s.handle.Ref())
	if m.dead = append(m.dead, s.handle); len(m.dead) > 64 {
		m.dead = m.dead[1:]
	}
	m.stats.Ended++
}

// full checks what a call that would create one session more returned.
func (m *machine) full(call string, err error) bool {
	m.t.Helper()
	if m.o.MaxSessions == 0 || len(m.live) < m.o.MaxSessions {
		if err != nil {
			m.t.Fatalf("%s with %d sessions: %v", call, len(m.live), err)
		}
		return false
	}
	if !errors.Is(err, engine.ErrFull) {
		m.t.Fatalf("%s in a full table = %v, want ErrFull", call, err)
	}
	m.stats.Rejected++
	return true
}

func (m *machine) create(v int) {
	s, err := m.tab.Create(v)
	if !m.full("Create", err) {
		m.add(s, s.ID(), v)
	}
}

func (m *machine) ensure(id string, v int) {
	s, created, err := m.tab.Ensure(id, v)
	old := m.live[id]
	switch {
	case len(id) == 0 || len(id) > 255:
		if created || !errors.Is(err, engine.ErrBadID) {
			m.t.Fatalf("Ensure(%d bytes) = %v, %v, want ErrBadID", len(id), created, err)
		}
	case old != nil:
		if created || err != nil || s != old.handle {
			m.t.Fatalf("Ensure(%q) = %#x, %v, %v, want %#x",
				id, s.Ref(), created, err, old.handle.Ref())
		}
		m.touched(old)
	case !m.full("Ensure", err):
		if !created {
			m.t.Fatalf("Ensure(%q) created = false, want true", id)
		}
		m.add(s, id, v)
	}
}

// touched notes a touch that was true.
func (m *machine) touched(s *modelSession) {
	s.touched, s.since = m.now, m.now
	if s.grace {
		s.grace = false
		m.stats.Revived++
	}
}

// touch touches the session of an ID, which may be none, in one of the ways there are.
func (m *machine) touch(id string, way int) {
	var ok bool
	old := m.live[id]
	switch {
	case way%4 == 0 && old != nil:
		ok = old.handle.Touch()
	case way%4 == 1 && old != nil:
		ok = m.tab.TouchBatch([]engine.Ref{old.handle.Ref()}) == 1
	case way%4 == 2:
		ok = m.tab.TouchBytes([]byte(id))
	default:
		ok = m.tab.Touch(id)
	}
	if ok != (old != nil) {
		m.t.Fatalf("touch of %q = %v, want %v", id, ok, old != nil)
	}
	if ok {
		m.touched(old)
	}
}

// touchAll touches every session at once, and some that ended.
func (m *machine) touchAll() {
	var refs []engine.Ref
	for _, s := range m.live {
		refs = append(refs, s.handle.Ref())
	}
	for _, s := range m.dead {
		refs = append(refs, s.Ref())
	}
	if n := m.tab.TouchBatch(refs); n != len(m.live) {
		m.t.Fatalf("TouchBatch = %d, want %d", n, len(m.live))
	}
	for _, s := range m.live {
		m.touched(s)
	}
}

func (m *machine) remove(id string, byHandle bool) {
	old := m.live[id]
	var v int
	var ok bool
	if byHandle && old != nil {
		v, ok = old.handle.Remove()
	} else {
		v, ok = m.tab.Remove(id)
	}
	if ok != (old != nil) || ok && v != old.value || !ok && v != 0 {
		m.t.Fatalf("Remove(%q) = %d, %v, want %v", id, v, ok, old)
	}
	if ok {
		m.drop(old)
		m.stats.Removed++
	}
}

func (m *machine) renew(id string) {
	s, err := m.tab.Renew(id)
	old := m.live[id]
	if old == nil {
		if !errors.Is(err, engine.ErrNotFound) {
			m.t.Fatalf("Renew(%q) = %v, want ErrNotFound", id, err)
		}
		return
	}
	if err != nil || s != old.handle || m.live[s.ID()] != nil {
		m.t.Fatalf("Renew(%q) = %#x, %v, want %#x and a new ID", id, s.Ref(), err, old.handle.Ref())
	}
	delete(m.live, id)
	old.id = s.ID()
	m.live[old.id] = old
	m.stats.Renewed++
}

func (m *machine) setValue(id string, v int) {
	if s := m.live[id]; s != nil {
		if !s.handle.SetValue(v) {
			m.t.Fatalf("SetValue(%q) = false", id)
		}
		s.value = v
	}
}

func (m *machine) setIdle(id string, d time.Duration) {
	s := m.live[id]
	if s == nil {
		return
	}
	if got := s.handle.SetIdleTimeout(d); got != (d >= 0) {
		m.t.Fatalf("SetIdleTimeout(%q, %v) = %v", id, d, got)
	}
	if d < 0 {
		return
	}
	if s.idle = d; d == 0 {
		s.idle = m.o.IdleTimeout
	}
	s.since = m.now
	i, _ := s.handle.Info()
	grace := i.State == engine.StateGrace
	switch due := m.idleDue(s); {
	case grace && !s.grace:
		m.t.Fatalf("SetIdleTimeout(%q, %v) begins grace by itself", id, d)
	case grace && m.now < due:
		m.t.Fatalf("SetIdleTimeout(%q, %v): in grace %v early", id, d, due-m.now)
	case s.grace && !grace && m.now >= m.mustBy(s, due) && m.now >= sat(due, 2*m.o.Tick):
		m.t.Fatalf("SetIdleTimeout(%q, %v): active %v after %v", id, d, m.now-due, due)
	}
	s.grace = grace
}

// badHandles tries handles that name no session.
func (m *machine) badHandles() {
	none := []engine.Session[int]{{}, m.tab.At(0), m.tab.At(1<<63 | 5)}
	for _, s := range append(none, m.dead...) {
		_, value := s.Value()
		_, info := s.Info()
		_, remove := s.Remove()
		if s.Touch() || value || info || remove || s.SetValue(1) || s.SetIdleTimeout(1) ||
			s.ID() != "" || m.tab.TouchBatch([]engine.Ref{s.Ref()}) != 0 {
			m.t.Fatalf("dead handle %#x says true", s.Ref())
		}
	}
}

// machineID is one of a few IDs of many lengths.
func machineID(n int) string {
	lengths := [...]int{1, 2, 7, 8, 9, 31, 32, 32, 32, 33, 40, 64, 100, 254, 255, 0, 256}
	b := []byte(strings.Repeat("i", lengths[n%len(lengths)]))
	if len(b) > 0 {
		b[len(b)-1] = byte(n / len(lengths) % 3)
	}
	return string(b)
}

// machineDuration is a duration of one of many sizes.
func machineDuration(n, tick int64) time.Duration {
	sizes := [...]int64{
		0, 1, tick / 2, tick - 1, tick, tick + 1, 2 * tick, 3*tick - 1, 10 * tick,
		63 * tick, 64 * tick, 65*tick + 7, 100 * tick, 1000 * tick, 4095 * tick, 4096*tick + 1,
		300_000 * tick, math.MaxInt64 - 1, math.MaxInt64,
	}
	return time.Duration(sizes[n%int64(len(sizes))])
}
