package netloop

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
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

// reader is a connection with a goroutine of its own, which alone reads, parses, keeps time, and
// calls the handler.
type reader struct {
	// Set before the goroutine starts, then only read.
	srv *Server
	nc  net.Conn
	id  ID

	proxied *proxied // below nc; nil: none
	meter   *meter   // some others count on it, too

	// Set by the goroutine before the handler sees the connection, then only read.
	peer     netip.AddrPort
	proto    string
	deflate  wsframe.Deflate
	rules    *wsframe.Rules
	counted  claim
	haveTold bool // the handler knows of the end

	word      atomic.Uint64 // the handler's; orders nothing
	asks      atomic.Bool   // something of the head has come
	introduce atomic.Bool   // the hello timeout is over
	nudge     atomic.Bool   // somebody changed what the reader must look at; see wake

	holding atomic.Pointer[hold] // set by the goroutine; nil: it is not held

	mu struct {
		sync.Mutex
		stage   stage
		known   bool      // the handler was asked about it and has not refused
		end     End       // from closing on
		closeAt time.Time // from closing on: when the teardown ends at the latest
		evicted bool      // it held too much: nothing more is read
		broken  bool      // nothing can be written any more
		reset   bool      // the close frame did not get through
		writing bool      // a goroutine runs write
		corked  bool      // a turn is under way: the reader starts write after it
		counted bool      // how it was closed is
		queue   queue

		unfinished int // bytes that the parser holds
		held       int // all that the connection holds, as the holders know it
		queued     int // what waits to be written, likewise
	}
	writers sync.WaitGroup // the goroutine that runs write, if any

	// The rest belongs to the goroutine.
	parser     wsframe.Parser
	armed      time.Time // the read deadline that is set; zero: none
	rearm      bool      // it is not what armed says any more
	vitals     vitals
	came       traffic // what the meter does not show yet
	peerClosed bool    // the peer's close frame came
	peerCode   Code    // of that
	mute       bool    // nothing the peer sends is understood any more
}

func (c *reader) remote(ID) netip.AddrPort    { return c.peer }
func (c *reader) protocol(ID) string          { return c.proto }
func (c *reader) tag(ID) uint64               { return c.word.Load() }
func (c *reader) setTag(_ ID, tag uint64)     { c.word.Store(tag) }
func (c *reader) ready(ID)                    { c.introduce.Store(true) }
func (c *reader) close(_ ID, e End, r string) { c.end(e, r) }

// shookNoHands counts a TLS handshake that failed. Why, only the peer's operators can mend, or who
// has put the wrong certificate here.
func (c *reader) shookNoHands(err error) {
	c.srv.stats.insecure.Add(1)
	c.srv.o.Logger.Debug("a TLS handshake failed", "remote", c.peer, "error", err)
}

// evict ends the connection for what it holds.
func (c *reader) evict(ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stage == stageClosing {
		return
	}
	c.srv.stats.evicted.Add(1)
	c.mu.evicted = true
	c.mu.queue.drop(&c.srv.holders.pool)
	c.endLocked(End{CauseSlow, CodeSlow}, reasonEvicted)
}

// conn is the connection as the handler sees it.
func (c *reader) conn() Conn { return Conn{on: c, id: c.id} }

// send queues a message.
func (c *reader) send(_ ID, kind Kind, payload []byte) bool {
	c.mu.Lock()
	ok := c.mu.stage != stageClosing && c.putLocked(opOf(kind), payload)
	over := !c.mu.corked && c.accountLocked()
	c.mu.Unlock()
	if over {
		c.srv.relieve()
	}
	return ok
}

func (c *reader) offer(id ID, kind Kind, payload []byte) bool {
	c.mu.Lock()
	waits := c.mu.queue.waits() + c.mu.queue.flight
	full := c.mu.stage == stageClosing ||
		waits > 0 && waits+len(payload)+offerHeader > c.srv.o.WriteBufferBytes
	ok := !full && c.mu.queue.put(&c.srv.o, &c.srv.holders.pool, c.deflate, opOf(kind),
		payload) == outcomeQueued
	if ok {
		c.startLocked()
	}
	over := ok && !c.mu.corked && c.accountLocked()
	c.mu.Unlock()
	if over {
		c.srv.relieve()
	}
	return ok
}

