package conform

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"unicode/utf8"
)

// messageBytesMax bounds what a case takes from a server in one message. No case sends more.
const messageBytesMax = 32 << 20

type eventKind byte

const (
	evMessage eventKind = iota // a whole text or binary message, inflated
	evPing
	evPong
	evClose
	evBreach // the server sent what no server may send; nothing comes after it
	evEnd    // the TCP connection has ended; nothing comes after it
	evSilent // nothing has moved for as long as the case has patience
)

// event is what a case sees of the server.
type event struct {
	kind    eventKind
	op      byte   // of a message
	payload []byte // of a message, ping or pong; the reason of a close
	code    int    // of a close; noCode where its frame is empty
	text    string // of a breach or an end, for the report
}

// noCode stands for a close frame without a code, as RFC 6455, 7.1.5 wants.
const noCode = 1005

func message(op byte, payload []byte) event {
	return event{kind: evMessage, op: op, payload: payload}
}

func pong(payload []byte) event {
	return event{kind: evPong, payload: payload}
}

func breach(format string, args ...any) event {
	return event{kind: evBreach, text: fmt.Sprintf(format, args...)}
}

// is says whether two events are the same to an observer.
func (e event) is(other event) bool {
	return e.kind == other.kind && e.op == other.op && bytes.Equal(e.payload, other.payload)
}

// String describes an event for a report.
func (e event) String() string {
	switch e.kind {
	case evMessage:
		return fmt.Sprintf("%s message of %s", opName(e.op), quoted(e.payload))
	case evPing:
		return "ping of " + quoted(e.payload)
	case evPong:
		return "pong of " + quoted(e.payload)
	case evClose:
		if e.code == noCode {
			return "close frame without a code"
		}
		if len(e.payload) > 0 {
			return fmt.Sprintf("close frame %d with reason of %s", e.code, quoted(e.payload))
		}
		return fmt.Sprintf("close frame %d", e.code)
	case evSilent:
		return "nothing"
	}
	return e.text
}

// receiver turns a server's bytes into events and holds them against the RFCs. It is used by one
// goroutine.
type receiver struct {
	r       *bufio.Reader
	inflate *inflater // nil where no compression was agreed

	op         byte // of the message under way; 0 between messages
	compressed bool // the message under way is
	parts      bytes.Buffer
	closed     bool // a close frame has come
	controls   int  // control frames so far
}

// controlsMax is how many control frames a server may send in a case: no case asks for nearly as
// many, and one that never ends would keep the case from ending.
const controlsMax = 1000

// next returns the next event. After evBreach or evEnd there is none.
func (c *receiver) next() event {
	for {
		h, err := readHeader(c.r)
		if err != nil {
			return ended(err)
		}
		if what := c.misplaced(h); what != "" {
			return breach("the server sent %s", what)
		}
		if h.op >= opClose {
			if c.controls++; c.controls > controlsMax {
				return breach("the server sent more than %d control frames that nobody asked for",
					controlsMax)
			}
			return c.control(h)
		}
		if h.length > messageBytesMax-uint64(c.parts.Len()) {
			return breach("the server sent a message of over %d bytes", messageBytesMax)
		}
		if h.op != opContinuation {
			c.op, c.compressed = h.op, h.rsv == rsv1
		}
		if _, err := io.CopyN(&c.parts, c.r, int64(h.length)); err != nil {
			return ended(cutOff(err))
		}
		if h.final {
			return c.whole()
		}
	}
}

// misplaced returns what is wrong with a header, by itself or after what came before, or "".
func (c *receiver) misplaced(h header) string {
	if what := h.breach(); what != "" {
		return what
	}
	mayCompress := c.inflate != nil && (h.op == opText || h.op == opBinary)
	switch {
	case c.closed:
		return "a " + opName(h.op) + " frame after its close frame (RFC 6455, 5.5.1)"
	case h.rsv != 0 && (h.rsv != rsv1 || !mayCompress):
		return fmt.Sprintf("a %s frame with RSV %d (RFC 6455, 5.2)", opName(h.op), h.rsv)
	case h.op == opContinuation && c.op == 0:
		return "a continuation frame with nothing to continue (RFC 6455, 5.4)"
	case (h.op == opText || h.op == opBinary) && c.op != 0:
		return "a new message inside another one (RFC 6455, 5.4)"
	}
	return ""
}

func (c *receiver) control(h header) event {
	p := make([]byte, h.length)
	if _, err := io.ReadFull(c.r, p); err != nil {
		return ended(cutOff(err))
	}
	switch h.op {
	case opPing:
		return event{kind: evPing, payload: p}
	case opPong:
		return pong(p)
	}
	c.closed = true
	if len(p) == 0 {
		return event{kind: evClose, code: noCode}
	}
	if len(p) == 1 {
		return breach("the server sent a close frame of one byte (RFC 6455, 5.5.1)")
	}
	e := event{kind: evClose, code: int(binary.BigEndian.Uint16(p)), payload: p[2:]}
	switch {
	case !sendable(e.code):
		return breach("the server sent a close frame with the code %d (RFC 6455, 7.4)", e.code)
	case !utf8.Valid(e.payload):
		return breach("the server sent a close reason that is not UTF-8 (RFC 6455, 5.5.1)")
	}
	return e
}

// sendable says whether a server may send a close code (RFC 6455, 7.4). Of those that the RFC
// leaves open, below 3000 for later and from 5000 on for nobody, no case here makes a breach.
func sendable(code int) bool {
	switch code {
	case 1004, 1005, 1006, 1015:
		return false
	}
	return code >= 1000
}

// whole returns the message that has become complete.
func (c *receiver) whole() event {
	op, p := c.op, bytes.Clone(c.parts.Bytes())
	c.op = 0
	c.parts.Reset()
	if c.compressed {
		var err error
		if p, err = c.inflate.message(p); err != nil {
			return breach("the server sent a message that cannot be inflated: %v", err)
		}
	}
	if op == opText && !utf8.Valid(p) {
		return breach("the server sent a text message that is not UTF-8 (RFC 6455, 5.6)")
	}
	return message(op, p)
}

func ended(err error) event {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return event{kind: evEnd, text: "the end of the TCP connection"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return event{kind: evEnd, text: "the end of the TCP connection inside a frame"}
	}
	return event{kind: evEnd, text: "the end of the TCP connection (" + short(err).Error() + ")"}
}

// short leaves the addresses out of an error; they say nothing in a report.
func short(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
