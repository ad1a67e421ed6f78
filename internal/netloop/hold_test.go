package netloop

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// texts is the frames of several text messages.
func texts(messages ...string) []byte {
	var b []byte
	for _, m := range messages {
		b = append(b, netlooptest.Frame(ws.OpText, true, []byte(m))...)
	}
	return b
}

// TestHold_WhatComesWaits in one read and later, while what is sent leaves.
func TestHold_WhatComesWaits(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		c := r.upgrade()
		c.Write(texts("before", "hold", "a", "b"))
		c.Want("text before")
		r.until("it is held", h.heard("before", "hold"))
		if r.addr != "" { // a pipe holds nothing
			c.Text("c")
		}
		conn := r.only()
		if !conn.Send(Text, []byte("meanwhile")) {
			r.t.Error("Send to a connection that is held gave false")
		}
		c.Want("text meanwhile")
		if !h.heard("before", "hold")() {
			r.t.Errorf("the handler heard %q while it held the connection", h.calls)
		}
		r.Release(conn.ID())
		c.Want("text released", "text a", "text b")
		if r.addr == "" {
			c.Text("c")
		}
		c.Want("text c")
		if !h.heard("hold", "released", "a", "b", "c")() {
			r.t.Errorf("the handler heard %q", h.calls)
		}
	})
}

// TestHold_PiecesGoOn with a frame that is not whole, before and behind.
func TestHold_PiecesGoOn(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		c := r.upgrade()
		c.Write(netlooptest.Frame(ws.OpText, false, []byte("ho")))
		rest := texts("after")
		c.Write(append(netlooptest.Frame(ws.OpContinuation, true, []byte("ld")), rest[:5]...))
		r.until("it is held", h.heard("hold"))
		h.release()
		c.Want("text released")
		c.Write(rest[5:])
		c.Want("text after")
		r.until("memory is given back", func() bool { return r.holders.pool.Held() == 0 })
	})
}

func TestHold_ReleaseMayComeBeforeTheCallReturns(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		c := r.upgrade()
		c.Write(texts("early", "a", "early", "early", "b"))
		c.Want("text released", "text a", "text released", "text released", "text b")
		c.Write(texts("anew", "c"))
		r.until("it is held anew", h.heard("b", "anew"))
		if r.addr == "" {
			r.until("it is held still", h.heard("b", "anew"))
		}
		h.release()
		c.Want("text released", "text c")
	})
}

func TestHold_ReleasedMayHoldAgain(t *testing.T) {
	o := options(nil)
	o.PingInterval = 0
	withKeeper(t, o, func(r *room, h *keeper) {
		c := r.upgrade()
		h.lock.Lock()
		h.again = 2
		h.lock.Unlock()
		c.Write(texts("hold", "a", "hold", "b"))
		r.until("it is held", h.heard("hold"))
		for range 3 {
			h.release()
			c.Want("text released")
		}
		c.Want("text a")
		r.until("it is held", h.heard("released", "a", "hold"))
		h.release()
		c.Want("text released", "text b")
	})
}

// TestHold_ManyMessagesOfOneRead holds at each.
func TestHold_ManyMessagesOfOneRead(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, _ *keeper) {
		c := r.upgrade()
		const n = 200
		var all []string
		for i := range n {
			all = append(all, "early", fmt.Sprint(i))
		}
		go func() { _, _ = c.Conn.Write(texts(all...)) }()
		for i := range n {
			c.Want("text released", fmt.Sprint("text ", i))
		}
	})
}

func TestHold_Close(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		c := r.upgrade()
		end := netlooptest.Frame(ws.OpClose, true, []byte{0x03, 0xe8})
		c.Write(append(texts("hold", "lost"), end...)) // the peer's close frame waits too
		r.until("it is held", h.heard("hold"))
		conn := r.only()
		conn.Close(4999, "as you wish")
		c.Want("close 4999 as you wish", "eof")
		r.until("the end is told", h.heard("hold", "closed closed"))
		r.Release(conn.ID())
		if conn.Send(Text, nil) || conn.Queued() != 0 {
			r.t.Error("a connection that has ended is not known to have")
		}

		c = r.upgrade()
		c.Write(append(texts("hold and close", "lost"), end...))
		c.Want("close 4999 as you wish", "eof")
		r.until("the end is told", h.heard("hold and close", "closed closed"))

		c = r.upgrade()
		c.Write(texts("hold and panic", "lost"))
		c.Want("close 1011 internal error", "eof")
		r.until("the end is told", h.heard("hold and panic", "closed panic"))
	})
}

