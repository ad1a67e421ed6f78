package engine_test

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/curfew-go/curfew/engine"
)

// The primes of XXH64 and the inverses of the two that its round multiplies by.
const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
)

var inverse1, inverse2 = inverse(prime1), inverse(prime2)

// inverse is what an odd number times it is 1.
func inverse(p uint64) uint64 {
	x := p
	for range 6 { // Newton's method doubles the bits that are right.
		x *= 2 - p*x
	}
	return x
}

// unround is the word that XXH64's round takes to r, in an accumulator of 0.
func unround(r uint64) uint64 { return bits.RotateLeft64(r*inverse1, -31) * inverse2 }

// tailGroup is four strings of 24 bytes that collide in XXH64 under every seed and after every
// prefix of whole stripes. A word of the tail is xored into the hash after its round, which does
// not depend on the seed. A difference in bit 36 of the first round is rotated to the top bit,
// stays there through the multiplication by an odd number and the addition, and the second word
// takes it back; so can the third what the second does.
func tailGroup(r *rand.Rand) (group [4]string) {
	const bit36, top = 1 << 36, 1 << 63
	a, b, c := r.Uint64(), r.Uint64(), r.Uint64()
	for i, rounds := range [4][3]uint64{
		{a, b, c},
		{a ^ bit36, b ^ top, c},
		{a, b ^ bit36, c ^ top},
		{a ^ bit36, b ^ top ^ bit36, c ^ top},
	} {
		var w []byte
		for _, r := range rounds {
			w = binary.LittleEndian.AppendUint64(w, unround(r))
		}
		group[i] = string(w)
	}
	return group
}

// stripeSet is strings of 64 bytes that all collide in XXH64 without a seed: whatever the first
// word does to the first accumulator, the word that comes to it next takes back.
func stripeSet(r *rand.Rand, n int) (set []string) {
	start := prime1
	start += prime2 // What the accumulator holds at first.
	first := func(w uint64) uint64 { return bits.RotateLeft64(start+w*prime2, 31) * prime1 }
	rest := make([]byte, 24)
	want := r.Uint64()
	for range n {
		w := r.Uint64()
		id := binary.LittleEndian.AppendUint64(nil, w)
		id = append(id, rest...)
		id = binary.LittleEndian.AppendUint64(id, (want-first(w))*inverse2)
		set = append(set, string(append(id, rest...)))
	}
	return set
}

// hostileIDs is sets of IDs that collide in XXH64.
func hostileIDs(t testing.TB) (ids []string) {
	t.Helper()
	r := rand.New(rand.NewPCG(10, 11))
	for _, prefix := range []int{0, 32, 64, 96} {
		p := string(make([]byte, prefix))
		for range 500 {
			g := tailGroup(r)
			for _, s := range g {
				for seed := range uint64(3) {
					if sum(seed, p+s) != sum(seed, p+g[0]) {
						t.Fatalf("%q and %q do not collide with seed %d", p+s, p+g[0], seed)
					}
				}
				ids = append(ids, p+s)
			}
		}
	}
	set := stripeSet(r, 8000)
	for _, s := range set {
		if xxhash.Sum64String(s) != xxhash.Sum64String(set[0]) {
			t.Fatalf("%q and %q do not collide", s, set[0])
		}
	}
	return append(ids, set...)
}

func sum(seed uint64, s string) uint64 {
	d := xxhash.NewWithSeed(seed * 0x123456789abcdef1)
	_, _ = d.WriteString(s)
	return d.Sum64()
}

// randomLike is random IDs of the same lengths.
func randomLike(ids []string) (random []string) {
	r := rand.New(rand.NewPCG(12, 13))
	for _, id := range ids {
		b := make([]byte, len(id))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		random = append(random, string(b))
	}
	return random
}

func fill(t testing.TB, ids []string) *engine.Table[int] {
	t.Helper()
	tab, err := engine.New(engine.Options[int]{
		Manual: true, Logger: quiet, Shards: 4, IdleTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if _, created, err := tab.Ensure(id, i); err != nil || !created {
			t.Fatalf("Ensure(%q) = %v, %v, want a new session", id, created, err)
		}
	}
	return tab
}

// IDs that collide in XXH64 are found, renewed, removed and expired like any, and take no more
// memory (G7).
func TestHostile_CollidingIDs(t *testing.T) {
	ids := hostileIDs(t)
	tab := fill(t, ids)
	hostile, random := tab.Stats().Bytes, fill(t, randomLike(ids)).Stats().Bytes
	if hostile > random*5/4 {
		t.Errorf("%d colliding IDs take %d bytes, random ones %d", len(ids), hostile, random)
	}
	for i, id := range ids {
		s, ok := tab.Lookup(id)
		if v, _ := s.Value(); !ok || v != i || !tab.Touch(id) {
			t.Fatalf("Lookup(%q) = %v with %d, want %d", id, ok, v, i)
		}
		switch i % 3 {
		case 0:
			if _, err := tab.Renew(id); err != nil {
				t.Fatal(err)
			}
		case 1:
			if v, ok := tab.Remove(id); !ok || v != i {
				t.Fatalf("Remove(%q) = %d, %v", id, v, ok)
			}
		}
	}
	for i, id := range ids {
		if got := tab.Touch(id); got != (i%3 == 2) {
			t.Fatalf("Touch(%q) = %v, want %v", id, got, i%3 == 2)
		}
	}
	if n := tab.Advance(time.Minute); n != len(ids)-(len(ids)+1)/3 || tab.Len() != 0 {
		t.Errorf("Advance = %d, Len = %d, want all ended", n, tab.Len())
	}
}

// The cost of IDs that collide beside that of random ones.
func BenchmarkHostile(b *testing.B) {
	hostile := hostileIDs(b)
	for _, c := range []struct {
		name string
		ids  []string
	}{{"random", randomLike(hostile)}, {"colliding", hostile}} {
		b.Run(fmt.Sprintf("Touch/ids=%s", c.name), func(b *testing.B) {
			tab := fill(b, c.ids)
			i := 0
			for b.Loop() {
				if i++; i == len(c.ids) {
					i = 0
				}
				tab.Touch(c.ids[i])
			}
		})
		b.Run(fmt.Sprintf("EnsureRemove/ids=%s", c.name), func(b *testing.B) {
			tab := fill(b, c.ids)
			i := 0
			for b.Loop() {
				if i++; i == len(c.ids) {
					i = 0
				}
				tab.Remove(c.ids[i])
				_, _, _ = tab.Ensure(c.ids[i], 1)
			}
		})
	}
}