// offerHeader is more than the header of a frame takes.
const offerHeader = 16

// putLocked queues a message, if it may wait.
func (c *reader) putLocked(op wsframe.Op, payload []byte) bool {
	pool := &c.srv.holders.pool
	was := c.mu.queue.dropped
	out := c.mu.queue.put(&c.srv.o, pool, c.deflate, op, payload)
	c.srv.stats.dropped.Add(uint64(c.mu.queue.dropped - was))
	switch out {
	case outcomeDropped:
		return false
	case outcomeFull:
		c.mu.queue.drop(pool)
		c.endLocked(End{CauseSlow, CodeSlow}, reasonSlow)
		return false
	}
	c.startLocked()
	return true
}

// end begins the closing stage, once: a close frame follows what is queued.
func (c *reader) end(e End, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stage != stageClosing {
		c.endLocked(e, reason)
	}
}

// endLocked is end with the lock held, in a stage before closing.
func (c *reader) endLocked(e End, reason string) {
	upgrading := c.mu.stage == stageUpgrade
	c.mu.stage, c.mu.end = stageClosing, e
	c.mu.closeAt = now().Add(min(closeTimeout, c.srv.o.writeTimeout()))
	if c.mu.known {
		c.srv.stats.ends[e.Cause].Add(1)
	}
	if e.Cause != CauseLost {
		c.mu.queue.closeFrame(&c.srv.holders.pool, e.Code, reason)
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
func (c *reader) opened(answer []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits := c.mu.queue.waits()
	c.mu.queue.roomAnyway(&c.srv.holders.pool, len(answer))
	c.mu.queue.cargo.other += len(answer)
	b := append(c.mu.queue.pending.B, answer...)
	copy(b[len(answer):], b[:waits])
	copy(b, answer)
	c.mu.queue.pending.B = b
	c.srv.stats.upgraded.Add(1)
	c.mu.known = true
	if c.mu.stage == stageUpgrade {
		c.mu.stage = stageOpen
	} else {
		c.srv.stats.ends[c.mu.end.Cause].Add(1) // the handler has ended it already
	}
	c.startLocked()
}

// wake makes the reader look around. It is called after the change that it is about.
func (c *reader) wake() { c.hurry(longAgo) }

// hurry is wake for a change that the reader may also learn of at t, where it reads meanwhile: TLS
// does not go on with a handshake in which a read was woken.
func (c *reader) hurry(t time.Time) {
	c.nudge.Store(true)
	// The reader sets its deadline before it looks at nudge, so one of both wakes it.
	_ = c.nc.SetReadDeadline(t)
	if h := c.holding.Load(); h != nil {
		h.signal()
	}
}

// state is what the reader needs to know of what others may change.
func (c *reader) state() (s stage, closeAt time.Time, broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.stage, c.mu.closeAt, c.mu.broken || c.mu.evicted
}

// run is the connection's goroutine.
func (c *reader) run() {
	defer c.nc.Close()
	defer c.leave()
	rest, release, open := c.upgrade()
	if !open {
		release()
		return
	}
	c.vitals.life = c.srv.elapsed()
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
		c.look(c.srv.elapsed())
	}
	c.parser.Reset(c.rules) // a teardown holds nothing that nobody will read
	c.forget()
	c.tell()
	c.teardown()
}

// countCloseLocked counts how the connection was closed if it was open, once: by whose close frame
// went or came first.
func (c *reader) countCloseLocked(side Side, code Code) {
	if c.mu.known && !c.mu.counted {
		c.mu.counted = true
		c.srv.stats.closes.count(side, code)
	}
}

// leave settles the accounts.
func (c *reader) leave() {
	c.mu.Lock()
	c.mu.queue.drop(&c.srv.holders.pool)
	if c.peerClosed {
		c.countCloseLocked(SideClient, c.peerCode)
	}
	c.countCloseLocked(SideNone, 0)
	c.mu.Unlock()
	c.forget()
	if c.counted == claimCounted {
		c.srv.addresses.remove(c.peer.Addr())
	}
}

// over says whether the reader has nothing left to read for. On the way it tells the handler.
func (c *reader) over() bool {
	s, closeAt, broken := c.state()
	if s != stageClosing {
		return false
	}
	c.tell()
	return broken || c.peerClosed || c.mute || !now().Before(closeAt)
}

// turn handles what b completes; the parser keeps the rest. What the handler sends meanwhile leaves
// in one write.
func (c *reader) turn(b []byte) {
	c.cork(true)
	defer c.cork(false)
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
			c.mute = true
		}
	}()
	var e wsframe.Event
	c.came.bytesIn += uint64(len(b))
	for alive := false; !c.mute && !c.peerClosed; alive = true {
		e, b = c.parser.Next(c.rules, b)
		c.came.received(&e)
		if e.Kind == wsframe.None {
			c.vitals.note(c.srv.elapsed(), alive, c.parser.Idle())
			return
		}
		c.handle(e)
		if c.holding.Load() != nil {
			c.pause()
		}
	}
}