func TestHold_Open(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		c := r.dial()
		request := netlooptest.Handshake("/ws?send-hold-early-open",
			"Sec-WebSocket-Protocol: p2", "User-Agent: some")
		c.Write([]byte(request)[:50])
		c.Write(append([]byte(request)[50:], texts("a", "hold", "b")...))
		r.until("it is held", h.heard("open /ws send p2 some"))
		conn, ok := r.Conn(h.last)
		if !ok || !conn.Send(Text, []byte("second")) {
			r.t.Error("a connection that is held by Open cannot be sent to")
		}
		h.release()
		r.until("it is held", h.heard("open /ws send p2 some", "open /ws hold p2 some"))
		h.release()
		answer := c.ReadResponse()
		if answer.StatusCode != 101 || answer.Header.Get("X-Keeper") != "yes" ||
			answer.Header.Get("Sec-WebSocket-Protocol") != "p2" {
			r.t.Errorf("the answer is %s %v", answer.Status, answer.Header)
		}
		c.Want("text first", "text second", "text a")
		r.until("it is held", h.heard("open /ws early p2 some", "open /ws open p2 some", "a",
			"hold"))
		h.release()
		c.Want("text released", "text b")
	})
}

func TestHold_OpenThenNo(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		for query, status := range map[string]int{
			"hold-refuse": 403, "hold-panic": 500, "send-hold-refuse": 403, "send-panic": 500,
		} {
			c := r.dial()
			c.Write(append([]byte(netlooptest.Handshake("/ws?"+query)), texts("lost")...))
			steps := strings.Split(query, "-")
			for _, step := range steps[:len(steps)-1] {
				r.until("it is held", h.heard("open /ws "+step))
				h.release()
			}
			if a := c.ReadResponse(); a.StatusCode != status {
				r.t.Errorf("%s is answered by %s", query, a.Status)
			}
			c.Want("eof")
			if status == 500 {
				r.until("the end is told", h.heard("open /ws panic", "closed panic"))
			}
		}
		c := r.dial()
		c.Upgrade("/ws?close")
		c.Want("close 4999 at once")
	})
}

// TestHold_OpenEndsMeanwhile for each reason there is.
func TestHold_OpenEndsMeanwhile(t *testing.T) {
	for name, end := range map[string]func(r *room, h *keeper, c Conn){
		"close": func(_ *room, _ *keeper, c Conn) { c.Close(4999, "") },
		"stop":  func(r *room, _ *keeper, _ Conn) { r.Stop() },
		"slow": func(_ *room, _ *keeper, c Conn) {
			for c.Send(Text, make([]byte, 1000)) {
			}
		},
		"evicted": func(_ *room, _ *keeper, c Conn) { c.on.evict(c.id) },
	} {
		t.Run(name, func(t *testing.T) {
			withKeeper(t, options(nil), func(r *room, h *keeper) {
				c := r.dial()
				c.Write(append([]byte(netlooptest.Handshake("/ws?send-open")), texts("lost")...))
				r.until("it is held", h.heard("open /ws send"))
				conn, _ := r.Conn(h.last)
				end(r, h, conn)
				if a := c.ReadResponse(); a.StatusCode != 503 {
					r.t.Errorf("the answer is %s", a.Status)
				}
				c.Want("eof")
				r.until("the end is told", func() bool { return r.echo.count() == 1 })
				h.release()
				r.until("it is gone", func() bool { return r.Len() == 0 })
				if _, ok := r.Conn(conn.id); ok {
					r.t.Error("it is still found")
				}
			})
		})
	}
}

// TestHold_ThePeerGoes while it is held; that is noticed at the release, if not before.
func TestHold_ThePeerGoes(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		c := r.dial()
		c.Write([]byte(netlooptest.Handshake("/ws?hold-open")))
		r.until("it is held", h.heard("open /ws hold"))
		_ = c.Conn.Close()
		h.release()
		r.until("the end is told", h.heard("closed lost"))
		c = r.upgrade()
		c.Text("hold")
		r.until("it is held", h.heard("hold"))
		_ = c.Conn.Close()
		h.release()
		r.until("the end is told", h.heard("closed lost"))
	})
}

