package table

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

const (
	keyBytes = 32
	keyWords = keyBytes / 8

	// MaxKey is the length of the longest key in bytes.
	MaxKey = 255

	maxKeyWords = (MaxKey + 7) / 8
)

// slotKey is a key as its slot holds it: the 32 bytes themselves; a shorter key padded with zeros
// and its length in the last byte; or, for a longer one, where the rest is kept, its length, and
// its hash. Readers compare it while writers may be at work, hence atomic words; the session word,
// read again afterwards, tells whether what they saw was one key.
type slotKey [keyWords]atomic.Uint64

// key is a caller's key made ready for comparison.
type key struct {
	words [keyWords]uint64 // As a slot would hold it; for a long key words[0] lacks the place.
	hash  uint64
	kind  uint64
	long  []byte // The whole key where it is long, else nil.
}

// secrets are mixed into every key before it is hashed. A seed alone would not do: sets of keys
// that collide in XXH64 under every seed can be built from the structure of its rounds, and a
// word whose bits are flipped at random places no longer fits that structure.
type secrets [maxKeyWords + 1]uint64

// makeKey prepares a key of 1 to MaxKey bytes.
func (s *Store) makeKey(id []byte) key {
	var k key
	switch {
	case len(id) == keyBytes:
		loadWords(&k.words, id)
		k.kind = kindFull
	case len(id) < keyBytes:
		k.words = shortWords(id)
		k.kind = kindShort
	default:
		k.long = id
		k.kind = kindLong
		k.hash = s.hashLong(id)
		k.words = [keyWords]uint64{uint64(len(id)) << 32, k.hash}
		return k
	}
	k.hash = s.hashWords(&k.words)
	return k
}

func loadWords(w *[keyWords]uint64, id []byte) {
	_ = id[keyBytes-1]
	w[0] = binary.LittleEndian.Uint64(id)
	w[1] = binary.LittleEndian.Uint64(id[8:])
	w[2] = binary.LittleEndian.Uint64(id[16:])
	w[3] = binary.LittleEndian.Uint64(id[24:])
}

func shortWords(id []byte) (w [keyWords]uint64) {
	var b [keyBytes]byte
	copy(b[:], id)
	b[keyBytes-1] = byte(len(id))
	loadWords(&w, b[:])
	return w
}

// hashWords hashes a key that fits in its slot.
func (s *Store) hashWords(w *[keyWords]uint64) uint64 {
	m := [keyWords]uint64{
		w[0] ^ s.secret[0], w[1] ^ s.secret[1], w[2] ^ s.secret[2], w[3] ^ s.secret[3],
	}
	return xxhash.Sum64((*[keyBytes]byte)(unsafe.Pointer(&m))[:])
}

// hashLong hashes a key that does not: its words padded with zeros, then its length.
func (s *Store) hashLong(id []byte) uint64 {
	var m [maxKeyWords + 1]uint64
	n := 0
	for ; len(id) >= 8*(n+1); n++ {
		m[n] = binary.LittleEndian.Uint64(id[8*n:]) ^ s.secret[n]
	}
	if rest := id[8*n:]; len(rest) > 0 {
		m[n] = partWord(rest) ^ s.secret[n]
		n++
	}
	m[n] = uint64(len(id)) ^ s.secret[maxKeyWords]
	n++
	return xxhash.Sum64((*[len(m) * 8]byte)(unsafe.Pointer(&m))[:8*n])
}

// partWord is up to eight bytes as a word, padded with zeros.
func partWord(b []byte) uint64 {
	var w [8]byte
	copy(w[:], b)
	return binary.LittleEndian.Uint64(w[:])
}

// holds reports whether the slot key, of a session word of the given kind, is k. It means
// something only if the word's identity is the same before and after.
func (s *Store) holds(shard int, sk *slotKey, kind uint64, k *key) bool {
	if kind != k.kind {
		return false
	}
	if kind != kindLong {
		return sk[0].Load() == k.words[0] && sk[1].Load() == k.words[1] &&
			sk[2].Load() == k.words[2] && sk[3].Load() == k.words[3]
	}
	place := sk[0].Load()
	return place>>32 == k.words[0]>>32 && sk[1].Load() == k.hash &&
		s.shards[shard].long.equal(place, k.long)
}

// setKey writes a key into a slot that no live session word covers.
// REQUIRES: the shard's lock.
func (s *Store) setKey(shard int, sk *slotKey, k *key) {
	w := k.words
	if k.kind == kindLong {
		w[0] = s.shards[shard].long.put(k.long)
	}
	for i := range w {
		sk[i].Store(w[i])
	}
}

// dropKey gives back what a key holds outside its slot. REQUIRES: the shard's lock.
func (s *Store) dropKey(shard int, sk *slotKey, kind uint64) {
	if kind == kindLong {
		s.shards[shard].long.drop(sk[0].Load())
	}
}

// hashOf is the hash of the key in a slot. REQUIRES: the shard's lock.
func (s *Store) hashOf(slot uint32) uint64 {
	c := s.chunkOf(slot)
	return s.hashSlot(c.key(slot), Word(c.word(slot).Load()).kind())
}

func (s *Store) hashSlot(sk *slotKey, kind uint64) uint64 {
	if kind == kindLong {
		return sk[1].Load()
	}
	w := [keyWords]uint64{sk[0].Load(), sk[1].Load(), sk[2].Load(), sk[3].Load()}
	return s.hashWords(&w)
}

// appendKey appends the bytes of the key in a slot, as far as one read can tell.
func (s *Store) appendKey(b []byte, shard int, sk *slotKey, kind uint64) []byte {
	if kind == kindLong {
		return s.shards[shard].long.append(b, sk[0].Load())
	}
	var buf [keyBytes]byte
	for i := range sk {
		binary.LittleEndian.PutUint64(buf[8*i:], sk[i].Load())
	}
	n := keyBytes
	if kind == kindShort {
		n = min(int(buf[keyBytes-1]), keyBytes-1)
	}
	return append(b, buf[:n]...)
}
