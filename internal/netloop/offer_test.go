package netloop

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestOffer_RefusedEndsNothing has many offer to a peer that does not read, all at the same time,
// until it takes no more: then it reads all that was taken.
func TestOffer_RefusedEndsNothing(t *testing.T) {
	o := options(&echo{})
	o.OnSlow, o.BufferTotalBytes = SlowClose, 64<<20
	inModes(t, o, func(r *room) {
		c := r.upgrade()
		conn := r.only()
		payload := []byte(strings.Repeat("x", 3000))
		var taken, refused atomic.Int64
		var offering sync.WaitGroup
		for range 4 {
			offering.Go(func() {
				for refused.Load() < 10_000 {
					if conn.Offer(Text, payload) {
						taken.Add(1)
						refused.Store(0) // the loop has written some
					} else {
						refused.Add(1)
					}
				}
			})
		}
		offering.Wait()
		if n := conn.Queued(); n > o.WriteBufferBytes {
			r.t.Errorf("%d bytes wait, more than %d", n, o.WriteBufferBytes)
		}
		for range taken.Load() {
			c.Want("text " + string(payload))
		}
		if !conn.Offer(Text, []byte("more")) {
			r.t.Error("nothing waits, and no more is taken")
		}
		c.Want("text more")
		if n := r.echo.count(); n != 0 {
			r.t.Errorf("%d connections ended", n)
		}
		_ = c.Conn.Close()
		r.until("it has ended", func() bool { return r.echo.count() == 1 })
		if conn.Offer(Text, []byte("late")) {
			r.t.Error("a connection that has ended takes an offer")
		}
	})
}
