package netloop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// echo answers each message with itself, and does as certain texts say. It keeps a ledger: each
// connection that was opened must be told of its end exactly once.
type echo struct {
	silent bool // does not call Ready

	mu     sync.Mutex
	opened int
	ends   []End
	closed map[ID]int
	after  int // calls about a connection that had ended
}

func (h *echo) Open(c Conn, r *Request, header []byte) ([]byte, *Refusal) {
	switch string(r.Query) {
	case "refuse":
		return nil, &Refusal{Status: 503, Reason: "full", Header: "Retry-After: 5\r\n"}
	case "panic":
		panic("in Open")
	case "close":
		c.Close(4999, "at once")
	case "greet":
		c.Send(Text, []byte("welcome"))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened++
	c.SetTag(7)
	if !h.silent {
		c.Ready()
	}
	return append(header, "X-Echo: yes\r\n"...), nil
}

func (h *echo) Message(c Conn, kind Kind, payload []byte) {
	h.note(c)
	switch string(payload) {
	case "panic":
		panic("in Message")
	case "close":
		c.Close(4999, "as you wish")
	case "flood":
		for c.Send(Binary, make([]byte, 1000)) {
		}
	default:
		c.Send(kind, payload)
	}
}

func (h *echo) Control(c Conn, _ Kind) { h.note(c) }

func (h *echo) Closed(c Conn, end End) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed == nil {
		h.closed = make(map[ID]int)
	}
	h.closed[c.ID()]++
	h.ends = append(h.ends, end)
	if c.Send(Text, []byte("too late")) {
		h.after++
	}
}

func (h *echo) note(c Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed[c.ID()] > 0 || c.Tag() != 7 {
		h.after++
	}
}

// end is how the only connection ended.
func (h *echo) end(t *testing.T) End {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ends) != 1 {
		t.Fatalf("%d connections ended, want 1", len(h.ends))
	}
	return h.ends[0]
}

func (h *echo) checkLedger(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ends) < h.opened || h.after > 0 {
		t.Errorf("%d opened, %d ended, %d calls after an end", h.opened, len(h.ends), h.after)
	}
	for id, n := range h.closed {
		if n != 1 {
			t.Errorf("connection %d ended %d times", id, n)
		}
	}
}

func options(h Handler) Options {
	return Options{
		Handler: h, Paths: []string{"/ws"}, Protocols: []string{"p1", "p2"},
		HelloTimeout: 15 * time.Second,
		PingInterval: 30 * time.Second, PingTimeout: 10 * time.Second,
		MaxMessageBytes: 64 << 10, WriteBufferBytes: 32 << 10,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// room is a server in a bubble.
type room struct {
	*Server
	echo *echo
	t    *testing.T
}

// dial connects without an upgrade.
func (r *room) dial() *netlooptest.Client {
	server, client := net.Pipe()
	go r.ServeConn(server)
	r.t.Cleanup(func() { _ = client.Close() })
	return netlooptest.New(r.t, client)
}

// bubble runs f in a bubble with a server whose goroutines must all be gone at its end.
func bubble(t *testing.T, o Options, f func(r *room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		h := o.Handler.(*echo)
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if n := s.Len(); n != 0 {
				t.Errorf("%d connections are left", n)
			}
			if n := s.holders.pool.Held(); n != 0 {
				t.Errorf("%d bytes of unfinished messages are held", n)
			}
			h.checkLedger(t)
		})
		f(&room{s, h, t})
	})
}

// one is bubble with one upgraded connection.
func one(t *testing.T, o Options, f func(r *room, c *netlooptest.Client)) {
	t.Helper()
	bubble(t, o, func(r *room) {
		c := r.dial()
		if answer := c.Upgrade("/ws"); answer.StatusCode != http.StatusSwitchingProtocols {
			r.t.Fatalf("upgrade: %s", answer.Status)
		}
		f(r, c)
	})
}

func TestServer_Echo(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		t, h := r.t, r.echo
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
		synctest.Wait()
		if got, want := h.end(t), (End{CausePeer, 4001}); got != want {
			t.Errorf("end %+v, want %+v", got, want)
		}
	})
}

// TestServer_EmptyCloseIsAnsweredByAnEmptyOne, and what follows a close frame is not looked at.
func TestServer_EmptyCloseIsAnsweredByAnEmptyOne(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		c.Write(append(netlooptest.Frame(ws.OpClose, true, nil),
			netlooptest.Frame(ws.OpText, true, []byte("late"))...))
		c.Want("close", "eof")
	})
}

