package wheel

import (
	"math/bits"
	"unsafe"

	"github.com/curfew-go/curfew/internal/invariants"
)

// Tick is a point in the owner's time, counted in steps of whatever length the owner chose.
type Tick uint64

const (
	// SlotBits is the number of bits of a tick that one level looks at: a digit of it.
	SlotBits = 6
	// Slots is the number of slots of a level.
	Slots = 1 << SlotBits
	// Levels is the number of levels.
	Levels = 8
	// MaxTick is the last tick there is.
	MaxTick Tick = 1<<(SlotBits*Levels) - 1
)

// Wheel is a hierarchical timing wheel over ids. It is not safe for concurrent use.
//
// Buckets are numbered level<<SlotBits | slot. The cursor is now; its digit at a level is the
// level's cursor slot, which is always empty, and the occupied slots lie after it.
type Wheel struct {
	now      Tick
	occupied [Levels]uint64 // bit s of word l: the bucket of level l, slot s has entries
	entries  [Levels]int    // physical entries of a level, those of a chain being drained included
	stale    int            // how many of all entries are stale

	// drain is the bucket that is being handed out, detached from its slot. now is its start until
	// its last entry is gone.
	drain struct {
		head   uint32   // the first chunk that still has entries; 0 when no drain is under way
		pos    uint32   // how many entries of that chunk are done
		left   uint32   // how many entries of all its chunks are not
		bucket position // the number of the bucket
	}

	// pass is the compaction of one bucket: the entries not examined yet, detached from the slot,
	// whose occupied bit stays set. Those examined and kept are in the slot's list again.
	pass struct {
		list
		bucket position // the number of the bucket while the list is not empty
		cursor position // the bucket at which to look for the next one
	}
	parity [Levels]uint64 // bit s of word l: the parity of entries filed in level l, slot s

	positions positions
	arena     arena
	buckets   [Levels * Slots]list

	unchecked int // operations since invariants were last checked; unused where they are off
}

// New returns an empty wheel that stands at tick now, or at [MaxTick] when now is beyond it.
func New(now Tick) *Wheel {
	return &Wheel{now: min(now, MaxTick)}
}

// Schedule files id so that [Wheel.Advance] hands it out no later than tick at. A tick that is not
// after Now counts as Now + 1, one beyond [MaxTick] as MaxTick.
//
// An id that is already filed in a bucket that comes up no later than at stays there: the visit
// will ask the owner again, which is how a touch costs the wheel nothing. One filed in a later
// bucket is filed anew at once, and its old entry goes stale.
func (w *Wheel) Schedule(id uint32, at Tick) {
	if at <= w.now {
		at = w.now + 1
	}
	if at > MaxTick {
		at = MaxTick
	}
	p := w.positions.find(id)
	if p == nil {
		p = w.positions.grow(id)
	}
	if c := *p; c != 0 {
		if w.start(c&bucketMask) <= at {
			if c&out != 0 {
				*p = c ^ (out | live)
				w.stale--
			}
			return
		}
		if c&live != 0 {
			w.stale++
		}
	}
	*p = w.file(id, at)
	if invariants.Enabled {
		w.checkNowAndThen()
	}
}

// file adds an entry for id to the bucket of tick at and returns its position. The level is that of
// the highest digit in which at differs from now. As at is later, its digit there is the larger
// one: no entry lands in a cursor slot, and none a revolution ahead.
func (w *Wheel) file(id uint32, at Tick) position {
	level := uint(bits.Len64(uint64(w.now^at)|(Slots-1))-1) / SlotBits % Levels
	slot := uint(at>>(level*SlotBits)) % Slots
	w.arena.add(&w.buckets[level<<SlotBits|slot], id)
	w.occupied[level] |= 1 << slot
	w.entries[level]++
	p := position(level<<SlotBits|slot) | live
	if w.parity[level]>>slot&1 != 0 {
		p |= parity
	}
	return p
}

