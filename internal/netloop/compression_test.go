package netloop

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

const offer = "Sec-WebSocket-Extensions: permessage-deflate; " +
	"client_no_context_takeover; server_no_context_takeover"

// deflating is a client that negotiated compression, which netlooptest does not speak.
type deflating struct {
	*netlooptest.Client
	t  *testing.T
	br *bufio.Reader
}

func dialDeflating(r *room) *deflating {
	r.t.Helper()
	c := &deflating{Client: r.dial(), t: r.t}
	c.br = bufio.NewReader(c.Conn)
	c.Write([]byte(netlooptest.Handshake("/ws", offer)))
	a, err := http.ReadResponse(c.br, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if got := a.Header.Get("Sec-WebSocket-Extensions"); a.StatusCode != 101 ||
		!strings.HasPrefix(got, "permessage-deflate") {
		r.t.Fatalf("answered %s with extensions %q", a.Status, got)
	}
	return c
}

// send sends a message compressed.
func (c *deflating) send(op ws.OpCode, payload []byte) {
	c.t.Helper()
	f, err := wsflate.CompressFrame(ws.NewFrame(op, true, payload))
	if err != nil {
		c.t.Fatal(err)
	}
	c.Write(ws.MustCompileFrame(ws.MaskFrame(f)))
}

// read reads a frame, and says whether it was compressed.
func (c *deflating) read() (f ws.Frame, compressed bool) {
	c.t.Helper()
	h, err := ws.ReadHeader(c.br)
	if err != nil {
		c.t.Fatal(err)
	}
	f = ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	if _, err := io.ReadFull(c.br, f.Payload); err != nil {
		c.t.Fatal(err)
	}
	if compressed, err = wsflate.IsCompressed(f.Header); err != nil {
		c.t.Fatal(err)
	}
	if compressed {
		if f, err = wsflate.DecompressFrame(f); err != nil {
			c.t.Fatal(err)
		}
	}
	return f, compressed
}

func TestCompression_EchoesCompressed(t *testing.T) {
	o := options(&echo{})
	o.Compression = true
	everywhere(t, o, func(r *room) {
		c := dialDeflating(r)
		for _, n := range []int{200, 40_000, 1000} {
			text := []byte(strings.Repeat("again and again ", n/16))
			c.send(ws.OpText, text)
			f, compressed := c.read()
			if !compressed || f.Header.OpCode != ws.OpText || !bytes.Equal(f.Payload, text) {
				r.t.Errorf("%d bytes came back as %d, compressed: %v",
					n, len(f.Payload), compressed)
			}
		}
		c.Text("as it is") // who negotiated may send uncompressed
		if f, _ := c.read(); string(f.Payload) != "as it is" {
			r.t.Errorf("came back as %q", f.Payload)
		}
		if !r.only().Send(Binary, make([]byte, 10_000)) {
			r.t.Error("Send gave false")
		}
		if f, compressed := c.read(); !compressed || len(f.Payload) != 10_000 {
			r.t.Errorf("pushed: %d bytes, compressed: %v", len(f.Payload), compressed)
		}
		other := r.upgrade() // who did not negotiate is not served compressed
		other.Text(strings.Repeat("a", 1000))
		other.Want("text " + strings.Repeat("a", 1000))
	})
}

func TestCompression_IsRefusedWhereItIsOff(t *testing.T) {
	everywhere(t, options(&echo{}), func(r *room) {
		c := r.upgrade(offer)
		if got := c.Response.Header.Get("Sec-WebSocket-Extensions"); got != "" {
			r.t.Errorf("extensions %q, want none", got)
		}
		c.Write([]byte{0xc1, 0x80, 0, 0, 0, 0})
		if got := c.Next(); !strings.HasPrefix(got, "close 1002 ") {
			r.t.Errorf("a compressed frame is answered by %q", got)
		}
		c.Want("eof")
	})
}

// TestCompression_Bomb inflates to more than a message may have.
func TestCompression_Bomb(t *testing.T) {
	o := options(&echo{})
	o.Compression = true
	everywhere(t, o, func(r *room) {
		c := dialDeflating(r)
		c.send(ws.OpBinary, make([]byte, 20<<20))
		f, _ := c.read()
		if f.Header.OpCode != ws.OpClose || len(f.Payload) < 2 ||
			f.Payload[0] != 1009>>8 || f.Payload[1] != 1009&0xff {
			r.t.Errorf("answered by %v %q", f.Header.OpCode, f.Payload)
		}
		_ = c.Conn.Close()
		r.until("memory is given back", func() bool { return r.holders.pool.Held() == 0 })
	})
}
