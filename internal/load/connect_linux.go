package load

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/netloop/poll"
)

// connectTask counts what comes of connecting.
type connectTask struct {
	c       *Client
	report  ConnectReport
	latency result.Histogram
	last    time.Duration // when the last one was opened
}

func (t *connectTask) opened(slot uint32, now time.Duration) {
	t.report.OK++
	t.latency.Record(now - t.c.conns[slot].due)
	t.last = now
}

func (t *connectTask) message(uint32, []byte, time.Duration) {}

func (t *connectTask) closed(_ uint32, was state, why string) {
	if was == open {
		t.report.OK--
	}
	t.fail(why)
}

func (t *connectTask) fail(why string) {
	t.report.Failed++
	if t.report.Errors == nil {
		t.report.Errors = map[string]int{}
	}
	t.report.Errors[why]++
}

// Connect adds connections and opens them. That some fail is in the report and no error.
func (c *Client) Connect(o ConnectOptions) (ConnectReport, error) {
	if o.GiveUp == 0 {
		o.GiveUp = 30 * time.Second
	}
	t := &connectTask{c: c}
	c.task = t
	defer func() { c.task = idle{} }()
	start := c.clock.now()
	end, begun := start, 0
	for begun < o.Connections || c.dialing > 0 {
		now := c.clock.now()
		next := now + o.GiveUp
		for begun < o.Connections && c.dialing < c.o.Dialing {
			due := now
			if o.Rate > 0 {
				due = start + time.Duration(float64(begun)/o.Rate*float64(time.Second))
			}
			if due > now {
				next = due
				break
			}
			if _, err := c.begin(due); err != nil {
				t.fail(reason(err))
			}
			begun++
			end = now
		}
		if now > max(end, t.last)+o.GiveUp {
			c.giveUp()
			for ; begun < o.Connections; begun++ {
				t.fail("never begun")
			}
			break
		}
		if err := c.turn(next); err != nil {
			return t.report, err
		}
	}
	t.report.Wall = max(t.last-start, 0)
	t.report.Latency = latencyOf(&t.latency)
	return t.report, nil
}

// giveUp ends all connections that are not open yet.
func (c *Client) giveUp() {
	for slot := range c.conns {
		switch s := c.conns[slot].state; s {
		case connecting, upgrading, greeting:
			c.drop(uint32(slot), s.unanswered())
		case free, open:
		}
	}
}

// begin starts to connect, in the slot that it gives.
func (c *Client) begin(due time.Duration) (slot uint32, err error) {
	if c.o.TLS != nil {
		return c.beginTLS(due), nil
	}
	family := unix.AF_INET
	if _, six := c.server.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if slot, err = c.dial(fd, due); err != nil {
		_ = unix.Close(fd)
	}
	return slot, err
}

func (c *Client) dial(fd int, due time.Duration) (slot uint32, err error) {
	if err := prepare(fd, c.source(), c.receiveBytes); err != nil {
		return 0, err
	}
	if err := unix.Connect(fd, c.server); err != nil && err != unix.EINPROGRESS {
		return 0, err
	}
	slot = c.slot()
	n := &c.conns[slot]
	if err := c.poller.Add(fd, n.key(slot), poll.Read|poll.Write); err != nil {
		c.spare = append(c.spare, slot)
		return 0, err
	}
	n.fd, n.state, n.due = int32(fd), connecting, due
	c.dialing++
	return slot, nil
}

// source is the address to connect from next; the zero one leaves it to the system.
func (c *Client) source() netip.Addr {
	if len(c.o.Sources) == 0 {
		return netip.Addr{}
	}
	c.begun++
	return c.o.Sources[c.begun%len(c.o.Sources)]
}

// prepare sets what a socket needs before it connects. from is the address to connect from, and
// receiveBytes its receive buffer, where they are not zero.
func prepare(fd int, from netip.Addr, receiveBytes int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	reset := unix.Linger{Onoff: 1}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &reset); err != nil {
		return err
	}
	if receiveBytes > 0 {
		err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBytes)
		if err != nil {
			return err
		}
	}
	if !from.IsValid() {
		return nil
	}
	// The port is chosen by connect, which knows which ones this server does not have yet.
	const late = unix.IP_BIND_ADDRESS_NO_PORT
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, late, 1); err != nil {
		return err
	}
	return unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0)))
}

// slot is a free slot.
func (c *Client) slot() uint32 {
	if n := len(c.spare); n > 0 {
		slot := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return slot
	}
	c.conns = append(c.conns, conn{fd: -1})
	return uint32(len(c.conns) - 1)
}

