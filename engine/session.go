package engine

import (
	"time"

	"github.com/curfew-go/curfew/internal/table"
)

// Ref names a session in eight bytes, for storing elsewhere. It belongs to its table, and the
// zero Ref names no session. No other session of the table ever has the same.
type Ref uint64

// Session is a handle of a session, 16 bytes that can be compared. The zero Session is none. A
// handle of a session that ended is dead and never comes alive again; its methods say so. They
// may be called at any time from any goroutine.
type Session[V any] struct {
	t   *Table[V]
	ref Ref
}

// State says how a living session fares.
type State uint8

// The states of a session that has not ended.
const (
	// StateActive is a session whose idle timeout has not passed.
	StateActive State = iota + 1
	// StateGrace is a session whose idle timeout passed and that a touch can still revive.
	StateGrace
)

// String is the state as it is shown.
func (s State) String() string {
	switch s {
	case StateActive:
		return "active"
	case StateGrace:
		return "grace"
	}
	return "none"
}

// Info describes a session at a moment.
type Info struct {
	ID    string
	State State
	// Created and LastTouch say when the session was created and last touched. LastTouch has the
	// resolution of the table's Tick: it is the beginning of the tick of the touch.
	Created, LastTouch time.Time
	// Deadline is when the session ends if it is not touched; where there is a grace, when that
	// begins for an active session, and when it ends for one in grace.
	Deadline    time.Time
	IdleTimeout time.Duration
}

// Ref is the session's name for storing elsewhere; see Table.At.
func (s Session[V]) Ref() Ref { return s.ref }

// lock locks the session's shard; see core.lockRef.
func (s Session[V]) lock() (sh *shard, i int, w table.Word, ok bool) {
	if s.t == nil {
		return nil, 0, 0, false
	}
	return s.t.lockRef(table.Ref(s.ref))
}

func (s Session[V]) slot() uint32 { return table.Ref(s.ref).Slot() }

// ID is the session's ID, "" once it ended.
func (s Session[V]) ID() string {
	var b [table.MaxKey]byte
	return string(s.AppendID(b[:0]))
}

// AppendID appends the session's ID to b, nothing once it ended.
func (s Session[V]) AppendID(b []byte) []byte {
	sh, i, _, ok := s.lock()
	if !ok {
		return b
	}
	defer sh.mu.Unlock()
	return s.t.store.AppendKey(b, i, s.slot())
}

// Touch is Table.Touch by handle, which is faster.
func (s Session[V]) Touch() bool { return s.t != nil && s.t.touchRef(table.Ref(s.ref)) }

// Value is the session's value. It reports false once the session ended.
func (s Session[V]) Value() (v V, ok bool) {
	sh, _, _, ok := s.lock()
	if !ok {
		return v, false
	}
	defer sh.mu.Unlock()
	if s.t.hasValue {
		v = *s.t.values.At(s.slot())
	}
	return v, true
}

// SetValue replaces the session's value. It reports false once the session ended.
func (s Session[V]) SetValue(v V) bool {
	sh, _, _, ok := s.lock()
	if !ok {
		return false
	}
	defer sh.mu.Unlock()
	if s.t.hasValue {
		*s.t.values.At(s.slot()) = v
	}
	return true
}

// Info describes the session. It reports false once the session ended.
func (s Session[V]) Info() (Info, bool) {
	sh, i, w, ok := s.lock()
	if !ok {
		return Info{}, false
	}
	defer sh.mu.Unlock()
	var id [table.MaxKey]byte
	v := s.viewLocked(w)
	return Info{
		ID:    string(s.t.store.AppendKey(id[:0], i, s.slot())),
		State: v.State, IdleTimeout: v.IdleTimeout,
		Created: v.Created, LastTouch: v.LastTouch, Deadline: v.Deadline,
	}, true
}

// View is what Info and Value tell, without the ID: what it costs to look at very many sessions.
type View[V any] struct {
	Value V
	State State
	// Created, LastTouch, Deadline and IdleTimeout are those of Info.
	Created, LastTouch, Deadline time.Time
	IdleTimeout                  time.Duration
}

// View describes the session. It reports false once the session ended.
func (s Session[V]) View() (v View[V], ok bool) {
	sh, _, w, ok := s.lock()
	if !ok {
		return v, false
	}
	defer sh.mu.Unlock()
	v = s.viewLocked(w)
	if s.t.hasValue {
		v.Value = *s.t.values.At(s.slot())
	}
	return v, true
}

// viewLocked is what a session shows besides its value.
func (s Session[V]) viewLocked(w table.Word) View[V] {
	c := &s.t.core
	idle, times := c.idleOf(s.slot()), c.timesOf(s.slot(), w)
	v := View[V]{
		State:       StateActive,
		Created:     c.clock.at(times.created),
		LastTouch:   c.clock.at(times.touched),
		Deadline:    c.clock.at(c.deadline(times, idle, w.State())),
		IdleTimeout: time.Duration(idle),
	}
	if w.State() == table.Grace {
		v.State = StateGrace
	}
	return v
}

// SetIdleTimeout gives the session an idle timeout of its own, counted from its last touch; 0
// gives it the table's again. A session in grace for which that is longer may become active. It
// reports false, and changes nothing, if d is negative or the session ended.
func (s Session[V]) SetIdleTimeout(d time.Duration) bool {
	if d < 0 {
		return false
	}
	sh, _, _, ok := s.lock()
	if !ok {
		return false
	}
	defer sh.mu.Unlock()
	s.t.setIdleLocked(sh, s.slot(), int64(d))
	return true
}

// Remove ends the session and returns its value. It reports false if the session had ended.
func (s Session[V]) Remove() (v V, ok bool) {
	sh, i, w, ok := s.lock()
	if !ok {
		return v, false
	}
	defer sh.mu.Unlock()
	return s.t.removeLocked(sh, i, s.slot(), w), true
}
