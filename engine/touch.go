package engine

import "github.com/curfew-go/curfew/internal/table"

// touch touches the session with an ID.
func (c *core) touch(id []byte) bool {
	switch c.store.Touch(id, c.clock.stamp.Load()) {
	case table.Fresh:
		return true
	case table.Stamped:
		c.clock.mark()
		return true
	case table.Missing:
		return false
	}
	return c.touchRest(id)
}

// touchRest is touch where that takes more than changing a word.
func (c *core) touchRest(id []byte) bool {
	for {
		r, ok := c.find(id)
		if !ok {
			return false
		}
		if c.touchRef(r) {
			return true
		}
		// The session ended since it was found. There may be another with the ID.
	}
}

// touchRef touches the session that r names.
func (c *core) touchRef(r table.Ref) bool {
	switch c.store.TouchRef(r, c.clock.stamp.Load()) {
	case table.Fresh:
		return true
	case table.Stamped:
		c.clock.mark()
		return true
	case table.Missing:
		return false
	}
	return c.touchRefRest(r)
}

// touchRefRest is touchRef for a clock that is asleep and a session that is in grace.
func (c *core) touchRefRest(r table.Ref) bool {
	for {
		stamp := c.clock.rouse()
		if stamp == table.Asleep {
			return false // The table is closed.
		}
		switch c.store.TouchRef(r, stamp) {
		case table.Fresh:
			return true
		case table.Stamped:
			c.clock.mark()
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

// revive makes a session in grace active again. It reports false if it is not in grace.
func (c *core) revive(r table.Ref) bool {
	stamp := c.clock.rouse()
	sh, _, w, ok := c.lockRef(r)
	if !ok {
		return false
	}
	defer sh.mu.Unlock()
	slot := r.Slot()
	// Nobody else changes the word of a session in grace while the lock is held.
	if stamp == table.Asleep || w.State() != table.Grace ||
		!c.store.Swap(slot, w, w.With(table.Active, stamp)) {
		return false
	}
	c.grace.Add(-1)
	sh.mu.revived++
	v := c.clock.view()
	c.file(sh, slot, c.judge(&v, slot, c.store.Load(slot)).at)
	c.clock.mark()
	return true
}

// touchBatch touches the sessions that refs name and returns how many were alive.
func (c *core) touchBatch(refs []Ref) (alive int) {
	var rest [table.TouchBatchMax]uint8
	for len(refs) > 0 {
		some := refs[:min(len(refs), table.TouchBatchMax)]
		refs = refs[len(some):]
		n, stamped, left := table.TouchBatch(c.store, some, c.clock.stamp.Load(), &rest)
		alive += n
		if stamped {
			c.clock.mark()
		}
		for _, i := range rest[:left] {
			if c.touchRef(table.Ref(some[i])) {
				alive++
			}
		}
	}
	return alive
}

// find looks a session up by its ID, of 1 to 255 bytes.
func (c *core) find(id []byte) (table.Ref, bool) {
	k := c.store.Key(id)
	slot, w, ok, stashed := c.store.Find(&k)
	if stashed {
		i := c.store.Shard(&k)
		sh, open := c.lock(i)
		if !open {
			return 0, false
		}
		slot, w, ok = c.store.FindLocked(i, &k, id)
		sh.mu.Unlock()
	}
	return table.RefOf(slot, w), ok
}
