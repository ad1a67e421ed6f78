package table

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/curfew-go/curfew/internal/invariants"
)

// MaxShards is the most shards that a store can have.
const MaxShards = 1 << 12

// Store holds the sessions of a table: their words, their keys and the index from key to slot, in
// shards. It has no lock of its own. Methods that say REQUIRES leave locking to the caller; all
// others may be called at any time from any goroutine.
type Store struct {
	// Set by New, then only read.
	shards     []shard
	shardShift uint // takes a hash, halved, to its shard
	secret     secrets

	// slots lists all chunks. Replaced under the growth lock.
	slots atomic.Pointer[slotDir]

	// spare is the chunk that AddChunk takes first. Guarded by the growth lock.
	spare       *chunk
	spareWanted atomic.Bool

	// hugeEnd is the end of the last block that the kernel was asked to make a huge page.
	hugeEnd atomic.Uintptr

	_ [64]byte
	// stamped is whether a touch changed a word since it was last taken.
	stamped atomic.Bool
	_       [64]byte
}

// A shard is the part of a store that one lock of the caller's guards.
type shard struct {
	index index
	free  freeSlots
	long  longKeys

	// unchecked is how many changes there were since the shard's invariants were checked.
	unchecked int
	_         [64]byte // Keeps the next shard's directory pointer off this one's lines.
}

// New makes an empty store of at least one shard, rounded up to a power of two of at most
// MaxShards.
func New(shards int) *Store {
	shardBits := uint(bits.Len(uint(min(max(shards, 1), MaxShards) - 1)))
	s := &Store{shards: make([]shard, 1<<shardBits), shardShift: 63 - shardBits}
	var seed [len(s.secret) * 8]byte
	_, _ = rand.Read(seed[:]) // It never fails.
	for i := range s.secret {
		s.secret[i] = binary.LittleEndian.Uint64(seed[8*i:])
	}
	for i := range s.shards {
		s.shards[i].index.init(shardBits)
		s.shards[i].free.head = noSlot
	}
	s.slots.Store(new(slotDir))
	return s
}

// Shards is the number of shards.
func (s *Store) Shards() int { return len(s.shards) }

// TakeStamped reports whether a touch changed a word since it was last called.
func (s *Store) TakeStamped() bool { return s.stamped.Swap(false) }

// Stamped is TakeStamped without taking.
func (s *Store) Stamped() bool { return s.stamped.Load() }

// noteStamp is called after each change of a stamp. It seldom writes, so that touchers do not
// fight for the line.
func (s *Store) noteStamp() {
	if !s.stamped.Load() {
		s.stamped.Store(true)
	}
}

// Clear makes every session of the store unreachable, for good, and lets go of the chunks.
// REQUIRES: the growth lock, and that ClearShard was called for each shard.
func (s *Store) Clear() {
	s.slots.Store(new(slotDir))
	s.spare = nil
	s.spareWanted.Store(false)
}

// ClearShard empties a shard's index and lets go of its memory. Nothing but Clear may follow.
// REQUIRES: the shard's lock.
func (s *Store) ClearShard(i int) {
	sh := &s.shards[i]
	sh.index.clear()
	sh.long.clear()
	sh.free = freeSlots{head: noSlot}
}

// A Key is a caller's key made ready for look-ups in one store.
type Key struct{ key }

// Key prepares a key of 1 to MaxKey bytes. It keeps id.
func (s *Store) Key(id []byte) Key { return Key{s.makeKey(id)} }

// Shard is the shard that the key belongs to.
func (s *Store) Shard(k *Key) int { return s.shardOfHash(k.hash) }

func (s *Store) shardOfHash(h uint64) int { return int(h >> 1 >> (s.shardShift & 63)) }

// Insert makes an Active session of a key that the shard does not hold.
// REQUIRES: the shard's lock, and not NeedsChunk.
func (s *Store) Insert(shard int, k *Key, stamp uint64, created int64) Ref {
	slot, gen := s.takeSlot(shard)
	c := s.chunkOf(slot)
	s.setKey(shard, c.key(slot), &k.key)
	*c.time(slot) = created
	w := Word(gen<<genShift | k.kind<<kindShift | activeBits | stamp)
	c.word(slot).Store(uint64(w))
	s.link(shard, k.hash, slot)
	if invariants.Enabled {
		s.checkNowAndThen(shard)
	}
	return RefOf(slot, w)
}

