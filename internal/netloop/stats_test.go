package netloop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// flow is the traffic of Stats.
func flow(s Stats) traffic {
	return traffic{
		framesIn: s.FramesIn, framesOut: s.FramesOut, messagesIn: s.MessagesIn,
		messagesOut: s.MessagesOut, bytesIn: s.BytesIn, bytesOut: s.BytesOut,
	}
}

// wantFlow waits for the traffic that there must have been.
func (r *room) wantFlow(want traffic) {
	r.t.Helper()
	var got traffic
	defer func() {
		if got != want {
			r.t.Errorf("traffic %+v, want %+v", got, want)
		}
	}()
	r.until(fmt.Sprintf("the traffic is %+v", want), func() bool {
		got = flow(r.Stats())
		return got == want
	})
}

// wantClosed waits until connections were closed, and compares how.
func (r *room) wantClosed(want map[Close]uint64) {
	r.t.Helper()
	var got map[Close]uint64
	defer func() {
		if r.t.Failed() {
			r.t.Errorf("closed %v, want %v", got, want)
		}
	}()
	r.until("all are gone and closed as they should be", func() bool {
		got = r.Stats().Closed
		if len(got) != len(want) || r.Len() > 0 {
			return false
		}
		for how, n := range want {
			if got[how] != n {
				return false
			}
		}
		return true
	})
}

// join is what a client sends.
func join(pieces ...[]byte) []byte { return slices.Concat(pieces...) }

func closeFrame(code int) []byte {
	return netlooptest.Frame(ws.OpClose, true, binary.BigEndian.AppendUint16(nil, uint16(code)))
}

// TestStats_Traffic counts fragments, control frames and what is read together with the request,
// however all that is cut.
func TestStats_Traffic(t *testing.T) {
	long := bytes.Repeat([]byte("long "), 3000)
	sent := join(
		netlooptest.Frame(ws.OpText, true, []byte("hello")),
		netlooptest.Frame(ws.OpPing, true, []byte("p")),
		netlooptest.Frame(ws.OpText, false, []byte("a")),
		netlooptest.Frame(ws.OpContinuation, false, nil),
		netlooptest.Frame(ws.OpPong, true, nil),
		netlooptest.Frame(ws.OpContinuation, true, []byte("b")),
		netlooptest.Frame(ws.OpBinary, true, long),
		netlooptest.Frame(ws.OpText, true, nil),
		closeFrame(1000),
	)
	want := traffic{
		framesIn: 9, messagesIn: 4, bytesIn: uint64(len(sent)), framesOut: 6, messagesOut: 4,
		bytesOut: 2 + 5 + 2 + 1 + 2 + 2 + 4 + uint64(len(long)) + 2 + 2 + 2,
	}
	for name, write := range map[string]func(c *netlooptest.Client, b []byte){
		"whole": func(c *netlooptest.Client, b []byte) { c.Write(b) },
		"cut": func(c *netlooptest.Client, b []byte) {
			for len(b) > 0 {
				n := min(1+rand.IntN(7), len(b))
				if len(b) > 1000 && rand.IntN(10) == 0 {
					n = rand.IntN(len(b))
				}
				c.Write(b[:n])
				b = b[n:]
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, options(&echo{}), func(r *room) {
				c := r.dial()
				write(c, append([]byte(netlooptest.Handshake("/ws")), sent...))
				c.ReadResponse()
				c.Want("text hello", "pong p", "text ab", fmt.Sprintf("binary %x", long), "text",
					"close 1000", "eof")
				r.wantFlow(want)
				r.wantClosed(map[Close]uint64{{1000, SideClient}: 1})
			})
		})
	}
}

// TestStats_HeldIsCountedOnce holds connections in the middle of what was read, and in the upgrade.
func TestStats_HeldIsCountedOnce(t *testing.T) {
	inModes(t, options(&echo{}), func(r *room) {
		c := r.upgrade()
		sent := join(netlooptest.Frame(1, true, []byte("hold")),
			netlooptest.Frame(1, false, []byte("a")), netlooptest.Frame(0, true, []byte("b")),
			netlooptest.Frame(1, true, []byte("hold")), netlooptest.Frame(1, true, []byte("c")))
		c.Write(sent)
		id := r.only().ID()
		r.until("it was held twice and goes on", func() bool {
			r.Release(id)
			return flow(r.Stats()).messagesOut == 2
		})
		c.Want("text ab", "text c")
		r.wantFlow(traffic{
			framesIn: 5, messagesIn: 4, bytesIn: uint64(len(sent)),
			framesOut: 2, messagesOut: 2, bytesOut: 4 + 3,
		})
	})
}

