package netloop

import (
	"errors"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

const (
	// readBytes is how much one read may bring once a connection is open.
	readBytes = 4 << 10
	// corkBytesMax is how much waits at most for the end of a turn.
	corkBytesMax = 16 << 10
	// closeTimeout bounds what follows the end of a connection: the last write, the peer's close
	// frame, and the peer letting go of the socket. A write may never take longer than
	// Options.writeTimeout, the last one neither.
	closeTimeout = 5 * time.Second
	// unfinishedMax is how long a message may take where no pings find out about its sender.
	unfinishedMax = 40 * time.Second
	// lingerBytesMax is how much is read and thrown away so that the peer sees the last answer.
	lingerBytesMax = 256 << 10
)

// stage is where a connection is in its life; see the package comment.
type stage uint8

const (
	stageUpgrade stage = iota // from accept; leaves for open when the 101 is queued
	stageOpen                 // leaves for closing at the first cause of an end
	stageClosing              // nothing is queued any more
)

// conn is a connection with a goroutine of its own, which alone reads, parses, keeps time, and
// calls the handler.
type conn struct {
	// Set before the goroutine starts, then only read.
	srv      *Server
	nc       net.Conn
	id       ID
	accepted time.Time

	protocol string // set by the goroutine before the handler sees the connection

	tag   atomic.Uint64 // the handler's; orders nothing
	ready atomic.Bool   // the hello timeout is over
	nudge atomic.Bool   // somebody changed what the reader must look at; see wake

	mu struct {
		sync.Mutex
		stage   stage
		end     End       // from closing on
		closeAt time.Time // from closing on: when the teardown ends at the latest
		broken  bool      // nothing can be written any more
		reset   bool      // the close frame did not get through
		writing bool      // a goroutine runs write
		corked  bool      // a turn is under way: the reader starts write after it
		queue   queue
	}
	writers sync.WaitGroup // the goroutine that runs write, if any

	// The rest belongs to the goroutine.
	parser     wsframe.Parser
	armed      time.Time // the read deadline that is set; zero: none
	rearm      bool      // it is not what armed says any more
	life       time.Time // when the last whole message or control frame came
	pinged     time.Time // when a ping went out that nothing has answered; zero: none
	unfinished time.Time // since when the bytes end inside a message; zero: they do not
	peerClosed bool      // the peer's close frame came
	mute       bool      // nothing the peer sends is understood any more
	told       bool      // the handler knows of the end
}

// ID names the connection.
func (c *conn) ID() ID { return c.id }

// Remote is the peer's address.
func (c *conn) Remote() string { return c.nc.RemoteAddr().String() }

// Protocol is the subprotocol that was agreed on.
func (c *conn) Protocol() string { return c.protocol }

// Tag is the handler's own word.
func (c *conn) Tag() uint64 { return c.tag.Load() }

// SetTag replaces the handler's word.
func (c *conn) SetTag(tag uint64) { c.tag.Store(tag) }

// Ready ends the hello timeout.
func (c *conn) Ready() { c.ready.Store(true) }

// Send queues a message.
func (c *conn) Send(kind Kind, payload []byte) bool {
	op := wsframe.OpText
	if kind == Binary {
		op = wsframe.OpBinary
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stage == stageClosing {
		return false
	}
	if !c.mu.queue.put(op, payload) {
		c.mu.queue.drop()
		c.endLocked(End{CauseSlow, CodeSlow}, "too slow")
		return false
	}
	c.startLocked()
	return true
}

// Close ends the connection.
func (c *conn) Close(code Code, reason string) { c.end(End{CauseClosed, code}, reason) }

// end begins the closing stage, once: a close frame follows what is queued.
func (c *conn) end(e End, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stage != stageClosing {
		c.endLocked(e, reason)
	}
}

// endLocked is end with the lock held, in a stage before closing.
func (c *conn) endLocked(e End, reason string) {
	upgrading := c.mu.stage == stageUpgrade
	c.mu.stage, c.mu.end = stageClosing, e
	c.mu.closeAt = now().Add(min(closeTimeout, c.srv.o.writeTimeout()))
	if e.Cause != CauseLost {
		c.mu.queue.closeFrame(e.Code, reason)
	}
	if c.mu.writing {
		_ = c.nc.SetWriteDeadline(c.mu.closeAt) // a write that hangs must not hang on
	}
	if !upgrading {
		c.startLocked()
	}
	c.wake()
}

// opened queues the 101 before whatever the handler has sent, and opens the connection unless it
// has ended already.
func (c *conn) opened(answer []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.queue.pending = append(append(getBuffer(), answer...), c.mu.queue.pending...)
	if c.mu.stage == stageUpgrade {
		c.mu.stage = stageOpen
	}
	c.startLocked()
}

// wake makes the reader look around. It is called after the change that it is about.
func (c *conn) wake() {
	c.nudge.Store(true)
	// The reader sets its deadline before it looks at nudge, so one of both wakes it.
	_ = c.nc.SetReadDeadline(longAgo)
}

// state is what the reader needs to know of what others may change.
func (c *conn) state() (s stage, closeAt time.Time, broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.stage, c.mu.closeAt, c.mu.broken
}

// run is the connection's goroutine.
func (c *conn) run() {
	defer c.nc.Close()
	rest, release, open := c.upgrade()
	if !open {
		release()
		return
	}
	c.life = now()
	c.turn(rest)
	release()
	buf := make([]byte, readBytes)
	for !c.over() {
		n, err := c.readUntil(buf, c.due())
		if n > 0 {
			c.turn(buf[:n])
		}
		if err != nil && !isTimeout(err) {
			c.lost()
		}
		c.look(now())
	}
	c.parser.Reset(&c.srv.rules) // a teardown holds nothing that nobody will read
	c.tell()
	c.teardown()
}

// over says whether the reader has nothing left to read for. On the way it tells the handler.
func (c *conn) over() bool {
	s, closeAt, broken := c.state()
	if s != stageClosing {
		return false
	}
	c.tell()
	return broken || c.peerClosed || c.mute || !now().Before(closeAt)
}

// turn handles what b completes; the parser keeps the rest. What the handler sends meanwhile leaves
// in one write.
func (c *conn) turn(b []byte) {
	c.cork(true)
	defer c.cork(false)
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
			c.mute = true
		}
	}()
	var e wsframe.Event
	for alive := false; !c.mute && !c.peerClosed; alive = true {
		if e, b = c.parser.Next(&c.srv.rules, b); e.Kind == wsframe.None {
			c.noteLife(alive)
			return
		}
		c.handle(e)
	}
}

