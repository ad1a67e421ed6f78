package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync/atomic"
)

// Tokens are the shared secrets of which a client must show one. Only their hashes are kept. The
// zero value lets everybody in. All methods may be called at the same time.
type Tokens struct {
	hashes atomic.Pointer[[][sha256.Size]byte] // replaced as a whole by Set
}

// Set replaces all secrets; none let everybody in.
func (t *Tokens) Set(secrets []string) {
	hashes := make([][sha256.Size]byte, len(secrets))
	for i, s := range secrets {
		hashes[i] = sha256.Sum256([]byte(s))
	}
	t.hashes.Store(&hashes)
}

// Any says whether clients are asked for one.
func (t *Tokens) Any() bool {
	hashes := t.hashes.Load()
	return hashes != nil && len(*hashes) > 0
}

// Allow says whether secret is one of them, in a time that tells nothing about them.
func (t *Tokens) Allow(secret string) bool {
	hashes := t.hashes.Load()
	if hashes == nil || len(*hashes) == 0 {
		return true
	}
	given := sha256.Sum256([]byte(secret))
	found := 0
	for i := range *hashes {
		found |= subtle.ConstantTimeCompare(given[:], (*hashes)[i][:])
	}
	return found == 1
}