// TestStats_Compressed counts what is on the wire.
func TestStats_Compressed(t *testing.T) {
	o := options(&echo{})
	o.Compression = true
	everywhere(t, o, func(r *room) {
		c := r.upgrade("Sec-WebSocket-Extensions: permessage-deflate")
		if c.Response.Header.Get("Sec-WebSocket-Extensions") == "" {
			r.t.Fatal("no compression")
		}
		text := strings.Repeat("again ", 100)
		sent := netlooptest.Frame(ws.OpText, true, []byte(text))
		c.Write(sent)
		h, err := ws.ReadHeader(c.Conn)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := c.Conn.Read(make([]byte, h.Length)); err != nil {
			r.t.Fatal(err)
		}
		r.wantFlow(traffic{
			framesIn: 1, messagesIn: 1, bytesIn: uint64(len(sent)),
			framesOut: 1, messagesOut: 1, bytesOut: 2 + uint64(h.Length),
		})
		if h.Length >= int64(len(text)) {
			r.t.Errorf("a message of %d bytes took %d", len(text), h.Length)
		}
	})
}

// TestStats_OutIsWhatWasWritten has a server send more than is read: what it throws away is not
// counted as sent.
func TestStats_OutIsWhatWasWritten(t *testing.T) {
	for name, policy := range map[string]SlowPolicy{
		"close": SlowClose, "oldest": SlowDropOldest, "newest": SlowDropNewest,
	} {
		o := options(&echo{})
		o.OnSlow = policy
		t.Run(name, func(t *testing.T) {
			inModes(t, o, func(r *room) {
				c := r.upgrade()
				pusher := r.only()
				for i := 0; i < 20_000 && pusher.Send(Binary, make([]byte, 1000)); i++ {
					if policy != SlowClose && r.Stats().Dropped > 100 {
						break
					}
				}
				c.Close(1000)
				var got traffic
				for frame := ""; frame != "eof"; {
					frame = c.Next()
					switch {
					case strings.HasPrefix(frame, "binary"):
						got.messagesOut++
						got.framesOut++
						got.bytesOut += 1004
					case strings.HasPrefix(frame, "close 4101"):
						got.framesOut++
						got.bytesOut += 2 + 2 + uint64(len(reasonSlow))
					case strings.HasPrefix(frame, "close"):
						got.framesOut++
						got.bytesOut += 4
					}
				}
				got.framesIn, got.bytesIn = 1, 8
				r.wantFlow(got)
			})
		})
	}
}

// TestStats_Closed ends connections in each way there is.
func TestStats_Closed(t *testing.T) {
	everywhere(t, options(&echo{}), func(r *room) {
		by := func(text string, want ...string) {
			r.t.Helper()
			c := r.upgrade()
			c.Text(text)
			c.Want(want...)
			_, _ = c.Conn.Write(closeFrame(3999)) // too late: the server's came first
			c.Want("eof")
		}
		by("close", "close 4999 as you wish")
		by("panic", "close 1011 internal error")
		c := r.upgrade()
		c.Write(netlooptest.Frame(ws.OpClose, true, nil))
		c.Want("close", "eof")
		for _, code := range []int{1000, 1001, 1014, 3000, 3999, 4000, 4200, 4999} {
			c = r.upgrade()
			c.Close(code)
			c.Want(fmt.Sprintf("close %d", code), "eof")
		}
		for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535} {
			c = r.upgrade()
			c.Close(code)
			c.Want("close 1002 invalid close code", "eof")
		}
		for range 3 {
			c = r.upgrade()
			_ = c.Conn.Close()
		}
		c = r.dial()
		c.Upgrade("/ws?close")
		c.Want("close 4999 at once")
		_ = c.Conn.Close()
		c = r.dial() // never open
		c.Upgrade("/ws?refuse")
		c.Want("eof")
		r.wantClosed(map[Close]uint64{
			{4999, SideServer}: 2, {1011, SideServer}: 1, {1002, SideServer}: 9,
			{CodeNoStatus, SideClient}: 1, {1000, SideClient}: 1, {1001, SideClient}: 1,
			{1014, SideClient}: 1, {CodeOther, SideClient}: 5, {0, SideNone}: 3,
		})
	})
}

// TestStats_UnreadCloseIsNone closes peers that read nothing, so that no close frame goes.
func TestStats_UnreadCloseIsNone(t *testing.T) {
	o := options(&echo{})
	o.WriteBufferBytes = 16 << 20 // beyond what the kernel takes
	o.PingInterval, o.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
	inModes(t, o, func(r *room) {
		c := r.upgrade()
		c.Text("flood")
		r.wantClosed(map[Close]uint64{{0, SideNone}: 1})
	})
}

