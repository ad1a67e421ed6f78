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
	w, v := c.store.Load(slot), c.clock.view()
	if w.State() == table.Grace {
		f := c.judge(&v, slot, w)
		// Nobody else changes the word of a session in grace while the lock is held.
		if !f.grace && f.ended == 0 && c.store.Swap(slot, w, w.With(table.Active, w.Stamp())) {
			c.grace.Add(-1)
		}
	}
	c.fileLocked(sh, slot)
	c.compactLocked(sh)
}

// fileLocked files a slot where the deadline of its session is. What is over, and what grace
// begins for, is the sweeper's to say, which is to look at once.
func (c *core) fileLocked(sh *shard, slot uint32) {
	w, v := c.store.Load(slot), c.clock.view()
	f := c.judge(&v, slot, w)
	if f.ended != 0 || f.grace && w.State() == table.Active {
		f.at = 0
	}
	c.file(sh, slot, f.at)
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

// renew gives the session with an ID another one. The slot stays, so the new ID must belong to its
// shard. One in as many as there are shards does, and it is looked for before the lock is taken.
func (c *core) renew(id string) (table.Ref, error) {
	if len(id) == 0 || len(id) > table.MaxKey {
		return 0, ErrNotFound
	}
	b := bytesOf(id)
	k := c.store.Key(b)
	i := c.store.Shard(&k)
	if _, _, ok, stashed := c.store.Find(&k); !ok && !stashed {
		if c.clock.closed() {
			return 0, ErrClosed
		}
		return 0, ErrNotFound
	}
	fresh := new([idLen]byte)
	newID(fresh)
	freshKey := c.store.Key(fresh[:])
	for c.store.Shard(&freshKey) != i {
		newID(fresh)
		freshKey = c.store.Key(fresh[:])
	}
	sh, ok := c.lock(i)
	if !ok {
		return 0, ErrClosed
	}
	defer sh.mu.Unlock()
	slot, w, ok := c.store.FindLocked(i, &k, b)
	if !ok {
		return 0, ErrNotFound
	}
	c.store.Rekey(i, slot, &freshKey)
	sh.mu.renewed++
	return table.RefOf(slot, w), nil
}
