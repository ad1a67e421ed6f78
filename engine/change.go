package engine

import "github.com/curfew-go/curfew/internal/table"

// setIdleLocked gives a slot's session an idle timeout of its own, or the table's if it is 0.
func (c *core) setIdleLocked(sh *shard, slot uint32, idle int64) {
	own := c.idle.At(slot)
	if own == nil && idle != 0 {
		c.growth.Lock()
		c.idle.Grow(slot)
		c.growth.Unlock()
		own = c.idle.At(slot)
		c.customIdle.Store(true)
	}
	if own != nil {
		*own = idle
	}
	for {
		w, v := c.store.Load(slot), c.clock.view()
		f := c.judge(&v, slot, w)
		if w.State() == table.Grace && !f.grace && f.ended == 0 {
			if !c.store.Swap(slot, w, w.With(table.Active, w.Stamp())) {
				continue
			}
			c.grace.Add(-1)
		}
		// What is over, and what grace begins for, is the sweeper's to say; at 0 it looks at once.
		at := f.at
		if f.ended != 0 || f.grace && w.State() == table.Active {
			at = 0
		}
		c.file(sh, slot, at)
		return
	}
}

// forgetLocked clears what is kept of a slot's session, which was killed and whose word was w.
func (c *core) forgetLocked(sh *shard, slot uint32, w table.Word) {
	if c.customIdle.Load() {
		if own := c.idle.At(slot); own != nil {
			*own = 0
		}
	}
	if w.State() == table.Grace {
		c.grace.Add(-1)
	}
	sh.mu.live--
}

// renew gives the session with an ID another one.
func (c *core) renew(id []byte) (table.Ref, error) {
	if len(id) == 0 || len(id) > table.MaxKey {
		return 0, ErrNotFound
	}
	k := c.store.Key(id)
	i := c.store.Shard(&k)
	sh, ok := c.lock(i)
	if !ok {
		return 0, ErrClosed
	}
	defer sh.mu.Unlock()
	slot, w, ok := c.store.FindLocked(i, &k, id)
	if !ok {
		return 0, ErrNotFound
	}
	// The slot stays, so the new ID must belong to its shard: one of as many as there are shards.
	for {
		var fresh [idLen]byte
		newID(&fresh)
		if k := c.store.Key(fresh[:]); c.store.Shard(&k) == i {
			c.store.Rekey(i, slot, &k)
			sh.mu.renewed++
			return table.RefOf(slot, w), nil
		}
	}
}
