package netloop

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// burst is an echo that answers a number with as many messages, which are numbered.
type burst struct {
	echo
	done atomic.Bool
}

func (h *burst) inner() *echo { return &h.echo }

func (h *burst) Message(c Conn, kind Kind, payload []byte) {
	n, err := strconv.Atoi(string(payload))
	if err != nil {
		h.echo.Message(c, kind, payload)
		return
	}
	for i := range n {
		if !c.Send(Text, numbered(i)) && h.ended(c) {
			break
		}
	}
	h.done.Store(true)
}

// ended says whether a connection ends although the handler was not told yet.
func (h *burst) ended(c Conn) bool {
	in, ok := c.on.(*inside)
	if ok {
		_, s, _ := in.at(c.id)
		return s.has(flagEnding)
	}
	stage, _, _ := c.on.(*reader).state()
	return stage == stageClosing
}

func numbered(i int) []byte { return fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 4000)) }

// bursts is how many messages are more than the kernel takes for a peer that does not read.
const bursts = 4000

// number reads a numbered message; -1: it is something else.
func number(c *netlooptest.Client) (int, string) {
	got := c.Next()
	text, ok := strings.CutPrefix(got, "text ")
	if !ok {
		return -1, got
	}
	digits, _, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(digits)
	if err != nil || text != string(numbered(n)) {
		return -1, got
	}
	return n, got
}

func newBurst() Handler { return new(burst) }

func TestSlow_Close(t *testing.T) {
	o := options(nil)
	eachMode(t, o, newBurst, func(r *room) {
		c := r.upgrade()
		c.Text(strconv.Itoa(bursts))
		if got, want := r.end(), (End{CauseSlow, CodeSlow}); got != want {
			r.t.Errorf("end %+v, want %+v", got, want)
		}
		for i := 0; ; i++ {
			n, got := number(c)
			if n < 0 {
				if got != "close 4101 too slow" {
					r.t.Errorf("after %d messages came %.50q", i, got)
				}
				break
			}
			if n != i {
				r.t.Fatalf("message %d came in the place of %d", n, i)
			}
		}
	})
}

func TestSlow_DropPoliciesKeepTheConnection(t *testing.T) {
	for name, policy := range map[string]SlowPolicy{
		"drop-newest": SlowDropNewest, "drop-oldest": SlowDropOldest,
	} {
		t.Run(name, func(t *testing.T) {
			o := options(nil)
			o.OnSlow = policy
			eachMode(t, o, newBurst, func(r *room) {
				h := r.o.Handler.(*burst)
				c := r.upgrade()
				c.Text(strconv.Itoa(bursts))
				r.until("the burst is over", h.done.Load)
				dropped := int(r.Stats().Dropped)
				if dropped == 0 || dropped >= bursts {
					r.t.Fatalf("%d of %d messages were dropped", dropped, bursts)
				}
				last := -1
				for range bursts - dropped {
					n, got := number(c)
					if n <= last {
						r.t.Fatalf("after message %d came %.50q", last, got)
					}
					last = n
				}
				if policy == SlowDropOldest && last != bursts-1 {
					r.t.Errorf("message %d is the last, want %d", last, bursts-1)
				}
				c.Text("fresh")
				c.Want("text fresh")
				if !r.only().Send(Text, []byte("from outside")) {
					r.t.Error("Send gave false although nothing waits")
				}
				c.Want("text from outside")
			})
		})
	}
}

// TestSlow_OutsideIsBoundedToo has somebody outside send to who does not read.
func TestSlow_OutsideIsBoundedToo(t *testing.T) {
	for name, policy := range map[string]SlowPolicy{
		"close": SlowClose, "drop-newest": SlowDropNewest, "drop-oldest": SlowDropOldest,
	} {
		t.Run(name, func(t *testing.T) {
			o := options(&echo{})
			o.OnSlow = policy
			inModes(t, o, func(r *room) {
				c := r.upgrade()
				conn := r.only()
				var sent uint64
				for range bursts {
					if conn.Send(Text, numbered(int(sent))) {
						sent++
					}
				}
				if held := r.holders.pool.Held(); held > 16<<20 {
					r.t.Errorf("%d bytes wait for one peer", held)
				}
				if policy == SlowClose {
					if got, want := r.end(), (End{CauseSlow, CodeSlow}); got != want {
						r.t.Errorf("end %+v, want %+v", got, want)
					}
					return
				}
				if r.Stats().Dropped == 0 || sent == 0 {
					r.t.Errorf("%d were sent, %d dropped", sent, r.Stats().Dropped)
				}
				c.Text("fresh") // is answered, or dropped, after what waits
				for last := -1; ; {
					n, got := number(c)
					if got == "text fresh" {
						return
					}
					if n <= last {
						r.t.Fatalf("after message %d came %.50q", last, got)
					}
					if last = n; r.holders.pool.Held() == 0 {
						c.Text("fresh") // where the first was dropped
					}
				}
			})
		})
	}
}

