package engine_test

import (
	"cmp"
	"fmt"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// maxModelTime keeps the time of a machine within the ticks that a word can tell at 1 ms.
const maxModelTime = 8 * 365 * 24 * time.Hour

func (m *machine) advance(d time.Duration) {
	if sat(m.now, d) > maxModelTime {
		return
	}
	m.ended = 0
	m.now += d
	n := m.tab.Advance(d)
	if m.failure != "" {
		m.t.Fatalf("in a callback: %s", m.failure)
	}
	if n != m.ended {
		m.t.Fatalf("Advance(%v) = %d, OnExpire got %d", d, n, m.ended)
	}
}

// A callbackTester keeps what fails in a callback, where the engine recovers.
type callbackTester struct{ m *machine }

func (callbackTester) Helper() {}

func (c callbackTester) Fatalf(format string, args ...any) {
	c.m.failure = cmp.Or(c.m.failure, fmt.Sprintf(format, args...))
	panic(c.m.failure)
}

// inCallback is called at the beginning of a callback; what it returns at its end.
func (m *machine) inCallback() (end func()) {
	t := m.t
	m.t = callbackTester{m}
	return func() { m.t = t }
}

func (m *machine) onGrace(b []engine.Session[int]) {
	defer m.inCallback()()
	if len(b) == 0 || len(b) > 256 {
		m.t.Fatalf("OnGrace got %d sessions", len(b))
	}
	for _, h := range b {
		s := m.refs[h.Ref()]
		if s == nil || s.handle != h || s.grace {
			m.t.Fatalf("OnGrace got %#x, which is none or in grace already", h.Ref())
		}
		if m.now < m.idleDue(s) {
			m.t.Fatalf("OnGrace got %q %v early", s.id, m.idleDue(s)-m.now)
		}
		if i, ok := h.Info(); !ok || i.State != engine.StateGrace {
			m.t.Fatalf("OnGrace got %q: Info = %v, %v", s.id, i.State, ok)
		}
		s.grace = true
		if m.revive {
			if !h.Touch() {
				m.t.Fatalf("Touch in OnGrace = false")
			}
			m.touched(s)
		}
	}
}

func (m *machine) onExpire(b []engine.Expired[int]) {
	defer m.inCallback()()
	if len(b) == 0 || len(b) > 256 {
		m.t.Fatalf("OnExpire got %d sessions", len(b))
	}
	for i := range b {
		s := m.refs[b[i].Ref]
		if s == nil {
			m.t.Fatalf("OnExpire got %q, Ref %#x, which had ended", b[i].ID(), b[i].Ref)
			return
		}
		m.checkExpired(s, &b[i])
		m.drop(s)
		m.ended++
	}
	for len(m.pending) > 0 {
		f := m.pending[0]
		m.pending = m.pending[1:]
		f()
	}
}

func (m *machine) checkExpired(s *modelSession, e *engine.Expired[int]) {
	m.t.Helper()
	idle, life := sat(m.idleDue(s), m.o.Grace), m.lifeDue(s)
	switch {
	case e.ID() != s.id || string(e.AppendID(nil)) != s.id || e.Value != s.value:
		m.t.Fatalf("OnExpire got %q with %d, want %q with %d", e.ID(), e.Value, s.id, s.value)
	case e.Reason == engine.ReasonIdle && m.now < idle:
		m.t.Fatalf("%q ended %v early, idle %v", s.id, idle-m.now, s.idle)
	case e.Reason == engine.ReasonLifetime && m.now < life:
		m.t.Fatalf("%q ended %v before its lifetime", s.id, life-m.now)
	case e.Reason == engine.ReasonIdle && life < idle-2*m.o.Tick:
		m.t.Fatalf("%q: reason idle at %v, lifetime ended %v", s.id, idle, life)
	case e.Reason == engine.ReasonLifetime && life > sat(idle, 2*m.o.Tick):
		m.t.Fatalf("%q: reason lifetime at %v, idle ended %v", s.id, life, idle)
	}
	m.checkTimes(s, e.Created, e.LastTouch)
	due := sat(sat(e.LastTouch.Sub(m.epoch), s.idle), m.o.Grace)
	if e.Reason == engine.ReasonLifetime {
		m.stats.Lifetime++
		due = life
	} else {
		m.stats.Idle++
	}
	if !e.Due.Equal(m.epoch.Add(due)) {
		m.t.Fatalf("%q: Due is %v, want %v", s.id, e.Due.Sub(m.epoch), due)
	}
}

// checkTimes checks what is shown of a session's past.
func (m *machine) checkTimes(s *modelSession, created, touched time.Time) {
	m.t.Helper()
	if got := created.Sub(m.epoch); got != s.created {
		m.t.Fatalf("%q: Created at %v, want %v", s.id, got, s.created)
	}
	got := touched.Sub(m.epoch)
	if off := got - s.touched; off <= -m.o.Tick || off >= m.o.Tick || got > m.now {
		m.t.Fatalf("%q at %v: LastTouch at %v, want %v", s.id, m.now, got, s.touched)
	}
}

// check compares everything.
func (m *machine) check() {
	m.t.Helper()
	seen := 0
	for h := range m.tab.All() {
		if s := m.refs[h.Ref()]; s == nil || s.handle != h {
			m.t.Fatalf("All yields %#x, which had ended", h.Ref())
		}
		seen++
	}
	if n := len(m.live); m.tab.Len() != n || seen != n {
		m.t.Fatalf("Len = %d, All yields %d, want %d", m.tab.Len(), seen, n)
	}
	grace := 0
	for _, s := range m.live {
		if m.checkSession(s); s.grace {
			grace++
		}
	}
	m.checkStats(grace)
}

func (m *machine) checkSession(s *modelSession) {
	m.t.Helper()
	if by := m.mustBy(s, m.due(s)); m.now >= by && by >= 0 && m.due(s) < maxModelTime {
		m.t.Fatalf("%q lives at %v, was due at %v", s.id, m.now, m.due(s))
	}
	if h, ok := m.tab.Lookup(s.id); !ok || h != s.handle {
		m.t.Fatalf("Lookup(%q) = %#x, %v, want %#x", s.id, h.Ref(), ok, s.handle.Ref())
	}
	if v, ok := s.handle.Value(); !ok || v != s.value {
		m.t.Fatalf("Value of %q = %d, %v, want %d", s.id, v, ok, s.value)
	}
	i, ok := s.handle.Info()
	if !ok || i.ID != s.id || i.IdleTimeout != s.idle || (i.State == engine.StateGrace) != s.grace {
		m.t.Fatalf("Info of %q = %+v, %v, want idle %v, grace %v", s.id, i, ok, s.idle, s.grace)
	}
	m.checkTimes(s, i.Created, i.LastTouch)
	deadline := sat(i.LastTouch.Sub(m.epoch), s.idle)
	if s.grace {
		deadline = sat(deadline, m.o.Grace)
	} else if m.o.Grace > 0 && m.now >= m.mustBy(s, m.idleDue(s)) {
		m.t.Fatalf("%q is active at %v, was due for grace at %v", s.id, m.now, m.idleDue(s))
	}
	if deadline = min(deadline, m.lifeDue(s)); !i.Deadline.Equal(m.epoch.Add(deadline)) {
		m.t.Fatalf("%q: Deadline is %v, want %v", s.id, i.Deadline.Sub(m.epoch), deadline)
	}
}

func (m *machine) checkStats(grace int) {
	m.t.Helper()
	got, want := m.tab.Stats(), m.stats
	want.Live, want.Grace = len(m.live), grace
	// What is due right now is backlog, and not behind.
	if got.Early != 0 || got.Behind != 0 && got.Backlog == 0 {
		m.t.Fatalf("%d ended early, backlog %d, behind %v", got.Early, got.Backlog, got.Behind)
	}
	if got.Lateness.Count() != want.Idle+want.Lifetime {
		m.t.Fatalf("Lateness counts %d, want %d", got.Lateness.Count(), want.Idle+want.Lifetime)
	}
	type numbers [11]uint64
	of := func(s engine.Stats) numbers {
		return numbers{
			uint64(s.Live), uint64(s.Grace), s.Created, s.Ended, s.Idle, s.Lifetime,
			s.Removed, s.Renewed, s.Revived, s.Rejected, s.CallbackPanics,
		}
	}
	if of(got) != of(want) || got.Bytes <= 0 {
		m.t.Fatalf("Stats = %+v, want %+v", of(got), of(want))
	}
}

// finish lets everything end that can.
func (m *machine) finish() {
	m.revive = false
	for range 4 {
		m.advance((maxModelTime - m.now) / 2)
		m.check()
	}
}
