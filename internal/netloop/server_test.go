package netloop

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

func TestServer_Echo(t *testing.T) {
	oneEverywhere(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		t := r.t
		if got := c.Response.Header.Get("X-Echo"); got != "yes" {
			t.Errorf("X-Echo: %q, want the handler's header", got)
		}
		c.Text("hello")
		c.Want("text hello")
		c.Binary([]byte{0, 255})
		c.Want("binary 00ff")
		c.Text("")
		c.Want("text")
		c.Write(netlooptest.Frame(ws.OpPing, true, []byte("p")))
		c.Want("pong p")
		c.Write(netlooptest.Frame(ws.OpText, false, []byte("a")))
		c.Write(netlooptest.Frame(ws.OpPing, true, nil))
		c.Want("pong")
		c.Write(netlooptest.Frame(ws.OpContinuation, true, []byte("b")))
		c.Want("text ab")
		c.Close(4001)
		c.Want("close 4001", "eof")
		if got, want := r.end(), (End{CausePeer, 4001}); got != want {
			t.Errorf("end %+v, want %+v", got, want)
		}
	})
}

// TestServer_EmptyCloseIsAnsweredByAnEmptyOne, and what follows a close frame is not looked at.
func TestServer_EmptyCloseIsAnsweredByAnEmptyOne(t *testing.T) {
	oneEverywhere(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		c.Write(append(netlooptest.Frame(ws.OpClose, true, nil),
			netlooptest.Frame(ws.OpText, true, []byte("late"))...))
		c.Want("close", "eof")
	})
}

// TestServer_PipelinedFramesAreNotLost sends frames in the same write as the request.
func TestServer_PipelinedFramesAreNotLost(t *testing.T) {
	everywhere(t, options(&echo{}), func(r *room) {
		c := r.dial()
		first := netlooptest.Frame(ws.OpText, true, []byte("first"))
		second := netlooptest.Frame(ws.OpText, true, []byte("second"))
		bytes := []byte(netlooptest.Handshake("/ws"))
		c.Write(append(append(bytes, first...), second[:5]...))
		c.ReadResponse()
		c.Want("text first")
		c.Write(second[5:])
		c.Want("text second")
	})
}

// TestServer_RequestInPieces sends the request byte by byte.
func TestServer_RequestInPieces(t *testing.T) {
	everywhere(t, options(&echo{}), func(r *room) {
		t := r.t
		c := r.dial()
		for _, b := range []byte(netlooptest.Handshake("/ws?greet", "Sec-WebSocket-Protocol: p2")) {
			c.Write([]byte{b})
		}
		answer := c.ReadResponse()
		if got := answer.Header.Get("Sec-WebSocket-Protocol"); got != "p2" {
			t.Errorf("subprotocol %q, want p2", got)
		}
		c.Want("text welcome")
	})
}

func TestServer_Refusals(t *testing.T) {
	for _, c := range []struct {
		name, send string
		want       int
		header     [2]string
	}{
		{"a line without end", strings.Repeat("a", handshake.MaxHeadBytes), 431, [2]string{}},
		{
			"headers without end", "GET /ws HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", 65), 431,
			[2]string{},
		},
		{"a bare line feed, at once", "GET /ws HTTP/1.1\n", 400, [2]string{}},
		{"another method", "PUT /ws HTTP/1.1\r\nHost: x\r\n\r\n", 405, [2]string{"Allow", "GET"}},
		{
			"no upgrade", "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 426,
			[2]string{"Sec-WebSocket-Version", "13"},
		},
		{"half a request", "GET /ws HTTP/1.1\r\nHost", 408, [2]string{}},
		{
			"the handler says no", netlooptest.Handshake("/ws?refuse"), 503,
			[2]string{"Retry-After", "5"},
		},
		{"the handler panics", netlooptest.Handshake("/ws?panic"), 500, [2]string{}},
	} {
		o := options(&echo{})
		if c.want == http.StatusRequestTimeout {
			o.HelloTimeout = 200 * time.Millisecond
		}
		everywhere(t, o, func(r *room) {
			t := r.t
			client := r.dial()
			client.Write([]byte(c.send))
			answer := client.ReadResponse()
			if answer.StatusCode != c.want || answer.Header.Get(c.header[0]) != c.header[1] {
				t.Errorf("%s: %s %v, want %d and %q",
					c.name, answer.Status, answer.Header, c.want, c.header)
			}
			if !answer.Close {
				t.Errorf("%s: the answer does not say that the connection ends", c.name)
			}
			client.Want("eof")
		})
	}
}

