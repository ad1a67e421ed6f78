package table

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/curfew-go/curfew/internal/invariants"
)

// bytesOf is the memory of a store, and the longest that any of its directories is.
func bytesOf(s *Store) (index, slots int64) {
	for i := range s.shards {
		index += s.Bytes(i)
	}
	return index, s.SlotBytes()
}

// TestRandomKeys grows a store by a million random keys. None goes to the stash, no directory is
// much longer than its segments ask for, and memory stays within bounds at every moment.
func TestRandomKeys(t *testing.T) {
	n := 1_000_000
	if invariants.Enabled || testing.Short() {
		n = 100_000
	}
	for _, shards := range []int{1, 16} {
		s := New(shards)
		r := rand.New(rand.NewPCG(rand.Uint64(), 0))
		worst, worstAt := 0.0, 0
		for i := 1; i <= n; i++ {
			insertKey(s, randomKey(r, 32))
			if i >= n/4 && i%1000 == 0 {
				index, slots := bytesOf(s)
				if per := float64(index+slots) / float64(i); per > worst {
					worst, worstAt = per, i
				}
			}
		}
		index, slots := bytesOf(s)
		segments, overflow, stashed, entries := 0, 0, 0, 0
		for i := range s.shards {
			x := &s.shards[i].index
			d := x.dir.Load()
			segments += len(x.depth)
			entries += len(d.entry)
			stashed += len(x.stash.slots)
			for seg := range x.depth {
				for b := range d.segment(uint32(seg)) {
					overflow += int(d.segment(uint32(seg))[b].overflow() / overflowOne)
				}
			}
		}
		per := func(n int64, of int) float64 { return float64(n) / float64(of) }
		t.Logf("%d keys, %d shards: %.1f B a key in slots (32 are the key), %.1f in the index; "+
			"worst %.1f at %d; %.0f keys a segment, %.1f %% beside their bucket, directory of %d",
			n, shards, per(slots, n), per(index, n), worst, worstAt,
			per(int64(n), segments), 100*per(int64(overflow), n), entries)
		if stashed > 0 {
			t.Errorf("%d shards: %d of %d random keys are in the stash", shards, stashed, n)
		}
		if entries > segments*16 {
			t.Errorf("%d shards: directories of %d for %d segments", shards, entries, segments)
		}
		if n == 1_000_000 && worst > 48+16 {
			t.Errorf("%d shards: %.1f bytes a key at %d keys", shards, worst, worstAt)
		}
		checkStore(t, s)
	}
}

// TestFindReadsTwoBuckets puts each key's entry away but for one bucket at a time: a look-up that
// read a third one would find it there.
func TestFindReadsTwoBuckets(t *testing.T) {
	m := newMachine(t, 1)
	for _, id := range m.keys {
		m.insert(id)
	}
	x := &m.s.shards[0].index
	d := x.dir.Load()
	for _, id := range m.keys {
		k := m.s.Key([]byte(id))
		want, _, ok, _ := m.s.Find(&k)
		if !ok {
			continue // In the stash.
		}
		seg := d.segment(d.at(x.bitsOf(k.hash)).Load())
		home := bucketOf(k.hash)
		kept := [2]bucket{}
		for i, b := range []uint32{home, neighbour(home)} {
			copyBucket(&kept[i], &seg[b])
			copyBucket(&seg[b], &bucket{})
		}
		if slot, _, ok, _ := m.s.Find(&k); ok {
			t.Fatalf("Find(%q) = %d outside of its two buckets", id, slot)
		}
		copyBucket(&seg[home], &kept[0])
		copyBucket(&seg[neighbour(home)], &kept[1])
		if slot, _, ok, _ := m.s.Find(&k); !ok || slot != want {
			t.Fatalf("Find(%q) = %d, %v, want %d", id, slot, ok, want)
		}
	}
	m.check()
}

func copyBucket(to, from *bucket) {
	for i := range to {
		to[i].Store(from[i].Load())
	}
}

// TestMatch compares the tag search with one byte by byte: no entry is overlooked, and the first
// that is marked is one.
func TestMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		var b bucket
		tags := uint64(0)
		for i := range uint(bucketEntries) {
			tag := r.Uint64N(4) * (1 + r.Uint64N(2)*63) // Neighbours in value mark falsely.
			w := &b[i>>3]
			w.Store(w.Load() | tag<<(i&7*8))
		}
		b[1].Store(b[1].Load() | r.Uint64()<<32)
		for _, tag := range []uint64{1, 2, 3, 64, 128, 192} {
			marks := b.marks(tag)
			for i := range uint(bucketEntries) {
				if b.tag(i) == tag {
					tags++
					if marks>>markBit(i)&1 == 0 {
						t.Fatalf("tag %d of entry %d is not marked in %#x", tag, i, marks)
					}
				}
			}
			for m := marks; m != 0; m &= m - 1 {
				if i := markedOf(m); i >= bucketEntries {
					t.Fatalf("mark of entry %d in %#x", i, marks)
				}
			}
		}
		if tags == 0 {
			continue
		}
		if free := match(b[0].Load(), 0); free != 0 && b.tag(firstOf(free)) != 0 {
			t.Fatalf("entry %d of %#x is not free", firstOf(free), b[0].Load())
		}
	}
}

