package wsframe

import (
	"encoding/binary"
	"math/bits"

	"github.com/gobwas/ws"
)

// Parser turns the bytes that come on one connection into events. Its zero value is at the start of
// a connection, and is also what it is whenever no frame and no message is unfinished: see
// [Parser.Idle]. A Parser may be moved, but only one copy of it be used.
type Parser struct {
	kept *Buffer // what has come of the message: unmasked, and compressed if it is
	ctl  *Buffer // what has come of the control frame

	left    int64                  // bytes of the frame's payload to come
	mask    [4]byte                // turned so that its first byte meets the next of the payload
	head    [ws.MaxHeaderSize]byte // what has come of the header
	headLen uint8
	flags   flags
	utf8    UTF8 // of the message, where it is text
}

// flags of a parser.
type flags uint8

const (
	inPayload  flags = 1 << iota // the header has been read, and the payload has not
	final                        // of the frame: it is the last of its message
	control                      // of the frame: it is a control frame, and head[0] is its opcode
	inMessage                    // a message has begun and its last frame has not
	text                         // of the message
	compressed                   // of the message
	lent                         // the last event's payload lies in kept or in ctl
	closed                       // by a close frame or a fault; whatever comes is dropped
)

// Next takes bytes from b until they make an event, and returns it and the bytes that follow. After
// the event None there are none, and the parser has kept what it needs: the caller may reuse b. It
// unmasks in place, so it writes to b. After Closing and Failed all that comes is dropped.
func (p *Parser) Next(r *Rules, b []byte) (Event, []byte) {
	if p.flags&(lent|closed) != 0 {
		p.takeBack(r)
		if p.flags&closed != 0 {
			return Event{}, nil
		}
	}
	if p.flags == 0 && p.headLen == 0 {
		if e, n := whole(r, b); e.Kind == Failed {
			return p.fail(r, e.Fault, e.Frames), nil
		} else if n > 0 {
			return e, b[n:]
		}
	}
	for frames := uint32(0); ; {
		if p.flags&inPayload == 0 {
			if len(b) == 0 {
				return Event{Frames: frames}, nil
			}
			var f Fault
			if b, f = p.begin(r, b); f != FaultNone {
				return p.fail(r, f, frames), nil
			}
			if p.flags&inPayload == 0 {
				return Event{Frames: frames}, nil
			}
			frames++
		}
		if len(b) == 0 && p.left > 0 {
			return Event{Frames: frames}, nil
		}
		n := int(min(p.left, int64(len(b))))
		e, f := p.payload(r, b[:n:n])
		b = b[n:]
		e.Frames = frames
		switch {
		case f != FaultNone:
			return p.fail(r, f, frames), nil
		case e.Kind == Closing:
			return e, nil
		case e.Kind != None:
			return e, b
		}
	}
}

// Idle says whether no frame and no message is unfinished. The parser then equals its zero value,
// and who has very many connections need not store it.
func (p *Parser) Idle() bool { return *p == Parser{} }

// Held is how many bytes of buffers the parser has.
func (p *Parser) Held() int {
	n := 0
	if p.kept != nil {
		n += cap(p.kept.B)
	}
	if p.ctl != nil {
		n += cap(p.ctl.B)
	}
	return n
}

// Reset gives all buffers back and makes the parser new. The rules are those it was used with.
func (p *Parser) Reset(r *Rules) {
	p.free(r, &p.kept)
	p.free(r, &p.ctl)
	*p = Parser{}
}

// begin reads the header of a frame. Where it is not complete, inPayload is not set.
func (p *Parser) begin(r *Rules, b []byte) (rest []byte, f Fault) {
	var h ws.Header
	var n int
	if p.headLen == 0 {
		h, n, f = p.readHead(r, b)
	} else {
		copied := copy(p.head[p.headLen:], b)
		if h, n, f = p.readHead(r, p.head[:int(p.headLen)+copied]); n > 0 {
			n -= int(p.headLen)
		}
	}
	if f != FaultNone {
		return nil, f
	}
	if n == 0 {
		p.headLen += uint8(copy(p.head[p.headLen:], b))
		return nil, FaultNone
	}
	p.headLen = 0
	p.head = [ws.MaxHeaderSize]byte{}
	p.left = h.Length
	p.mask = h.Mask
	p.flags |= inPayload
	if h.Fin {
		p.flags |= final
	}
	switch h.OpCode {
	case ws.OpContinuation:
	case ws.OpText, ws.OpBinary:
		p.flags |= inMessage
		if h.OpCode == ws.OpText {
			p.flags |= text
		}
		if h.Rsv&rsv1 != 0 {
			p.flags |= compressed
		}
	default:
		p.flags |= control
		p.head[0] = byte(h.OpCode)
	}
	return b[n:], FaultNone
}

