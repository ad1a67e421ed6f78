package engine

import "github.com/curfew-go/curfew/internal/table"

// touchRest completes a touch whose first attempt had the outcome o.
func (c *core) touchRest(id string, o table.Outcome) bool {
	for o != table.Missing {
		r, ok := c.find(id)
		if !ok {
			return false
		}
		if c.touchRef(r) {
			return true
		}
		// The session ended since it was found. There may be another with the ID.
	}
	return false
}

// touchRef touches the session that r names.
func (c *core) touchRef(r table.Ref) bool {
	stamp := c.clock.stamp.Load()
	if c.store.Fresh(r, stamp) {
		return true
	}
	o := c.store.TouchRef(r, stamp)
	return o == table.Touched || o != table.Missing && c.touchRefRest(r)
}

// touchRefRest is touchRef for a clock that is asleep and a session that is in grace.
func (c *core) touchRefRest(r table.Ref) bool {
	for {
		stamp := c.clock.rouse()
		if stamp == table.Asleep {
			return false // The table is closed.
		}
		switch c.store.TouchRef(r, stamp) {
		case table.Touched:
			return true
		case table.Missing:
			return false
		case table.InGrace:
			if c.revive(r) {
				return true
			}
		}
	}
}

// revive makes a session in grace active again. It reports false if it is not in grace. The stamp
// is taken under the lock, so that none older than another reviver's is set.
func (c *core) revive(r table.Ref) bool {
	sh, _, w, ok := c.lockRef(r)
	if !ok {
		return false
	}
	defer sh.mu.Unlock()
	slot, stamp := r.Slot(), c.clock.rouse()
	// Nobody else changes the word of a session in grace while the lock is held.
	if stamp == table.Asleep || w.State() != table.Grace ||
		!c.store.Revive(slot, w, max(stamp, w.Stamp())) {
		return false
	}
	c.grace.Add(-1)
	sh.mu.revived++
	c.fileLocked(sh, slot)
	return true
}

// touchBatch touches the sessions that refs name and returns how many were alive.
func (c *core) touchBatch(refs []Ref) (alive int) {
	var rest [table.TouchBatchMax]uint8
	for len(refs) > 0 {
		some := refs[:min(len(refs), table.TouchBatchMax)]
		refs = refs[len(some):]
		n, left := table.TouchBatch(c.store, some, c.clock.stamp.Load(), &rest)
		alive += n
		for _, i := range rest[:left] {
			if c.touchRef(table.Ref(some[i])) {
				alive++
			}
		}
	}
	return alive
}

// find looks a session up by its ID, of 1 to 255 bytes.
func (c *core) find(id string) (table.Ref, bool) {
	b := bytesOf(id)
	k := c.store.Key(b)
	slot, w, ok, stashed := c.store.Find(&k)
	if stashed {
		i := c.store.Shard(&k)
		sh, open := c.lock(i)
		if !open {
			return 0, false
		}
		slot, w, ok = c.store.FindLocked(i, &k, b)
		sh.mu.Unlock()
	}
	return table.RefOf(slot, w), ok
}
