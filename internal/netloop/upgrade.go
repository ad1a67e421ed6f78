package netloop

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"

	"github.com/gobwas/ws"
)

// heads holds buffers for heads; a connection borrows one until it is upgraded.
var heads = sync.Pool{New: func() any { return new([headBytesMax]byte) }}

// upgrade gathers the head, answers it, and says whether the connection is open. rest is what came
// behind the head; it is valid until release is called.
func (c *conn) upgrade() (rest []byte, release func(), open bool) {
	buf := heads.Get().(*[headBytesMax]byte)
	release = func() { heads.Put(buf) }
	n, end, refusal := c.gather(buf[:])
	if refusal == nil && end > 0 {
		var r *Request
		p := headParser{
			paths: c.srv.o.Paths, protocols: c.srv.o.Protocols, origin: c.srv.o.Origin,
		}
		if r, refusal = p.parse(buf[:end]); refusal == nil {
			refusal = c.accept(r)
		}
	}
	if refusal != nil {
		c.answerRefusal(refusal)
	}
	return buf[end:n], release, refusal == nil && end > 0
}

// gather reads until the head is whole: n bytes are read, end of them are the head. Neither an end
// nor a refusal means that the connection broke off or never sent anything.
func (c *conn) gather(buf []byte) (n, end int, r *Refusal) {
	deadline := c.accepted.Add(c.srv.o.HelloTimeout)
	var scanner headScanner
	for {
		m, err := c.readUntil(buf[n:], deadline)
		n += m
		if m > 0 {
			if end, r = scanner.scan(buf[:n]); end > 0 || r != nil {
				return n, end, r
			}
			continue
		}
		switch {
		case n == 0 || err != nil && !isTimeout(err):
			return n, 0, nil
		case c.srv.isStopping():
			return n, 0, refuse(http.StatusServiceUnavailable, "shutting down")
		case !now().Before(deadline):
			return n, 0, refuse(http.StatusRequestTimeout, "request took too long")
		}
	}
}

// accept asks the handler about a proper handshake and puts the 101 before all that waits.
func (c *conn) accept(r *Request) *Refusal {
	c.protocol = r.Protocol
	header, refusal := c.callOpen(r)
	if refusal != nil {
		return refusal
	}
	answer, err := switchProtocols(r, header)
	if err != nil {
		c.srv.o.Logger.Error("handshake was not understood after its check", "error", err)
		c.callClosed(End{Cause: CauseLost})
		return refuse(http.StatusInternalServerError, "handshake failed")
	}
	c.opened(answer)
	return nil
}

// switchProtocols lets gobwas/ws answer a handshake. It is given the request anew, without what
// was checked already and what it reads less strictly.
func switchProtocols(r *Request, header string) ([]byte, error) {
	var rw memory
	fmt.Fprintf(&rw.in, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
		r.Path, r.Host, r.key)
	if r.Protocol != "" {
		fmt.Fprintf(&rw.in, "Sec-WebSocket-Protocol: %s\r\n", r.Protocol)
	}
	rw.in.WriteString("\r\n")
	u := ws.Upgrader{
		Header:   ws.HandshakeHeaderString(header),
		Protocol: func([]byte) bool { return true },
	}
	if _, err := u.Upgrade(&rw); err != nil {
		return nil, err
	}
	return rw.out.Bytes(), nil
}

// memory is a connection that never blocks.
type memory struct{ in, out bytes.Buffer }

// Read reads what the peer is thought to have sent.
func (m *memory) Read(p []byte) (int, error) { return m.in.Read(p) }

// Write keeps what the peer is to be sent.
func (m *memory) Write(p []byte) (int, error) { return m.out.Write(p) }

// answerRefusal writes an HTTP answer and lets go of the connection.
func (c *conn) answerRefusal(r *Refusal) {
	answer := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n%sContent-Type: text/plain; charset=utf-8\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		r.Status, http.StatusText(r.Status), r.Header, len(r.Reason)+1, r.Reason)
	deadline := now().Add(closeTimeout)
	if c.nc.SetWriteDeadline(deadline) != nil {
		return
	}
	if _, err := c.nc.Write(answer); err == nil {
		c.hangUp(deadline)
	}
}