// link adds a slot to the index.
func (s *Store) link(shard int, h uint64, slot uint32) {
	x := &s.shards[shard].index
	if !x.insert(h, slot, s) {
		x.stash.put(s.keyOf(slot), slot)
		x.stashed.Add(1)
	}
}

// unlink removes a slot, whose key is still there, from the index.
func (s *Store) unlink(shard int, h uint64, slot uint32) {
	x := &s.shards[shard].index
	if !x.remove(h, slot) && x.stash.take(s.keyOf(slot), slot, s.keyOf) {
		x.stashed.Add(-1)
	}
}

// keyOf is a copy of the key of a slot.
func (s *Store) keyOf(slot uint32) []byte {
	return s.AppendKey(nil, int(s.slots.Load().owner[slot>>chunkBits]), slot)
}

// AppendKey appends the key of a slot's session, alive or killed and not yet buried.
// REQUIRES: the shard's lock.
func (s *Store) AppendKey(b []byte, shard int, slot uint32) []byte {
	c := s.chunkOf(slot)
	return s.appendKey(b, shard, c.key(slot), Word(c.word(slot).Load()).kind())
}

// Kill ends the session in a slot if its word is still w: from then on no Ref names it. It must
// be buried before anything else is done with its shard. REQUIRES: the shard's lock.
func (s *Store) Kill(slot uint32, w Word) bool {
	return s.Swap(slot, w, (w+1<<genShift)&(genMask|kindMask))
}

// buryBatch is how many sessions are buried side by side.
const buryBatch = 64

// Bury takes killed sessions out of the index and frees their slots. Many at once cost less than
// one by one: their keys and buckets are fetched side by side. REQUIRES: the shard's lock.
func (s *Store) Bury(shard int, slots []uint32) {
	for len(slots) > 0 {
		n := min(len(slots), buryBatch)
		s.bury(shard, slots[:n])
		slots = slots[n:]
	}
	if invariants.Enabled {
		s.checkNowAndThen(shard)
	}
}

func (s *Store) bury(shard int, slots []uint32) {
	var hashes [buryBatch]uint64
	for i, slot := range slots {
		hashes[i&(buryBatch-1)] = s.hashOf(slot)
	}
	sh := &s.shards[shard]
	sh.index.prefetch(hashes[:len(slots)])
	for i, slot := range slots {
		s.unlink(shard, hashes[i&(buryBatch-1)], slot)
		c := s.chunkOf(slot)
		s.dropKey(shard, c.key(slot), Word(c.word(slot).Load()).kind())
		s.giveSlot(shard, slot)
	}
}

// Rekey gives the session of a slot another key, which must be of the same shard and not in it.
// From then on a look-up by the old one finds nothing. REQUIRES: the shard's lock.
func (s *Store) Rekey(shard int, slot uint32, k *Key) {
	c := s.chunkOf(slot)
	word, sk := c.word(slot), c.key(slot)
	kind := Word(word.Load()).kind()
	s.unlink(shard, s.hashSlot(sk, kind), slot)
	place := sk[0].Load()
	// Readers must not take for a key what is half the one and half the other.
	setKind(word, kindNone, 0)
	s.setKey(shard, sk, &k.key)
	setKind(word, k.kind, 1)
	if kind == kindLong {
		s.shards[shard].long.drop(place)
	}
	s.link(shard, k.hash, slot)
	if invariants.Enabled {
		s.checkNowAndThen(shard)
	}
}

// setKind puts another kind of key into the word of a session, which may be touched meanwhile,
// and counts so many renewals more.
func setKind(word *atomic.Uint64, kind uint64, renewals Word) {
	for {
		old := Word(word.Load())
		w := (old + renewals<<renewShift) & renewMask
		w |= old&^(renewMask|kindMask) | Word(kind<<kindShift)
		if word.CompareAndSwap(uint64(old), uint64(w)) {
			return
		}
	}
}

// Bytes is the memory that the store holds. REQUIRES: the shard's lock, for that shard's part.
func (s *Store) Bytes(shard int) int64 {
	sh := &s.shards[shard]
	return sh.index.bytes() + sh.long.bytes()
}

// SlotBytes is the memory of all chunks.
func (s *Store) SlotBytes() int64 {
	const chunkBytes = chunkSlots * (8 + keyBytes + 8)
	d := s.slots.Load()
	return int64(len(d.chunks))*chunkBytes + int64(cap(d.chunks))*8 + int64(cap(d.owner))*4
}
