package wheel

import (
	"math/bits"

	"github.com/curfew-go/curfew/internal/invariants"
)

// Compact examines entries from where the last call stopped, about budget of them, rounded up to
// whole chunks, and drops the stale ones and those for which drop says true, which are then
// unfiled. It returns how many it examined. A nil drop keeps all that is not stale.
//
// However large a bucket is, it is done in steps, and any other call may come between two of them.
// Calls whose budgets add up to a few times Len have visited the whole wheel. A bucket that is
// being drained is left to [Wheel.Advance]. drop may call no method of the wheel, and may not
// panic.
func (w *Wheel) Compact(budget int, drop func(id uint32) bool) (examined int) {
	budget = min(budget, w.Len())
	for examined < budget && (w.pass.head != 0 || w.openPass()) {
		examined += w.compactChunk(drop)
	}
	if invariants.Enabled {
		w.checkNowAndThen()
	}
	return examined
}

// openPass detaches the entries of the next occupied bucket at or after the cursor, around the end
// if need be. It flips the bucket's parity, so that an entry with the old one has not been seen in
// this pass, while one filed meanwhile, or seen and kept, has the new one.
func (w *Wheel) openPass() bool {
	bucket, ok := w.occupiedFrom(w.pass.cursor)
	if !ok {
		bucket, ok = w.occupiedFrom(0)
	}
	if !ok {
		return false
	}
	w.pass.bucket = bucket
	w.pass.cursor = (bucket + 1) & bucketMask
	w.pass.list = w.buckets[bucket]
	w.buckets[bucket] = list{}
	w.parity[bucket>>SlotBits] ^= 1 << (bucket % Slots)
	return true
}

// occupiedFrom returns the occupied bucket with the lowest number that is not below from.
func (w *Wheel) occupiedFrom(from position) (bucket position, ok bool) {
	level := from >> SlotBits
	occupied := w.occupied[level] >> (from % Slots) << (from % Slots)
	for {
		if occupied != 0 {
			return level<<SlotBits | position(bits.TrailingZeros64(occupied)), true
		}
		level++
		if level == Levels {
			return 0, false
		}
		occupied = w.occupied[level]
	}
}

// compactChunk moves what is to be kept of the pass's first chunk back to the bucket and returns
// how many entries it examined. With the last chunk the pass is over.
func (w *Wheel) compactChunk(drop func(id uint32) bool) (examined int) {
	bucket, ref := w.pass.bucket, w.pass.head
	c := w.arena.at(ref)
	next, ids := c.next, c.ids[:c.n]
	examined = len(ids)
	kept := w.keep(ids, drop)
	w.entries[bucket>>SlotBits] -= examined - kept

	w.pass.head = next
	w.pass.n -= uint32(examined)
	w.arena.absorb(&w.buckets[bucket], ref, kept)
	if next == 0 {
		w.pass.list = list{}
		if w.buckets[bucket].head == 0 {
			w.occupied[bucket>>SlotBits] &^= 1 << (bucket % Slots)
		}
	}
	return examined
}

// keep moves those of ids, entries of the pass's bucket, that are to be kept to the front and
// returns their number. An id that stands in the bucket twice is kept once: the second entry meets
// the parity that the first one left.
func (w *Wheel) keep(ids []uint32, drop func(id uint32) bool) (kept int) {
	bucket := w.pass.bucket
	var seen position
	if w.parity[bucket>>SlotBits]>>(bucket%Slots)&1 != 0 {
		seen = parity
	}
	for _, id := range ids {
		p := w.positions.find(id)
		switch c := *p; {
		case c&(bucketMask|live) != bucket|live:
			if c&(bucketMask|out) == bucket|out {
				*p = 0
			}
			w.stale--
		case c&parity == seen:
			w.stale--
		case drop != nil && drop(id):
			*p = 0
		default:
			*p = c ^ parity
			ids[kept] = id
			kept++
		}
	}
	return kept
}
