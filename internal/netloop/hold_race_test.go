package netloop

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// waiter is an echo that holds at each message and each request, until somebody else releases.
type waiter struct {
	echo
	releases chan ID
	asked    atomic.Int64 // connections that Open was asked about
}

func newWaiter() Handler { return &waiter{releases: make(chan ID, 1<<16)} }

func (h *waiter) inner() *echo { return &h.echo }

func (h *waiter) Open(c Conn, r *Request, header []byte) ([]byte, *Refusal) {
	if c.Tag() == 0 {
		h.asked.Add(1)
		c.SetTag(7)
		c.Hold()
		h.releases <- c.ID()
		return nil, nil
	}
	return h.echo.Open(c, r, header)
}

func (h *waiter) Message(c Conn, kind Kind, payload []byte) {
	h.echo.Message(c, kind, payload)
	c.Hold()
	h.releases <- c.ID()
}

func (h *waiter) Released(c Conn) {
	h.echo.Released(c)
	if rand.IntN(4) == 0 {
		c.Hold()
		h.releases <- c.ID()
	}
}

// TestHold_LedgerHoweverTheyRace has connections that are held all the time, released, closed from
// outside, and left by their peers.
func TestHold_LedgerHoweverTheyRace(t *testing.T) {
	o := options(nil)
	eachMode(t, o, newWaiter, func(r *room) {
		h := r.o.Handler.(*waiter)
		const n, messages = 120, 40
		done := make(chan struct{})
		var releasers, clients sync.WaitGroup
		for range 3 {
			releasers.Go(func() {
				for {
					select {
					case id := <-h.releases:
						r.Release(id)
						if rand.IntN(200) == 0 {
							if c, ok := r.Conn(id); ok {
								c.Close(4999, "from outside")
							}
						}
					case <-done:
						return
					}
				}
			})
		}
		var finished atomic.Int64
		for i := range n {
			clients.Go(func() {
				if talk(r, i, messages) {
					finished.Add(1)
				}
			})
		}
		clients.Wait()
		r.until("all ends are told", func() bool { return r.echo.count() == int(h.asked.Load()) })
		close(done)
		releasers.Wait()
		if finished.Load() == 0 {
			r.t.Error("no client had all its answers")
		}
		r.until("all are gone", func() bool { return r.Len() == 0 })
	})
}

// talk is what a client says and hears: an echo of each message, in order, until an end. It gives
// true where it heard all.
func talk(r *room, i, messages int) bool {
	c := r.dial()
	b := []byte(netlooptest.Handshake("/ws"))
	for j := range messages {
		b = append(b, texts(fmt.Sprint(j))...)
	}
	half := rand.IntN(len(b))
	defer c.Conn.Close()
	c.Write(b[:half])
	if i%7 == 0 {
		return false
	}
	if _, err := c.Conn.Write(b[half:]); err != nil {
		return false
	}
	if a := c.ReadResponse(); a.StatusCode != 101 {
		return false
	}
	for j := range messages {
		got := c.Next()
		if got == fmt.Sprint("text ", j) {
			continue
		}
		if !strings.HasPrefix(got, "close 4999") {
			r.t.Errorf("%q came in the place of %d", got, j)
		}
		return false
	}
	return true
}
