package netloop

import (
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// TestQueued_IsWhatWaits for a peer that does not read, and then does.
func TestQueued_IsWhatWaits(t *testing.T) {
	inModes(t, options(&echo{}), func(r *room) {
		c := r.upgrade()
		conn := r.only()
		r.until("the answer to the upgrade is written", func() bool { return conn.Queued() == 0 })
		large := strings.Repeat("x", 32<<20) // more than the kernel takes; alone it may wait
		if !conn.Send(Text, []byte(large)) {
			r.t.Fatal("Send gave false")
		}
		if n := conn.Queued(); n == 0 || n > len(large)+errandAllowance {
			r.t.Errorf("%d bytes wait of %d", n, len(large))
		}
		r.until("it is counted among all that wait", func() bool {
			n := int(r.Stats().Queued)
			return n > len(large)/2 && n <= len(large)+errandAllowance
		})
		if got := c.Next(); got != "text "+large {
			r.t.Errorf("%.50q came, of %d bytes", got, len(got))
		}
		_ = c.Conn.Close()
		r.until("nothing waits for one that is gone", func() bool {
			return conn.Queued() == 0 && r.Stats().Queued == 0
		})
	})
}

// errandAllowance is what Queued may count beyond what was sent.
const errandAllowance = 64

// TestQueued_WhoAsksFirstEndsNothing sends to a peer that does not read, and ends connections that
// are too slow.
func TestQueued_WhoAsksFirstEndsNothing(t *testing.T) {
	o := options(&echo{})
	o.OnSlow = SlowClose
	inModes(t, o, func(r *room) {
		c := r.upgrade()
		conn := r.only()
		sent, refusedInARow := 0, 0
		r.until("the kernel takes no more", func() bool {
			payload := numbered(sent)
			if conn.Queued()+len(payload)+4<<10 > o.WriteBufferBytes {
				refusedInARow++
				return refusedInARow > 100
			}
			refusedInARow = 0
			for conn.Queued()+len(payload)+4<<10 <= o.WriteBufferBytes {
				if !conn.Send(Text, payload) {
					r.t.Fatalf("Send gave false after %d messages, %d wait", sent, conn.Queued())
				}
				sent++
				payload = numbered(sent)
			}
			return false
		})
		c.Write(netlooptest.Frame(netlooptest.OpPing, true, nil))
		for i := range sent {
			if n, got := number(c); n != i {
				r.t.Fatalf("%.50q came in the place of %d", got, i)
			}
		}
		c.Want("pong")
		r.until("nothing waits", func() bool { return conn.Queued() == 0 })
		if n := r.echo.count(); n != 0 {
			r.t.Errorf("%d connections ended", n)
		}
	})
}

// TestQueued_RoomComesBackAsThePeerReads has one that reads a little of what is being written.
func TestQueued_RoomComesBackAsThePeerReads(t *testing.T) {
	l, h, i, peer := idleLoop(t)
	s := l.slots.at(i)
	l.srv.o.WriteBufferBytes = 1 << 20
	limit := l.srv.o.WriteBufferBytes
	c := Conn{on: &l.outside, id: l.id(i, s.generation())}
	c.Send(Binary, make([]byte, limit-10_000))
	turn(t, l)
	if n := c.Queued(); n == 0 || n > limit {
		t.Fatalf("%d bytes wait", n)
	}
	for c.Queued() > limit/2 {
		said(peer)
		turn(t, l)
	}
	sent := 0
	for c.Queued()+60_000 <= limit {
		if !c.Send(Binary, make([]byte, 40_000)) {
			t.Fatalf("Send gave false, %d bytes wait", c.Queued())
		}
		turn(t, l)
		sent++
	}
	if sent < 5 || h.count() != 0 {
		t.Errorf("%d messages had room, %d ends", sent, h.count())
	}
	for c.Queued() > 0 {
		said(peer)
		turn(t, l)
	}
	if s.busy != 0 || s.waits() != 0 || s.held.Load() != 0 {
		t.Errorf("%d and %d bytes wait in the end", s.waits(), s.held.Load())
	}
}
