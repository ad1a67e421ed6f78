package engine

import (
	"crypto/rand"
	"encoding/base64"
	"sync"
)

const (
	idLen     = 32 // Characters of a generated ID.
	idEntropy = 24 // Bytes of crypto/rand that they stand for.
)

// randomBytes is a supply of random bytes, of which each is used once.
type randomBytes struct {
	buf  [64 * idEntropy]byte
	left []byte
}

// randomPool spares most calls of crypto/rand, which cost more than all else in Create.
var randomPool = sync.Pool{New: func() any { return new(randomBytes) }}

// newID makes a random ID.
func newID(id *[idLen]byte) {
	r := randomPool.Get().(*randomBytes)
	if len(r.left) == 0 {
		_, _ = rand.Read(r.buf[:]) // It never fails: see its documentation.
		r.left = r.buf[:]
	}
	base64.RawURLEncoding.Encode(id[:], r.left[:idEntropy])
	clear(r.left[:idEntropy])
	r.left = r.left[idEntropy:]
	randomPool.Put(r)
}
