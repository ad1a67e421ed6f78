package gateway

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestStorm_OverSockets has thousands of sessions fall due together while a neighbour talks.
func TestStorm_OverSockets(t *testing.T) {
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			o := Options{IdleTimeout: 1500 * time.Millisecond}
			o.Net.Mode = mode
			overSockets(t, o, storm)
		})
	}
}

func storm(w *world) {
	const n, dialers = 2000, 20
	var told, dialed sync.WaitGroup
	var over atomic.Bool
	neighbour := w.upgrade(raw())
	var talked sync.WaitGroup
	talked.Go(func() {
		for i := 0; !over.Load(); i++ {
			text := fmt.Sprint(i)
			neighbour.Text(text)
			neighbour.Want("text " + text)
		}
		neighbour.Close(1000)
		neighbour.Want("close 1000", "eof")
	})
	var early atomic.Int64
	for range dialers {
		dialed.Go(func() {
			for range n / dialers {
				start := time.Now()
				c, id := w.hello("")
				told.Go(func() {
					c.Want(`text {"op":"session_expired","session_id":"` + id +
						`","reason":"idle"}`)
					if time.Since(start) < w.o.IdleTimeout {
						early.Add(1)
					}
					if got := c.Next(); !strings.HasPrefix(got, "close 4200 ") {
						w.t.Errorf("after the frame came %q", got)
					}
					c.Close(4200)
					c.Want("eof")
				})
			}
		})
	}
	dialed.Wait()
	told.Wait()
	over.Store(true)
	talked.Wait()
	if early.Load() > 0 {
		w.t.Errorf("%d sessions ended early", early.Load())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ends) < n {
		w.t.Errorf("%d sessions ended, want %d", len(w.ends), n)
	}
	for id, times := range w.ends {
		if times != 1 {
			w.t.Errorf("session %s ended %d times", id, times)
		}
	}
}
