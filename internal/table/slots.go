package table

import (
	"sync/atomic"
	"unsafe"
)

const (
	chunkBits  = 10
	chunkSlots = 1 << chunkBits
	chunkMask  = chunkSlots - 1

	// hugeChunks is how many chunks a store has before it asks for huge pages.
	hugeChunks = 32

	// noSlot ends a free list.
	noSlot = -1
)

// A chunk is a block of slots that is never moved or given back. Words, keys and creation times
// are columns of their own: a touch by handle and a visit of the wheel read nothing but words,
// eight to a cache line, and a key of 32 bytes never lies across two lines. It holds no pointer.
type chunk struct {
	words [chunkSlots]atomic.Uint64
	keys  [chunkSlots]slotKey

	// times holds the creation time in nanoseconds since the table's epoch while the slot is in
	// use, and the next slot of the free list otherwise. Guarded by the shard's lock.
	times [chunkSlots]int64
}

func (c *chunk) word(slot uint32) *atomic.Uint64 { return &c.words[slot&chunkMask] }
func (c *chunk) key(slot uint32) *slotKey        { return &c.keys[slot&chunkMask] }
func (c *chunk) time(slot uint32) *int64         { return &c.times[slot&chunkMask] }

// A slotDir lists the chunks. A slot is its chunk's number and its place in the chunk, so a
// handle leads to its word without knowing the shard.
type slotDir struct {
	chunks []*chunk
	owner  []uint32 // owner[i] is the shard whose lock guards chunks[i].
}

// freeSlots is a shard's supply of free slots. Guarded by the shard's lock.
type freeSlots struct {
	head int64  // The first of the slots that were used before, or noSlot.
	next uint32 // The first slot that was never used, when left > 0.
	left uint32 // How many slots from next on were never used.
}

// chunkOf finds a slot's chunk. It is nil for a slot that no chunk holds, as all are once the
// store is cleared.
func (s *Store) chunkOf(slot uint32) *chunk {
	d := s.slots.Load()
	if i := int(slot >> chunkBits); i < len(d.chunks) {
		return d.chunks[i]
	}
	return nil
}

// ShardOf is the shard whose lock guards the session's slot; false when there is no such slot.
func (s *Store) ShardOf(r Ref) (int, bool) {
	d := s.slots.Load()
	if i := int(r.Slot() >> chunkBits); i < len(d.owner) {
		return int(d.owner[i]), true
	}
	return 0, false
}

// Load reads a slot's word. It is 0, a free slot's, where there is no such slot.
func (s *Store) Load(slot uint32) Word {
	c := s.chunkOf(slot)
	if c == nil {
		return 0
	}
	return Word(c.word(slot).Load())
}

// Swap replaces a slot's word if it is still old.
func (s *Store) Swap(slot uint32, old, w Word) bool {
	c := s.chunkOf(slot)
	return c != nil && c.word(slot).CompareAndSwap(uint64(old), uint64(w))
}

// Created is when the slot's session was created, in nanoseconds since the table's epoch.
// REQUIRES: the shard's lock.
func (s *Store) Created(slot uint32) int64 {
	return *s.chunkOf(slot).time(slot)
}

// Slots is how many slots there are, in use or free; all are below it.
func (s *Store) Slots() uint32 {
	return uint32(len(s.slots.Load().chunks)) << chunkBits
}

// NeedsChunk reports whether the shard has no free slot left.
// REQUIRES: the shard's lock.
func (s *Store) NeedsChunk(shard int) bool {
	f := &s.shards[shard].free
	return f.head == noSlot && f.left == 0
}

// AddChunk gives the shard a chunk of free slots and returns the first; false when no slot number
// is left. It takes the spare chunk if there is one.
// REQUIRES: the shard's lock, the growth lock that all shards share, and NeedsChunk.
func (s *Store) AddChunk(shard int) (first uint32, ok bool) {
	old := s.slots.Load()
	n := len(old.chunks)
	if n == 1<<(32-chunkBits)-1 {
		return 0, false
	}
	c := s.spare
	if c == nil {
		c = new(chunk)
	}
	s.spare = nil
	s.spareWanted.Store(true)
	// Readers of the old directory do not look past its length, so the arrays are shared.
	s.slots.Store(&slotDir{
		chunks: append(old.chunks, c),
		owner:  append(old.owner, uint32(shard)),
	})
	f := &s.shards[shard].free
	f.next, f.left = uint32(n)<<chunkBits, chunkSlots
	return f.next, true
}

// WantsSpare reports, once, that the spare chunk was used.
func (s *Store) WantsSpare() bool {
	return s.spareWanted.Load() && s.spareWanted.CompareAndSwap(true, false)
}

// MakeSpare makes a chunk for PutSpare, with its memory in place. It is apart because it takes
// long, in particular where the memory is a huge page, and therefore is done with no lock held.
func (s *Store) MakeSpare() *Spare {
	c := new(chunk)
	if len(s.slots.Load().chunks) >= hugeChunks {
		s.hugeEnd.Store(adviseHuge(unsafe.Pointer(c), unsafe.Sizeof(*c), s.hugeEnd.Load()))
	}
	const perPage = 4096 / 8
	for i := 0; i < chunkSlots; i += perPage {
		c.words[i].Store(0)
		c.times[i] = 0
	}
	for i := 0; i < chunkSlots; i += perPage / keyWords {
		c.keys[i][0].Store(0)
	}
	return &Spare{c}
}

// Spare is a chunk in no store.
type Spare struct{ chunk *chunk }

// PutSpare keeps a chunk for the next AddChunk. REQUIRES: the growth lock.
func (s *Store) PutSpare(spare *Spare) { s.spare = spare.chunk }

// takeSlot takes a free slot and returns it with the generation that its session shall bear.
// REQUIRES: the shard's lock, and not NeedsChunk.
func (s *Store) takeSlot(shard int) (slot uint32, gen uint64) {
	f := &s.shards[shard].free
	if f.head == noSlot {
		slot = f.next
		f.next++
		f.left--
		return slot, 1
	}
	slot = uint32(f.head)
	c := s.chunkOf(slot)
	f.head = *c.time(slot)
	return slot, Word(c.word(slot).Load()).gen()
}

// giveSlot puts a slot whose word is already free back; one that has used up its generations is
// retired instead. REQUIRES: the shard's lock.
func (s *Store) giveSlot(shard int, slot uint32) {
	c := s.chunkOf(slot)
	if Word(c.word(slot).Load()).gen() == 0 {
		return
	}
	f := &s.shards[shard].free
	*c.time(slot) = f.head
	f.head = int64(slot)
}
