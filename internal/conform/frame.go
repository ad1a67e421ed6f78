package conform

import (
	"bufio"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Opcodes (RFC 6455, 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// The three reserved bits of a frame's first byte, as one number (RFC 6455, 5.2).
const (
	rsv3 = 1 << iota
	rsv2
	rsv1
)

// controlBytesMax is the longest payload of a control frame (RFC 6455, 5.5).
const controlBytesMax = 125

// lengthForm says how a frame's length is written.
type lengthForm byte

const (
	minimal lengthForm = iota // as short as it goes, as RFC 6455, 5.2 demands
	form16                    // in 16 bits, however short
	form64                    // in 64 bits, however short
)

// frame is one frame that a case sends, right or wrong. The zero value of every field but the
// opcode is what a well-behaved client sends.
type frame struct {
	op      byte
	more    bool // FIN is clear: more frames of the message follow
	rsv     byte
	payload []byte

	bare     bool // not masked
	form     lengthForm
	declared uint64 // where not 0: the length that the header claims, in form64
}

// length returns the length that the header claims and the form in which it does.
func (f *frame) length() (uint64, lengthForm) {
	n, form := uint64(len(f.payload)), f.form
	switch {
	case f.declared != 0:
		return f.declared, form64
	case form == minimal && n > 0xFFFF:
		form = form64
	case form == minimal && n > 125:
		form = form16
	}
	return n, form
}

// appendHeader appends a frame's header, with its masking key unless the frame is bare.
func (f *frame) appendHeader(b []byte, key [4]byte) []byte {
	first := f.rsv<<4 | f.op
	if !f.more {
		first |= 0x80
	}
	var masked byte
	if !f.bare {
		masked = 0x80
	}
	switch n, form := f.length(); form {
	case form16:
		b = append(b, first, masked|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	case form64:
		b = append(b, first, masked|127)
		b = binary.BigEndian.AppendUint64(b, n)
	default:
		b = append(b, first, masked|byte(n))
	}
	if !f.bare {
		b = append(b, key[:]...)
	}
	return b
}

// mask applies a key to a piece of a payload that begins at an offset (RFC 6455, 5.3).
func mask(b []byte, key [4]byte, offset int) {
	var block [512]byte
	size := min(len(b)+3, len(block)) &^ 3
	for i := range block[:size] {
		block[i] = key[(offset+i)&3]
	}
	for len(b) > 0 {
		b = b[subtle.XORBytes(b, b, block[:size]):]
	}
}

// String describes a frame for a report.
func (f *frame) String() string {
	var b strings.Builder
	b.WriteString(opName(f.op))
	fmt.Fprintf(&b, " frame of %s", quoted(f.payload))
	if f.more {
		b.WriteString(", not final")
	}
	if f.rsv != 0 {
		fmt.Fprintf(&b, ", RSV %d", f.rsv)
	}
	if f.bare {
		b.WriteString(", not masked")
	}
	switch {
	case f.declared != 0:
		fmt.Fprintf(&b, ", declared to be %d bytes long", f.declared)
	case f.form == form16:
		b.WriteString(", length in 16 bits")
	case f.form == form64:
		b.WriteString(", length in 64 bits")
	}
	return b.String()
}

func opName(op byte) string {
	switch op {
	case opContinuation:
		return "continuation"
	case opText:
		return "text"
	case opBinary:
		return "binary"
	case opClose:
		return "close"
	case opPing:
		return "ping"
	case opPong:
		return "pong"
	}
	return "opcode " + strconv.Itoa(int(op))
}

// quotedMax is how many bytes of a payload a report shows.
const quotedMax = 24

// quoted describes a payload by its length and its first bytes.
func quoted(p []byte) string {
	switch {
	case len(p) == 0:
		return "0 bytes"
	case len(p) > quotedMax:
		return fmt.Sprintf("%d bytes %+q...", len(p), p[:quotedMax])
	}
	return fmt.Sprintf("%d bytes %+q", len(p), p)
}

// header is what a frame from the server begins with.
type header struct {
	op     byte
	final  bool
	rsv    byte
	masked bool
	length uint64
	form   lengthForm
}

// readHeader reads the header of a server's frame. It judges nothing.
func readHeader(r *bufio.Reader) (header, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return header{}, err
	}
	h := header{
		op:     b[0] & 0xF,
		final:  b[0]&0x80 != 0,
		rsv:    b[0] >> 4 & 7,
		masked: b[1]&0x80 != 0,
		length: uint64(b[1] & 0x7F),
	}
	var wide int
	switch h.length {
	case 126:
		h.form, wide = form16, 2
	case 127:
		h.form, wide = form64, 8
	default:
		return h, nil
	}
	if _, err := io.ReadFull(r, b[8-wide:]); err != nil {
		return h, cutOff(err)
	}
	clear(b[:8-wide])
	h.length = binary.BigEndian.Uint64(b[:])
	return h, nil
}

// cutOff turns the end of the stream inside a frame into an error that says so.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// breach returns what RFC 6455 forbids about a server's header by itself, or "". Whether RSV1 and
// the opcode fit what came before is for the receiver to say.
func (h header) breach() string {
	control := h.op >= opClose
	switch {
	case h.masked:
		return "a masked frame (RFC 6455, 5.1)"
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return fmt.Sprintf("a frame with the reserved opcode %d (RFC 6455, 5.2)", h.op)
	case control && !h.final:
		return "a fragmented control frame (RFC 6455, 5.5)"
	case control && h.length > controlBytesMax:
		return fmt.Sprintf("a control frame of %d bytes (RFC 6455, 5.5)", h.length)
	case h.length>>63 != 0:
		return "a length with its highest bit set (RFC 6455, 5.2)"
	case h.form == form16 && h.length <= 125, h.form == form64 && h.length <= 0xFFFF:
		return "a length that is not written as short as it goes (RFC 6455, 5.2)"
	}
	return ""
}
