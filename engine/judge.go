package engine

import "github.com/curfew-go/curfew/internal/table"

// Reason says why time ended a session.
type Reason uint8

// The reasons. A session whose idle end and lifetime fall on the same tick ends for its lifetime.
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
	idleEnd := c.clock.touched(v, w.Stamp()) + c.ticks(c.idleOf(slot))
	end, reason := idleEnd+c.ticks(c.limits.grace), ReasonIdle
	if c.limits.life != forever {
		life := c.ticks(satAdd(c.store.Created(slot), c.limits.life))
		if life <= end {
			end, reason = life, ReasonLifetime
		}
	}
	switch {
	case v.tick >= end:
		return fate{ended: reason}
	case c.limits.grace > 0 && v.tick >= idleEnd:
		return fate{grace: true, at: end}
	}
	return fate{at: min(idleEnd, end)}
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
	return times{created, max(created, c.stampTime(w))}
}

func (c *core) stampTime(w table.Word) int64 {
	at := int64(w.Stamp()) * c.clock.tick
	if c.clock.manual {
		at = min(at, c.clock.now()) // Its stamps are rounded up.
	}
	return at
}

// due is the moment at which the session ends, or ended, for a reason.
func (c *core) due(t times, idle int64, reason Reason) int64 {
	if reason == ReasonLifetime {
		return satAdd(t.created, c.limits.life)
	}
	return satAdd(satAdd(t.touched, idle), c.limits.grace)
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
