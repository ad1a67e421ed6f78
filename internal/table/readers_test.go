package table

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curfew-go/curfew/internal/invariants"
)

// crowd is a store with one writer, who needs no lock as long as he is alone, and readers who
// look on. Each key has a number.
type crowd struct {
	s    *Store
	keys []string

	// The first keys live throughout, in slots that refs names.
	stable int
	refs   []Ref

	tick   atomic.Uint64
	graves [256]atomic.Uint64 // Refs of sessions that ended.
	done   atomic.Bool

	mu struct {
		sync.Mutex
		failure string
	}
}

func (c *crowd) failf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.failure == "" {
		c.mu.failure = fmt.Sprintf(format, args...)
	}
	c.done.Store(true)
}

// sighting is a key and the Ref that a reader found it under.
type sighting struct {
	ref Ref
	key int
}

// TestReaders has readers look on while a writer inserts, ends and renews sessions and the index
// grows. What lives throughout is found at any time, a Ref of an ended session touches nothing,
// and no key leads to the session of another.
func TestReaders(t *testing.T) {
	rounds, churn := 12, 6000
	if invariants.Enabled {
		rounds, churn = 4, 3000
	}
	for round := range rounds {
		c := newCrowd(uint64(round), churn)
		const readers = 3
		var seen [readers]map[sighting]bool
		var wg sync.WaitGroup
		for i := range readers {
			wg.Go(func() { seen[i] = c.read(uint64(i)) })
		}
		bore := c.write(uint64(round))
		c.done.Store(true)
		wg.Wait()
		if c.mu.failure != "" {
			t.Fatal(c.mu.failure)
		}
		for i := range seen {
			for g := range seen[i] {
				if !bore[g] {
					t.Errorf("a reader found key %d under %#x, which never had it", g.key, g.ref)
				}
			}
		}
		checkStore(t, c.s)
	}
}

// newCrowd makes a store that holds the stable keys, of all kinds, and none else.
func newCrowd(seed uint64, churn int) *crowd {
	c := &crowd{s: New(2), stable: 300}
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range c.stable + churn {
		n := keyBytes
		if i%8 >= 6 {
			n = []int{9, 31, 33, 70, 150, 255}[r.IntN(6)]
		}
		id := []byte(randomKey(r, n))
		if i%3 == 0 { // As a place it names a block far off, as a length one too long.
			copy(id, "\xff\xff\xff\xff\xff\xff\xff")
		}
		binary.LittleEndian.PutUint16(id[7:], uint16(i))
		c.keys = append(c.keys, string(id))
	}
	for _, id := range c.keys[:c.stable] {
		_, ref := insertKey(c.s, id)
		c.refs = append(c.refs, ref)
	}
	c.tick.Store(2)
	return c
}

// write grows the store, then ends, makes and renews sessions, and returns what key each Ref bore.
func (c *crowd) write(seed uint64) map[sighting]bool {
	r := rand.New(rand.NewPCG(seed, 2))
	bore := map[sighting]bool{}
	at := map[int]Ref{} // By key.
	for i, ref := range c.refs {
		bore[sighting{ref, i}] = true
	}
	insert := func(i int) {
		_, ref := insertKey(c.s, c.keys[i])
		at[i] = ref
		bore[sighting{ref, i}] = true
	}
	for i := c.stable; i < len(c.keys) && !c.done.Load(); i++ {
		insert(i)
		c.tick.Store(uint64(i))
	}
	for range 4 * len(c.keys) {
		if c.done.Load() {
			return bore
		}
		i := c.stable + r.IntN(len(c.keys)-c.stable)
		ref, ok := at[i]
		switch {
		case !ok:
			insert(i)
		case r.IntN(3) > 0:
			c.end(ref)
			delete(at, i)
		default:
			j := c.stable + r.IntN(len(c.keys)-c.stable)
			k := c.s.Key([]byte(c.keys[j]))
			shard, _ := c.s.ShardOf(ref)
			if _, taken := at[j]; !taken && c.s.Shard(&k) == shard {
				c.s.Rekey(shard, ref.Slot(), &k)
				delete(at, i)
				at[j] = ref
				bore[sighting{ref, j}] = true
			}
		}
		c.tick.Add(1)
	}
	return bore
}

// end ends a session. Nobody may change the word of a slot that is free.
func (c *crowd) end(ref Ref) {
	slot := ref.Slot()
	for {
		w, ok := c.s.Is(ref)
		if !ok {
			c.failf("session %#x of the writer is gone", ref)
			return
		}
		if c.s.Kill(slot, w) {
			break
		}
	}
	c.graves[slot%uint32(len(c.graves))].Store(uint64(ref))
	dead := c.s.Load(slot)
	shard, _ := c.s.ShardOf(ref)
	c.s.Bury(shard, []uint32{slot})
	if w := c.s.Load(slot); w.Live() || w != dead || w.Stamp() != 0 {
		c.failf("word of a free slot went from %#x to %#x", uint64(dead), uint64(w))
	}
}