// TestHolders_TheLargestGoes and all others are served.
func TestHolders_TheLargestGoes(t *testing.T) {
	o := options(&echo{})
	o.MaxMessageBytes, o.WriteBufferBytes = 1<<20, 1<<20
	o.BufferTotalBytes = 256 << 10
	inModes(t, o, func(r *room) {
		var small []*netlooptest.Client
		for range 8 {
			c := r.upgrade()
			c.Write(netlooptest.Frame(ws.OpText, false, make([]byte, 10_000)))
			small = append(small, c)
		}
		r.until("their messages are held", func() bool { return r.holders.pool.Held() == 8*16<<10 })
		large := r.upgrade()
		frame := netlooptest.Frame(ws.OpText, true, make([]byte, 250_000))
		_, _ = large.Conn.Write(frame[:len(frame)-1])
		large.Want("close 4101 server is out of buffers")
		if got, want := r.end(), (End{CauseSlow, CodeSlow}); got != want {
			r.t.Errorf("end %+v, want %+v", got, want)
		}
		for _, c := range small {
			c.Write(netlooptest.Frame(ws.OpContinuation, true, []byte("!")))
			c.Want("text " + strings.TrimSpace(string(make([]byte, 10_000))+"!"))
		}
		r.until("memory is given back", func() bool { return r.holders.pool.Held() == 0 })
		if n := r.Stats().Evicted; n != 1 {
			r.t.Errorf("%d were evicted", n)
		}
	})
}

// TestHolders_LimitIsKept by many who hold a little more together than they may.
func TestHolders_LimitIsKept(t *testing.T) {
	o := options(&echo{})
	o.BufferTotalBytes = 1 << 20
	inModes(t, o, func(r *room) {
		frame := netlooptest.Frame(ws.OpText, true, make([]byte, 30_000))
		var clients []*netlooptest.Client
		for range 64 {
			c := r.upgrade()
			_, _ = c.Conn.Write(frame[:len(frame)-1])
			clients = append(clients, c)
			if n := r.holders.pool.Held(); n > o.BufferTotalBytes*9/8 {
				r.t.Fatalf("%d bytes are held, limit %d", n, o.BufferTotalBytes)
			}
		}
		r.until("some were let go", func() bool { return r.echo.count() > 0 })
		r.until("the limit is kept", func() bool {
			return r.holders.pool.Held() <= o.BufferTotalBytes
		})
		served, gone := 0, 0
		for _, c := range clients {
			_, _ = c.Conn.Write(frame[len(frame)-1:])
			switch got := c.Next(); {
			case strings.HasPrefix(got, "text "):
				served++
			case strings.HasPrefix(got, "close 4101 "):
				gone++
			default:
				r.t.Errorf("a client was told %.50q", got)
			}
		}
		if served == 0 || gone == 0 {
			r.t.Errorf("%d were served, %d were not", served, gone)
		}
	})
}

func TestHolders_AskOneAfterTheOther(t *testing.T) {
	h := newHolders(100_000)
	h.pool.Limit = 0
	buffers := h.pool.Grow(nil, 100_000)
	for id, held := range map[ID]int{1: 100, 2: 5000, 3: 90_000, 4: 91_000, 5: 300} {
		h.note(id, 0, held)
	}
	first := h.largest()
	if first != 3 && first != 4 {
		t.Errorf("%d is the largest, want 3 or 4", first)
	}
	if next := h.largest(); next != 0 {
		t.Errorf("%d is to go too, although the first makes up for it", next)
	}
	h.note(first, 90_000, 0)
	second := h.largest()
	if second+first != 7 {
		t.Errorf("after %d comes %d", first, second)
	}
	h.note(second, 90_000, 70) // it is asked already
	h.note(second, 70, 0)
	h.note(2, 5000, 400)
	for range 3 {
		id := h.largest()
		if id == 0 {
			break
		}
		h.note(id, 400, 0)
	}
	if id := h.largest(); id != 0 {
		t.Errorf("%d is to go, and nobody holds anything", id)
	}
	h.pool.Free(buffers)
	for _, class := range h.mu.classes {
		if len(class) > 0 {
			t.Errorf("%v are filed in the end", class)
		}
	}
	if len(h.mu.leaving) > 0 || h.mu.leavingIn != 0 {
		t.Errorf("%v leave with %d bytes in the end", h.mu.leaving, h.mu.leavingIn)
	}
}