// start returns the tick at which a bucket comes up. For the bucket being drained that is now.
func (w *Wheel) start(bucket position) Tick {
	shift := uint(bucket>>SlotBits) * SlotBits
	above := w.now >> (shift + SlotBits) << SlotBits
	return (above | Tick(bucket%Slots)) << shift
}

// Cancel takes id out. Its entry goes stale. It does nothing when id is not filed.
func (w *Wheel) Cancel(id uint32) {
	p := w.positions.find(id)
	if p == nil || *p&live == 0 {
		return
	}
	*p ^= live | out
	w.stale++
	if invariants.Enabled {
		w.checkNowAndThen()
	}
}

// Filed reports whether id is filed: scheduled, and since then neither cancelled nor handed out nor
// dropped.
func (w *Wheel) Filed(id uint32) bool {
	p := w.positions.find(id)
	return p != nil && *p&live != 0
}

// Next returns the earliest tick at which [Wheel.Advance] has something to do, Now while a drain is
// unfinished, and false when the wheel has no entries. Where all entries of that tick are stale
// Advance drops them and hands out nothing.
func (w *Wheel) Next() (at Tick, ok bool) {
	if w.drain.head != 0 {
		return w.now, true
	}
	bucket, ok := w.first()
	if !ok {
		return 0, false
	}
	return w.start(bucket), true
}

// first returns the occupied bucket that comes up before all others. The buckets of a level share
// its cursor's higher digits, so they all lie within the span of the next level's cursor slot, and
// before the occupied slots there.
func (w *Wheel) first() (bucket position, ok bool) {
	for level, occupied := range w.occupied {
		if occupied != 0 {
			return position(level<<SlotBits | bits.TrailingZeros64(occupied)), true
		}
	}
	return 0, false
}

// Now returns the tick at which the wheel stands: that of the last [Wheel.Advance], or the start of
// the bucket being drained when it is unfinished.
func (w *Wheel) Now() Tick { return w.now }

// Len returns the number of entries, stale ones included.
func (w *Wheel) Len() int {
	n := 0
	for _, entries := range w.entries {
		n += entries
	}
	return n
}

// Stale returns the number of entries that were superseded or cancelled and are not dropped yet.
func (w *Wheel) Stale() int { return w.stale }

// Entries returns the occupied slots of a level as a bitmap, slot 0 in the lowest bit, and the
// number of its entries, stale ones included. The entries of a bucket that is being drained count,
// its slot does not.
func (w *Wheel) Entries(level int) (occupied uint64, ids int) {
	return w.occupied[level], w.entries[level]
}

// Fill adds the entries of each slot of a level, stale ones included, to counts. Those of a bucket
// that is being drained are in no slot.
func (w *Wheel) Fill(level int, counts *[Slots]int) {
	for slot := range counts {
		bucket := position(level<<SlotBits | slot)
		counts[slot] += int(w.buckets[bucket].n)
		if w.pass.head != 0 && w.pass.bucket == bucket {
			counts[slot] += int(w.pass.n)
		}
	}
}

// Pending returns how many entries have come up by tick to and are not examined yet, stale ones
// included.
func (w *Wheel) Pending(to Tick) int {
	n := int(w.drain.left)
	for level, occupied := range w.occupied {
		for ; occupied != 0; occupied &= occupied - 1 {
			bucket := position(level<<SlotBits | bits.TrailingZeros64(occupied))
			if w.start(bucket) > to {
				break
			}
			n += int(w.buckets[bucket].n)
			if w.pass.head != 0 && w.pass.bucket == bucket {
				n += int(w.pass.n)
			}
		}
	}
	return n
}

// Bytes returns the size of all memory that the wheel holds.
func (w *Wheel) Bytes() int64 {
	const pointer = int64(unsafe.Sizeof(uintptr(0)))
	return int64(unsafe.Sizeof(*w)) +
		pointer*int64(cap(w.arena.pages)) + int64(unsafe.Sizeof(page{}))*int64(len(w.arena.pages)) +
		pointer*int64(cap(w.positions.blocks)) +
		int64(unsafe.Sizeof([blockIDs]position{}))*int64(w.positions.used+len(w.positions.spare))
}