// TestServer_PipelinedFramesAreNotLost sends frames in the same write as the request.
func TestServer_PipelinedFramesAreNotLost(t *testing.T) {
	bubble(t, options(&echo{}), func(r *room) {
		dial := r.dial
		c := dial()
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
	bubble(t, options(&echo{}), func(r *room) {
		t, dial := r.t, r.dial
		c := dial()
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
		bubble(t, options(&echo{}), func(r *room) {
			dial := r.dial
			client := dial()
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

func TestServer_HelloTimeoutRunsFromAccept(t *testing.T) {
	bubble(t, options(&echo{silent: true}), func(r *room) {
		t, dial := r.t, r.dial
		start := time.Now()
		mute, slow := dial(), dial()
		time.Sleep(10 * time.Second)
		slow.Upgrade("/ws")
		slow.Text("not ready")
		slow.Want("text not ready", "close 4002 no hello")
		if d := time.Since(start); d != 15*time.Second {
			t.Errorf("the hello timeout of 15s came after %v", d)
		}
		slow.Close(4002)
		slow.Want("eof")
		mute.Want("eof") // who sent nothing is not answered
	})
}

func TestServer_PingsTheSilentOnly(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		t, h := r.t, r.echo
		start := time.Now()
		for range 5 { // a talker is not pinged
			time.Sleep(29 * time.Second)
			c.Text("x")
			c.Want("text x")
		}
		c.Want("ping")
		if d := time.Since(start); d != 5*29*time.Second+30*time.Second {
			t.Errorf("pinged after %v", d)
		}
		time.Sleep(9 * time.Second)
		c.Write(netlooptest.Frame(ws.OpPong, true, nil))
		c.Want("ping", "close 4102 no pong") // no answer to the second one
		if d := time.Since(start); d != 5*29*time.Second+(30+9+30+10)*time.Second {
			t.Errorf("closed after %v", d)
		}
		c.Want("eof")
		if got, want := h.end(t), (End{CauseSilent, CodeNoPong}); got != want {
			t.Errorf("end %+v, want %+v", got, want)
		}
	})
}

// TestServer_HalfAFrameIsNoSignOfLife trickles the bytes of one frame.
func TestServer_HalfAFrameIsNoSignOfLife(t *testing.T) {
	for _, interval := range []time.Duration{30 * time.Second, 0} {
		o := options(&echo{})
		o.PingInterval = interval
		one(t, o, func(r *room, c *netlooptest.Client) {
			t := r.t
			start := time.Now()
			trickled := make(chan struct{})
			go func() {
				defer close(trickled)
				for _, b := range netlooptest.Frame(ws.OpText, true, make([]byte, 100)) {
					if _, err := c.Conn.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			if interval > 0 {
				c.Want("ping")
			}
			if got := c.Next(); !strings.HasPrefix(got, "close 4102 ") {
				t.Errorf("interval %v: %q, want a close with 4102", interval, got)
			}
			if d := time.Since(start); d != 40*time.Second {
				t.Errorf("interval %v: closed after %v, want 40s", interval, d)
			}
			<-trickled
		})
	}
}

// TestServer_FragmentsAreNoSignOfLife sends whole frames of a message that does not end.
func TestServer_FragmentsAreNoSignOfLife(t *testing.T) {
	for _, interval := range []time.Duration{30 * time.Second, 0} {
		o := options(&echo{})
		o.PingInterval = interval
		one(t, o, func(r *room, c *netlooptest.Client) {
			t := r.t
			start := time.Now()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				op := ws.OpText
				for {
					fragment := netlooptest.Frame(op, false, []byte("x"))
					if _, err := c.Conn.Write(fragment); err != nil {
						return
					}
					op = ws.OpContinuation
					time.Sleep(time.Second)
				}
			}()
			if interval > 0 {
				c.Want("ping")
			}
			if got := c.Next(); !strings.HasPrefix(got, "close 4102 ") {
				t.Errorf("interval %v: %q, want a close with 4102", interval, got)
			}
			if d := time.Since(start); d != 40*time.Second {
				t.Errorf("interval %v: closed after %v, want 40s", interval, d)
			}
			c.Want("eof")
			<-sent
		})
	}
}

// TestServer_KeepsNothingBetweenMessages sends messages in pieces, pings among them, and looks at
// what is held.
func TestServer_KeepsNothingBetweenMessages(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		large := strings.Repeat("x", 30<<10)
		frame := netlooptest.Frame(ws.OpText, true, []byte(large))
		for range 3 {
			c.Write(netlooptest.Frame(ws.OpText, false, []byte("a")))
			c.Write(netlooptest.Frame(ws.OpPing, true, []byte("p"))[:5])
			synctest.Wait()
			if n := r.holders.pool.Held(); n == 0 || n > 128 {
				r.t.Errorf("%d bytes are held for the beginnings of a message and a ping", n)
			}
			c.Write(netlooptest.Frame(ws.OpPing, true, []byte("p"))[5:])
			c.Write(netlooptest.Frame(ws.OpContinuation, true, []byte("b")))
			c.Want("pong p", "text ab")
			c.Write(frame[:20])
			c.Write(frame[20:])
			c.Want("text " + large)
			synctest.Wait()
			if n := r.holders.pool.Held(); n != 0 {
				r.t.Errorf("%d bytes are held by an idle connection", n)
			}
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
		one(t, options(&echo{}), func(_ *room, c *netlooptest.Client) {
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
		one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
			t, h := r.t, r.echo
			c.Write(append(netlooptest.Frame(ws.OpText, true, []byte("good")), bad...))
			c.Want("text good", want, "eof")
			if got := h.end(t); got.Cause != CauseProtocol {
				t.Errorf("%s: end %+v", want, got)
			}
		})
	}
}

// TestServer_SlowReaderIsClosed does not read and is answered beyond the bound of its queue.
func TestServer_SlowReaderIsClosed(t *testing.T) {
	o := options(&echo{})
	bubble(t, o, func(r *room) {
		t, dial := r.t, r.dial
		slow, other := dial(), dial()
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
		if bytes > o.WriteBufferBytes+1100 {
			t.Errorf("%d bytes waited for the slow reader, bound %d", bytes, o.WriteBufferBytes)
		}
	})
}

// TestServer_WhoNeverReadsIsCutOff blocks the writer for good.
func TestServer_WhoNeverReadsIsCutOff(t *testing.T) {
	bubble(t, options(&echo{}), func(r *room) {
		t, s, dial := r.t, r.Server, r.dial
		start := time.Now()
		c := dial()
		c.Upgrade("/ws")
		c.Text("one message that waits")
		for s.Len() > 0 {
			time.Sleep(time.Second)
		}
		if d := time.Since(start); d < 40*time.Second || d > 46*time.Second {
			t.Errorf("cut off after %v, want between 40s and 46s", d)
		}
	})
}

// TestServer_OneLargeMessageMayPass sends what alone is above the bound of the queue.
func TestServer_OneLargeMessageMayPass(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
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
		one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
			var all []byte
			for _, s := range []string{"before", text, "after"} {
				all = append(all, netlooptest.Frame(ws.OpText, true, []byte(s))...)
			}
			c.Write(all)
			c.Want("text before", want, "eof")
		})
	}
	bubble(t, options(&echo{}), func(r *room) {
		dial := r.dial
		c := dial()
		c.Upgrade("/ws?close")
		c.Want("close 4999 at once")
	})
}

// TestServer_ClosedFromOutside closes from another goroutine while the reader waits.
func TestServer_ClosedFromOutside(t *testing.T) {
	h := &echo{}
	bubble(t, options(h), func(r *room) {
		t, s, dial := r.t, r.Server, r.dial
		c := dial()
		c.Upgrade("/ws")
		synctest.Wait()
		conn, ok := s.Conn(1)
		if !ok {
			t.Fatal("connection 1 is not there")
		}
		if !conn.Send(Text, []byte("pushed")) {
			t.Error("Send to an open connection gave false")
		}
		conn.Close(4200, "session idle")
		conn.Close(4201, "twice")
		if conn.Send(Text, []byte("late")) {
			t.Error("Send to a closed connection gave true")
		}
		synctest.Wait()
		if got, want := h.end(t), (End{CauseClosed, 4200}); got != want {
			t.Errorf("end %+v, want %+v: told before the peer answered", got, want)
		}
		if _, ok := s.Conn(1); ok {
			t.Error("an ended connection is still found")
		}
		c.Want("text pushed", "close 4200 session idle")
		start := time.Now()
		c.Want("eof") // the client does not answer the close frame
		if d := time.Since(start); d != closeTimeout {
			t.Errorf("the socket was let go after %v, want %v", d, closeTimeout)
		}
	})
}

func TestServer_LostConnection(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		t, h := r.t, r.echo
		if err := c.Conn.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got, want := h.end(t), (End{Cause: CauseLost}); got != want {
			t.Errorf("end %+v, want %+v", got, want)
		}
	})
}

func TestServer_Stop(t *testing.T) {
	bubble(t, options(&echo{}), func(r *room) {
		t, s, dial := r.t, r.Server, r.dial
		open, half, mute := dial(), dial(), dial()
		open.Upgrade("/ws")
		half.Write([]byte("GET /ws"))
		synctest.Wait()
		s.Stop()
		s.Stop()
		if r := half.ReadResponse(); r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("half an upgrade is answered by %s", r.Status)
		}
		mute.Want("eof")
		dial().Want("eof")
		open.Text("still served")
		open.Want("text still served")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
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
		if err := s.Wait(t.Context()); err != nil {
			t.Errorf("Wait = %v", err)
		}
		if err := s.Serve(&brokenListener{done: make(chan struct{})}); !errors.Is(err, ErrStopped) {
			t.Errorf("Serve after Stop = %v", err)
		}
	})
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

// brokenListener fails to accept, as a process without free descriptors does.
type brokenListener struct {
	fails atomic.Int64
	done  chan struct{}
}

func (l *brokenListener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
		l.fails.Add(1)
		return nil, errors.New("too many open files")
	}
}
func (l *brokenListener) Close() error   { close(l.done); return nil }
func (l *brokenListener) Addr() net.Addr { return &net.UnixAddr{} }

