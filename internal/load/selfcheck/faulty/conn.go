package faulty

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// writeRoom is how much the kernel may hold for a client that does not read.
const writeRoom = 64 << 10

// conn is a connection. Its goroutine alone uses what is not guarded.
type conn struct {
	// Set before it is served, then only read.
	s      *Server
	net    *net.TCPConn
	struck bool // by a fault of connections

	parser  wsframe.Parser
	session *session      // nil until the hello
	idle    time.Duration // after what silence the session ends; 0: never
	fault   bool          // the session is struck

	touched    time.Time // when its session was last alive
	heard      time.Time // when anything came
	unfinished time.Time // since when a frame is; zero: none is
	pinged     bool      // since anything came

	later []reply // to send after the next answer

	write sync.Mutex // held by who writes
}

// run reads until the connection has ended.
func (c *conn) run() {
	_ = c.net.SetWriteBuffer(writeRoom)
	c.heard = now()
	if !c.s.o.V1 {
		c.begin(c.s.newSession(false))
	}
	buf := make([]byte, 64<<10)
	for {
		_ = c.net.SetReadDeadline(c.next())
		n, err := c.net.Read(buf)
		switch {
		case n > 0:
			c.heard, c.pinged = now(), false
			if !c.take(buf[:n]) {
				return
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !c.due(now()) {
				return
			}
		case err != nil:
			return
		}
	}
}

// next is when the connection has something to do even if nothing comes.
func (c *conn) next() time.Time {
	var t time.Time
	sooner := func(u time.Time) {
		if t.IsZero() || u.Before(t) {
			t = u
		}
	}
	if c.idle > 0 {
		sooner(c.touched.Add(c.idle))
	}
	if !c.unfinished.IsZero() && c.impatient() {
		sooner(c.unfinished.Add(c.s.o.Patience))
	}
	switch o := &c.s.o; {
	case o.Ping == 0:
	case !c.pinged:
		sooner(c.heard.Add(o.Ping))
	case c.impatient():
		sooner(c.heard.Add(o.Ping + o.Patience))
	}
	return t
}

// impatient says whether the server ends who stalls.
func (c *conn) impatient() bool { return c.s.o.Fault != Indulgent }

// due does what is to be done at a moment, and says whether the connection goes on.
func (c *conn) due(t time.Time) bool {
	o := &c.s.o
	reached := func(u time.Time) bool { return !t.Before(u) }
	switch {
	case c.idle > 0 && reached(c.touched.Add(c.idle)):
		c.expire(nil)
		return false
	case !c.unfinished.IsZero() && c.impatient() && reached(c.unfinished.Add(o.Patience)):
		c.cut()
		return false
	case o.Ping > 0 && c.pinged && c.impatient() && reached(c.heard.Add(o.Ping+o.Patience)):
		c.cut()
		return false
	case o.Ping > 0 && !c.pinged && reached(c.heard.Add(o.Ping)):
		c.pinged = true
		return c.send(wsframe.Server.AppendFrame(nil, wsframe.OpPing, true, nil))
	}
	return true
}

// take takes what was read, and says whether the connection goes on.
func (c *conn) take(b []byte) bool {
	for {
		e, rest := c.parser.Next(&c.s.rules, b)
		b = rest
		ok := true
		switch e.Kind {
		case wsframe.None:
			if c.parser.Idle() {
				c.unfinished = time.Time{}
			} else if c.unfinished.IsZero() {
				c.unfinished = c.heard
			}
			return true
		case wsframe.Text:
			ok = c.received(wsframe.OpText, e.Payload)
		case wsframe.Binary:
			ok = c.received(wsframe.OpBinary, e.Payload)
		case wsframe.Ping:
			ok = c.send(wsframe.Server.AppendFrame(nil, wsframe.OpPong, true, e.Payload))
		case wsframe.Closing, wsframe.Failed:
			c.send(wsframe.Server.AppendClose(nil, e.Code, ""))
			c.linger()
			ok = false
		}
		c.unfinished = time.Time{}
		if !ok {
			return false
		}
	}
}

// received takes a whole message.
func (c *conn) received(op wsframe.Op, payload []byte) bool {
	if c.s.o.V1 {
		return op == wsframe.OpText && c.receivedV1(payload)
	}
	return c.message(reply{c: c, op: op, data: payload})
}

// send writes frames, and says whether the connection goes on. A client that reads nothing for as
// long as patience lasts is cut.
func (c *conn) send(b []byte) bool {
	c.write.Lock()
	defer c.write.Unlock()
	if c.impatient() {
		_ = c.net.SetWriteDeadline(now().Add(c.s.o.Patience))
	}
	_, err := c.net.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.cut()
	}
	return err == nil
}

// cut ends a connection out of impatience.
func (c *conn) cut() {
	c.s.note(func(l *Ledger) { l.Cut++ })
	c.reset()
}

// reset ends a connection at once and tells the other side so.
func (c *conn) reset() {
	_ = c.net.SetLinger(0)
	_ = c.net.Close()
}

// linger waits for the other side to end the connection too. What was sent might else be thrown
// away with the reset that closing causes where something was not read.
func (c *conn) linger() {
	_ = c.net.CloseWrite()
	_ = c.net.SetReadDeadline(now().Add(2 * time.Second))
	_, _ = io.Copy(io.Discard, c.net)
}

// begin gives a connection its session.
func (c *conn) begin(n *session, struck bool) {
	o := &c.s.o
	c.session, c.fault, c.idle, c.touched = n, struck, o.Idle, now()
	if !struck {
		return
	}
	switch o.Fault {
	case Early:
		c.idle /= 2
	case Stay:
		c.idle = 0
	case Overdue:
		c.idle += o.Delay
	}
}

// expire ends the session: in front of what tells it may stand an answer.
func (c *conn) expire(first []byte) {
	c.s.mu.Lock()
	c.s.mu.ledger.Expired++
	delete(c.s.mu.sessions, c.session.token)
	c.s.mu.Unlock()
	code, id := wsframe.Code(4200), c.session.id
	told := c.s.o.V1
	if c.fault {
		switch c.s.o.Fault {
		case Untold:
			told = false
		case Misnamed:
			id += "x"
		case Miscode:
			code = wsframe.CodeNormal
		}
	}
	b := first
	if told {
		b = textFrame(b, `{"op":"session_expired","session_id":%q,"reason":"idle"}`, id)
	}
	c.send(wsframe.Server.AppendClose(b, code, "session idle"))
	c.linger()
}
