package command

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// conformServer echoes, as far as the cases need that the tests of the command run. It is no
// model of a server: tests that judge the suite have one.
type conformServer struct {
	deaf   bool // does not answer pings
	silent bool // does not answer anything

	// greeting, where not "", is answered to the first message, with a close frame after it.
	greeting string

	// protocol, where not "", is chosen whatever was asked for.
	protocol string

	// opened, where not nil, is called at each connection, before it is served.
	opened func(*http.Request)
}

func (s conformServer) start(t *testing.T) string {
	t.Helper()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return "ws" + strings.TrimPrefix(h.URL, "http") + "/echo"
}

// ServeHTTP serves a connection.
func (s conformServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opened != nil {
		s.opened(r)
	}
	if r.Header.Get("Upgrade") == "" || r.URL.Path != "/echo" {
		http.NotFound(w, r)
		return
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") +
		"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	if s.protocol != "" {
		fmt.Fprintf(c, "Sec-WebSocket-Protocol: %s\r\n", s.protocol)
	}
	_, _ = io.WriteString(c, "\r\n")
	for {
		first, p, err := readMasked(rw.Reader)
		if err != nil {
			return
		}
		switch op := first & 0xF; {
		case s.silent:
			continue
		case op == 8 || first&0x70 != 0:
			_, _ = c.Write([]byte{0x88, 2, 1000 >> 8, 1000 & 0xFF})
			return
		case op == 9 && !s.deaf:
			first++ // A pong is one more.
		case op > 8:
			continue
		case s.greeting != "":
			_, _ = c.Write(append(unmasked(0x81, []byte(s.greeting)), 0x88, 2, 4000>>8, 4000&0xFF))
			return
		}
		if _, err := c.Write(unmasked(first, p)); err != nil {
			return
		}
	}
}

// readMasked reads a client's frame.
func readMasked(r *bufio.Reader) (first byte, payload []byte, err error) {
	head := make([]byte, 14)
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	more, n := 0, uint64(head[1]&0x7F)
	switch n {
	case 126:
		more = 2
	case 127:
		more = 8
	}
	if _, err := io.ReadFull(r, head[2:2+more+4]); err != nil {
		return 0, nil, err
	}
	switch more {
	case 2:
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 8:
		n = binary.BigEndian.Uint64(head[2:])
	}
	key := head[2+more:]
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0], payload, err
}

// unmasked is a server's frame.
func unmasked(first byte, p []byte) []byte {
	b := []byte{first}
	switch n := len(p); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, p...)
}