// TestServer_KeepsNothingBetweenMessages sends messages in pieces, pings among them, and looks at
// what is held.
func TestServer_KeepsNothingBetweenMessages(t *testing.T) {
	oneEverywhere(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		large := strings.Repeat("x", 30<<10)
		frame := netlooptest.Frame(ws.OpText, true, []byte(large))
		for range 3 {
			c.Write(netlooptest.Frame(ws.OpText, false, []byte("a")))
			c.Write(netlooptest.Frame(ws.OpPing, true, []byte("p"))[:5])
			r.until("little is held for the beginnings of a message and a ping", func() bool {
				n := r.holders.pool.Held()
				return n > 0 && n <= 128
			})
			c.Write(netlooptest.Frame(ws.OpPing, true, []byte("p"))[5:])
			c.Write(netlooptest.Frame(ws.OpContinuation, true, []byte("b")))
			c.Want("pong p", "text ab")
			c.Write(frame[:20])
			c.Write(frame[20:])
			c.Want("text " + large)
			r.until("an idle connection holds nothing", func() bool {
				return r.holders.pool.Held() == 0
			})
		}
	})
}

// TestServer_EarlyFaults sends what is wrong before its frame, or even its header, is whole.
func TestServer_EarlyFaults(t *testing.T) {
	badText := netlooptest.Frame(ws.OpText, false, []byte("\xed\xa0x"))
	for want, bad := range map[string][]byte{
		"close 1002 malformed length":   {0x82, 0xfe, 0, 125},
		"close 1002 reserved opcode":    {0x83, 0x80},
		"close 1007 text is not UTF-8":  badText[:8],
		"close 1009 message is too big": {0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1},
	} {
		oneEverywhere(t, options(&echo{}), func(_ *room, c *netlooptest.Client) {
			c.Write(bad)
			c.Want(want, "eof")
		})
	}
}

func TestServer_FaultsAreAnsweredAfterWhatCameBefore(t *testing.T) {
	for want, bad := range map[string][]byte{
		"close 1002 frames from client to server must be masked": ws.MustCompileFrame(
			ws.NewTextFrame([]byte("x"))),
		"close 1007 text is not UTF-8":  netlooptest.Frame(ws.OpText, true, []byte{0xff}),
		"close 1009 message is too big": {0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4},
	} {
		oneEverywhere(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
			t := r.t
			c.Write(append(netlooptest.Frame(ws.OpText, true, []byte("good")), bad...))
			c.Want("text good", want, "eof")
			if got := r.end(); got.Cause != CauseProtocol {
				t.Errorf("%s: end %+v", want, got)
			}
		})
	}
}

// TestServer_SlowReaderIsClosed does not read and is answered beyond the bound of its queue.
func TestServer_SlowReaderIsClosed(t *testing.T) {
	o := options(&echo{})
	bubble(t, o, func(r *room) {
		t := r.t
		slow, other := r.dial(), r.dial()
		slow.Upgrade("/ws")
		other.Upgrade("/ws")
		slow.Text("flood")
		synctest.Wait()
		other.Text("still here") // nobody else waits for the slow one
		other.Want("text still here")
		var bytes int
		for {
			got := slow.Next()
			if !strings.HasPrefix(got, "binary") {
				if got != "close 4101 too slow" {
					t.Errorf("the slow reader was told %q", got)
				}
				break
			}
			bytes += len(got) / 2
		}
		if most := 2*o.WriteBufferBytes + 1100; bytes > most { // twice, before its writer runs
			t.Errorf("%d bytes waited for the slow reader, bound %d", bytes, most)
		}
	})
}

// TestServer_OneLargeMessageMayPass sends what alone is above the bound of the queue.
func TestServer_OneLargeMessageMayPass(t *testing.T) {
	oneEverywhere(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		large := strings.Repeat("x", 60<<10)
		for range 20 { // the one before is written, and that may not be counted yet
			c.Text(large)
			c.Want("text " + large)
		}
	})
}

// TestServer_PingFloodIsBounded sends pings without reading the pongs.
func TestServer_PingFloodIsBounded(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		t := r.t
		const pings = 1000
		for i := range pings {
			c.Write(netlooptest.Frame(ws.OpPing, true, fmt.Appendf(nil, "%d", i)))
		}
		synctest.Wait()
		pongs := 0
		for last := ""; last != fmt.Sprintf("pong %d", pings-1); pongs++ {
			last = c.Next()
		}
		if pongs > 2*pongsMax+2 {
			t.Errorf("%d pongs waited, want two batches of %d and the newest", pongs, pongsMax)
		}
		c.Text("well?")
		c.Want("text well?")
	})
}

