package gateway

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/curfew-go/curfew/engine"
)

// agendaMachine holds an agenda and what must be in it. References are never used again.
type agendaMachine struct {
	a     agenda
	holds map[engine.Ref]time.Duration
	stale map[engine.Ref]time.Duration // in it or not: they do not hold any more
	n     engine.Ref
}

func (m *agendaMachine) still(x appointment) bool {
	at, ok := m.holds[x.ref]
	return ok && at == x.at
}

// Add enters an appointment.
func (m *agendaMachine) Add(t *rapid.T) {
	m.n++
	x := appointment{at: time.Duration(rapid.IntRange(0, 50).Draw(t, "at")), ref: m.n}
	m.a.add(x, m.still)
	m.holds[x.ref] = x.at
}

// Cancel leaves an appointment in the agenda.
func (m *agendaMachine) Cancel(t *rapid.T) {
	if len(m.holds) == 0 {
		t.Skip("there is none")
	}
	ref := rapid.SampledFrom(slices.Sorted(maps.Keys(m.holds))).Draw(t, "ref")
	m.stale[ref] = m.holds[ref]
	delete(m.holds, ref)
}

// Pop takes the first out.
func (m *agendaMachine) Pop(t *rapid.T) {
	x, ok := m.a.first()
	if !ok {
		t.Skip("it is empty")
	}
	m.a.pop()
	delete(m.holds, x.ref)
	delete(m.stale, x.ref)
}

// Delay moves the first.
func (m *agendaMachine) Delay(t *rapid.T) {
	x, ok := m.a.first()
	if !ok {
		t.Skip("it is empty")
	}
	at := x.at + time.Duration(rapid.IntRange(0, 30).Draw(t, "by"))
	m.a.delay(at)
	if _, ok := m.holds[x.ref]; ok {
		m.holds[x.ref] = at
	} else {
		m.stale[x.ref] = at
	}
}

// Check wants all that holds, nothing that nobody entered, and the earliest first.
func (m *agendaMachine) Check(t *rapid.T) {
	seen := make(map[engine.Ref]bool)
	for _, x := range m.a.heap {
		at, ok := m.holds[x.ref]
		if !ok {
			at, ok = m.stale[x.ref]
		}
		if !ok || at != x.at || seen[x.ref] {
			t.Fatalf("%+v is in the agenda", x)
		}
		seen[x.ref] = true
	}
	for ref := range m.holds {
		if !seen[ref] {
			t.Fatalf("session %d is lost", ref)
		}
	}
	first, ok := m.a.first()
	if ok != (len(m.a.heap) > 0) {
		t.Fatal("an agenda that is not empty has no first")
	}
	for _, x := range m.a.heap {
		if x.at < first.at {
			t.Fatalf("the first is at %d, one is at %d", first.at, x.at)
		}
	}
}

func TestAgenda_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &agendaMachine{
			holds: make(map[engine.Ref]time.Duration), stale: make(map[engine.Ref]time.Duration),
		}
		t.Repeat(rapid.StateMachineActions(m))
		var last time.Duration
		for x, ok := m.a.first(); ok; x, ok = m.a.first() {
			if x.at < last {
				t.Fatalf("%d comes after %d", x.at, last)
			}
			last = x.at
			m.a.pop()
		}
	})
}

// TestAgenda_StaysInProportion cancels every appointment but the last few.
func TestAgenda_StaysInProportion(t *testing.T) {
	const living, all = 100, 200_000
	var a agenda
	most := 0
	for i := range engine.Ref(all) {
		a.add(appointment{at: time.Duration(i), ref: i}, func(x appointment) bool {
			return x.ref+living > i
		})
		most = max(most, len(a.heap))
	}
	if most > 4*living || cap(a.heap) > 2048 {
		t.Errorf("of %d that hold there were up to %d, and room for %d", living, most, cap(a.heap))
	}
}
