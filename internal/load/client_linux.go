package load

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// state is where a connection stands:
//
//	free ──> connecting ──> upgrading ──> greeting ──> open ──> free
//	              └────────────┴──────────────┴──────────────────▲
//
// Where the protocol has no hello, an upgraded connection is open.
type state uint8

const (
	free       state = iota // the slot is no connection's
	connecting              // begun, and not established yet
	upgrading               // the request is sent, or what fits of it
	greeting                // a hello is sent, and not answered yet
	open                    // messages may be sent
)

// unanswered is why a connection ended that stayed in a state for too long.
func (s state) unanswered() string {
	switch s {
	case upgrading:
		return "no_upgrade_answer"
	case greeting:
		return "no_hello_answer"
	case free, connecting, open:
	}
	return "connect_timeout"
}

// conn is one slot. It holds no pointer, so a million of them are nothing to the collector.
type conn struct {
	fd         int32
	generation uint32        // told apart from who had the slot before; part of the poller's key
	due        time.Duration // when the message in flight, or the connection, was due
	since      time.Duration // when the connection was established
	asked      time.Duration // when the upgrade was asked for
	seq        uint32        // of the message in flight
	state      state
	inFlight   bool
	chosen     bool // takes part in the task
	parting    bool // our close frame is sent
	deaf       bool // nothing is read
}

// unfinished is what a connection has of a frame or answer that came in part, and of a write that
// the socket took in part.
type unfinished struct {
	parser wsframe.Parser
	head   []byte // of the answer to the upgrade
	out    []byte
	pong   []byte // the newest that waits for out, a whole frame; nil: none
}

// task is what the loop tells of what happens.
type task interface {
	opened(slot uint32, now time.Duration)
	message(slot uint32, payload []byte, now time.Duration)
	closed(slot uint32, was state, why string)
}

// pinging is a task that sends pings itself.
type pinging interface{ ponged(slot uint32) }

// Client is one loop that drives connections to one server.
type Client struct {
	// Set by New, then only read.
	o       Options
	clock   clock
	poller  *poll.Poller
	server  unix.Sockaddr
	request []byte
	accept  []byte // the only good Sec-WebSocket-Accept
	rules   wsframe.Rules
	op      wsframe.Op
	dialect dialect

	task    task
	conns   []conn
	spare   []uint32 // slots that are free
	partial map[uint32]*unfinished
	dialing int // connections that are begun and not open yet
	open    int
	begun   int // for turning through the sources
	// receiveBytes is the receive buffer of sockets that are made; 0: the system's.
	receiveBytes int
	// keepsBack says which connections do not ask for the upgrade by themselves. nil: none.
	keepsBack func(slot uint32) bool
	turned    time.Duration // when the last turn began

	in     []byte // what the last read gave
	out    []byte // the frame to send
	parser wsframe.Parser
	inOp   wsframe.Op // of the message that is handed to the dialect

	// of connections over TLS
	handshakes *handshakes
	secure     map[uint32]*secure // by slot
	plain      []byte             // what the last record held
}

// New makes a Client that has no connection yet.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	p, err := poll.New()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	c := &Client{
		o: o, clock: newClock(), poller: p,
		server: sockaddr(netip.MustParseAddrPort(o.Address)),
		rules: wsframe.Rules{
			Role: wsframe.Client, MaxMessageBytes: int64(o.MessageBytesMax),
			Buffers: new(wsframe.Pool),
		},
		op:      wsframe.OpBinary,
		task:    idle{},
		partial: map[uint32]*unfinished{},
		in:      make([]byte, 64<<10),
	}
	if o.Text || o.Protocol == JSON {
		c.op = wsframe.OpText
	}
	c.dialect = plain{c}
	if o.Protocol == JSON {
		c.dialect = &v1{c: c, resume: o.Resume, ackEvery: o.AckEvery, opening: opening{
			secret: o.Token, resume: o.Resume, idleSeconds: int(o.AskIdle / time.Second),
		}}
	}
	if o.TLS != nil {
		c.handshakes = newHandshakes(p)
		c.secure = map[uint32]*secure{}
	}
	c.request, c.accept = upgradeRequest(o)
	return c, nil
}

// Open is how many connections are open.
func (c *Client) Open() int { return c.open }

// Close resets all connections.
func (c *Client) Close() error {
	c.task = idle{}
	for slot := range c.conns {
		if c.conns[slot].state != free {
			c.drop(uint32(slot), "closed by us")
		}
	}
	if c.handshakes != nil {
		c.handshakes.close()
	}
	return c.poller.Close()
}

// sockaddr is an address as the system's calls want it.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// idle is the task between tasks.
type idle struct{}

