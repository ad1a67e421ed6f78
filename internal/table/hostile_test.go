package table

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// The constants of XXH64. They are variables where products must wrap around.
var (
	prime1 uint64 = 11400714785074694791
	prime2 uint64 = 14029467366897019727
	prime3 uint64 = 1609587929392839161
	prime4 uint64 = 9650029242287828579

	unprime1, unprime2, unprime3 = inverse(prime1), inverse(prime2), inverse(prime3)
)

// inverse is the number by which a product with the odd n is undone.
func inverse(n uint64) uint64 {
	x := n
	for range 6 {
		x *= 2 - n*x
	}
	return x
}

func xxRound(acc, w uint64) uint64 { return bits.RotateLeft64(acc+w*prime2, 31) * prime1 }

// xxUnround is the word whose round from 0 gives r.
func xxUnround(r uint64) uint64 { return bits.RotateLeft64(r*unprime1, -31) * unprime2 }

// xxLanes are the four accumulators after stripes of 32 bytes.
func xxLanes(seed uint64, words []uint64) [4]uint64 {
	v := [4]uint64{seed + prime1 + prime2, seed + prime2, seed, seed - prime1}
	for i, w := range words {
		v[i%4] = xxRound(v[i%4], w)
	}
	return v
}

// xxMerge joins the accumulators and the length of the whole input.
func xxMerge(v [4]uint64, length int) uint64 {
	h := bits.RotateLeft64(v[0], 1) + bits.RotateLeft64(v[1], 7) +
		bits.RotateLeft64(v[2], 12) + bits.RotateLeft64(v[3], 18)
	for _, lane := range v {
		h = (h^xxRound(0, lane))*prime1 + prime4
	}
	return h + uint64(length)
}

// xxUnfinish is what the last step of XXH64 turns into h.
func xxUnfinish(h uint64) uint64 {
	h ^= h >> 32
	h *= unprime3
	h ^= h>>29 ^ h>>58
	h *= unprime2
	return h ^ h>>33
}

// xxUntail is the state before a word of the tail was taken in.
func xxUntail(h, w uint64) uint64 {
	return bits.RotateLeft64((h-prime4)*unprime1, -27) ^ xxRound(0, w)
}

// keyOfHash builds a key of 40 bytes that has a hash of one's choice, which takes the secrets of
// the store to do: the first word after the stripe can take the state wherever one likes.
func keyOfHash(s *Store, hash, salt uint64) string {
	words := []uint64{salt, 1, 2, 3, 0}
	masked := make([]uint64, 4)
	for i := range masked {
		masked[i] = words[i] ^ s.secret[i]
	}
	want := xxUntail(xxUnfinish(hash), 40^s.secret[maxKeyWords])
	have := xxMerge(xxLanes(0, masked), 48)
	r := bits.RotateLeft64((want-prime4)*unprime1, -27) ^ have
	words[4] = xxUnround(r) ^ s.secret[4]
	return keyOfWords(words)
}

func keyOfWords(words []uint64) string {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return string(b)
}

func TestKeyOfHash(t *testing.T) {
	s := New(1)
	for i := range uint64(100) {
		want := rand.Uint64()
		if k := s.Key([]byte(keyOfHash(s, want, i))); k.hash != want {
			t.Fatalf("a key made for hash %#x has hash %#x", want, k.hash)
		}
	}
}