// connected asks for the upgrade, where the connection was established.
func (c *Client) connected(slot uint32) {
	n := &c.conns[slot]
	errno, err := unix.GetsockoptInt(int(n.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	if err != nil {
		c.drop(slot, reason(err))
		return
	}
	n.state, n.since = upgrading, c.clock.now()
	n.asked = n.since
	if c.watch(slot, poll.Read) && (c.keepsBack == nil || !c.keepsBack(slot)) {
		c.write(slot, c.request)
	}
}

// answered takes the answer to the upgrade. It returns what follows, and whether frames may.
func (c *Client) answered(slot uint32, b []byte) (rest []byte, ok bool) {
	u := c.partial[slot]
	if u != nil && len(u.head) > 0 {
		b = append(u.head, b...)
		u.head = nil
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > answerBytesMax {
			c.drop(slot, "upgrade_answer_too_long")
			return nil, false
		}
		if u == nil {
			u = new(unfinished)
			c.partial[slot] = u
		}
		u.head = bytes.Clone(b)
		return nil, false
	}
	if why := c.judge(b[:end+2]); why != "" {
		c.drop(slot, why)
		return nil, false
	}
	if u != nil {
		c.settle(slot, u)
	}
	c.dialect.upgraded(slot, c.clock.now())
	return b[end+4:], c.conns[slot].state >= greeting
}

// opened lets messages be sent over a connection.
func (c *Client) opened(slot uint32, now time.Duration) {
	c.conns[slot].state = open
	c.dialing--
	c.open++
	c.task.opened(slot, now)
}

// answerBytesMax is the longest answer to an upgrade.
const answerBytesMax = 8 << 10

// judge says what is wrong with an answer to the upgrade (RFC 6455, 4.1).
func (c *Client) judge(head []byte) string {
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	version, status, _ := bytes.Cut(line, []byte(" "))
	switch code, _, _ := bytes.Cut(status, []byte(" ")); {
	case !bytes.HasPrefix(version, []byte("HTTP/1.")):
		return "upgrade_answered_by_no_http"
	case len(code) != 3 || len(bytes.Trim(code, "0123456789")) > 0:
		return "upgrade_bad_status"
	case string(code) != "101" || string(version) != "HTTP/1.1":
		return "upgrade_" + string(code)
	}
	var accept, subprotocol, upgrade, connection []byte
	for len(fields) > 0 {
		line, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Sec-WebSocket-Accept")):
			accept = bytes.TrimSpace(value)
		case bytes.EqualFold(name, []byte("Sec-WebSocket-Protocol")):
			subprotocol = bytes.TrimSpace(value)
		case bytes.EqualFold(name, []byte("Sec-WebSocket-Extensions")):
			return "extension_not_offered"
		case bytes.EqualFold(name, []byte("Upgrade")):
			upgrade = bytes.TrimSpace(value)
		case bytes.EqualFold(name, []byte("Connection")):
			connection = append(append(connection, ','), value...)
		}
	}
	switch {
	case !bytes.EqualFold(upgrade, []byte("websocket")):
		return "upgrade_to_something_else"
	case !hasToken(connection, "upgrade"):
		return "connection_not_upgraded"
	case !bytes.Equal(accept, c.accept):
		return "wrong_accept_key"
	case !c.o.offers(string(subprotocol)):
		return "wrong_subprotocol"
	}
	return ""
}

// hasToken says whether a list with commas has a token.
func hasToken(list []byte, token string) bool {
	for one := range bytes.SplitSeq(list, []byte(",")) {
		if bytes.EqualFold(bytes.TrimSpace(one), []byte(token)) {
			return true
		}
	}
	return false
}

// offers says whether a server may take a subprotocol; "" is none.
func (o Options) offers(taken string) bool {
	if taken == "" || o.Subprotocol == "" {
		return taken == o.Subprotocol
	}
	for offered := range strings.SplitSeq(o.Subprotocol, ",") {
		if strings.TrimSpace(offered) == taken {
			return true
		}
	}
	return false
}

// upgradeRequest is the request, and the key that must come back. One nonce does for all: what it
// guards against, an answer out of a cache, cannot tell connections apart either.
func upgradeRequest(o Options) (request, accept []byte) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n", o.Path, o.Host)
	fmt.Fprintf(&b, "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n", key)
	b.WriteString("Sec-WebSocket-Version: 13\r\n")
	if o.Subprotocol != "" {
		fmt.Fprintf(&b, "Sec-WebSocket-Protocol: %s\r\n", o.Subprotocol)
	}
	_ = o.Header.Write(&b) // it cannot fail
	b.WriteString("\r\n")
	return []byte(b.String()), []byte(base64.StdEncoding.EncodeToString(sum[:]))
}
