package backend

import (
	"context"
	"net"
	"sync"
)

// dialer makes a connection, as net.Dialer does.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// conns are the open connections to the application. They are known so that closing them ends
// whatever still goes on over them: exchanges, handshakes of TLS, the transport's goroutines.
type conns struct {
	dial dialer
	life context.Context // ends with the backend

	mu struct {
		sync.Mutex
		open   map[*conn]struct{} // nil once closed
		closed bool
	}
}

// conn is a connection that is known to be open.
type conn struct {
	net.Conn
	among *conns
}

// connect is the transport's dialer. The transport does not end a dial with its request, since
// another may use the connection, but it must end with the backend.
func (c *conns) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	raw, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	added := &conn{Conn: raw, among: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		raw.Close()
		return nil, net.ErrClosed
	}
	if c.mu.open == nil {
		c.mu.open = map[*conn]struct{}{}
	}
	c.mu.open[added] = struct{}{}
	return added, nil
}

// Close closes the connection.
func (c *conn) Close() error {
	c.among.mu.Lock()
	delete(c.among.mu.open, c)
	c.among.mu.Unlock()
	return c.Conn.Close()
}

// close closes all connections, and those that are still being made.
func (c *conns) close() {
	c.mu.Lock()
	open := c.mu.open
	c.mu.open, c.mu.closed = nil, true
	c.mu.Unlock()
	for one := range open {
		one.Conn.Close()
	}
}