// equalPlain builds keys of 40 bytes that have one hash in XXH64 as everybody has it.
func equalPlain(n int) (keys []string) {
	r := rand.New(rand.NewPCG(3, 4))
	for range n {
		words := []uint64{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		have := xxMerge(xxLanes(0, words), 40)
		keys = append(keys, keyOfWords(append(words, xxUnround(have))))
	}
	return keys
}

// equalTails builds tails of 24 bytes that end in the same state under every seed and after every
// 32, 64, ... bytes: two words whose rounds differ in bit 36, which the rotation by 27 makes the
// top bit, where a product with an odd number and a sum keep it; and in the next word its undoing.
func equalTails() (tails []string) {
	const low, top = 1 << 36, 1 << 63
	for i := range uint64(4) {
		a, b := i&1, i>>1
		tails = append(tails, keyOfWords([]uint64{
			xxUnround(0x1111 ^ a*low),
			xxUnround(0x2222 ^ a*top ^ b*low),
			xxUnround(0x3333 ^ b*top),
		}))
	}
	return tails
}

// alikeLanes builds 3^8 keys of 128 bytes of which 2^8 have one hash whatever the seed is, and
// others another. In each of eight pairs of words above one another a flipped top bit becomes,
// after the round, a difference of plus or minus 2^30 times a prime, which of them the seed
// decides: the second word of the pair makes up for nothing, for the one, or for the other.
func alikeLanes() (keys []string) {
	const places = 8
	total := 1
	for range places {
		total *= 3
	}
	for n := range total {
		words := make([]uint64, 16)
		for place, rest := 0, n; place < places; place, rest = place+1, rest/3 {
			lane := place%4 + place/4*8
			off := prime1 << 30 * unprime2
			words[lane+4] = 0x4444
			switch rest % 3 {
			case 1:
				words[lane] = 1 << 63
				words[lane+4] += off
			case 2:
				words[lane] = 1 << 63
				words[lane+4] -= off
			}
		}
		keys = append(keys, keyOfWords(words))
	}
	return keys
}

// most is how many keys there are of the hash that most have under a seed.
func most(keys []string, seed uint64) (n int) {
	counts := map[uint64]int{}
	d := xxhash.NewWithSeed(seed)
	for _, k := range keys {
		d.ResetWithSeed(seed)
		_, _ = d.WriteString(k)
		counts[d.Sum64()]++
		n = max(n, counts[d.Sum64()])
	}
	return n
}

// tailed is keys of all multiples of 32 bytes that fit, each followed by all equal tails.
func tailed() (keys []string) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 150 {
		for prefix := 32; prefix <= 224; prefix += 32 {
			start := randomKey(r, prefix)
			for _, tail := range equalTails() {
				keys = append(keys, start+tail)
			}
		}
	}
	return keys
}

// TestHostileKeys inserts keys that collide in XXH64, under its usual seed or under any, and
// expects of them what random ones do (G7).
func TestHostileKeys(t *testing.T) {
	tests := []struct {
		name   string
		keys   []string
		random bool // Whether they collide under every seed or under the usual one.
		equal  int  // How many have one hash.
	}{
		{"plain", equalPlain(4096), false, 4096},
		{"lanes", alikeLanes(), true, 256},
		{"tails", equalTails(), true, 4},
		{"tails after prefixes", tailed(), true, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			seeds := []uint64{0}
			if test.random {
				seeds = append(seeds, 1, 0xfeedface, 1<<63)
			}
			for _, seed := range seeds {
				if n := most(test.keys, seed); n < test.equal {
					t.Fatalf("%d keys of one hash under seed %#x, want %d", n, seed, test.equal)
				}
			}
			r := rand.New(rand.NewPCG(7, 8))
			var random []string
			for _, k := range test.keys {
				random = append(random, randomKey(r, len(k)))
			}
			s, control := New(1), New(1)
			insertAll(s, test.keys, nil)
			insertAll(control, random, nil)
			checkStore(t, s)
			x, y := &s.shards[0].index, &control.shards[0].index
			if n := len(x.stash.slots); n != 0 {
				t.Errorf("%d of %d keys are in the stash", n, len(test.keys))
			}
			if got, want := len(x.depth), len(y.depth); got > want*5/4+2 {
				t.Errorf("%d segments, %d for random keys", got, want)
			}
			if got, want := maxEqual(s, test.keys), 2; got > want {
				t.Errorf("%d keys of one hash, want at most %d", got, want)
			}
		})
	}
}

// TestHashIsSecret hashes keys of all lengths in two stores, and in one after each word of its
// secrets changed: each hash depends on those that cover its key, and on no more.
func TestHashIsSecret(t *testing.T) {
	s, other := New(1), New(1)
	for n := 1; n <= MaxKey; n++ {
		id := []byte(randomKey(rand.New(rand.NewPCG(uint64(n), 1)), n))
		hash := s.makeKey(id).hash
		if hash == other.makeKey(id).hash || hash == xxhash.Sum64(id) {
			t.Errorf("a key of %d bytes has hash %#x in two stores or without secrets", n, hash)
		}
		words := (n + 7) / 8
		for i := range s.secret {
			s.secret[i]++
			changed := s.makeKey(id).hash != hash
			s.secret[i]--
			want := i < keyWords && n <= keyBytes || n > keyBytes && (i < words || i == maxKeyWords)
			if changed != want {
				t.Errorf("secret %d changes the hash of %d bytes: %v", i, n, changed)
			}
		}
	}
}

// maxEqual is how many keys there are of the hash that most have in a store.
func maxEqual(s *Store, keys []string) (n int) {
	counts := map[uint64]int{}
	for _, id := range keys {
		k := s.Key([]byte(id))
		counts[k.hash]++
		n = max(n, counts[k.hash])
	}
	return n
}
