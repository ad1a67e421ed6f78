//go:build e2e

package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// library is a connection by one of the WebSocket libraries of Go.
type library interface {
	// send sends a message in frames of at most a kilobyte.
	send(binary bool, message string) error
	// receive is the next message, or what the connection ended with.
	receive() (binary bool, message string, err error)
	// ping returns when the pong is there. Nothing else may be on its way.
	ping() error
	// end closes with a code; the peer's answer follows as what receive gives.
	end(code int) error
	// code is the close code that an error holds, or 0.
	code(err error) int
}

// dialers connect with a subprotocol and give the answer's header.
var dialers = map[string]func(
	t *testing.T, url, protocol string, compress bool,
) (library, http.Header){
	"gorilla": dialGorilla,
	"coder":   dialCoder,
}

const frameBytes = 1024 // that a fragment has at most

type gorillaConn struct {
	*gorilla.Conn
	pongs int // counted while ping reads
}

func dialGorilla(t *testing.T, url, protocol string, compress bool) (library, http.Header) {
	t.Helper()
	d := gorilla.Dialer{
		HandshakeTimeout: patience, Subprotocols: []string{protocol},
		EnableCompression: compress, WriteBufferSize: frameBytes,
	}
	conn, response, err := d.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &gorillaConn{Conn: conn}
	conn.SetPongHandler(func(string) error { c.pongs++; return nil })
	return c, response.Header
}

func (c *gorillaConn) send(binary bool, message string) error {
	kind := gorilla.TextMessage
	if binary {
		kind = gorilla.BinaryMessage
	}
	w, err := c.NextWriter(kind) // which writes a frame whenever its buffer is full
	if err != nil {
		return err
	}
	for len(message) > 0 {
		n := min(len(message), frameBytes/2)
		if _, err := w.Write([]byte(message[:n])); err != nil {
			return err
		}
		message = message[n:]
	}
	return w.Close()
}

func (c *gorillaConn) receive() (binary bool, message string, err error) {
	kind, b, err := c.ReadMessage()
	return kind == gorilla.BinaryMessage, string(b), err
}

// ping has a message follow, since pongs are seen only while a message is read.
func (c *gorillaConn) ping() error {
	before := c.pongs
	if err := c.WriteControl(gorilla.PingMessage, []byte("here?"), time.Time{}); err != nil {
		return err
	}
	if err := c.send(false, "behind the ping"); err != nil {
		return err
	}
	if _, _, err := c.receive(); err != nil {
		return err
	}
	if c.pongs != before+1 {
		return errors.New("no pong stands before the answer of what came behind the ping")
	}
	return nil
}

func (c *gorillaConn) end(code int) error {
	return c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(code, ""), time.Time{})
}

func (*gorillaConn) code(err error) int {
	var closed *gorilla.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return 0
}

type coderConn struct {
	*coder.Conn
	ctx context.Context
}

func dialCoder(t *testing.T, url, protocol string, compress bool) (library, http.Header) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	o := &coder.DialOptions{Subprotocols: []string{protocol}}
	if compress {
		o.CompressionMode = coder.CompressionContextTakeover // which the server declines
	}
	conn, response, err := coder.Dial(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1)
	return &coderConn{conn, ctx}, response.Header
}

func (c *coderConn) send(binary bool, message string) error {
	kind := coder.MessageText
	if binary {
		kind = coder.MessageBinary
	}
	w, err := c.Writer(c.ctx, kind) // which writes a frame for each Write
	if err != nil {
		return err
	}
	for len(message) > 0 {
		n := min(len(message), frameBytes)
		if _, err := w.Write([]byte(message[:n])); err != nil {
			return err
		}
		message = message[n:]
	}
	return w.Close()
}

func (c *coderConn) receive() (binary bool, message string, err error) {
	kind, b, err := c.Read(c.ctx)
	return kind == coder.MessageBinary, string(b), err
}

// ping has a reader run beside it, which takes the pong in and gets the answer of a message.
func (c *coderConn) ping() error {
	read := make(chan error, 1)
	go func() {
		_, _, err := c.receive()
		read <- err
	}()
	err := c.Ping(c.ctx)
	return errors.Join(err, c.send(false, "behind the ping"), <-read)
}

// end waits for the peer's close frame, as Close of this library does, whose error is then for
// receive to give.
func (c *coderConn) end(code int) error { return c.Close(coder.StatusCode(code), "") }

func (*coderConn) code(err error) int { return max(0, int(coder.CloseStatus(err))) }

// user is a library in use with a daemon in a mode.
type user struct {
	mode, library string
	compress      bool
}

func (u user) String() string {
	if u.compress {
		return u.mode + "/" + u.library + "/compressed"
	}
	return u.mode + "/" + u.library
}

// users are all libraries in all modes, with compression and without.
func users() []user {
	var all []user
	for _, mode := range modes {
		for name := range dialers {
			all = append(all, user{mode, name, false}, user{mode, name, true})
		}
	}
	return all
}

// daemon starts a daemon for the user.
func (u user) daemon(t *testing.T, args ...string) (url string) {
	t.Helper()
	if u.compress {
		args = append(args, "--compression", "on")
	}
	_, address := daemon(t, u.mode, args...)
	return "ws://" + address
}