// TestHold_ServerClose does not wait for a release.
func TestHold_ServerClose(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		for i := range 4 {
			c := r.dial()
			if i%2 == 0 {
				c.Write([]byte(netlooptest.Handshake("/ws?hold-open")))
				r.until("it is held", h.heard("open /ws hold"))
				continue
			}
			c.Upgrade("/ws")
			c.Write(texts("hold", "lost"))
			r.until("it is held", h.heard("hold"))
		}
		if err := r.Close(); err != nil {
			r.t.Error(err)
		}
		if n := r.echo.count(); n != 4 {
			r.t.Errorf("%d ends were told, want 4", n)
		}
	})
}

// TestHold_DeadlinesRest for much longer than they are.
func TestHold_DeadlinesRest(t *testing.T) {
	o := shortTimes()
	withKeeper(t, o, func(r *room, h *keeper) {
		c := r.upgrade()
		c.Text("hold")
		c.Quiet(3 * (o.PingInterval + o.PingTimeout))
		start := time.Now()
		h.release()
		c.Want("text released", "ping")
		notBefore(r.t, "a ping", start, o.PingInterval)
		c.Want("close 4102 no pong")
		notBefore(r.t, "the end", start, o.PingInterval+o.PingTimeout)
	})
}

// TestHold_HelloTimeoutRests in Open and in Message.
func TestHold_HelloTimeoutRests(t *testing.T) {
	o := shortTimes()
	o.HelloTimeout, o.PingInterval = 200*time.Millisecond, time.Hour
	o.Handler = &keeper{echo: echo{silent: true}}
	withKeeper(t, o, func(r *room, h *keeper) {
		start := time.Now()
		c := r.dial()
		c.Write([]byte(netlooptest.Handshake("/ws?hold-open")))
		r.until("it is held", h.heard("open /ws hold"))
		c.Quiet(2 * o.HelloTimeout)
		h.release()
		if a := c.ReadResponse(); a.StatusCode != 101 {
			r.t.Fatalf("the answer is %s", a.Status)
		}
		c.Text("hold")
		r.until("it is held", h.heard("hold"))
		c.Quiet(2 * o.HelloTimeout)
		h.release()
		c.Want("text released", "close 4002 no hello")
		notBefore(r.t, "the end", start, 5*o.HelloTimeout)
	})
}

func TestHold_ReleaseOfOthersDoesNothing(t *testing.T) {
	withKeeper(t, options(nil), func(r *room, h *keeper) {
		c := r.upgrade()
		conn := r.only()
		c.Text("x")
		c.Want("text x")
		for _, id := range []ID{0, 1 << 56, 200 << 56, conn.ID(), conn.ID() + 1, ^ID(0)} {
			r.Release(id)
		}
		c.Text("hold")
		r.until("it is held", h.heard("x", "hold"))
		for _, id := range []ID{0, 1 << 56, 200 << 56, conn.ID() + 1, ^ID(0)} {
			r.Release(id)
		}
		c.Quiet(time.Millisecond)
		h.release()
		c.Want("text released")
		h.release()
		c.Text("y")
		c.Want("text y")
	})
}

// TestHold_WhatIsKeptCounts against what all may hold.
func TestHold_WhatIsKeptCounts(t *testing.T) {
	if !loopsAvailable {
		return
	}
	o := options(nil)
	o.BufferTotalBytes = 100 << 10
	o.Mode = ModeEpoll
	o.Handler = &keeper{}
	overSockets(t, o, func(r *room) {
		h := r.o.Handler.(*keeper)
		h.srv.Store(r.Server)
		behind := bytes.Repeat(texts("behind"), 2000)
		var clients []*netlooptest.Client
		for range 6 {
			c := r.upgrade()
			c.Write(append(texts("hold"), behind...))
			clients = append(clients, c)
		}
		r.until("some were let go", func() bool { return r.Stats().Evicted > 0 })
		r.until("the limit is kept", func() bool {
			return r.holders.pool.Held() <= o.BufferTotalBytes
		})
		for _, c := range clients {
			_ = c.Conn.Close()
		}
	})
}
