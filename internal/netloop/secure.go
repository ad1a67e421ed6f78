package netloop

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// ownWriteTimeout bounds what TLS writes by itself, such as its answer to a new key.
const ownWriteTimeout = closeTimeout

// secureConn is TLS over a connection. It differs from a tls.Conn in how it ends: Close cuts off at
// once where that would wait for a peer that reads nothing, and CloseWrite ends the stream below
// too.
type secureConn struct {
	*tls.Conn
	raw    *plainConn
	failed func(error) // told why the handshake failed; nil: nobody is, or it is over
}

// secure is the server's end of TLS over nc. It does not shake hands: that happens in the first
// read, in the connection's own goroutine and under its deadline. The handshake has written all by
// deadline.
func secure(nc net.Conn, c *tls.Config, deadline time.Time) *secureConn {
	raw := &plainConn{Conn: nc}
	_ = raw.SetWriteDeadline(deadline) // where this fails, so does the handshake
	return &secureConn{Conn: tls.Server(raw, c), raw: raw}
}

// Read reads what the peer says. The first one shakes hands before.
func (s *secureConn) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if failed := s.failed; failed != nil {
		s.failed = nil
		if err != nil && s.raw.heard && !s.ConnectionState().HandshakeComplete {
			failed(err)
		}
	}
	return n, err
}

// Write encrypts and writes under the deadline that was set before.
func (s *secureConn) Write(p []byte) (int, error) {
	defer s.raw.spent.Store(true)
	return s.Conn.Write(p)
}

// Close lets go of the connection without a word.
func (s *secureConn) Close() error { return s.raw.Close() }

// CloseWrite says that nothing more will be written.
func (s *secureConn) CloseWrite() error {
	if err := s.Conn.CloseWrite(); err != nil {
		return err
	}
	if half, ok := s.raw.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// SetLinger is that of the TCP connection below, if any.
func (s *secureConn) SetLinger(seconds int) error {
	if l, ok := s.raw.Conn.(interface{ SetLinger(seconds int) error }); ok {
		return l.SetLinger(seconds)
	}
	return nil
}

// plainConn is the connection below TLS. A write deadline here is for one write of what is above.
// TLS also writes while it reads, long after that deadline, and would take the failure for the end
// of the connection; so what it writes then has a time of its own.
type plainConn struct {
	net.Conn
	spent atomic.Bool // the write for which the deadline was set is over
	heard bool        // something came; of who reads
}

// Read reads what TLS makes sense of.
func (p *plainConn) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	p.heard = p.heard || n > 0
	return n, err
}

// SetWriteDeadline is for the next write.
func (p *plainConn) SetWriteDeadline(t time.Time) error {
	p.spent.Store(false)
	return p.Conn.SetWriteDeadline(t)
}

// SetDeadline is both deadlines.
func (p *plainConn) SetDeadline(t time.Time) error {
	p.spent.Store(false)
	return p.Conn.SetDeadline(t)
}

// Write writes what TLS has made.
func (p *plainConn) Write(b []byte) (int, error) {
	if p.spent.Load() {
		if err := p.Conn.SetWriteDeadline(now().Add(ownWriteTimeout)); err != nil {
			return 0, err
		}
	}
	return p.Conn.Write(b)
}
