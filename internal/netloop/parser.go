package netloop

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/gobwas/ws"
)

// event is what a parser found: a message, a control frame, or a close frame.
type event struct {
	op      ws.OpCode // OpText, OpBinary, OpPing, OpPong or OpClose; 0: nothing whole
	payload []byte    // valid until the next call of next
	code    Code      // of a close frame; 0 where it has none
	found   bool
}

// fault is how a peer broke the protocol.
type fault struct {
	code   Code
	reason string
}

// parser turns the bytes of one client into events. It is pure: no I/O, no clock, and the same
// events at any split of the bytes. After a fault it must not be used any more.
type parser struct {
	messageBytesMax int64

	head    ws.Header // of the frame that is under way, where inFrame
	inFrame bool
	got     int64     // bytes of the frame's payload that came already
	op      ws.OpCode // of the message that is under way; 0: none
	msg     []byte    // its payload so far, unless it is whole in one piece
	spent   bool      // msg was handed out and is to be let go
	text    utf8Stream
	frames  uint64 // whole frames so far

	cursor cursor
	buf    [ws.MaxHeaderSize]byte
}

// unfinished says whether the bytes so far end inside a frame.
func (p *parser) unfinished() bool { return p.inFrame }

// next takes bytes from the front of b, unmasks them in place, and gives at most one event. It says
// how many it took; when that is none and there is no event, it needs more.
func (p *parser) next(b []byte) (n int, e event, f *fault) {
	if p.spent {
		putBuffer(p.msg)
		p.msg, p.spent = nil, false
	}
	if !p.inFrame {
		n, f = p.header(b)
		if n == 0 || f != nil {
			return n, event{}, f
		}
		b = b[n:]
	}
	var m int
	if p.head.OpCode.IsControl() {
		m, e, f = p.control(b)
	} else {
		m, e, f = p.data(b)
	}
	return n + m, e, f
}

// header reads the header of a frame and judges it before anything of the payload is taken.
func (p *parser) header(b []byte) (n int, f *fault) {
	p.cursor.rest = b
	h, err := ws.ReadHeaderBuffer(&p.cursor, p.buf[:])
	n = len(b) - len(p.cursor.rest)
	p.cursor.rest = nil
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil
	}
	if err != nil {
		return 0, &fault{CodeProtocol, err.Error()}
	}
	state := ws.StateServerSide
	if p.op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return 0, &fault{CodeProtocol, err.Error()}
	}
	if n != ws.HeaderSize(h) {
		return 0, &fault{CodeProtocol, "length is not written in the fewest bytes"}
	}
	if !h.OpCode.IsControl() && h.Length > p.messageBytesMax-int64(len(p.msg)) {
		return 0, &fault{CodeTooBig, "message is too big"}
	}
	p.head, p.inFrame, p.got = h, true, 0
	if h.OpCode == ws.OpText || h.OpCode == ws.OpBinary {
		p.op = h.OpCode
	}
	return n, nil
}

// control takes a control frame's payload, once it is there whole.
func (p *parser) control(b []byte) (n int, e event, f *fault) {
	n = int(p.head.Length)
	if len(b) < n {
		return 0, event{}, nil
	}
	payload := b[:n]
	ws.Cipher(payload, p.head.Mask, 0)
	p.inFrame = false
	p.frames++
	e = event{op: p.head.OpCode, payload: payload, found: true}
	if e.op == ws.OpClose {
		e.code, f = checkClose(payload)
	}
	return n, e, f
}

// data takes what is there of a data frame's payload.
func (p *parser) data(b []byte) (n int, e event, f *fault) {
	n = int(min(int64(len(b)), p.head.Length-p.got))
	part := b[:n]
	ws.Cipher(part, p.head.Mask, int(p.got))
	p.got += int64(n)
	whole := p.got == p.head.Length
	last := whole && p.head.Fin
	if p.op == ws.OpText && !p.text.write(part, last) {
		return n, event{}, &fault{CodeBadData, "text is not UTF-8"}
	}
	if whole {
		p.inFrame = false
		p.frames++
	}
	switch {
	case last && len(p.msg) == 0:
		e = event{op: p.op, payload: part, found: true}
	case last:
		p.msg = append(p.msg, part...)
		p.spent = true
		e = event{op: p.op, payload: p.msg, found: true}
	case n > 0:
		if p.msg == nil {
			p.msg = getBuffer()
		}
		p.msg = append(p.msg, part...)
	}
	if last {
		p.op = 0
	}
	return n, e, nil
}

// checkClose judges the payload of a close frame and gives its code.
func checkClose(payload []byte) (Code, *fault) {
	if len(payload) == 0 {
		return 0, nil
	}
	if len(payload) == 1 {
		return 0, &fault{CodeProtocol, "close frame with one byte"}
	}
	code := ws.StatusCode(binary.BigEndian.Uint16(payload))
	checked := code
	if 1012 <= code && code <= 1014 {
		checked = ws.StatusNormalClosure // registered after RFC 6455, unknown to gobwas/ws
	}
	err := ws.CheckCloseFrameData(checked, string(payload[2:]))
	switch {
	case errors.Is(err, ws.ErrProtocolInvalidUTF8):
		return 0, &fault{CodeBadData, "close reason is not UTF-8"}
	case err != nil:
		return 0, &fault{CodeProtocol, err.Error()}
	case code > ws.StatusRangePrivate.Max:
		return 0, &fault{CodeProtocol, "close code out of range"}
	}
	return Code(code), nil
}

// cursor reads from bytes in memory.
type cursor struct{ rest []byte }

// Read takes from the front.
func (c *cursor) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
