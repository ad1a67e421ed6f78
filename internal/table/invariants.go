package table

import (
	"fmt"

	"github.com/curfew-go/curfew/internal/invariants"
)

// checkNowAndThen panics when an invariant of a shard is broken. It looks once in about as many
// changes as the shard has slots, so that checking costs each of them a constant.
func (s *Store) checkNowAndThen(shard int) {
	sh := &s.shards[shard]
	sh.unchecked++
	if sh.unchecked < 1000+segEntries*len(sh.index.depth) {
		return
	}
	sh.unchecked = 0
	if err := s.checkInvariants(shard); err != nil {
		invariants.Check(false, "table: %v", err)
	}
}

// checkInvariants returns an error that says which invariant of a shard is broken, nil when all
// hold, as they do between two calls of a writer when each killed session was buried:
//
//  1. The directory names each segment in one run of entries, as many as its depth leaves open and
//     aligned to that number.
//  2. An index entry bears the tag of its key's hash and stands in the segment that the directory
//     names for it, in its bucket or in the neighbour; the bucket's overflow counts the latter.
//  3. The slot of each living session has one entry, in a bucket or in the stash, and no other slot
//     has any. A bucket of which an entry went to the stash says so.
//  4. A look-up of a session's key finds its slot, so no two sessions have the same key.
//  5. The free list holds each slot that was used, is free and has a generation left, once.
//  6. A block of long keys is free, once, or holds the key of one living session.
//
// It takes time proportional to the shard. REQUIRES: the shard's lock.
func (s *Store) checkInvariants(shard int) error {
	x := census{
		s: s, shard: shard, index: &s.shards[shard].index,
		entries: map[uint32]bool{}, blocks: map[block]bool{},
	}
	for _, check := range []func() error{
		x.directory, x.segments, x.stash, x.slots, x.freeList, x.longKeys,
	} {
		if err := check(); err != nil {
			return fmt.Errorf("shard %d: %w", shard, err)
		}
	}
	return nil
}

// census counts what a shard holds.
type census struct {
	s     *Store
	shard int
	index *index

	entries map[uint32]bool // Slots that have an entry.
	blocks  map[block]bool  // Blocks that hold a living session's key.
	free    int             // Slots that the free list must hold.
}

// block names a block of long keys.
type block struct {
	class int
	n     uint32
}

// directory checks invariant 1.
func (x *census) directory() error {
	d, depths := x.index.dir.Load(), x.index.depth
	bits := 64 - d.shift
	if want := (len(depths) + arenaSegments - 1) / arenaSegments; len(d.arenas) != want {
		return fmt.Errorf("%d arenas for %d segments, want %d", len(d.arenas), len(depths), want)
	}
	if len(d.entry) != 1<<bits {
		return fmt.Errorf("directory of %d entries, %d bits", len(d.entry), bits)
	}
	if len(depths) == 0 {
		return nil
	}
	named := make([]bool, len(depths))
	for at := 0; at < len(d.entry); {
		n := d.entry[at].Load()
		if int(n) >= len(depths) || named[n] || uint(depths[n]) > bits {
			return fmt.Errorf("directory entry %d of %d names segment %d", at, len(d.entry), n)
		}
		span := 1 << (bits - uint(depths[n]))
		if at%span != 0 {
			return fmt.Errorf("directory run of %d for segment %d at entry %d", span, n, at)
		}
		for i := at; i < at+span; i++ {
			if got := d.entry[i].Load(); got != n {
				return fmt.Errorf("directory entry %d names segment %d, want %d", i, got, n)
			}
		}
		named[n] = true
		at += span
	}
	for n, ok := range named {
		if !ok {
			return fmt.Errorf("no directory entry names segment %d", n)
		}
	}
	return nil
}

// segments checks invariant 2 and notes which slots have an entry in a bucket.
func (x *census) segments() error {
	d := x.index.dir.Load()
	for n := range uint32(len(x.index.depth)) {
		seg := d.segment(n)
		var overflow [segBuckets]uint64
		for b := range uint32(segBuckets) {
			for i := range uint(bucketEntries) {
				if seg[b].tag(i) == 0 {
					continue
				}
				home, err := x.entry(n, b, seg[b].slot(i), seg[b].tag(i))
				if err != nil {
					return fmt.Errorf("segment %d bucket %d entry %d: %w", n, b, i, err)
				}
				if home != b {
					overflow[home]++
				}
			}
		}
		for b := range seg {
			if got := seg[b].overflow() / overflowOne; got != overflow[b] {
				return fmt.Errorf(
					"segment %d bucket %d: overflow is %d, want %d", n, b, got, overflow[b])
			}
		}
	}
	return nil
}

// entry checks one entry of a bucket and returns the bucket it belongs to.
func (x *census) entry(n, b, slot uint32, tag uint64) (home uint32, err error) {
	if err := x.indexed(slot); err != nil {
		return 0, err
	}
	h := x.s.hashOf(slot)
	if want := tagOf(h); tag != want {
		return 0, fmt.Errorf("slot %d has tag %#x, want %#x", slot, tag, want)
	}
	if want := x.index.dir.Load().at(x.index.bitsOf(h)).Load(); n != want {
		return 0, fmt.Errorf("slot %d belongs in segment %d", slot, want)
	}
	home = bucketOf(h)
	if b != home && b != neighbour(home) {
		return 0, fmt.Errorf("slot %d belongs in bucket %d or beside it", slot, home)
	}
	return home, nil
}

