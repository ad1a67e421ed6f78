package main

import (
	"encoding/binary"
	"io"

	"github.com/gobwas/ws"
)

// fragments is what a connection has of a message that is not complete. The zero value is nothing.
type fragments struct {
	open bool
	op   ws.OpCode
	data []byte
}

// check says what is wrong with a frame, by its header.
func (f *fragments) check(h ws.Header) error {
	state := ws.StateServerSide
	if f.open {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return err
	}
	if h.Length+int64(len(f.data)) > messageBytesMax {
		return errTooBig
	}
	return nil
}

// slow handles what is not a message in one frame, and appends the answer to out. It gives io.EOF
// after a close frame.
func (f *fragments) slow(out []byte, h ws.Header, payload []byte) ([]byte, error) {
	switch h.OpCode {
	case ws.OpPing:
		return appendFrame(out, ws.OpPong, payload), nil
	case ws.OpPong:
		return out, nil
	case ws.OpClose:
		return appendFrame(out, ws.OpClose, payload[:min(len(payload), 2)]), io.EOF
	}
	if h.OpCode != ws.OpContinuation {
		f.open, f.op = true, h.OpCode
	}
	f.data = append(f.data, payload...)
	if h.Fin {
		out = appendFrame(out, f.op, f.data)
		*f = fragments{}
	}
	return out, nil
}

// appendFrame appends a whole frame of a server.
func appendFrame(out []byte, op ws.OpCode, payload []byte) []byte {
	var head [10]byte
	n := ws.HeaderSize(ws.Header{Fin: true, Length: int64(len(payload))})
	putHeader(head[:n], op, len(payload))
	return append(append(out, head[:n]...), payload...)
}

// putHeader writes the header of a whole frame of a server over b, which is as long as that is.
// ws.WriteHeader does the same and allocates.
func putHeader(b []byte, op ws.OpCode, n int) {
	b[0] = 0x80 | byte(op)
	switch len(b) {
	case 2:
		b[1] = byte(n)
	case 4:
		b[1] = 126
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	default:
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
	}
}

// parseHeader reads a header from the start of b, and returns its length, 0 where it is not all
// there. ws.ReadHeader does the same from a reader and allocates.
func parseHeader(b []byte) (h ws.Header, n int) {
	if len(b) < 2 {
		return h, 0
	}
	h.Fin, h.Rsv, h.OpCode = b[0]&0x80 != 0, b[0]&0x70>>4, ws.OpCode(b[0]&0x0f)
	h.Masked, h.Length = b[1]&0x80 != 0, int64(b[1]&0x7f)
	n = 2
	switch h.Length {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	mask := n
	if h.Masked {
		n += 4
	}
	if len(b) < n {
		return h, 0
	}
	switch mask {
	case 4:
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
	case 10:
		h.Length = int64(binary.BigEndian.Uint64(b[2:]) & (1<<63 - 1))
	}
	if h.Masked {
		copy(h.Mask[:], b[mask:n])
	}
	return h, n
}
