package faulty

import (
	"bytes"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// reply is the answer to a message, before it is a frame.
type reply struct {
	c         *conn
	op        wsframe.Op
	data      []byte // in curfew.v1 a JSON value
	requestID []byte // nil: it had none
}

// keep is a reply whose bytes outlast the message that it answers.
func (r reply) keep() reply {
	r.data, r.requestID = bytes.Clone(r.data), bytes.Clone(r.requestID)
	return r
}

// with is a reply with other data.
func (r reply) with(data []byte) reply {
	r.data = data
	return r
}

// message answers a message, or does what the fault has it do. It says whether the connection goes
// on.
func (c *conn) message(r reply) bool {
	s := c.s
	s.mu.Lock()
	s.mu.ledger.Messages++
	struck := s.strikesLocked(messages, s.mu.ledger.Messages)
	s.mu.Unlock()
	c.touched = now()
	if !s.stalled() {
		return false
	}
	if c.struck && s.o.Fault == Slow && !s.pause(now().Add(s.o.Delay)) {
		return false
	}
	if s.o.Fault == Swap && c.swapped(r, struck) {
		return true
	}
	if struck {
		return c.fail(r)
	}
	ok := c.answer(r)
	for _, l := range c.later {
		ok = ok && c.send(l.frame())
	}
	c.later = nil
	return ok
}

// answer sends the right answer.
func (c *conn) answer(r reply) bool {
	c.s.note(func(l *Ledger) { l.Answered++ })
	b := r.frame()
	if l := c.s.o.Latency; l > 0 && !c.s.pause(now().Add(l)) {
		return false
	}
	if c.s.o.Fault == Awkward {
		return c.sendAwkwardly(r.op, b)
	}
	return c.send(b)
}

// swapped swaps answers: that which is struck waits for the next one on another connection. It
// says whether the message was dealt with.
func (c *conn) swapped(r reply, struck bool) bool {
	c.s.mu.Lock()
	waits := c.s.mu.swapped
	switch {
	case struck && waits == nil:
		kept := r.keep()
		c.s.mu.swapped = &kept
	case waits != nil && waits.c != c:
		c.s.mu.swapped = nil
	default:
		waits = nil
		struck = false
	}
	c.s.mu.Unlock()
	if struck && waits == nil {
		return true
	}
	if waits == nil {
		return false
	}
	waits.c.send(waits.with(r.data).frame())
	return c.send(r.with(waits.data).frame())
}

// fail answers a message that is struck. It says whether the connection goes on.
func (c *conn) fail(r reply) bool {
	switch c.s.o.Fault {
	case Withhold:
		return true
	case Flip, FlipFirst, Truncate, Extend, Empty:
		return c.send(r.with(c.corrupt(r.data)).frame())
	case Twice:
		c.s.note(func(l *Ledger) { l.Answered++ })
		b := r.frame()
		return c.send(append(b, b...))
	case TwiceLater:
		c.later = append(c.later, r.keep())
		return c.answer(r)
	case Reorder:
		c.later = append(c.later, r.keep())
		return true
	case Late:
		c.sendLate(r.keep())
		return true
	case Push:
		return c.answer(r) && c.send(r.pushed())
	case Reset:
		c.reset()
	case Vanish:
		c.linger()
	case VanishIdle:
		if c.answer(r) {
			c.linger()
		}
	case Close, CloseIdle:
		if c.s.o.Fault == CloseIdle && !c.answer(r) {
			return false
		}
		c.send(wsframe.Server.AppendClose(nil, wsframe.CodeInternalError, "a fault"))
		c.linger()
	case Breach:
		b := r.frame()
		b[0] |= 0x3 // Opcodes 3 to 7 are reserved (RFC 6455 section 5.2).
		return c.send(b)
	case Deaf:
		<-c.s.closing
	case Expire:
		c.s.note(func(l *Ledger) { l.Answered++ })
		c.expire(r.frame())
	}
	return false
}

// sendLate sends an answer after the delay.
func (c *conn) sendLate(r reply) {
	at := now().Add(c.s.o.Delay)
	c.s.wg.Go(func() {
		if c.s.pause(at) {
			c.send(r.frame())
		}
	})
}

// corrupt is data that was spoilt. In curfew.v1 it is still a JSON string.
func (c *conn) corrupt(data []byte) []byte {
	b := bytes.Clone(data)
	begin, end := 0, len(b)
	if c.s.o.V1 && len(b) >= 2 && b[0] == '"' {
		begin, end = 1, end-1
	}
	at := begin
	switch c.s.o.Fault {
	case Extend:
		return append(append(b[:end:end], 'x'), b[end:]...)
	case Truncate:
		return append(b[:max(end-1, begin):end], data[end:]...)
	case Empty:
		return append(b[:begin:begin], data[end:]...)
	case Flip:
		at = (begin + end) / 2
	}
	if at < end {
		if b[at] == 'x' {
			b[at] = 'y'
		} else {
			b[at] = 'x'
		}
	}
	return b
}

// frame is the frame of a reply. In curfew.v1 it takes its number, and is kept for who resumes.
func (r reply) frame() []byte {
	if r.c.s.o.V1 {
		return r.c.session.frame(r)
	}
	return wsframe.Server.AppendFrame(nil, r.op, true, r.data)
}

// pushed is a frame that answers nothing.
func (r reply) pushed() []byte {
	if r.c.s.o.V1 {
		return r.c.session.pushed()
	}
	return wsframe.Server.AppendFrame(nil, r.op, true, []byte("nobody asked for this"))
}

// sendAwkwardly sends one frame as a careful client must be able to take it: in two fragments with
// a ping between, cut where it hurts, with time to arrive apart.
func (c *conn) sendAwkwardly(op wsframe.Op, frame []byte) bool {
	var p wsframe.Parser
	e, _ := p.Next(&wsframe.Rules{Role: wsframe.Client, MaxMessageBytes: 32 << 20}, frame)
	half := len(e.Payload) / 2
	b := wsframe.Server.AppendFrame(nil, op, false, e.Payload[:half])
	b = wsframe.Server.AppendFrame(b, wsframe.OpPing, true, []byte("there?"))
	b = wsframe.Server.AppendFrame(b, wsframe.OpPong, true, nil)
	b = wsframe.Server.AppendFrame(b, wsframe.OpContinuation, true, e.Payload[half:])
	for _, cut := range []int{1, len(b) / 2, len(b) - 1} {
		cut = min(cut, len(b))
		if !c.send(b[:cut]) || !c.s.pause(now().Add(time.Millisecond)) {
			return false
		}
		b = b[cut:]
	}
	return len(b) == 0 || c.send(b)
}