// noteLife keeps the times that the deadlines of due are made of, at the end of a turn. Something
// whole came in it where the peer is alive.
func (c *conn) noteLife(alive bool) {
	if alive {
		c.life, c.pinged, c.unfinished = now(), time.Time{}, time.Time{}
	}
	switch {
	case c.parser.Idle():
		c.unfinished = time.Time{}
	case c.unfinished.IsZero():
		c.unfinished = now()
	}
}

// handle passes on what the parser found.
func (c *conn) handle(e wsframe.Event) {
	switch e.Kind {
	case wsframe.Closing:
		c.peerClosed = true
		c.end(End{CausePeer, Code(e.Code)}, "")
		return
	case wsframe.Failed:
		c.mute = true
		c.end(End{CauseProtocol, Code(e.Code)}, complaint(e.Fault))
		return
	}
	if s, _, _ := c.state(); s == stageClosing {
		return // all but the close frame is of no use any more
	}
	switch e.Kind {
	case wsframe.Text:
		c.srv.o.Handler.Message(c, Text, e.Payload)
	case wsframe.Binary:
		c.srv.o.Handler.Message(c, Binary, e.Payload)
	case wsframe.Ping:
		c.sendControl(func(q *queue) { q.pong(e.Payload) })
		c.srv.o.Handler.Control(c, Ping)
	case wsframe.Pong:
		c.srv.o.Handler.Control(c, Pong)
	}
}

// complaint is what a client is told of its fault: the fault in its own words, but where those of
// a server say more.
func complaint(f wsframe.Fault) string {
	switch f {
	case wsframe.FaultMask:
		return "frames from client to server must be masked"
	case wsframe.FaultTooBig:
		return "message is too big"
	default:
		return f.String()
	}
}

// due is when the reader must look around although nothing came.
func (c *conn) due() time.Time {
	s, closeAt, _ := c.state()
	if s == stageClosing {
		return closeAt
	}
	var t time.Time
	if !c.ready.Load() {
		t = c.accepted.Add(c.srv.o.HelloTimeout)
	}
	switch {
	case c.srv.o.PingInterval == 0 && c.unfinished.IsZero():
	case c.srv.o.PingInterval == 0:
		t = earliest(t, c.unfinished.Add(unfinishedMax))
	case c.pinged.IsZero():
		t = earliest(t, c.life.Add(c.srv.o.PingInterval))
	default:
		t = earliest(t, c.pinged.Add(c.srv.o.PingTimeout))
	}
	return t
}

// look does what is due at t.
func (c *conn) look(t time.Time) {
	if s, _, _ := c.state(); s == stageClosing {
		return
	}
	o := &c.srv.o
	switch {
	case !c.ready.Load() && !t.Before(c.accepted.Add(o.HelloTimeout)):
		c.end(End{CauseHello, CodeHelloTimeout}, "no hello")
	case o.PingInterval == 0:
		if !c.unfinished.IsZero() && !t.Before(c.unfinished.Add(unfinishedMax)) {
			c.end(End{CauseSilent, CodeNoPong}, "message took too long")
		}
	case !c.pinged.IsZero():
		if !t.Before(c.pinged.Add(o.PingTimeout)) {
			c.end(End{CauseSilent, CodeNoPong}, "no pong")
		}
	case !t.Before(c.life.Add(o.PingInterval)):
		c.pinged = t
		c.sendControl(func(q *queue) { q.frame(wsframe.OpPing, nil) })
	}
}

// lost ends the connection without a close frame; what waits may still be written.
func (c *conn) lost() {
	c.mute = true
	c.end(End{Cause: CauseLost}, "")
}

// tell tells the handler of the end, once.
func (c *conn) tell() {
	if c.told {
		return
	}
	c.told = true
	c.mu.Lock()
	e := c.mu.end
	c.mu.Unlock()
	c.callClosed(e)
}

// callClosed and callOpen keep a panic of the handler from taking more than its connection.
func (c *conn) callClosed(e End) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
		}
	}()
	c.srv.o.Handler.Closed(c, e)
}

func (c *conn) callOpen(r *Request) (header string, refusal *Refusal) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
			c.callClosed(End{Cause: CausePanic})
			header = ""
			refusal = refuse(http.StatusInternalServerError, "internal error")
		}
	}()
	return c.srv.o.Handler.Open(c, r)
}

func (c *conn) panicked(p any) {
	c.srv.o.Logger.Error("handler panicked", "panic", p, "stack", string(debug.Stack()))
	c.end(End{CausePanic, CodeInternal}, "internal error")
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