// dial connects and holds that both sides agreed about compression.
func (u user) dial(t *testing.T, url, protocol string) library {
	t.Helper()
	c, header := dialers[u.library](t, url, protocol, u.compress)
	extensions := header.Get("Sec-WebSocket-Extensions")
	if strings.HasPrefix(extensions, "permessage-deflate") != u.compress {
		t.Errorf("compressed: %v, but the server agreed on %q", u.compress, extensions)
	}
	return c
}

// TestLibrary_GetsBackWhatItSends, short and long, whole and in fragments, and its pongs.
func TestLibrary_GetsBackWhatItSends(t *testing.T) {
	t.Parallel()
	for _, u := range users() {
		t.Run(u.String(), func(t *testing.T) {
			t.Parallel()
			url := u.daemon(t, "--idle-timeout", "1h")
			c := u.dial(t, url, "curfew.raw")
			for _, size := range []int{0, 1, 125, 126, frameBytes, 20_000, 65_535, 65_536} {
				for _, binary := range []bool{false, true} {
					sent := strings.Repeat("zwölf €; ", size/12+1)[:size]
					if binary {
						sent = strings.Repeat("\xff\x00\x80", size/3+1)[:size]
					} else {
						sent = strings.ToValidUTF8(sent, "?")
					}
					if err := c.send(binary, sent); err != nil {
						t.Fatal(err)
					}
					gotBinary, got, err := c.receive()
					if gotBinary != binary || got != sent || err != nil {
						t.Fatalf("%d bytes, binary %v: %d come back, binary %v, %v",
							len(sent), binary, len(got), gotBinary, err)
					}
				}
			}
			for range 3 {
				if err := c.ping(); err != nil {
					t.Errorf("ping: %v", err)
				}
			}
		})
	}
}

// TestLibrary_IsToldWhyItEnds by the close code.
func TestLibrary_IsToldWhyItEnds(t *testing.T) {
	t.Parallel()
	const hello = `{"op":"hello"}`
	for _, u := range users() {
		t.Run(u.String(), func(t *testing.T) {
			t.Parallel()
			url := u.daemon(t, "--max-message-bytes", "1000")
			for _, test := range []struct {
				name     string
				protocol string
				texts    []string
				binary   string
				want     int
			}{
				{"silence", "curfew.v1", []string{hello}, "", 4200},
				{"bye", "curfew.v1", []string{hello, `{"op":"bye"}`}, "", 1000},
				{"no hello", "curfew.v1", []string{`{"op":"ping"}`}, "", 4001},
				{"no object", "curfew.v1", []string{`hello`}, "", 4000},
				{"binary", "curfew.v1", []string{hello}, "\x00", 1003},
				{"too big", "curfew.v1", []string{hello, strings.Repeat(" ", 1001)}, "", 1009},
				{"too big, raw", "curfew.raw", nil, strings.Repeat("\x00", 5000), 1009},
				{"bad UTF-8", "curfew.raw", []string{"\xff"}, "", 1007},
			} {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					c := u.dial(t, url, test.protocol)
					for _, text := range test.texts {
						_ = c.send(false, text) // the daemon may end it in the middle
					}
					if test.binary != "" {
						_ = c.send(true, test.binary)
					}
					var err error
					for err == nil {
						_, _, err = c.receive()
					}
					if got := c.code(err); got != test.want {
						t.Errorf("the end is %v, want close code %d", err, test.want)
					}
				})
			}
		})
	}
}

// TestLibrary_ClosesWithAnAnswer: the daemon sends the client's own code back.
func TestLibrary_ClosesWithAnAnswer(t *testing.T) {
	t.Parallel()
	for _, u := range users() {
		t.Run(u.String(), func(t *testing.T) {
			t.Parallel()
			url := u.daemon(t, "--idle-timeout", "1h")
			for _, code := range []int{1000, 1001, 3000, 4321} {
				c := u.dial(t, url, "curfew.raw")
				if err := c.end(code); err != nil {
					t.Errorf("close with %d: %v", code, err)
				}
				if _, _, err := c.receive(); u.library == "gorilla" && c.code(err) != code {
					t.Errorf("a close with %d is answered with %v", code, err)
				}
			}
		})
	}
}

// TestPing_EndsWhoeverDoesNotAnswer, and keeps whoever does, though it sends nothing itself.
func TestPing_EndsWhoeverDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for name, mute := range map[string]bool{"answers": false, "is mute": true} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				t.Parallel()
				_, address := daemon(t, mode, "--idle-timeout", "3s",
					"--ping-interval", "300ms", "--ping-timeout", "1s")
				c, _ := dialGorilla(t, "ws://"+address, "curfew.raw", false)
				conn := c.(*gorillaConn).Conn
				pings, pong, want := 0, conn.PingHandler(), 4200
				conn.SetPingHandler(func(data string) error {
					pings++
					if mute {
						return nil
					}
					return pong(data)
				})
				if mute {
					want = 4102
				}
				_, _, err := c.receive()
				if got := c.code(err); got != want || pings == 0 {
					t.Errorf("after %d pings the end is %v, want %d", pings, err, want)
				}
			})
		}
	}
}