// payload takes the next bytes of the frame's payload: all, or all that there are. The event is
// None where the frame or its message is not complete.
func (p *Parser) payload(r *Rules, b []byte) (Event, Fault) {
	if r.Role == Server {
		p.unmask(b)
	}
	p.left -= int64(len(b))
	if p.flags&control != 0 {
		return p.controlPayload(r, b)
	}
	if p.flags&(text|compressed) == text && r.checksText() && !p.utf8.Check(b) {
		return Event{}, FaultUTF8
	}
	complete := p.left == 0 && p.flags&final != 0
	if !complete || p.kept != nil {
		if !p.keep(r, &p.kept, b) {
			return Event{}, FaultBuffer
		}
		if p.left == 0 {
			p.flags &^= inPayload | final
		}
		if !complete {
			return Event{}, FaultNone
		}
		b = p.kept.B
	}
	return p.message(r, b)
}

// message makes an event of a message that is complete.
func (p *Parser) message(r *Rules, b []byte) (Event, Fault) {
	was := p.flags
	if was&compressed != 0 {
		inflated, f := inflate(r, b, was&text != 0)
		if f != FaultNone {
			return Event{}, f
		}
		p.free(r, &p.kept)
		b, p.kept = nil, inflated
		if inflated != nil {
			b = inflated.B
		}
	} else if !p.utf8.Complete() {
		return Event{}, FaultUTF8
	}
	p.utf8 = UTF8{}
	p.flags = 0
	p.mask = [4]byte{}
	if p.kept != nil {
		p.flags = lent
	}
	if was&text != 0 {
		return Event{Kind: Text, Payload: b}, FaultNone
	}
	return Event{Kind: Binary, Payload: b}, FaultNone
}

func (p *Parser) controlPayload(r *Rules, b []byte) (Event, Fault) {
	if p.left > 0 || p.ctl != nil {
		if !p.keep(r, &p.ctl, b) {
			return Event{}, FaultBuffer
		}
		if p.left > 0 {
			return Event{}, FaultNone
		}
		b = p.ctl.B
		p.flags |= lent
	}
	op := ws.OpCode(p.head[0])
	p.head[0] = 0
	p.mask = [4]byte{}
	p.flags &^= inPayload | final | control
	switch op {
	case ws.OpPing:
		return Event{Kind: Ping, Payload: b}, FaultNone
	case ws.OpPong:
		return Event{Kind: Pong, Payload: b}, FaultNone
	}
	return p.close(r, b)
}

// close reads the payload of a close frame (section 5.5.1). An unfinished message is given up.
func (p *Parser) close(r *Rules, b []byte) (Event, Fault) {
	e := Event{Kind: Closing}
	if len(b) == 1 {
		return Event{}, FaultClosePayload
	}
	if len(b) > 1 {
		e.Code, e.Payload = Code(binary.BigEndian.Uint16(b)), b[2:]
		if !e.Code.Valid() {
			return Event{}, FaultCloseCode
		}
		var u UTF8
		if !u.Check(e.Payload) || !u.Complete() {
			return Event{}, FaultCloseReason
		}
	}
	p.free(r, &p.kept)
	*p = Parser{ctl: p.ctl, flags: p.flags&lent | closed}
	return e, FaultNone
}

func (p *Parser) fail(r *Rules, f Fault, frames uint32) Event {
	p.Reset(r)
	p.flags = closed
	return Event{Kind: Failed, Fault: f, Code: f.Code(), Frames: frames}
}

// takeBack frees the buffer that the last event's payload was lent from. A control frame's is in
// ctl; else a message is complete, and kept had it.
func (p *Parser) takeBack(r *Rules) {
	switch {
	case p.flags&lent == 0:
	case p.ctl != nil:
		p.free(r, &p.ctl)
	default:
		p.free(r, &p.kept)
	}
	p.flags &^= lent
}

// keep appends bytes to a buffer. It asks for no more than they need.
func (p *Parser) keep(r *Rules, to **Buffer, b []byte) bool {
	if len(b) == 0 {
		return true
	}
	n := len(b)
	if *to != nil {
		n += len((*to).B)
	}
	if *to == nil || cap((*to).B) < n {
		grown := r.buffers().Grow(*to, n)
		if grown == nil {
			return false
		}
		*to = grown
	}
	(*to).B = append((*to).B, b...)
	return true
}

func (p *Parser) free(r *Rules, b **Buffer) {
	if *b != nil {
		r.buffers().Free(*b)
		*b = nil
	}
}

func (p *Parser) keptLen() int {
	if p.kept == nil {
		return 0
	}
	return len(p.kept.B)
}

// unmask applies the mask to the next bytes of a payload and turns it to where they end.
func (p *Parser) unmask(b []byte) {
	ws.Cipher(b, p.mask, 0)
	if turn := len(b) % 4; turn != 0 && p.left > int64(len(b)) {
		m := binary.LittleEndian.Uint32(p.mask[:])
		binary.LittleEndian.PutUint32(p.mask[:], bits.RotateLeft32(m, -8*turn))
	}
}
