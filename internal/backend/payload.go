package backend

import (
	"errors"
	"io"
	"sync"
)

var errRevoked = errors.New("the request is over")

// payload is the data of a request. The transport may still read it when the answer is there, or
// when the request has failed; data belongs to the caller, so it is revoked before it goes back.
type payload struct {
	mu struct {
		sync.Mutex
		data    []byte
		revoked bool
		touched bool // some of it was read
	}
}

// payloadReader reads a payload from its beginning.
type payloadReader struct {
	p    *payload
	next int
}

// open is a new reader, for the request and for the one that replaces it when its connection was
// closed before anything was written.
func (p *payload) open() (io.ReadCloser, error) { return &payloadReader{p: p}, nil }

// revoke makes all readers fail, which breaks off the connection where the request is not yet
// written. It says whether anything was read: if not, nobody heard of the request.
func (p *payload) revoke() (touched bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.data, p.mu.revoked = nil, true
	return p.mu.touched
}

// Read reads on, unless the payload was revoked.
func (r *payloadReader) Read(b []byte) (int, error) {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	switch {
	case r.p.mu.revoked:
		return 0, errRevoked
	case r.next >= len(r.p.mu.data):
		return 0, io.EOF
	}
	r.p.mu.touched = true
	n := copy(b, r.p.mu.data[r.next:])
	r.next += n
	return n, nil
}

// Close does nothing.
func (r *payloadReader) Close() error { return nil }
