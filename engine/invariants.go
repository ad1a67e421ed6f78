package engine

import "github.com/curfew-go/curfew/internal/invariants"

// checkFate holds that a session that lives on is looked at again later than now, or a sweep
// would not end.
func (v *view) checkFate(f fate) {
	if invariants.Enabled {
		invariants.Check(f.ended != 0 || f.at > v.tick, "tick %d: filed again at %d", v.tick, f.at)
	}
}

// checkDeath holds G1 once more where a session was killed: it was due.
func (v *view) checkDeath(d *death) {
	if invariants.Enabled {
		invariants.Check(d.due <= v.now, "ended %d ns early for %v", d.due-v.now, d.reason)
	}
}

// checkShardLocked holds that a shard counts its sessions rightly and that the sweeper can find
// each of them.
func (c *core) checkShardLocked(sh *shard) {
	if !invariants.Enabled {
		return
	}
	live, entries := sh.mu.live, sh.mu.due.Len()
	invariants.Check(live >= 0 && live <= entries, "%d sessions, %d entries", live, entries)
	ended := sh.mu.idle + sh.mu.lifetime + sh.mu.removed
	invariants.Check(sh.mu.created == ended+uint64(live),
		"%d created, %d ended, %d live", sh.mu.created, ended, live)
	next := uint64(never)
	if at, ok := sh.mu.due.Next(); ok {
		next = uint64(at)
	}
	invariants.Check(next == sh.next.Load(), "next is %d, published %d", next, sh.next.Load())
	invariants.Check(live == 0 || next != never || c.luo != nil, "%d sessions will never end", live)
}
