package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// A resume token is the public ID of its session, which says where to look, a dot, and a secret of
// 256 bits from crypto/rand in base64url. Only the hash of the whole is kept.
const (
	sessionIDBytes   = 32
	tokenSecretBytes = 32
)

var (
	tokenEncoding    = base64.RawURLEncoding
	resumeTokenBytes = sessionIDBytes + 1 + tokenEncoding.EncodedLen(tokenSecretBytes)
)

// tokenHash is what is kept of a resume token. The zero value is that of none.
type tokenHash [sha256.Size]byte

// newResumeToken makes a token for a session.
func newResumeToken(sessionID []byte) (token []byte, h tokenHash) {
	var secret [tokenSecretBytes]byte
	_, _ = rand.Read(secret[:]) // never fails: the program ends instead
	token = make([]byte, 0, resumeTokenBytes)
	token = append(append(token, sessionID...), '.')
	token = tokenEncoding.AppendEncode(token, secret[:])
	return token, sha256.Sum256(token)
}

// presented is a resume token as a client shows it.
type presented struct {
	session string // whose it claims to be; "": it has not the form of a token
	hash    tokenHash
}

// present takes a token. What is wrong with it shows only in that it fits nothing.
func present(token string) presented {
	p := presented{hash: sha256.Sum256([]byte(token))}
	if len(token) == resumeTokenBytes && token[sessionIDBytes] == '.' {
		p.session = token[:sessionIDBytes]
	}
	return p
}

// fits says whether it is the token of that hash, in a time that tells nothing about either.
func (p *presented) fits(h *tokenHash) bool {
	return subtle.ConstantTimeCompare(p.hash[:], h[:]) == 1
}