// TestCloses_AreBounded counts every code there is, from both sides.
func TestCloses_AreBounded(t *testing.T) {
	var c closes
	for code := range 1 << 16 {
		c.count(SideClient, Code(code))
	}
	sum := uint64(0)
	for how, n := range c.counts() {
		known := how.Code >= 1000 && how.Code <= 1015 || how.Code == CodeOther
		if how.Side != SideClient || !known {
			t.Errorf("%d counted as %+v", n, how)
		}
		sum += n
	}
	if n := len(c.counts()); n > 17 || sum != 1<<16 {
		t.Errorf("%d keys, %d counts, want at most 17 and 65536", n, sum)
	}
	for code := range 1 << 16 {
		if wsframe.Code(code).Valid() {
			c.count(SideServer, Code(code))
		}
	}
	counts := c.counts()
	if counts[Close{4200, SideServer}] != 1 || counts[Close{1013, SideServer}] != 1 ||
		counts[Close{CodeOther, SideServer}] != 1001 {
		t.Errorf("%d for 4200, %d for 1013, %d for others, want 1, 1 and 1001",
			counts[Close{4200, SideServer}], counts[Close{1013, SideServer}],
			counts[Close{CodeOther, SideServer}])
	}
}

// TestStats_AddUpUnderAttack has peers of all kinds while somebody reads the numbers, which only
// grow.
func TestStats_AddUpUnderAttack(t *testing.T) {
	inModes(t, options(&echo{}), func(r *room) {
		done := make(chan struct{})
		var reader sync.WaitGroup
		reader.Go(func() {
			var last Stats
			for {
				st := r.Stats()
				if !grows(last, st) {
					r.t.Errorf("after %+v came %+v", last, st)
					return
				}
				last = st
				select {
				case <-done:
					return
				default:
				}
			}
		})
		var peers sync.WaitGroup
		for range 4 {
			peers.Go(func() {
				for i := range 60 {
					attack(r, i)
				}
			})
		}
		peers.Wait()
		close(done)
		reader.Wait()
		r.until("all are gone", func() bool { return r.Len() == 0 })
		sum := uint64(0)
		for _, n := range r.Stats().Closed {
			sum += n
		}
		if st := r.Stats(); sum != st.Upgraded || sum != 4*60 {
			r.t.Errorf("%d closed, %d upgraded, want 240", sum, st.Upgraded)
		}
	})
}

// attack is one peer.
func attack(r *room, i int) {
	c := netlooptest.Dial(r.t, r.addr, "/ws")
	send := func(b []byte) { _, _ = c.Conn.Write(b) } // it may be gone already
	switch i % 6 {
	case 0:
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
	case 1:
		for code := i; code < 1<<16; code += 4999 {
			send(closeFrame(code))
		}
	case 2:
		send(netlooptest.Frame(1, false, make([]byte, 100)))
		send(netlooptest.Frame(0, true, []byte("\xff")))
	case 3:
		for range 50 {
			send(netlooptest.Frame(9, true, nil))
		}
		send(closeFrame(1000 + i))
	case 4:
		send(netlooptest.Frame(1, true, []byte("flood")))
	case 5:
		garbage := make([]byte, 300)
		for j := range garbage {
			garbage[j] = byte(rand.Uint32())
		}
		send(garbage)
	}
	_ = c.Conn.Close()
}

// grows says whether no count is smaller than it was.
func grows(was, is Stats) bool {
	for how, n := range was.Closed {
		if is.Closed[how] < n {
			return false
		}
	}
	for i, l := range was.Loops {
		if n := is.Loops[i]; n.Busy < l.Busy || n.Turns < l.Turns {
			return false
		}
	}
	return is.FramesIn >= was.FramesIn && is.FramesOut >= was.FramesOut &&
		is.MessagesIn >= was.MessagesIn && is.MessagesOut >= was.MessagesOut &&
		is.BytesIn >= was.BytesIn && is.BytesOut >= was.BytesOut
}

// TestStats_OfAnIdleServer are quiet, and know the connections.
func TestStats_OfAnIdleServer(t *testing.T) {
	inModes(t, options(&echo{}), func(r *room) {
		const n = 40
		for range n {
			r.upgrade()
		}
		connections := func(st Stats) (sum int) {
			for _, l := range st.Loops {
				sum += l.Connections
			}
			return sum
		}
		r.until("all are open", func() bool {
			st := r.Stats()
			return st.Open == n && (r.o.Mode == ModeGoroutine || connections(st) == n)
		})
		st := r.Stats()
		if (r.o.Mode == ModeEpoll) != (len(st.Loops) == r.o.Loops) || st.Slots < 64*n {
			r.t.Errorf("%d loops of %d, %d bytes of slots", len(st.Loops), r.o.Loops, st.Slots)
		}
		if (flow(st) != traffic{}) {
			r.t.Errorf("nothing was sent, and the traffic is %+v", flow(st))
		}
	})
}
