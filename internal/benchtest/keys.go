package benchtest

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"

	"github.com/curfew-go/curfew/internal/baseline"
)

// IDLen is the length of an ID in bytes, as the engine generates them.
const IDLen = 32

// An IDSource makes random IDs, the same ones for the same seed.
type IDSource struct {
	random *rand.ChaCha8
}

// NewIDSource makes an IDSource.
func NewIDSource(seed uint64) *IDSource {
	var s [32]byte
	for i := range 8 {
		s[i] = byte(seed >> (8 * i))
	}
	return &IDSource{rand.NewChaCha8(s)}
}

// put writes an ID.
func (s *IDSource) put(id []byte) {
	var raw [IDLen / 4 * 3]byte
	_, _ = s.random.Read(raw[:]) // It never fails.
	base64.RawURLEncoding.Encode(id, raw[:])
}

// Fill replaces ids by strings made anew.
func (s *IDSource) Fill(ids []string) {
	var id [IDLen]byte
	for i := range ids {
		s.put(id[:])
		ids[i] = string(id[:])
	}
}

// Keys makes n IDs in random memory: in one block, so that the collector has little to do with
// them, and returned in an order that is not theirs in memory.
func Keys(n int, seed uint64) []string {
	source := NewIDSource(seed)
	bytes := make([]byte, n*IDLen)
	for i := range n {
		source.put(bytes[i*IDLen:][:IDLen])
	}
	block := string(bytes)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = block[i*IDLen:][:IDLen]
	}
	Shuffle(ids, seed)
	return ids
}

// Shuffle brings a slice into a random order, the same one for the same seed.
func Shuffle[T any](s []T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// clones copies IDs, each to a string of its own.
func clones(ids []string) []string {
	c := make([]string, len(ids))
	for i, id := range ids {
		c[i] = strings.Clone(id)
	}
	return c
}

// fillWindow is how many IDs are copied at a time to create sessions.
const fillWindow = 4096

// CreateAll creates sessions with copies of the IDs, each a string of its own.
func CreateAll(s baseline.Sessions, ids []string) {
	for len(ids) > 0 {
		w := min(len(ids), fillWindow)
		s.Create(clones(ids[:w]))
		ids = ids[w:]
	}
}
