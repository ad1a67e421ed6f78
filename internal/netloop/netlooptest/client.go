// Package netlooptest is a WebSocket client for tests: over any net.Conn, so that it works inside
// testing/synctest bubbles, and frame by frame, so that a test sees all that a server says.
package netlooptest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// Key is a proper Sec-WebSocket-Key.
const Key = "dGhlIHNhbXBsZSBub25jZQ=="

// Opcodes, for those who do not import gobwas/ws.
const (
	OpText     = ws.OpText
	OpPing     = ws.OpPing
	OpReserved = ws.OpCode(3) // means nothing and is refused
)

// patience is how long a read over a real socket may take. Inside a bubble there is no need for it.
const patience = 20 * time.Second

// Client is one end of a connection. What goes wrong with it ends its test.
type Client struct {
	// Conn is what the client speaks over.
	Conn net.Conn
	// Response is the answer to the upgrade.
	Response *http.Response
	// Patience bounds each read; 0: none.
	Patience time.Duration

	tb testing.TB
	br *bufio.Reader
}

// New makes a client that has not sent anything.
func New(tb testing.TB, nc net.Conn) *Client {
	tb.Helper()
	return &Client{Conn: nc, tb: tb, br: bufio.NewReader(nc)}
}

// Dial connects to a TCP address, upgrades, and closes the connection when the test ends.
func Dial(tb testing.TB, addr, path string, headers ...string) *Client {
	tb.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatalf("dialing %s: %v", addr, err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	c := New(tb, nc)
	c.Patience = patience
	c.Upgrade(path, headers...)
	if c.Response.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("upgrade of %s: %s", path, c.Response.Status)
	}
	return c
}

// Handshake is a proper request for an upgrade, with further header lines.
func Handshake(path string, headers ...string) string {
	lines := append([]string{
		"GET " + path + " HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + Key,
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// Upgrade sends a proper request and reads the answer, whatever it is.
func (c *Client) Upgrade(path string, headers ...string) *http.Response {
	c.tb.Helper()
	c.Write([]byte(Handshake(path, headers...)))
	return c.ReadResponse()
}

// ReadResponse reads an HTTP answer and its body.
func (c *Client) ReadResponse() *http.Response {
	c.tb.Helper()
	c.arm()
	r, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.tb.Fatalf("reading the answer to the upgrade: %v", err)
	}
	if r.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			c.tb.Fatalf("reading the body of the answer: %v", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	c.Response = r
	return r
}

// Write sends bytes as they are.
func (c *Client) Write(p []byte) {
	c.tb.Helper()
	if _, err := c.Conn.Write(p); err != nil {
		c.tb.Fatalf("write of %d bytes: %v", len(p), err)
	}
}

// Text sends a text message.
func (c *Client) Text(s string) {
	c.tb.Helper()
	c.Write(Frame(ws.OpText, true, []byte(s)))
}

// Binary sends a binary message.
func (c *Client) Binary(p []byte) {
	c.tb.Helper()
	c.Write(Frame(ws.OpBinary, true, p))
}

// Close sends a close frame.
func (c *Client) Close(code int) {
	c.tb.Helper()
	c.Write(Frame(ws.OpClose, true, binary.BigEndian.AppendUint16(nil, uint16(code))))
}

// Frame is the bytes of one masked frame.
func Frame(op ws.OpCode, fin bool, payload []byte) []byte {
	f := ws.MaskFrameWith(ws.NewFrame(op, fin, payload), [4]byte{0xde, 0xad, 0xbe, 0xef})
	return ws.MustCompileFrame(f)
}

// Next is the next frame in words: "text hello", "binary 00ff", "ping", "pong x",
// "close 4200 session idle", "close" without a code; "eof" when the connection has ended, "reset"
// when it was cut off.
func (c *Client) Next() string {
	c.tb.Helper()
	c.arm()
	h, err := ws.ReadHeader(c.br)
	if err != nil {
		return c.ending(err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(c.br, payload); err != nil {
		return c.ending(err)
	}
	if h.Masked || !h.Fin || h.Rsv != 0 {
		c.tb.Fatalf("a server must not send the header %+v", h)
	}
	switch h.OpCode {
	case ws.OpText:
		return "text " + string(payload)
	case ws.OpBinary:
		return fmt.Sprintf("binary %x", payload)
	case ws.OpPing:
		return strings.TrimSpace("ping " + string(payload))
	case ws.OpPong:
		return strings.TrimSpace("pong " + string(payload))
	case ws.OpClose:
		if len(payload) == 0 {
			return "close"
		}
		return fmt.Sprintf("close %d %s", binary.BigEndian.Uint16(payload), payload[2:])
	}
	return fmt.Sprintf("opcode %d", h.OpCode)
}

// Want reads frames and compares them.
func (c *Client) Want(frames ...string) {
	c.tb.Helper()
	for _, want := range frames {
		if got := strings.TrimSpace(c.Next()); got != want {
			c.tb.Fatalf("the server said %q, want %q", got, want)
		}
	}
}

// Quiet listens for d and ends the test when the server says something.
func (c *Client) Quiet(d time.Duration) {
	c.tb.Helper()
	if err := c.Conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		c.tb.Fatalf("setting a deadline: %v", err)
	}
	_, err := c.br.Peek(1)
	if err == nil {
		c.tb.Fatalf("the server said %q, want it to be quiet", c.Next())
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		c.tb.Fatalf("read: %v", err)
	}
	if err := c.Conn.SetReadDeadline(time.Time{}); err != nil {
		c.tb.Fatalf("setting a deadline: %v", err)
	}
}

func (c *Client) ending(err error) string {
	c.tb.Helper()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, io.ErrClosedPipe):
		_ = c.Conn.Close() // as clients do, so that the server can let go
		return "eof"
	case strings.Contains(err.Error(), "reset by peer"):
		return "reset"
	}
	c.tb.Fatalf("read: %v", err)
	return ""
}

func (c *Client) arm() {
	if c.Patience == 0 {
		return
	}
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.Patience)); err != nil {
		c.tb.Fatalf("setting a deadline: %v", err)
	}
}