func (idle) opened(uint32, time.Duration)          {}
func (idle) message(uint32, []byte, time.Duration) {}
func (idle) closed(uint32, state, string)          {}

func busy() bool { return true }
func rest() bool { return false }

const (
	// busyGap is how close turns follow one another where something is expected soon.
	busyGap = time.Millisecond
	// timely is how far away a moment must be for a wait that may be too long by as much.
	timely = 15 * time.Millisecond
)

// turn waits until a moment at the latest, and handles what is ready.
func (c *Client) turn(until time.Duration) error {
	pending := rest
	now := c.clock.now()
	if until <= now {
		pending = busy
	}
	soon := now-c.turned < busyGap && until-now > timely
	c.turned = now
	events, err := c.poller.Wait(c.clock.at(until), soon, pending)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	c.handleAll(events)
	return nil
}

// spin is how long before a moment a loop that must not miss it stops sleeping and looks: a thread
// that sleeps on an idle processor is woken late by about as much, and to be woken costs more than
// to look for as long.
const spin = 60 * time.Microsecond

// lookMax is how long one look for nothing takes at most; what is longer, others had the processor.
const lookMax = 5 * time.Microsecond

// turnOnTime is turn for a loop that has a thread to itself. It returns when something was handled,
// or no earlier than the moment, and hardly later. It adds to spun how long it only looked.
func (c *Client) turnOnTime(until time.Duration, spun *time.Duration) error {
	now := c.clock.now()
	for {
		began := now
		sleep := max(until-now-spin, 0)
		events, err := c.poller.Block(sleep)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		if len(events) > 0 || c.handshakes.ready() {
			c.handleAll(events)
			return nil
		}
		if now = c.clock.now(); sleep == 0 {
			*spun += min(now-began, lookMax)
		}
		if now >= until {
			return nil
		}
	}
}

// handleAll handles what is ready.
func (c *Client) handleAll(events []poll.Event) {
	c.shaken()
	for i := range events {
		key := events[i].Key()
		slot, generation := uint32(key), uint32(key>>32)
		if n := &c.conns[slot]; n.state != free && n.generation == generation {
			c.handle(slot, events[i].Ready())
		}
	}
}

// handle does what a connection is ready for.
func (c *Client) handle(slot uint32, ready poll.Ready) {
	n := &c.conns[slot]
	if ready.Write() {
		if n.state == connecting {
			c.connected(slot)
			return
		}
		if !c.flush(slot) {
			return
		}
	}
	if !ready.Read() {
		return
	}
	if n.deaf {
		c.drop(slot, "econnreset") // it is broken, or would not be ready
		return
	}
	got, err := poll.ReadSocket(int(n.fd), c.in)
	switch {
	case errors.Is(err, unix.EAGAIN):
	case err != nil:
		c.drop(slot, reason(err))
	case got == 0:
		c.drop(slot, endOfStream)
	case c.secure != nil:
		c.decrypted(slot, c.in[:got])
	default:
		c.received(slot, c.in[:got])
	}
}

// endOfStream is why a connection ended that the server closed without a close frame.
const endOfStream = "eof"

// received takes bytes of the server's.
func (c *Client) received(slot uint32, b []byte) {
	if c.conns[slot].state == upgrading {
		var ok bool
		if b, ok = c.answered(slot, b); !ok {
			return
		}
	}
	kept := c.partial[slot]
	c.parser = wsframe.Parser{}
	if kept != nil {
		c.parser = kept.parser
	}
	generation := c.conns[slot].generation
	now := c.clock.now()
	for {
		var e wsframe.Event
		e, b = c.parser.Next(&c.rules, b)
		if e.Kind == wsframe.None {
			break
		}
		c.event(slot, e, now)
		if n := &c.conns[slot]; n.state < greeting || n.generation != generation {
			return // what was kept went with the connection
		}
	}
	c.keep(slot, c.parser)
}

// keep stores a parser between reads, where it has anything.
func (c *Client) keep(slot uint32, p wsframe.Parser) {
	kept := c.partial[slot]
	switch {
	case kept != nil:
		kept.parser = p
		c.settle(slot, kept)
	case !p.Idle():
		c.partial[slot] = &unfinished{parser: p}
	}
}

// settle forgets what is finished.
func (c *Client) settle(slot uint32, u *unfinished) {
	if u.parser.Idle() && len(u.head) == 0 && len(u.out) == 0 {
		delete(c.partial, slot)
	}
}

