package table

import (
	"sync/atomic"
	"unsafe"
)

const (
	// minSplit is how full a segment must be, in entries, for a split to be worth it. Random
	// hashes overfill a pair of buckets only in segments that are fuller: in one of half its
	// entries, once in 600 segments; in one of a quarter, once in billions. Chosen ones may do so
	// in a segment that is almost empty, and would have the directory double at each of them.
	minSplit = segEntries / 4

	// maxDirectoryLead is how many bits deeper the directory may be than an even spread of its
	// segments asks for.
	maxDirectoryLead = 3
)

// split moves the half of segment n whose next hash bit is set to a new segment. It reports false
// when that would not help or the directory must not double. A reader that looks up a moved entry
// finds it in the old segment until the directory names the new one, where it then is; one that
// read the directory before and the segment after sees its entry in neither, reads the directory
// again, and finds that it changed.
func (x *index) split(n uint32, h uint64, s *Store) bool {
	seg := x.dir.Load().segment(n)
	if seg.count() < minSplit || !x.deepen(n) {
		return false
	}
	depth := x.depth[n] + 1
	fresh := x.newSegment(depth)
	x.depth[n] = depth
	d := x.dir.Load()
	to := d.segment(fresh)

	var moved [segEntries]uint64
	var hashes [segEntries]uint64
	count := x.copyMoving(seg, to, depth, s, &moved, &hashes)

	// The new segment's entries are the upper half of those that named the old one.
	span := uint64(1) << (64 - d.shift - uint(depth))
	first := (x.bitsOf(h)>>(64-uint(depth)) | 1) * span
	for i := first; i < first+span; i++ {
		d.entry[i].Store(fresh)
	}
	for i := range count {
		at := uint(moved[i])
		seg[at>>8].clear(at & 0xff)
		if home := bucketOf(hashes[i]); home != uint32(at>>8) {
			seg[home].addOverflow(-1)
		}
	}
	return true
}

// copyMoving copies the entries whose bit below depth is set into to, and returns where they
// stand in seg and their hashes.
func (x *index) copyMoving(
	seg, to *segment, depth uint8, s *Store, moved, hashes *[segEntries]uint64,
) (count int) {
	x.fetched = s.prefetchKeys(seg)
	for b := range uint32(segBuckets) {
		from := &seg[b]
		if from.stashed() {
			to[b].setStashed()
		}
		for i := range uint(bucketEntries) {
			if from.tag(i) == 0 {
				continue
			}
			slot := from.slot(i)
			h := s.hashOf(slot)
			if x.bitsOf(h)>>(64-depth)&1 == 0 {
				continue
			}
			to.insert(h, slot)
			moved[count] = uint64(b)<<8 | uint64(i)
			hashes[count] = h
			count++
		}
	}
	return count
}

// prefetchKeys reads the words and keys of a segment's entries, one after the other without
// waiting: hashing them then finds them near.
func (s *Store) prefetchKeys(seg *segment) (sum uint64) {
	for b := range seg {
		for i := range uint(bucketEntries) {
			if seg[b].tag(i) != 0 {
				slot := seg[b].slot(i)
				c := s.chunkOf(slot)
				sum += c.word(slot).Load() + c.key(slot)[0].Load()
			}
		}
	}
	return sum
}

// deepen makes sure that the directory tells the two halves of segment n apart.
func (x *index) deepen(n uint32) bool {
	d := x.dir.Load()
	depth := 64 - d.shift
	if uint(x.depth[n]) < depth {
		return true
	}
	if 1<<depth >= len(x.depth)<<maxDirectoryLead || depth >= 40 {
		return false
	}
	next := &directory{shift: d.shift - 1, arenas: d.arenas}
	next.entry = make([]atomic.Uint32, 2*len(d.entry))
	for i := range next.entry {
		// Nobody else sees it yet, and an atomic store costs twenty times as much.
		*(*uint32)(unsafe.Pointer(&next.entry[i])) = d.entry[i/2].Load()
	}
	x.dir.Store(next)
	return true
}

func (g *segment) count() (n int) {
	for b := range g {
		for i := range uint(bucketEntries) {
			if g[b].tag(i) != 0 {
				n++
			}
		}
	}
	return n
}