func TestServer_HandlerClosesAndPanics(t *testing.T) {
	for text, want := range map[string]string{
		"close": "close 4999 as you wish", "panic": "close 1011 internal error",
	} {
		oneEverywhere(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
			var all []byte
			for _, s := range []string{"before", text, "after"} {
				all = append(all, netlooptest.Frame(ws.OpText, true, []byte(s))...)
			}
			c.Write(all)
			c.Want("text before", want)
			if text == "close" {
				c.Close(4999)
			}
			c.Want("eof")
		})
	}
	everywhere(t, options(&echo{}), func(r *room) {
		c := r.dial()
		c.Upgrade("/ws?close")
		c.Want("close 4999 at once")
		c.Close(4999)
		c.Want("eof")
	})
}

// TestServer_ClosedFromOutside closes from another goroutine while the reader waits.
func TestServer_ClosedFromOutside(t *testing.T) {
	o := options(&echo{})
	everywhere(t, o, func(r *room) {
		t := r.t
		c := r.upgrade()
		conn := r.only()
		if !conn.Send(Text, []byte("pushed")) {
			t.Error("Send to an open connection gave false")
		}
		conn.Close(4200, "session idle")
		conn.Close(4201, "twice")
		if conn.Send(Text, []byte("late")) {
			t.Error("Send to a closed connection gave true")
		}
		if _, ok := r.Conn(conn.ID()); ok {
			t.Error("an ended connection is still found")
		}
		if got, want := r.end(), (End{CauseClosed, 4200}); got != want {
			t.Errorf("end %+v, want %+v: told before the peer answered", got, want)
		}
		c.Want("text pushed", "close 4200 session idle")
		c.Close(4200)
		c.Want("eof")
	})
}

// TestServer_LetsGoOfWhoDoesNotAnswerAClose, at its time.
func TestServer_LetsGoOfWhoDoesNotAnswerAClose(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		r.only().Close(4200, "")
		c.Want("close 4200")
		start := time.Now()
		c.Want("eof")
		if d := time.Since(start); d != closeTimeout {
			r.t.Errorf("the socket was let go after %v, want %v", d, closeTimeout)
		}
	})
	o := options(&echo{}) // no write may take longer, the last one neither
	o.PingInterval, o.PingTimeout = 150*time.Millisecond, 150*time.Millisecond
	inModes(t, o, func(r *room) {
		c := r.upgrade()
		start := time.Now()
		r.only().Close(4200, "")
		if got := c.Next(); got == "ping" {
			c.Want("close 4200")
		}
		c.Want("eof")
		if d := time.Since(start); d < o.writeTimeout() {
			r.t.Errorf("the socket was let go after %v, want %v", d, o.writeTimeout())
		}
	})
}

func TestServer_LostConnection(t *testing.T) {
	oneEverywhere(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		t := r.t
		if err := c.Conn.Close(); err != nil {
			t.Fatal(err)
		}
		if got, want := r.end(), (End{Cause: CauseLost}); got != want {
			t.Errorf("end %+v, want %+v", got, want)
		}
	})
}

func TestServer_Stop(t *testing.T) {
	test := func(r *room) {
		t, s := r.t, r.Server
		open, half, mute := r.dial(), r.dial(), r.dial()
		open.Upgrade("/ws")
		half.Write([]byte("GET /ws"))
		r.until("three are there", func() bool {
			return s.Len() == 3 && (r.addr == "" || r.heads.Held() > 0)
		})
		s.Stop()
		s.Stop()
		if r := half.ReadResponse(); r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("half an upgrade is answered by %s", r.Status)
		}
		half.Want("eof")
		mute.Want("eof")
		open.Text("still served")
		open.Want("text still served")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := s.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait with an open connection = %v", err)
		}
		var n int
		for conn := range s.All() {
			n++
			conn.Close(CodeGoingAway, "")
		}
		if n != 1 {
			t.Errorf("All gave %d connections, want the open one", n)
		}
		open.Want("close 1001")
		open.Close(1001)
		open.Want("eof")
		if err := s.Wait(t.Context()); err != nil {
			t.Errorf("Wait = %v", err)
		}
		if err := s.Serve(&brokenListener{done: make(chan struct{})}); !errors.Is(err, ErrStopped) {
			t.Errorf("Serve after Stop = %v", err)
		}
	}
	bubble(t, options(&echo{}), test)
	inLoops(t, options(&echo{}), test) // the heads of goroutines cannot be waited for
}

func TestNew_NamesEveryBadOption(t *testing.T) {
	_, err := New(Options{PingInterval: -1})
	for _, want := range []string{
		"Handler", "Paths", "HelloTimeout", "PingInterval", "PingTimeout", "MaxMessageBytes",
		"WriteBufferBytes",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(nothing) = %v, want it to name %s", err, want)
		}
	}
}