func (c *Client) event(slot uint32, e wsframe.Event, now time.Duration) {
	switch e.Kind {
	case wsframe.Text, wsframe.Binary:
		c.inOp = wsframe.OpText
		if e.Kind == wsframe.Binary {
			c.inOp = wsframe.OpBinary
		}
		c.dialect.received(slot, e.Payload, now)
	case wsframe.Ping:
		c.pong(slot, e.Payload)
	case wsframe.Closing:
		c.out = wsframe.Client.AppendClose(c.out[:0], e.Code, "")
		if c.conns[slot].parting || c.write(slot, c.out) {
			c.drop(slot, codeName(e.Code))
		}
	case wsframe.Failed:
		c.drop(slot, "frame_"+snake(e.Fault.String()))
	case wsframe.Pong:
		if t, ok := c.task.(pinging); ok {
			t.ponged(slot)
		}
	case wsframe.None:
	}
}

// pong answers a ping. Where others wait to be written, the newest takes their place (RFC 6455,
// 5.5.3).
func (c *Client) pong(slot uint32, payload []byte) {
	if u := c.partial[slot]; u != nil && len(u.out) > 0 {
		u.pong = wsframe.Client.AppendFrame(u.pong[:0], wsframe.OpPong, true, payload)
		return
	}
	c.out = wsframe.Client.AppendFrame(c.out[:0], wsframe.OpPong, true, payload)
	c.write(slot, c.out)
}

// send sends a message.
func (c *Client) send(slot uint32, message []byte) bool {
	c.out = c.appendMessage(c.out[:0], message)
	return c.write(slot, c.out)
}

// appendMessage appends the frame of a message.
func (c *Client) appendMessage(b, message []byte) []byte {
	return wsframe.Client.AppendMessage(b, 0, c.op, c.dialect.wrap(message))
}

// write writes, or keeps what the socket does not take. It says whether the connection lives.
func (c *Client) write(slot uint32, b []byte) bool {
	if s := c.secure[slot]; s != nil {
		b = s.seal(b)
	}
	return c.writeRaw(slot, b)
}

// writeRaw is write for what is encrypted already, where the connection is.
func (c *Client) writeRaw(slot uint32, b []byte) bool {
	u := c.partial[slot]
	if u != nil && len(u.out) > 0 {
		u.out = append(u.out, b...)
		return true
	}
	n := &c.conns[slot]
	wrote, err := poll.WriteSocket(int(n.fd), b)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		c.drop(slot, reason(err))
		return false
	}
	if wrote = max(wrote, 0); wrote == len(b) {
		return true
	}
	if u == nil {
		u = new(unfinished)
		c.partial[slot] = u
	}
	u.out = append(u.out, b[wrote:]...)
	return c.watch(slot, poll.Read|poll.Write)
}

// flush writes what was kept. It says whether the connection lives.
func (c *Client) flush(slot uint32) bool {
	u := c.partial[slot]
	if u == nil || len(u.out) == 0 {
		return true
	}
	b := u.out
	u.out = nil
	if !c.writeRaw(slot, b) {
		return false
	}
	if len(u.out) > 0 {
		return true
	}
	if pong := u.pong; len(pong) > 0 {
		u.pong = nil
		if !c.write(slot, pong) {
			return false
		}
		if len(u.out) > 0 {
			return true
		}
	}
	c.settle(slot, u)
	return c.watch(slot, poll.Read)
}

// watch says what is wanted of a connection's socket, and whether the connection lives.
func (c *Client) watch(slot uint32, i poll.Interest) bool {
	n := &c.conns[slot]
	if n.deaf {
		i &^= poll.Read
	}
	if err := c.poller.Modify(int(n.fd), n.key(slot), i); err != nil {
		c.drop(slot, reason(err))
		return false
	}
	return true
}

func (n *conn) key(slot uint32) uint64 { return uint64(slot) | uint64(n.generation)<<32 }

// drop ends a connection and frees its slot.
func (c *Client) drop(slot uint32, why string) {
	n := &c.conns[slot]
	was := n.state
	if n.fd >= 0 {
		_ = unix.Close(int(n.fd)) // it is a reset, whatever close says
	}
	delete(c.secure, slot)
	if was == open {
		c.open--
	} else {
		c.dialing--
	}
	delete(c.partial, slot)
	c.task.closed(slot, was, why)
	c.dialect.forget(slot)
	*n = conn{fd: -1, generation: (n.generation + 1) & (1<<31 - 1)}
	c.spare = append(c.spare, slot)
}

// reason is an error in a word: the name of its errno, such as "econnrefused", or what it says.
func reason(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		if name := unix.ErrnoName(errno); name != "" {
			return strings.ToLower(name)
		}
	}
	return snake(err.Error())
}
