package engine

import (
	"time"

	"github.com/curfew-go/curfew/internal/wheel"
)

// Stats are numbers of a table at a moment. Counters run from New on. Those of different shards
// are read one shard after the other, so sums may be off by what went on meanwhile.
type Stats struct {
	Live  int // Sessions, those in grace included.
	Grace int // Sessions in grace.

	Created  uint64
	Ended    uint64 // Idle + Lifetime + Removed.
	Idle     uint64 // Ended by ReasonIdle.
	Lifetime uint64 // Ended by ReasonLifetime.
	Removed  uint64 // Ended by Remove.
	Renewed  uint64 // IDs replaced by Renew.
	Revived  uint64 // Touched in grace.
	Rejected uint64 // Refused with ErrFull.

	CallbackPanics uint64 // Callbacks that panicked, or left by runtime.Goexit.

	// Lateness is how long after they were due sessions were handed to OnExpire, or would have
	// been. What a session's last touch is late by within its tick counts as lateness.
	Lateness Histogram

	// Sweep is how long the sweeper took for one batch of one shard, callbacks included.
	Sweep Histogram
	// Early counts sessions that were ended before they were due. It is 0, or G1 is broken.
	Early uint64
	// Backlog is how many entries of the wheel have come up and are not looked at yet, and Behind
	// how long ago the first of them did, or was due, where its deadline was moved into the past.
	Backlog int
	Behind  time.Duration

	Bytes   int64 // All memory that the table holds, without what values point to.
	Entries int   // Entries of the timing wheel.
	Stale   int   // Entries of the timing wheel that belong to no session.
	Shards  int
}

// Stats reads the table's numbers. It takes each shard's lock for a moment and never looks at
// sessions.
func (t *Table[V]) Stats() Stats {
	s := Stats{
		Rejected:       t.rejected.Load(),
		CallbackPanics: t.panics.Load(),
		Shards:         len(t.shards),
	}
	now := t.clock.now()
	tick := now / t.clock.tick
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		s.Created += sh.mu.created
		s.Idle += sh.mu.idle
		s.Lifetime += sh.mu.lifetime
		s.Removed += sh.mu.removed
		s.Renewed += sh.mu.renewed
		s.Revived += sh.mu.revived
		s.Early += sh.mu.early
		if !sh.mu.closed {
			s.Entries += sh.mu.due.Len()
			s.Stale += sh.mu.due.Len() - sh.mu.live
			s.Bytes += t.store.Bytes(i) + sh.mu.due.Bytes()
			s.Backlog += sh.mu.due.Pending(wheel.Tick(tick))
			s.Behind = max(s.Behind, t.behindLocked(sh, now))
		}
		sh.mu.Unlock()
	}
	s.Ended = s.Idle + s.Lifetime + s.Removed
	s.Bytes += t.store.SlotBytes() + t.values.Bytes() + t.idle.Bytes()
	s.Live, s.Grace = int(t.live.Load()), int(t.grace.Load())
	s.Lateness, s.Sweep = t.sweeper.timesCopy()
	return s
}

// behindLocked is how long ago the sweeper should have looked at a shard. A RussellLuo wheel does
// not say since when.
func (c *core) behindLocked(sh *shard, now int64) time.Duration {
	next := sh.next.Load()
	if next > uint64(now/c.clock.tick) || c.luo != nil {
		return 0
	}
	return time.Duration(now - int64(next)*c.clock.tick)
}