// markBit is the bit by which marks tell of an entry.
func markBit(i uint) uint { return i&7*8 + 7 - i>>3 }

// TestEqualHashes inserts keys of one hash beside others: all but two buckets full of them go to
// the stash, from where they are found, ended one by one and in batches, and made again.
func TestEqualHashes(t *testing.T) {
	m := newMachine(t, 1)
	var equal []string
	for i := range uint64(500) {
		equal = append(equal, keyOfHash(m.s, 0x55aa<<48|0x123, i))
	}
	m.keys = append(equal, m.keys...)
	x := &m.s.shards[0].index
	for _, id := range equal {
		m.insert(id)
	}
	if got, want := len(x.stash.slots), len(equal)-2*bucketEntries; got != want {
		t.Errorf("%d entries in the stash, want %d", got, want)
	}
	if n := len(x.depth); n > 2 {
		t.Errorf("%d segments for keys of one hash", n)
	}
	m.check()
	m.now++
	for _, id := range m.keys {
		m.insert(id)
		m.touch(id, m.now)
	}
	m.check() // The flag was copied on splits, or the stashed ones would not be found.

	for _, id := range equal[:100] {
		m.end(id)
	}
	m.check()
	m.end(append(equal[50:300:300], m.key(len(equal)+7))...)
	m.check()
	for i, id := range equal {
		m.rekey(id, len(equal)+i) // Out of the stash,
		m.insert(id)              // and into it.
	}
	m.check()
	m.finish()
}

// TestStashedThenSplit has a bucket's flag set before its segment is split many times.
func TestStashedThenSplit(t *testing.T) {
	m := newMachine(t, 1)
	var equal []string
	for i := range uint64(2*bucketEntries + 1) {
		equal = append(equal, keyOfHash(m.s, math.MaxUint64, i))
	}
	for _, id := range equal {
		m.insert(id)
	}
	r := rand.New(rand.NewPCG(9, 9))
	for range 5000 {
		m.insert(randomKey(r, 32))
	}
	for _, id := range equal {
		m.compare(id)
	}
	m.check()
	m.end(equal[:bucketEntries]...) // Room in the bucket,
	for _, id := range equal {
		m.compare(id) // and the stashed one is still found.
		m.insert(id)
	}
	m.check()
}

// TestDirectoryOfHostileHashes inserts keys whose hashes agree in ever more leading bits. Each
// step could double the directory; together they must not.
func TestDirectoryOfHostileHashes(t *testing.T) {
	for name, hash := range map[string]func(i uint64) uint64{
		"leading bits": func(i uint64) uint64 {
			return math.MaxUint64&^0xfffff | i*0x9e3779b9>>12&0xfffff
		},
		"all but bucket":  func(i uint64) uint64 { return i & 0xf },
		"all but the tag": func(i uint64) uint64 { return i & 0xff << tagShift },
		"one bit more": func(i uint64) uint64 {
			return 1<<63>>(i/100%52) | i*0x9e3779b97f4a7c15>>52
		},
		"equal": func(uint64) uint64 { return 12345 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestStore(1)
			const n = 10_000
			for i := range uint64(n) {
				insertKey(s, keyOfHash(s, hash(i), i))
			}
			x := &s.shards[0].index
			d := x.dir.Load()
			t.Logf("%d keys: %d segments, directory of %d, %d in the stash",
				n, len(x.depth), len(d.entry), len(x.stash.slots))
			if len(x.depth) > n/bucketEntries {
				t.Errorf("%d segments for %d keys", len(x.depth), n)
			}
			if len(d.entry) > len(x.depth)<<(maxDirectoryLead+1) {
				t.Errorf("directory of %d for %d segments", len(d.entry), len(x.depth))
			}
			checkStore(t, s)
		})
	}
}

// TestReaderBeforeSplit lets a reader read the directory, then has the shard grow over its head,
// and lets it go on: it either finds its entry or can tell that it must begin anew.
func TestReaderBeforeSplit(t *testing.T) {
	type reader struct {
		k    Key
		slot uint32
		d    *directory
		n    uint32
	}
	s := New(1)
	x := &s.shards[0].index
	r := rand.New(rand.NewPCG(1, 3))
	var readers []reader
	anew := 0
	for range 30_000 {
		id := randomKey(r, 32)
		_, ref := insertKey(s, id)
		if len(readers) < 300 {
			k := s.Key([]byte(id))
			d := x.dir.Load()
			readers = append(readers, reader{k, ref.Slot(), d, d.at(k.hash).Load()})
		}
		if r.IntN(10) != 0 {
			continue
		}
		i := r.IntN(len(readers))
		q := &readers[i]
		slot, _, v := s.findIn(q.d.segment(q.n), 0, &q.k.key)
		switch {
		case v == found && slot == q.slot:
		case v == other && (x.dir.Load() != q.d || q.d.at(q.k.hash).Load() != q.n):
			anew++
		default:
			t.Fatalf("reader of slot %d got slot %d, verdict %d", q.slot, slot, v)
		}
		if r.IntN(50) == 0 {
			q.d = x.dir.Load()
			q.n = q.d.at(q.k.hash).Load()
		}
	}
	if anew == 0 {
		t.Error("no reader was overtaken")
	}
}
