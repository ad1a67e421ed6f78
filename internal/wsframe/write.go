package wsframe

import (
	"encoding/binary"
	"math/rand/v2"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Op is the opcode of a frame (RFC 6455 section 5.2).
type Op uint8

// The opcodes there are.
const (
	OpContinuation Op = 0x0
	OpText         Op = 0x1
	OpBinary       Op = 0x2
	OpClose        Op = 0x8
	OpPing         Op = 0x9
	OpPong         Op = 0xA
)

const (
	maxControlBytes = 125
	maxReasonBytes  = maxControlBytes - 2
)

// HeaderBytes is how long the header of a frame with a payload of n bytes is.
func (r Role) HeaderBytes(n int) int {
	size := 2
	switch {
	case n > 0xFFFF:
		size = 10
	case n > maxControlBytes:
		size = 4
	}
	if r == Client {
		size += 4
	}
	return size
}

// AppendFrame appends a frame to dst: header and payload, so that one write sends both. A client's
// payload is masked, in dst, with a key that cannot be guessed. Payload and dst must not overlap.
// It panics where a control frame would be longer than 125 bytes or a fragment.
func (r Role) AppendFrame(dst []byte, op Op, fin bool, payload []byte) []byte {
	if op >= OpClose && (!fin || len(payload) > maxControlBytes) {
		panic("wsframe: a control frame is one frame of at most 125 bytes")
	}
	dst = r.appendHeader(dst, op, fin, 0, len(payload))
	start := len(dst)
	dst = append(dst, payload...)
	if r == Client {
		ws.Cipher(dst[start:], [4]byte(dst[start-4:]), 0)
	}
	return dst
}

// AppendMessage appends a message in one frame: compressed where that was negotiated and is worth
// it. See [Deflate].
func (r Role) AppendMessage(dst []byte, d Deflate, op Op, message []byte) []byte {
	if d.On() && len(message) >= minDeflateBytes {
		if out, ok := r.appendDeflated(dst, d, op, message); ok {
			return out
		}
	}
	return r.AppendFrame(dst, op, true, message)
}

// AppendClose appends a close frame. Without a code, which is how an empty one is answered, it has
// no reason either. A reason is cut to what fits, and before what is not UTF-8. It panics where no
// close frame may hold the code.
func (r Role) AppendClose(dst []byte, code Code, reason string) []byte {
	if code == NoCode {
		return r.AppendFrame(dst, OpClose, true, nil)
	}
	if !code.Valid() {
		panic("wsframe: no close frame may hold this code")
	}
	var payload [maxControlBytes]byte
	binary.BigEndian.PutUint16(payload[:], uint16(code))
	n := copy(payload[2:], fitReason(reason))
	return r.AppendFrame(dst, OpClose, true, payload[:2+n])
}

// fitReason returns the longest beginning of a reason that is UTF-8 and fits.
func fitReason(reason string) string {
	n := 0
	for n < len(reason) {
		c, size := utf8.DecodeRuneInString(reason[n:])
		if c == utf8.RuneError && size == 1 || n+size > maxReasonBytes {
			break
		}
		n += size
	}
	return reason[:n]
}

// appendHeader appends the header of a frame. A client's ends with the key.
func (r Role) appendHeader(dst []byte, op Op, fin bool, rsv byte, n int) []byte {
	first := rsv<<4 | byte(op)
	if fin {
		first |= 0x80
	}
	masked := byte(0)
	if r == Client {
		masked = 0x80
	}
	switch {
	case n > 0xFFFF:
		dst = append(dst, first, masked|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	case n > maxControlBytes:
		dst = append(dst, first, masked|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, first, masked|byte(n))
	}
	if r == Client {
		// Section 5.3 wants keys that cannot be predicted; this generator is ChaCha8, seeded by
		// the system.
		dst = binary.LittleEndian.AppendUint32(dst, rand.Uint32())
	}
	return dst
}
