package engine

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"github.com/curfew-go/curfew/internal/table"
	"github.com/curfew-go/curfew/internal/wheel"
)

// maxBatch is the most sessions that any call handles under one lock and that a callback gets at
// once (G4).
const maxBatch = 256

// core is what of a Table does not depend on the type of its values.
type core struct {
	// Set by New, then only read.
	store  *table.Store
	shards []shard
	limits limits
	max    int64 // MaxSessions, or the largest number.
	logger *slog.Logger
	clock  clock
	luo    *luoWheel // nil but for WheelRussellLuo.

	// idle holds the idle timeouts of sessions that have one of their own, in nanoseconds;
	// 0 for those that have the table's. customIdle says whether any ever had.
	idle       table.Column[int64]
	customIdle atomic.Bool

	// live counts the sessions of the table, grace those of them that are in grace.
	live, grace atomic.Int64

	rejected, panics atomic.Uint64 // Statistics only.

	// wakeAt is the tick at which the sweeper wakes by itself; 0 while it is awake. Whoever files
	// a session for an earlier one sends to poke.
	wakeAt atomic.Uint64
	poke   chan struct{} // Holds one.

	// growth guards what all shards grow: the list of chunks and the columns beside it. Locked
	// while a shard's lock is held.
	growth sync.Mutex
}

// A shard is a part of the table with a lock of its own. It says which session is looked at when.
type shard struct {
	mu struct {
		sync.Mutex
		due    scheduler
		closed bool
		live   int // Sessions of this shard.

		// Statistics.
		created, idle, lifetime, removed, renewed, revived, early uint64
	}

	// next is the tick at which the sweeper has to look at the shard, or never. It is written
	// under the lock.
	next atomic.Uint64
	_    [64]byte
}

// limits are the times that end a session, all in nanoseconds. What the options leave out is never.
type limits struct {
	idle, grace, life int64
}

const forever = math.MaxInt64

// ticks is the first tick that does not begin before a time, MaxTick for forever.
func (c *core) ticks(nanos int64) uint64 {
	if nanos == forever {
		return uint64(wheel.MaxTick)
	}
	return (uint64(nanos) + uint64(c.clock.tick) - 1) / uint64(c.clock.tick)
}

// idleOf is the idle timeout of a slot's session.
// REQUIRES: the lock of the slot's shard.
func (c *core) idleOf(slot uint32) int64 {
	if c.customIdle.Load() {
		if own := c.idle.At(slot); own != nil && *own != 0 {
			return *own
		}
	}
	return c.limits.idle
}

// lock locks shard i. It reports false, and holds no lock, once the table is closed.
func (c *core) lock(i int) (*shard, bool) {
	sh := &c.shards[i]
	sh.mu.Lock()
	if sh.mu.closed {
		sh.mu.Unlock()
		return nil, false
	}
	return sh, true
}

// lockRef locks the shard of the session that r names and returns its word. It reports false, and
// holds no lock, if there is no such session.
func (c *core) lockRef(r table.Ref) (sh *shard, i int, w table.Word, ok bool) {
	if i, ok = c.store.ShardOf(r); !ok {
		return nil, 0, 0, false
	}
	if sh, ok = c.lock(i); !ok {
		return nil, 0, 0, false
	}
	if w, ok = c.store.Is(r); !ok {
		sh.mu.Unlock()
		return nil, 0, 0, false
	}
	return sh, i, w, true
}

// file has the sweeper look at a slot at a tick, or earlier.
// REQUIRES: the shard's lock.
func (c *core) file(sh *shard, slot uint32, at uint64) {
	sh.mu.due.Schedule(slot, wheel.Tick(min(at, uint64(wheel.MaxTick))))
	c.planLocked(sh)
}

// planLocked publishes when the sweeper has to look at the shard, and wakes it if it would come
// too late.
func (c *core) planLocked(sh *shard) {
	next := uint64(never)
	if at, ok := sh.mu.due.Next(); ok {
		next = uint64(at)
	}
	if next == sh.next.Load() {
		return
	}
	sh.next.Store(next)
	// The sweeper stores wakeAt before it reads next for the last time, so either it sees what
	// was just stored or this sees when it means to wake.
	if next < c.wakeAt.Load() {
		c.rouseSweeper()
	}
}

func (c *core) rouseSweeper() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// reserve counts a session that is to be created, if there may be one more.
func (c *core) reserve() bool {
	for {
		n := c.live.Load()
		if n >= c.max {
			c.rejected.Add(1)
			return false
		}
		if c.live.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

const (
	// slackStale is how many wheel entries that belong to no session a shard may have at any
	// rate, beside a fifth of its sessions (G5 says a quarter), and compactBudget how many
	// entries one call looks at when there are more.
	slackStale    = 128
	compactBudget = 64
)

// compactLocked drops some wheel entries that belong to no session, if there are many: those of
// slots that are free, while slots that are used again inherit theirs, and those that a shorter
// timeout replaced. It is called wherever such entries arise.
func (c *core) compactLocked(sh *shard) {
	slack, budget := slackStale+sh.mu.live/5, compactBudget
	if sh.mu.live == 0 {
		slack, budget = 0, maxBatch
	}
	if sh.mu.due.Len()-sh.mu.live > slack {
		sh.mu.due.Compact(budget, func(slot uint32) bool {
			return !c.store.Load(slot).Live()
		})
		c.planLocked(sh)
	}
}
