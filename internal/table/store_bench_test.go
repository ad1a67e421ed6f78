package table

import (
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// benchStore is a store of sessions with random keys, and all of those in another order than that
// of their slots.
type benchStore struct {
	s    *Store
	ids  []byte // keyBytes each.
	perm []int  // Of the keys, so that a caller's key is as far from memory as it would be.
	refs []Ref
	now  uint64 // No stamp is later.
	at   int    // The session whose turn it is.
}

func newBenchStore(n int) *benchStore {
	bs := &benchStore{s: New(16), ids: make([]byte, 0, n*keyBytes), refs: make([]Ref, n)}
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		bs.ids = append(bs.ids, randomKey(r, keyBytes)...)
	}
	for _, i := range r.Perm(n) {
		if bs.s.WantsSpare() {
			bs.s.PutSpare(bs.s.MakeSpare())
		}
		_, bs.refs[i] = insertKey(bs.s, string(bs.id(i)))
	}
	bs.perm = r.Perm(n)
	return bs
}

func (bs *benchStore) id(i int) []byte { return bs.ids[i*keyBytes:][:keyBytes] }

// next is the number of the next session. It begins a tick whenever it begins anew.
func (bs *benchStore) next() int {
	if bs.at++; bs.at >= len(bs.refs) {
		bs.at = 0
		bs.now++
	}
	return bs.at
}

// nextID is the key of one session after the other, none of them near the one before.
func (bs *benchStore) nextID() []byte { return bs.id(bs.perm[bs.next()]) }

// restart makes the next session the first.
func (bs *benchStore) restart() *benchStore {
	bs.at = len(bs.refs)
	return bs
}

// order sorts the Refs by shard and leaves them as they are within one.
func (bs *benchStore) order() {
	byShard := make([][]Ref, bs.s.Shards())
	for _, r := range bs.refs {
		shard, _ := bs.s.ShardOf(r)
		byShard[shard] = append(byShard[shard], r)
	}
	bs.refs = bs.refs[:0]
	for _, some := range byShard {
		bs.refs = append(bs.refs, some...)
	}
}

// benchSizes are those that benchmarks run at, each with one store for all that leave it as it is.
var benchSizes = []struct {
	name  string
	n     int
	store func() *benchStore
}{
	{"n=1000", 1_000, sync.OnceValue(func() *benchStore { return newBenchStore(1_000) })},
	{"n=1000000", 1e6, sync.OnceValue(func() *benchStore { return newBenchStore(1e6) })},
}

var benchSum uint64

// BenchmarkHash hashes one key after the other and does nothing else: the floor of BenchmarkTouch.
func BenchmarkHash(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			bs := size.store().restart()
			for b.Loop() {
				benchSum += xxhash.Sum64(bs.nextID())
			}
		})
	}
}

// BenchmarkTouch touches sessions by key, each once in a tick.
func BenchmarkTouch(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			bs := size.store().restart()
			for b.Loop() {
				id := bs.nextID()
				if bs.s.Touch(unsafe.String(&id[0], len(id)), bs.now) != Touched {
					b.Fatal("a session is lost")
				}
			}
		})
	}
}

// BenchmarkTouchAgain touches sessions by key that were touched in the same tick.
func BenchmarkTouchAgain(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			bs := size.store().restart()
			for b.Loop() {
				id := bs.nextID()
				if bs.s.Touch(unsafe.String(&id[0], len(id)), 1) != Touched {
					b.Fatal("a session is lost")
				}
			}
		})
	}
}

// BenchmarkTouchRef touches sessions by Ref, each once in a tick.
func BenchmarkTouchRef(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			bs := size.store().restart()
			for b.Loop() {
				if bs.s.TouchRef(bs.refs[bs.next()], bs.now) != Touched {
					b.Fatal("a session is lost")
				}
			}
		})
	}
}

// BenchmarkTouchBatch touches sessions by Ref, 64 at once; a round is one session.
func BenchmarkTouchBatch(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			bs := size.store().restart()
			var rest [TouchBatchMax]uint8
			refs := make([]Ref, 0, TouchBatchMax)
			for b.Loop() {
				refs = append(refs, bs.refs[bs.next()])
				if len(refs) < TouchBatchMax {
					continue
				}
				if n, _ := TouchBatch(bs.s, refs, bs.now, &rest); n != len(refs) {
					b.Fatal("a session is lost")
				}
				refs = refs[:0]
			}
		})
	}
}

// BenchmarkFind looks sessions up by key.
func BenchmarkFind(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			bs := size.store().restart()
			for b.Loop() {
				k := bs.s.Key(bs.nextID())
				if _, _, ok, _ := bs.s.Find(&k); !ok {
					b.Fatal("a session is lost")
				}
			}
		})
	}
}

// BenchmarkInsert makes sessions in a store that grows, and begins with another once it is full.
func BenchmarkInsert(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			bs := size.store().restart()
			var s *Store
			for b.Loop() {
				i := bs.next()
				if i == 0 {
					s = New(16)
				}
				k := s.Key(bs.id(i))
				shard := s.Shard(&k)
				if s.NeedsChunk(shard) {
					s.AddChunk(shard)
				}
				s.Insert(shard, &k, 1, 0)
			}
		})
	}
}

// BenchmarkReplace ends a session and makes it again.
func BenchmarkReplace(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			bs := size.store().restart()
			for b.Loop() {
				i := bs.next()
				ref := bs.refs[i]
				shard, _ := bs.s.ShardOf(ref)
				w, _ := bs.s.Is(ref)
				bs.s.Kill(ref.Slot(), w)
				bs.s.Bury(shard, []uint32{ref.Slot()})
				k := bs.s.Key(bs.id(i))
				bs.refs[i] = bs.s.Insert(shard, &k, 1, 0)
			}
		})
	}
}

// BenchmarkBury ends sessions as a sweep does, 256 of a shard at once; a round is one session.
func BenchmarkBury(b *testing.B) {
	const batch = 256
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			bs := newBenchStore(size.n).restart()
			slots, of := make([]uint32, 0, batch), 0
			bury := func() {
				bs.s.Bury(of, slots)
				slots = slots[:0]
			}
			bs.order()
			for b.Loop() {
				i := bs.next()
				if i == 0 && bs.now > 1 {
					b.StopTimer()
					bury()
					for j := range bs.refs {
						_, bs.refs[j] = insertKey(bs.s, string(bs.id(j)))
					}
					bs.order()
					b.StartTimer()
				}
				slot := bs.refs[i].Slot()
				shard, _ := bs.s.ShardOf(bs.refs[i])
				if shard != of || len(slots) == batch {
					bury()
					of = shard
				}
				bs.s.Kill(slot, bs.s.Load(slot))
				slots = append(slots, slot)
			}
		})
	}
}
