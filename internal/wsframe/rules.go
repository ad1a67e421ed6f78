package wsframe

// Role is the side of a connection that one speaks for. Clients mask what they send and servers do
// not, and each insists that the other does its part.
type Role uint8

const (
	// Server is the side that accepted the connection.
	Server Role = iota

	// Client is the side that opened it.
	Client
)

// DefaultMaxMessageBytes is the limit on messages where [Rules] has none.
const DefaultMaxMessageBytes = 64 << 10

// Rules are what many connections have in common. Parsers share them, so they must not change
// while one is in use. The zero value is a server's, without compression.
type Rules struct {
	// Role is the side that reads.
	Role Role

	// MaxMessageBytes is the longest message to accept, as sent and inflated, in bytes. 0:
	// [DefaultMaxMessageBytes].
	MaxMessageBytes int64

	// MaxFrameBytes is the longest data frame to accept, in bytes. 0: as long as a message may be.
	MaxFrameBytes int64

	// Deflate lets messages be compressed: permessage-deflate was negotiated, without context
	// takeover. It is all or nothing for a connection, so there are two sets of rules where some
	// connections have it.
	Deflate bool

	// SkipUTF8 lets a client take text for what it is. A server checks it always, and close
	// reasons are checked always.
	SkipUTF8 bool

	// Buffers is where bytes are kept that belong to an unfinished frame or message, and what
	// inflated messages are written to. nil: the heap.
	Buffers Buffers
}

func (r *Rules) maxMessageBytes() int64 {
	if r.MaxMessageBytes > 0 {
		return r.MaxMessageBytes
	}
	return DefaultMaxMessageBytes
}

// wireLimit is the longest payload of a message to accept as it comes. Data that cannot be
// compressed comes out a little longer than it went in, which is no reason to refuse it.
func (r *Rules) wireLimit(compressed bool) int64 {
	n := r.maxMessageBytes()
	if compressed {
		n += n>>7 + 64
	}
	return n
}

func (r *Rules) checksText() bool { return r.Role == Server || !r.SkipUTF8 }

func (r *Rules) buffers() Buffers {
	if r.Buffers != nil {
		return r.Buffers
	}
	return heap{}
}