// handle passes on what the parser found.
func (c *reader) handle(e wsframe.Event) {
	switch e.Kind {
	case wsframe.Closing:
		c.peerClosed = true
		c.peerCode = Code(e.Code)
		c.mu.Lock()
		if !c.mu.queue.flying.closes { // else that is what came first, if it gets through
			c.countCloseLocked(SideClient, c.peerCode)
		}
		c.mu.Unlock()
		c.end(End{CausePeer, Code(e.Code)}, "")
		return
	case wsframe.Failed:
		c.mute = true
		c.end(c.srv.endOf(e.Fault), complaint(e.Fault))
		return
	}
	if s, _, _ := c.state(); s == stageClosing {
		return // all but the close frame is of no use any more
	}
	if e.Kind == wsframe.Ping {
		c.sendControl(func(q *queue) { q.pong(&c.srv.holders.pool, e.Payload) })
	}
	c.srv.pass(c.conn(), e)
}

// due is when the reader must look around although nothing came; zero: never.
func (c *reader) due() time.Time {
	s, closeAt, _ := c.state()
	if s == stageClosing {
		return closeAt
	}
	c.vitals.ready = c.introduce.Load()
	if t := c.vitals.due(&c.srv.o); t != never {
		return c.srv.started.Add(t)
	}
	return time.Time{}
}

// look does what is due at t.
func (c *reader) look(t time.Duration) {
	if s, _, _ := c.state(); s == stageClosing {
		return
	}
	c.vitals.ready = c.introduce.Load()
	switch v := c.vitals.look(&c.srv.o, t); v {
	case verdictAlive:
	case verdictAsk:
		c.vitals.pinged = t
		c.sendControl(func(q *queue) { q.frame(&c.srv.holders.pool, wsframe.OpPing, nil) })
	default:
		c.end(v.end())
	}
}

// lost ends the connection without a close frame; what waits may still be written.
func (c *reader) lost() {
	c.mute = true
	c.end(End{Cause: CauseLost}, "")
}

// tell tells the handler of the end, once.
func (c *reader) tell() {
	if c.haveTold {
		return
	}
	c.haveTold = true
	c.mu.Lock()
	e := c.mu.end
	c.mu.Unlock()
	c.callClosed(e)
}

// callClosed and callOpen keep a panic of the handler from taking more than its connection.
func (c *reader) callClosed(e End) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
		}
	}()
	c.srv.o.Handler.Closed(c.conn(), e)
}

func (c *reader) callOpen(r *Request) (header []byte, refusal *Refusal) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
			c.callClosed(End{Cause: CausePanic})
			header = nil
			refusal = &Refusal{
				Status: http.StatusInternalServerError, Reason: "internal error",
			}
		}
	}()
	return c.srv.o.Handler.Open(c.conn(), r, nil)
}

func (c *reader) panicked(p any) {
	c.srv.o.Logger.Error("handler panicked", "panic", p, "stack", string(debug.Stack()))
	c.end(End{CausePanic, CodeInternal}, "internal error")
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