// indexed notes that a slot has an entry. It must be a living session of the shard.
func (x *census) indexed(slot uint32) error {
	if shard, ok := x.s.ShardOf(Ref(slot)); !ok || shard != x.shard {
		return fmt.Errorf("slot %d is of shard %d", slot, shard)
	}
	if w := x.s.Load(slot); !w.Live() {
		return fmt.Errorf("slot %d is free, word %#x", slot, uint64(w))
	}
	if x.entries[slot] {
		return fmt.Errorf("slot %d has another entry", slot)
	}
	x.entries[slot] = true
	return nil
}

// stash notes which slots have an entry in the stash, and checks that their buckets say so.
func (x *census) stash() error {
	d := x.index.dir.Load()
	for _, slot := range x.index.stash.slots {
		if err := x.indexed(slot); err != nil {
			return fmt.Errorf("stash: %w", err)
		}
		h := x.s.hashOf(slot)
		if !d.segment(d.at(x.index.bitsOf(h)).Load())[bucketOf(h)].stashed() {
			return fmt.Errorf("slot %d is in the stash, and its bucket does not say so", slot)
		}
	}
	return nil
}

// slots checks all slots of the shard: invariants 3 and 4.
func (x *census) slots() error {
	living := 0
	unused := x.s.shards[x.shard].free
	for n, owner := range x.s.slots.Load().owner {
		if int(owner) != x.shard {
			continue
		}
		for i := range uint32(chunkSlots) {
			slot := uint32(n)<<chunkBits | i
			w := x.s.Load(slot)
			switch {
			case slot-unused.next < unused.left:
				if w != 0 {
					return fmt.Errorf("slot %d was never used, word %#x", slot, uint64(w))
				}
			case w.Live():
				living++
				if err := x.session(slot, w); err != nil {
					return fmt.Errorf("slot %d, word %#x: %w", slot, uint64(w), err)
				}
			case w.gen() != 0:
				x.free++
			}
		}
	}
	if living != len(x.entries) {
		return fmt.Errorf("%d sessions, %d entries", living, len(x.entries))
	}
	return nil
}

// session checks the slot of a living session and notes which block of long keys it holds.
func (x *census) session(slot uint32, w Word) error {
	if w.gen() == 0 || w.State() > Grace || w.Stamp() == Asleep {
		return fmt.Errorf("no session bears such a word")
	}
	id := x.s.keyOf(slot)
	if len(id) == 0 || len(id) > MaxKey {
		return fmt.Errorf("key of %d bytes", len(id))
	}
	k := x.s.Key(id)
	if k.kind != w.kind() || k.hash != x.s.hashOf(slot) || x.s.Shard(&k) != x.shard {
		return fmt.Errorf("key %q has kind %d, hash %#x, shard %d",
			id, k.kind, k.hash, x.s.Shard(&k))
	}
	if got, _, ok := x.s.FindLocked(x.shard, &k, id); !ok || got != slot {
		return fmt.Errorf("look-up of %q gives slot %d, %v", id, got, ok)
	}
	if k.kind != kindLong {
		return nil
	}
	b := block{
		class: classOf(len(id)),
		n:     uint32(x.s.chunkOf(slot).key(slot)[0].Load()),
	}
	if x.blocks[b] {
		return fmt.Errorf("block %v holds another session's key", b)
	}
	x.blocks[b] = true
	return nil
}

// freeList checks invariant 5.
func (x *census) freeList() error {
	n := 0
	for at := x.s.shards[x.shard].free.head; at != noSlot; n++ {
		slot := uint32(at)
		if shard, ok := x.s.ShardOf(Ref(slot)); !ok || shard != x.shard {
			return fmt.Errorf("free list: slot %d is of shard %d", at, shard)
		}
		if w := x.s.Load(slot); w.Live() || w.gen() == 0 {
			return fmt.Errorf("free list: slot %d has word %#x", slot, uint64(w))
		}
		if n == x.free {
			return fmt.Errorf("free list is a ring or holds more than %d slots", x.free)
		}
		at = *x.s.chunkOf(slot).time(slot)
	}
	if n != x.free {
		return fmt.Errorf("free list holds %d slots, want %d", n, x.free)
	}
	return nil
}

// longKeys checks invariant 6.
func (x *census) longKeys() error {
	for class := range x.s.shards[x.shard].long.classes {
		c := &x.s.shards[x.shard].long.classes[class]
		blocks := 0
		if p := c.chunks.Load(); p != nil {
			blocks = len(*p) * longChunkBlocks
		}
		for _, n := range c.free {
			b := block{class, n}
			if int(n) >= blocks || x.blocks[b] {
				return fmt.Errorf("block %v of %d is free and in use, or free twice", b, blocks)
			}
			x.blocks[b] = true
		}
		for n := range uint32(blocks) {
			if !x.blocks[block{class, n}] {
				return fmt.Errorf("block %v of %d is lost", block{class, n}, blocks)
			}
		}
	}
	return nil
}