// read looks sessions up and touches them until the writer is done, and returns what it saw of
// the keys that come and go.
func (c *crowd) read(seed uint64) map[sighting]bool {
	r := rand.New(rand.NewPCG(seed, 3))
	seen := map[sighting]bool{}
	var buf []byte
	var rest [TouchBatchMax]uint8
	for !c.done.Load() {
		i := r.IntN(c.stable)
		c.readStable(i, r)
		if n, left := TouchBatch(c.s, c.refs[i:min(i+8, c.stable)], c.tick.Load(), &rest); n+left !=
			min(8, c.stable-i) {
			c.failf("TouchBatch of living sessions: %d alive, %d left", n, left)
		}
		j := c.stable + r.IntN(len(c.keys)-c.stable)
		k := c.s.Key([]byte(c.keys[j]))
		if slot, w, ok, _ := c.s.Find(&k); ok {
			seen[sighting{RefOf(slot, w), j}] = true
			c.s.TouchRef(RefOf(slot, w), c.tick.Load())
			buf = c.s.AppendKey(buf[:0], c.s.Shard(&k), slot)
			if len(buf) > MaxKey {
				c.failf("a key of %d bytes", len(buf))
			}
		}
		c.s.Touch(c.keys[j], c.tick.Load())
		if ref := Ref(c.graves[r.IntN(len(c.graves))].Load()); ref != 0 {
			if o := c.s.TouchRef(ref, MaxStamp); o != Missing {
				c.failf("TouchRef(%#x) of an ended session = %d", ref, o)
			}
		}
	}
	return seen
}

// readStable looks for a session that lives throughout.
func (c *crowd) readStable(i int, r *rand.Rand) {
	stamp := c.tick.Load() - r.Uint64N(2)
	switch r.IntN(3) {
	case 0:
		k := c.s.Key([]byte(c.keys[i]))
		slot, w, ok, stashed := c.s.Find(&k)
		if ok && RefOf(slot, w) != c.refs[i] || !ok && !stashed {
			c.failf("Find(key %d) = %d, %#x, %v, want %#x", i, slot, uint64(w), ok, c.refs[i])
		}
	case 1:
		if o := c.s.Touch(c.keys[i], stamp); o != Touched && o != Stashed {
			c.failf("Touch(key %d) = %d", i, o)
		}
	case 2:
		if o := c.s.TouchRef(c.refs[i], stamp); o != Touched {
			c.failf("TouchRef(%#x) = %d", c.refs[i], o)
		}
	}
	if w, ok := c.s.Is(c.refs[i]); !ok || w.Stamp() > c.tick.Load() {
		c.failf("word of %#x is %#x, at %d", c.refs[i], uint64(w), c.tick.Load())
	}
}

// TestReadersOfGrowth has readers look for keys while the index grows from nothing, again and
// again: most splits move some of the keys, and many double the directory.
func TestReadersOfGrowth(t *testing.T) {
	stores := 600
	if invariants.Enabled {
		stores = 40
	}
	const stable, growth = 100, 2500
	var keys []string
	r := rand.New(rand.NewPCG(4, 2))
	for range stable + growth {
		keys = append(keys, randomKey(r, keyBytes))
	}
	var current atomic.Pointer[Store]
	var misses atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	grow := func() {
		s := New(1)
		insertAll(s, keys[:stable], nil)
		current.Store(s)
		insertAll(s, keys[stable:], nil)
	}
	grow()
	// More readers than processors, so that some are held up in the middle of a look-up.
	for range 4 {
		wg.Go(func() {
			for !done.Load() {
				s := current.Load()
				for _, id := range keys[:stable] {
					k := s.Key([]byte(id))
					if _, _, ok, stashed := s.Find(&k); !ok && !stashed {
						misses.Add(1)
					}
				}
			}
		})
	}
	for i := 0; i < stores && misses.Load() == 0; i++ {
		grow()
	}
	done.Store(true)
	wg.Wait()
	if n := misses.Load(); n > 0 {
		t.Errorf("%d look-ups missed a session that lived throughout", n)
	}
}

// TestRekeyShowsNoMixedKey has a reader look for a key that no session ever bears, but that a
// slot seems to hold while its key is changed: a word of the new key and the rest of the old, or
// a short key that is read as if it were one of 32 bytes. The reader comes upon the slot because
// the old key's entry is in the same bucket under the same tag.
func TestRekeyShowsNoMixedKey(t *testing.T) {
	rounds := 40_000
	if invariants.Enabled {
		rounds = 10_000
	}
	r := rand.New(rand.NewPCG(8, 1))
	for name, draw := range map[string]func() (from, to, never string){
		"mixed": func() (from, to, never string) {
			from, to = randomKey(r, keyBytes), randomKey(r, keyBytes)
			return from, to, to[:8] + from[8:]
		},
		"look-alike": func() (from, to, never string) {
			from, to = randomKey(r, keyBytes), randomKey(r, 24)
			return from, to, lookAlike(to)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestStore(1)
			var a, b, never Key
			for {
				from, to, no := draw()
				a, b, never = s.Key([]byte(from)), s.Key([]byte(to)), s.Key([]byte(no))
				if (a.hash^never.hash)&0xfff == 0 {
					break
				}
			}
			s.AddChunk(0)
			slot := s.Insert(0, &a, 1, 0).Slot()
			var looked atomic.Int64
			var done atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() {
				for !done.Load() {
					if _, w, ok, _ := s.Find(&never); ok {
						t.Errorf("Find of a key that no session bears, by word %#x", uint64(w))
						done.Store(true)
					}
					looked.Add(1)
				}
			})
			for i := 0; i < rounds && !done.Load(); i++ {
				s.Rekey(0, slot, &b)
				s.Rekey(0, slot, &a)
				// No reader is held up for as many renewals as the word can count.
				for before := looked.Load(); looked.Load() == before && !done.Load(); {
					runtime.Gosched()
				}
			}
			done.Store(true)
			wg.Wait()
		})
	}
}
