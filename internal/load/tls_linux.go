package load

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/netloop/poll"
)

// handshakeTimeout is how long a TLS handshake may take, the connection included.
const handshakeTimeout = 30 * time.Second

// handshakes are the TLS connections that are begun. crypto/tls can shake hands only where it may
// wait, so each does it in a goroutine; then the loop takes the connection over.
type handshakes struct {
	poller *poll.Poller
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup
	mu     struct {
		sync.Mutex
		done []shaken
	}
}

// shaken is a handshake that is over.
type shaken struct {
	slot, generation uint32
	fd               int // -1 where it failed
	established      time.Duration
	secure           *secure
	err              error
}

func newHandshakes(p *poll.Poller) *handshakes {
	h := &handshakes{poller: p}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// ready says whether one is over that the loop has not heard of. A nil one never is.
func (h *handshakes) ready() bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.mu.done) > 0
}

func (h *handshakes) add(s shaken) {
	h.mu.Lock()
	h.mu.done = append(h.mu.done, s)
	h.mu.Unlock()
	h.poller.Wake()
}

func (h *handshakes) take() []shaken {
	h.mu.Lock()
	defer h.mu.Unlock()
	done := h.mu.done
	h.mu.done = nil
	return done
}

// close gives all up that are not over, and waits for them.
func (h *handshakes) close() {
	h.cancel()
	h.all.Wait()
	for _, s := range h.take() {
		if s.fd >= 0 {
			_ = unix.Close(s.fd)
		}
	}
}

// beginTLS is begin for TLS.
func (c *Client) beginTLS(due time.Duration) (slot uint32) {
	slot = c.slot()
	n := &c.conns[slot]
	n.fd, n.state, n.due = -1, connecting, due
	c.dialing++
	s := shaken{slot: slot, generation: n.generation, fd: -1}
	from, receiveBytes, h := c.source(), c.receiveBytes, c.handshakes
	h.all.Go(func() {
		ctx, cancel := context.WithTimeout(h.ctx, handshakeTimeout)
		defer cancel()
		s.err = c.shake(ctx, &s, from, receiveBytes)
		h.add(s)
	})
	return slot
}

// shake connects and shakes hands. It runs beside the loop, and touches only what never changes.
func (c *Client) shake(
	ctx context.Context, s *shaken, from netip.Addr, receiveBytes int,
) error {
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = prepare(int(fd), from, receiveBytes) })
		return errors.Join(err, failed)
	}}
	plain, err := d.DialContext(ctx, "tcp", c.o.Address)
	if err != nil {
		return err
	}
	defer plain.Close() // the loop has a descriptor of its own
	s.established = c.clock.now()
	w := &wire{Conn: plain}
	t := tls.Client(w, c.o.TLS)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	raw, err := plain.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		s.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err := errors.Join(err, failed); err != nil {
		s.fd = -1
		return err
	}
	w.inLoop = true
	s.secure = &secure{wire: w, conn: t}
	return nil
}

// shaken takes over the connections whose handshake is over.
func (c *Client) shaken() {
	if c.handshakes == nil {
		return
	}
	for _, s := range c.handshakes.take() {
		n := &c.conns[s.slot]
		if n.generation != s.generation || n.state != connecting {
			if s.fd >= 0 {
				_ = unix.Close(s.fd) // it was given up meanwhile
			}
			continue
		}
		if s.err != nil {
			c.drop(s.slot, tlsReason(s.err))
			continue
		}
		n.fd = int32(s.fd)
		c.secure[s.slot] = s.secure
		if err := c.poller.Add(s.fd, n.key(s.slot), poll.Read); err != nil {
			c.drop(s.slot, reason(err))
			continue
		}
		c.connected(s.slot)
		if n := &c.conns[s.slot]; n.generation == s.generation && n.state == upgrading {
			n.since = s.established
		}
	}
}

// tlsReason is why a connection over TLS failed, in a word.
func tlsReason(err error) string {
	var unknown *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &unknown):
		return "tls_certificate"
	case errors.As(err, &record):
		return "tls_not_spoken"
	case errors.As(err, &alert):
		return snake("tls_alert " + alert.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return "tls_timeout"
	case errors.Is(err, io.EOF):
		return "tls_eof"
	}
	return reason(err)
}

// secure is what an open connection over TLS has.
type secure struct {
	wire *wire
	conn *tls.Conn
}

// wire is the connection below TLS. While hands are shaken it is the real one; in the loop, where
// nothing may wait, it is memory.
type wire struct {
	net.Conn
	inLoop  bool
	in, out []byte
}

// againError tells crypto/tls that there is nothing to read yet, which it bears.
type againError struct{}

// Error says that there is nothing yet.
func (againError) Error() string { return "load: nothing to read yet" }

// Timeout says that trying again may help.
func (againError) Timeout() bool { return true }

// Temporary says that the connection is not broken.
func (againError) Temporary() bool { return true }

// Read gives what the loop has read.
func (w *wire) Read(b []byte) (int, error) {
	if !w.inLoop {
		return w.Conn.Read(b)
	}
	if len(w.in) == 0 {
		return 0, againError{}
	}
	n := copy(b, w.in)
	w.in = w.in[n:]
	return n, nil
}

// Write keeps what the loop is to write.
func (w *wire) Write(b []byte) (int, error) {
	if !w.inLoop {
		return w.Conn.Write(b)
	}
	w.out = append(w.out, b...)
	return len(b), nil
}

// seal encrypts. What it gives is valid until the next call.
func (s *secure) seal(b []byte) []byte {
	s.wire.out = s.wire.out[:0]
	_, _ = s.conn.Write(b) // memory takes it; a connection that is broken is read as such
	return s.wire.out
}

// decrypted takes bytes of the server's that are encrypted.
func (c *Client) decrypted(slot uint32, b []byte) {
	s, generation := c.secure[slot], c.conns[slot].generation
	if c.plain == nil {
		c.plain = make([]byte, tlsRecordBytes)
	}
	s.wire.in = b
	for {
		s.wire.out = s.wire.out[:0]
		n, err := s.conn.Read(c.plain)
		if len(s.wire.out) > 0 { // an answer of TLS itself
			c.writeRaw(slot, s.wire.out)
		}
		if n > 0 && c.conns[slot].generation == generation {
			c.received(slot, c.plain[:n])
		}
		if c.conns[slot].generation != generation {
			return
		}
		switch {
		case err == nil:
		case errors.As(err, new(againError)):
			return
		case errors.Is(err, io.EOF):
			c.drop(slot, endOfStream)
			return
		default:
			c.drop(slot, tlsReason(err))
			return
		}
	}
}

// tlsRecordBytes is the longest plaintext of a record (RFC 8446, 5.1).
const tlsRecordBytes = 16 << 10
