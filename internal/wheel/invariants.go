package wheel

import (
	"fmt"

	"github.com/curfew-go/curfew/internal/invariants"
)

// checkNowAndThen panics when an invariant is broken. It looks once in about as many calls as the
// wheel has entries, so that checking costs each call a constant.
func (w *Wheel) checkNowAndThen() {
	w.unchecked++
	if w.unchecked < 1000+w.Len() {
		return
	}
	w.unchecked = 0
	if err := w.checkInvariants(); err != nil {
		invariants.Check(false, "wheel: %v", err)
	}
}

// checkInvariants returns an error that says which invariant is broken, nil when all hold:
//
//  1. A slot's bit is set when it has entries, in its list or in the compaction pass, and not
//     otherwise.
//  2. Occupied slots lie after their level's cursor slot. (At MaxTick the last slot itself counts.)
//  3. Chunks of a list are full but the tail, which is not empty; each chunk is in one list.
//  4. A position that is not 0 names a bucket that the id stands in.
//  5. The counts of entries, of a list's and a level's and of stale ones, are right.
func (w *Wheel) checkInvariants() error {
	var x census
	x.w = w
	for bucket := range position(len(w.buckets)) {
		if err := x.bucket(bucket); err != nil {
			return err
		}
	}
	if err := x.drain(); err != nil {
		return err
	}
	for level, n := range x.entries {
		if w.entries[level] != n {
			return fmt.Errorf("level %d counts %d entries, has %d", level, w.entries[level], n)
		}
	}
	if err := x.positions(); err != nil {
		return err
	}
	return x.chunks()
}

// census counts what a wheel holds.
type census struct {
	w       *Wheel
	entries [Levels]int
	named   int // distinct ids found in the bucket that their position names
	inUse   int // chunks in lists
}

// bucket counts the entries of a slot and checks invariants 1 and 2 of it.
func (x *census) bucket(b position) error {
	w := x.w
	level, slot := b>>SlotBits, b%Slots
	before := x.entries[level]
	if err := x.list(b, w.buckets[b]); err != nil {
		return err
	}
	if w.pass.head != 0 && w.pass.bucket == b {
		if err := x.list(b, w.pass.list); err != nil {
			return err
		}
	}
	occupied := x.entries[level] > before
	if set := w.occupied[level]>>slot&1 != 0; set != occupied {
		return fmt.Errorf("level %d slot %d: bit %v, entries %v", level, slot, set, occupied)
	}
	cursor := position(w.now>>(level*SlotBits)) % Slots
	if occupied && slot <= cursor && (w.now != MaxTick || level != 0 || slot != cursor) {
		return fmt.Errorf("level %d slot %d is occupied, cursor at slot %d", level, slot, cursor)
	}
	return nil
}

// list counts the entries of one list and checks its form.
func (x *census) list(b position, l list) error {
	if (l.head == 0) != (l.tail == 0) {
		return fmt.Errorf("bucket %d: head %d, tail %d", b, l.head, l.tail)
	}
	held := x.entries[b>>SlotBits]
	for ref := l.head; ref != 0; {
		c := x.w.arena.at(ref)
		if ref == l.tail && (c.n == 0 || c.n > chunkIDs || c.next != 0) ||
			ref != l.tail && (c.n != chunkIDs || c.next == 0) {
			return fmt.Errorf("bucket %d: chunk %d of %d: %d ids, next %d", b, ref, l, c.n, c.next)
		}
		if err := x.ids(b, c.ids[:c.n]); err != nil {
			return err
		}
		ref = c.next
	}
	if held = x.entries[b>>SlotBits] - held; int(l.n) != held {
		return fmt.Errorf("bucket %d: a list counts %d ids, has %d", b, l.n, held)
	}
	return nil
}

// drain counts the entries of the chain that is being drained.
func (x *census) drain() error {
	w := x.w
	if w.drain.head == 0 && w.drain.pos != 0 {
		return fmt.Errorf("no drain, but at entry %d of it", w.drain.pos)
	}
	pos, before := w.drain.pos, x.entries
	for ref := w.drain.head; ref != 0; {
		c := w.arena.at(ref)
		if pos >= c.n || c.n > chunkIDs {
			return fmt.Errorf("drain: at entry %d of a chunk of %d", pos, c.n)
		}
		if err := x.ids(w.drain.bucket, c.ids[pos:c.n]); err != nil {
			return err
		}
		pos, ref = 0, c.next
	}
	level := w.drain.bucket >> SlotBits
	if held := x.entries[level] - before[level]; int(w.drain.left) != held {
		return fmt.Errorf("drain counts %d ids, has %d", w.drain.left, held)
	}
	if w.drain.head != 0 && w.start(w.drain.bucket) != w.now {
		return fmt.Errorf("drain of bucket %d at tick %d", w.drain.bucket, w.now)
	}
	return nil
}

// ids counts the entries of one chunk and marks the positions that name its bucket.
func (x *census) ids(b position, ids []uint32) error {
	x.inUse++
	if x.inUse > int(x.w.arena.fresh) {
		return fmt.Errorf("bucket %d: its list is a ring or shares chunks", b)
	}
	x.entries[b>>SlotBits] += len(ids)
	for _, id := range ids {
		p := x.w.positions.find(id)
		if p == nil {
			return fmt.Errorf("bucket %d: id %d has no position", b, id)
		}
		if *p != 0 && *p&bucketMask == b && *p&mark == 0 {
			*p |= mark
			x.named++
		}
	}
	return nil
}

// positions takes the marks off again and checks invariant 4 and the count of stale entries.
func (x *census) positions() error {
	filed, blocks := 0, 0
	var lost error
	for i, block := range x.w.positions.blocks {
		if block == nil {
			continue
		}
		blocks++
		for j := range block {
			c := block[j]
			if c == 0 {
				continue
			}
			if c&mark == 0 || (c&live == 0) == (c&out == 0) {
				lost = fmt.Errorf("id %d: no entry for position %#x", i<<blockShift|j, uint16(c))
			}
			block[j] = c &^ mark
			if c&live != 0 {
				filed++
			}
		}
	}
	if lost != nil {
		return lost
	}
	if stale := x.w.Len() - filed; x.w.stale != stale {
		return fmt.Errorf("%d stale, want %d entries - %d filed", x.w.stale, x.w.Len(), filed)
	}
	if blocks != x.w.positions.used {
		return fmt.Errorf("%d blocks of positions, want %d", x.w.positions.used, blocks)
	}
	return nil
}

// chunks checks that each chunk is in a list or free.
func (x *census) chunks() error {
	a := &x.w.arena
	free := 0
	for ref := a.free; ref != 0; ref = a.at(ref).next {
		free++
		if free > int(a.fresh) {
			return fmt.Errorf("the free list is a ring")
		}
	}
	if known := max(int(a.fresh), 1) - 1; x.inUse+free != known {
		return fmt.Errorf("%d chunks in use, %d free, want %d in all", x.inUse, free, known)
	}
	return nil
}
