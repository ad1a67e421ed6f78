package handshake

import "github.com/curfew-go/curfew/internal/wsframe"

// Request is a proper handshake. Its fields alias the head or the parser, are valid as long as the
// head is and until the next Parse, and are only read.
type Request struct {
	Path          []byte // as it was sent, without the query
	Query         []byte // what follows the ?
	Host          []byte // that of the target, where the target names one
	Origin        []byte // nil where the client sent none
	Authorization []byte
	UserAgent     []byte
	ForwardedFor  []byte // all of X-Forwarded-For, in order, joined by commas; nil: none
	Protocol      string // the subprotocol that was chosen, "" where none was asked for

	// Deflate is what was negotiated of permessage-deflate; 0: nothing.
	Deflate wsframe.Deflate
}

// Rules are what a handshake must keep to. They are only read.
type Rules struct {
	// Paths are the request paths that are served.
	Paths []string
	// Protocols are the subprotocols that may be asked for.
	Protocols []string
	// Origin decides about a request with an Origin header; nil: [SameOrigin] with no others.
	Origin func(origin, host []byte) bool
	// Compression lets clients have permessage-deflate; false: offers of it are declined.
	Compression bool
}
