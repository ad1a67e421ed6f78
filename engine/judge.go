package engine

import "github.com/curfew-go/curfew/internal/table"

// Reason says why time ended a session.
type Reason uint8

// The reasons. A session for which both come at the same moment ends for its lifetime.
const (
	ReasonIdle     Reason = iota + 1 // It was not touched for its idle timeout (and grace).
	ReasonLifetime                   // It had lived for the table's MaxLifetime.
)

// String is the reason as it is logged.
func (r Reason) String() string {
	switch r {
	case ReasonIdle:
		return "idle"
	case ReasonLifetime:
		return "lifetime"
	}
	return "none"
}

// fate is what is to become of a session.
type fate struct {
	// ended is the reason for which its time is up, 0 while it is not.
	ended Reason
	// grace is whether it is to be in grace.
	grace bool
	// at is the tick at which it is to be looked at again.
	at uint64
}

// judge decides about the session of a slot whose word is w.
// REQUIRES: the shard's lock.
func (c *core) judge(v *view, slot uint32, w table.Word) fate {
	idle, touched := c.idleOf(slot), c.clock.touched(v, w.Stamp())
	graceAt := c.ticks(satAdd(touched, idle))
	idleEnd := c.ticks(satAdd(satAdd(touched, idle), c.limits.grace))
	lifeEnd := uint64(never)
	if c.limits.life != forever {
		lifeEnd = c.ticks(satAdd(c.store.Created(slot), c.limits.life))
	}
	end := min(idleEnd, lifeEnd)
	switch {
	case v.tick >= end:
		return fate{ended: c.reason(v, slot, w, idleEnd, lifeEnd)}
	case c.limits.grace > 0 && v.tick >= graceAt:
		return fate{grace: true, at: end}
	}
	return fate{at: min(graceAt, end)}
}

// reason is for what a session ends whose idle timeout is over, or whose lifetime, or both: then
// for what was due first.
func (c *core) reason(v *view, slot uint32, w table.Word, idleEnd, lifeEnd uint64) Reason {
	if v.tick < lifeEnd {
		return ReasonIdle
	}
	times, idle := c.timesOf(slot, w), c.idleOf(slot)
	if v.tick >= idleEnd && c.due(times, idle, ReasonIdle) < c.due(times, idle, ReasonLifetime) {
		return ReasonIdle
	}
	return ReasonLifetime
}

// times are the moments of a session's life in nanoseconds since the epoch, as they are shown.
type times struct {
	created, touched int64
}

// timesOf reads them. A stamp says in which tick the session was touched; the beginning of that
// tick is shown, or its creation if that was later.
// REQUIRES: the shard's lock.
func (c *core) timesOf(slot uint32, w table.Word) times {
	created := c.store.Created(slot)
	return times{created, max(created, c.clock.begins(w.Stamp()))}
}

// due is the moment at which the session ends, or ended, for a reason.
func (c *core) due(t times, idle int64, reason Reason) int64 {
	if reason == ReasonLifetime {
		return satAdd(t.created, c.limits.life)
	}
	return satAdd(satAdd(t.touched, idle), c.limits.grace)
}

// early says whether a session was ended while it might have lived: before its last touch, taken to
// be as late as its word allows, and its idle timeout. It is G1 held once more, by another way than
// judge came to its end.
// REQUIRES: the shard's lock.
func (c *core) early(v *view, d *death, idle int64) bool {
	if d.reason == ReasonLifetime {
		return d.due > v.now
	}
	touched := c.clock.touched(v, d.word.Stamp())
	return satAdd(satAdd(touched, idle), c.limits.grace) > v.now
}

// deadline is the moment that Info shows: the end of grace in grace, else that of the idle
// timeout; or of the lifetime if that comes first.
func (c *core) deadline(t times, idle int64, state table.State) int64 {
	at := satAdd(t.touched, idle)
	if state == table.Grace {
		at = satAdd(at, c.limits.grace)
	}
	if c.limits.life != forever {
		at = min(at, satAdd(t.created, c.limits.life))
	}
	return at
}
