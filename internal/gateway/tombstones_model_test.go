package gateway

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// stoneOf makes a tombstone and the tokens that are good for it.
func stoneOf(n int, until time.Duration, why Reason) (s tombstone, newest, spare string) {
	id := fmt.Appendf(nil, "%032d", n)
	token, hash := newResumeToken(id)
	before, spareHash := newResumeToken(id)
	s = tombstone{until: until, newest: hash, spare: spareHash, reason: why}
	copy(s.id[:], id)
	return s, string(token), string(before)
}

// tombstonesMachine holds tombstones and all that were ever added.
type tombstonesMachine struct {
	t    tombstones
	now  time.Duration
	all  []tombstone
	keys [][2]string
}

// Add remembers a session.
func (m *tombstonesMachine) Add(t *rapid.T) {
	reasons := []Reason{ReasonIdle, ReasonWindow, ReasonRevoked}
	for range rapid.IntRange(1, 20).Draw(t, "n") {
		why := rapid.SampledFrom(reasons).Draw(t, "reason")
		s, newest, spare := stoneOf(len(m.all), m.now+tombstoneLife, why)
		m.t.add(s, m.now)
		m.all, m.keys = append(m.all, s), append(m.keys, [2]string{newest, spare})
	}
}

// Wait lets time pass.
func (m *tombstonesMachine) Wait(t *rapid.T) {
	m.now += time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second
}

// Ask asks with a right token or a wrong one.
func (m *tombstonesMachine) Ask(t *rapid.T) {
	if len(m.all) == 0 {
		t.Skip("there is none")
	}
	i := rapid.IntRange(0, len(m.all)-1).Draw(t, "which")
	token := m.keys[i][rapid.IntRange(0, 1).Draw(t, "token")]
	right := rapid.Bool().Draw(t, "right")
	if !right {
		other := byte('A')
		if token[sessionIDBytes+1] == other {
			other = 'B'
		}
		token = token[:sessionIDBytes+1] + string(other) + token[sessionIDBytes+2:]
	}
	known := m.all[i].until > m.now
	want := Reason("")
	if known && right {
		want = m.all[i].reason
	}
	p := present(token)
	if got, k := m.t.reason(&p, m.now); got != want || k != known {
		t.Fatalf("session %d ended for %q (known: %v), want %q (%v)", i, got, k, want, known)
	}
}

// Check compares how many there are.
func (m *tombstonesMachine) Check(t *rapid.T) {
	p := present("no token")
	if why, known := m.t.reason(&p, m.now); why != "" || known { // and drops what is over
		t.Fatalf("a word that is no token is of a session that ended for %q", why)
	}
	want, over := 0, 0
	for i := range m.all {
		if m.all[i].until > m.now {
			want++
		} else {
			over++
		}
	}
	for range over/forgetStep + 1 { // each call drops some
		m.t.reason(&p, m.now)
	}
	if m.t.mu.count != want || len(m.t.mu.byID) != want {
		t.Fatalf("%d and %d are remembered, want %d", m.t.mu.count, len(m.t.mu.byID), want)
	}
	if want == 0 && m.t.mu.ring != nil {
		t.Fatal("memory is kept for none")
	}
}

func TestTombstones_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(rapid.StateMachineActions(&tombstonesMachine{})) })
}

// TestTombstones_AreBounded drops the oldest first.
func TestTombstones_AreBounded(t *testing.T) {
	var stones tombstones
	const more = 100
	tokens := make([]string, 0, tombstonesMax+more)
	for i := range tombstonesMax + more {
		s, newest, _ := stoneOf(i, tombstoneLife, ReasonIdle)
		stones.add(s, 0)
		tokens = append(tokens, newest)
	}
	if n := stones.mu.count; n != tombstonesMax || len(stones.mu.byID) != n {
		t.Errorf("%d and %d are remembered, want %d", n, len(stones.mu.byID), tombstonesMax)
	}
	for i, token := range tokens {
		p := present(token)
		if why, _ := stones.reason(&p, 0); (why == ReasonIdle) != (i >= more) {
			t.Fatalf("session %d of %d ended for %q", i, len(tokens), why)
		}
	}
}
