package table

import (
	"math/bits"
	"sync/atomic"
)

// The index of a shard finds the slot of a key by extendible hashing. A directory names a segment
// for each value of the hash's leading bits; a segment is split in two when it is full, so that
// growth never rehashes more than one segment.
//
//	hash  [ shard | directory ............ ]   [ tag: 8 | bucket: 4 ]
//	                  │                                     │
//	directory  ┌──┬──┬──┬──┐        segment    ┌────────────▼──────┐
//	           │ 0│ 0│ 1│ 2├───────────────────► bucket │ bucket ... │ 16 of 64 bytes
//	           └──┴──┴──┴──┘                   └───────────────────┘
//
// A bucket is one cache line of twelve entries:
//
//	word 0      tags of entries 0..7 (0: empty)
//	word 1      tags of entries 8..11, then overflow count, then the stash flag
//	words 2..7  the slots of the entries, two a word
//
// An entry that finds its bucket full stands in the neighbour (the bucket beside it) and is counted
// in its own bucket's overflow, so a reader looks at two lines at most. When both are full the
// segment is split. What a split would not help, because the hashes are too alike, goes to the
// stash.
const (
	bucketEntries = 12
	bucketBits    = 4
	segBuckets    = 1 << bucketBits
	segEntries    = segBuckets * bucketEntries
	tagShift      = bucketBits

	arenaBits     = 5
	arenaSegments = 1 << arenaBits

	// arenasTogether is how many arenas are made at a time at the most, and one for each so many
	// in use: the fewer objects there are, the less the collector has to mark.
	arenasTogether = 4

	overflowOne = 1 << 32
	overflowMax = 0xff * overflowOne
	stashFlag   = 1 << 40

	bucketSize = 64

	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

type bucket [8]atomic.Uint64

type segment [segBuckets]bucket

type arena [arenaSegments]segment

// A directory is replaced when it doubles or when an arena is added; its entries change in place
// when a segment is split.
type directory struct {
	// shift takes a hash, the shard's bits removed, to its entry.
	shift  uint
	entry  []atomic.Uint32 // The number of the segment.
	arenas []*arena
}

// index is the index of one shard. Readers take dir and need no lock; everything else is guarded
// by the shard's lock.
type index struct {
	dir       atomic.Pointer[directory]
	shardBits uint
	depth     []uint8 // depth[i] is how many bits of the hash segment i stands for.
	stash     stash
	spare     []arena // Made together with others and not in use.

	// stashed is the number of entries in the stash. Flags of buckets are never taken down, so
	// readers ask whether there is anything at all. Written under the lock.
	stashed atomic.Int32

	// fetched keeps what prefetch read, so that the reads are made.
	fetched uint64
}

func (x *index) init(shardBits uint) {
	x.shardBits = shardBits
	x.dir.Store(emptyDirectory())
}

func emptyDirectory() *directory {
	return &directory{shift: 63, entry: make([]atomic.Uint32, 2)}
}

// clear lets go of all segments. Readers find an index that has none.
func (x *index) clear() {
	x.dir.Store(emptyDirectory())
	x.depth, x.stash, x.spare = nil, stash{}, nil
	x.stashed.Store(0)
}

// at is the directory's entry for a hash without its shard bits.
func (d *directory) at(h uint64) *atomic.Uint32 { return &d.entry[h>>(d.shift&63)] }

// segment finds a segment by its number. It is nil where the reader's directory is older than the
// entry that it read, whose arena it does not know.
func (d *directory) segment(n uint32) *segment {
	if a := int(n >> arenaBits); a < len(d.arenas) {
		return &d.arenas[a][n&(arenaSegments-1)]
	}
	return nil
}

func bucketOf(h uint64) uint32          { return uint32(h) & (segBuckets - 1) }
func neighbour(b uint32) uint32         { return b ^ 1 }
func (x *index) bitsOf(h uint64) uint64 { return h << (x.shardBits & 63) }

// tagOf is the part of the hash that a bucket holds for an entry, never 0.
func tagOf(h uint64) uint64 {
	t := h >> tagShift & 0xff
	if t == 0 {
		t = 1
	}
	return t
}

// match marks, by their high bits, the bytes of w that equal the tag. A byte above a true match
// may be marked falsely, which a reader finds out when it compares keys; the lowest mark is true.
func match(w, tag uint64) uint64 {
	w ^= tag * ones
	return (w - ones) & ^w & highs
}

// tags8 and tags4 are the marks of a bucket's entries 0..7 and 8..11.
func (b *bucket) tags8(tag uint64) uint64 { return match(b[0].Load(), tag) }
func (b *bucket) tags4(tag uint64) uint64 { return match(b[1].Load(), tag) & (highs >> 32) }

// marks are those of all twelve entries: a byte's high bit stands for one of 0..7, the bit below
// it for the entry eight further on. One word, because a branch on where in its bucket an entry
// stands is one that the processor cannot predict.
func (b *bucket) marks(tag uint64) uint64 { return b.tags8(tag) | b.tags4(tag)>>1 }

// markedOf is the entry of the lowest mark.
func markedOf(marks uint64) uint {
	at := uint(bits.TrailingZeros64(marks))
	return at>>3 + ^at&1<<3
}

// slot is the slot of entry i.
func (b *bucket) slot(i uint) uint32 { return uint32(b[(2+i>>1)&7].Load() >> (i & 1 * 32)) }

func firstOf(marks uint64) uint { return uint(bits.TrailingZeros64(marks)) >> 3 }

// put adds an entry to the bucket if it has room. The slot is written before its tag shows it.
func (b *bucket) put(tag uint64, slot uint32) bool {
	i, w := firstOf(match(b[0].Load(), 0)), 0
	if i > 7 {
		free := match(b[1].Load(), 0) & (highs >> 32)
		if free == 0 {
			return false
		}
		i, w = firstOf(free)+8, 1
	}
	sw := &b[2+i>>1]
	half := i & 1 * 32
	sw.Store(sw.Load()&^(0xffffffff<<half) | uint64(slot)<<half)
	b[w].Store(b[w].Load() | tag<<(i&7*8))
	return true
}

// take removes the entry of a slot.
func (b *bucket) take(tag uint64, slot uint32) bool {
	i := b.find(tag, slot)
	if i < 0 {
		return false
	}
	b.clear(uint(i))
	return true
}

func (b *bucket) clear(i uint) {
	w := &b[i>>3]
	w.Store(w.Load() &^ (0xff << (i & 7 * 8)))
}

func (b *bucket) find(tag uint64, slot uint32) int {
	for m := b.marks(tag); m != 0; m &= m - 1 {
		if i := markedOf(m); b.slot(i) == slot && b.tag(i) == tag {
			return int(i)
		}
	}
	return -1
}

func (b *bucket) tag(i uint) uint64 { return b[i>>3].Load() >> (i & 7 * 8) & 0xff }

func (b *bucket) overflow() uint64 { return b[1].Load() & overflowMax }

// addOverflow counts one entry more, or less, that stands in the neighbour.
func (b *bucket) addOverflow(n int) {
	b[1].Store(b[1].Load() + uint64(n)*overflowOne)
}

func (b *bucket) setStashed()   { b[1].Store(b[1].Load() | stashFlag) }
func (b *bucket) stashed() bool { return b[1].Load()&stashFlag != 0 }

// insert adds an entry that is not there yet. It reports false when no segment takes it.
func (x *index) insert(h uint64, slot uint32, s *Store) bool {
	if len(x.depth) == 0 {
		x.newSegment(0)
	}
	for {
		d := x.dir.Load()
		n := d.at(x.bitsOf(h)).Load()
		seg := d.segment(n)
		if seg.insert(h, slot) {
			return true
		}
		if !x.split(n, h, s) {
			seg[bucketOf(h)].setStashed()
			return false
		}
	}
}

func (g *segment) insert(h uint64, slot uint32) bool {
	home := &g[bucketOf(h)]
	if home.put(tagOf(h), slot) {
		return true
	}
	beside := &g[neighbour(bucketOf(h))]
	if !beside.hasRoom() {
		return false
	}
	home.addOverflow(1) // Before the tag shows, or a reader would stop at home.
	return beside.put(tagOf(h), slot)
}

func (b *bucket) hasRoom() bool {
	return match(b[0].Load(), 0) != 0 || match(b[1].Load(), 0)&(highs>>32) != 0
}

// remove takes out the entry of a slot whose key has hash h. It reports false when no segment
// holds it.
func (x *index) remove(h uint64, slot uint32) bool {
	d := x.dir.Load()
	seg := d.segment(d.at(x.bitsOf(h)).Load())
	home := &seg[bucketOf(h)]
	if home.take(tagOf(h), slot) {
		return true
	}
	if home.overflow() == 0 || !seg[neighbour(bucketOf(h))].take(tagOf(h), slot) {
		return false
	}
	home.addOverflow(-1)
	return true
}

// newSegment makes an empty segment of a depth, with an arena to hold it if need be.
func (x *index) newSegment(depth uint8) uint32 {
	n := uint32(len(x.depth))
	x.depth = append(x.depth, depth)
	if n&(arenaSegments-1) == 0 {
		d := *x.dir.Load()
		if len(x.spare) == 0 {
			x.spare = make([]arena, min(1+len(d.arenas)/arenasTogether, arenasTogether))
		}
		d.arenas = append(d.arenas, &x.spare[0])
		x.spare = x.spare[1:]
		x.dir.Store(&d)
	}
	return n
}

func (x *index) bytes() int64 {
	d := x.dir.Load()
	return int64(len(d.entry))*4 + int64(cap(x.depth)) + int64(cap(d.arenas))*8 +
		int64(len(d.arenas)+len(x.spare))*arenaSegments*segBuckets*bucketSize + x.stash.bytes()
}

// prefetch reads the home buckets of hashes, one after the other without waiting.
func (x *index) prefetch(hashes []uint64) {
	d := x.dir.Load()
	var sum uint64
	for _, h := range hashes {
		sum += d.segment(d.at(x.bitsOf(h)).Load())[bucketOf(h)][0].Load()
	}
	x.fetched = sum
}