func TestServe_RestsWhenItCannotAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		o := options(&echo{})
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		l := &brokenListener{done: make(chan struct{})}
		served := make(chan error)
		go func() { served <- s.Serve(l) }()
		time.Sleep(9 * time.Second)
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve = %v", err)
		}
		if n := l.fails.Load(); n < 90 || n > 200 {
			t.Errorf("%d tries in 9 seconds, want from 90 to 200", n)
		}
		if n := strings.Count(log.String(), "cannot accept"); n != 2 {
			t.Errorf("%d log lines in 9 seconds, want 2", n)
		}
	})
}

// TestServe_Sockets talks over real ones, some connections at a time.
func TestServe_Sockets(t *testing.T) {
	h := &echo{}
	s, addr := serve(t, options(h))
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			c := netlooptest.Dial(t, addr, "/ws")
			for j := range 50 {
				text := strings.Repeat(fmt.Sprintf("%d-%d ", i, j), j*20)
				c.Text(text)
				if got := c.Next(); got != "text "+text {
					t.Errorf("%.20q, want an echo of %.20q", got, text)
					return
				}
			}
			c.Close(1000)
			c.Want("close 1000", "eof")
		})
	}
	clients.Wait()
	stop(t, s)
	h.checkLedger(t)
}

// TestServe_LargeRefusalIsRead sends more than the server reads and still gets the answer.
func TestServe_LargeRefusalIsRead(t *testing.T) {
	s, addr := serve(t, options(&echo{}))
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := netlooptest.New(t, nc)
	c.Patience = 10 * time.Second
	c.Write([]byte("GET /ws HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", 20_000)))
	if r := c.ReadResponse(); r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("the answer is %s", r.Status)
	}
	c.Want("eof")
	stop(t, s)
}

// TestServe_NeverReadingSocketIsReset fills the kernel's buffers too.
func TestServe_NeverReadingSocketIsReset(t *testing.T) {
	o := options(&echo{})
	o.WriteBufferBytes = 16 << 20 // beyond what the kernel takes, so that a write blocks
	o.PingInterval, o.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
	h := o.Handler.(*echo)
	s, addr := serve(t, o)
	c := netlooptest.Dial(t, addr, "/ws")
	c.Text("flood")
	stop(t, s) // returns when the connection is gone although its client does not read
	if _, err := io.Copy(io.Discard, c.Conn); err == nil {
		t.Error("the connection ended cleanly, want a reset")
	}
	if got := h.end(t); got.Cause != CauseSlow && got.Cause != CauseSilent {
		t.Errorf("end %+v", got)
	}
}

func serve(t *testing.T, o Options) (s *Server, addr string) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return s, l.Addr().String()
}

// stop waits until the last connection is gone by itself.
func stop(t *testing.T, s *Server) {
	t.Helper()
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatalf("connections are left: %v", err)
	}
}
