package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestDrain_SpreadsClosesAndReturns drains ten sessions over ten seconds.
func TestDrain_SpreadsClosesAndReturns(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		const n = 10
		var clients sync.WaitGroup
		closed := make([]time.Duration, n)
		retry := make([]int, n)
		var start time.Time
		for i := range n {
			c, _ := w.hello("")
			clients.Go(func() {
				var frame struct {
					Op           string `json:"op"`
					RetryAfterMS int    `json:"retry_after_ms"`
				}
				got := strings.TrimPrefix(c.Next(), "text ")
				if err := json.Unmarshal([]byte(got), &frame); err != nil || frame.Op != "goodbye" {
					t.Errorf("drained with %s", got)
				}
				c.Want("close 4100 draining")
				closed[i], retry[i] = time.Since(start), frame.RetryAfterMS
				c.Close(1000)
				c.Want("eof")
			})
		}
		r := w.upgrade(raw())
		clients.Go(func() { r.Want("close 4100 draining", "eof") })
		silent := w.upgrade()
		clients.Go(func() { silent.Want("close 4100 draining", "eof") })
		synctest.Wait()
		start = time.Now()
		if err := w.Drain(t.Context(), 12*time.Second); err != nil {
			t.Errorf("Drain = %v", err)
		}
		clients.Wait()
		for i := range n { // the connections go in their order
			want := time.Duration(i) * time.Second
			if closed[i] < want || closed[i] > want+2*drainStep {
				t.Errorf("client %d is closed after %v, want %v", i, closed[i], want)
			}
			for j := range i {
				if d := retry[i] - retry[j]; -200 < d && d < 200 {
					t.Errorf("clients %d and %d are told to come back together: %v", i, j, retry)
				}
			}
		}
		w.want(t, n+1, ReasonDrained)
	})
}

func TestDrain_AtOnceWhenNobodyIsConnected(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		c, _ := w.hello("")
		c.Text(`{"op":"bye"}`)
		c.Want("close 1000")
		c.Close(1000)
		c.Want("eof")
		synctest.Wait()
		start := time.Now()
		if err := w.Drain(t.Context(), time.Hour); err != nil {
			t.Errorf("Drain = %v", err)
		}
		wantPassed(t, start, 0)
	})
}

func TestDrain_AtOnceWithoutAWindow(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		var clients sync.WaitGroup
		for range 100 {
			c, _ := w.hello("")
			clients.Go(func() {
				c.Next()
				c.Want("close 4100 draining")
				c.Close(1000)
			})
		}
		start := time.Now()
		if err := w.Drain(t.Context(), 0); err != nil {
			t.Errorf("Drain = %v", err)
		}
		wantPassed(t, start, 0)
		clients.Wait()
		w.want(t, 100, ReasonDrained)
	})
}

// TestDrain_ReturnsWhenTheLastOneLeaves does not wait for the window.
func TestDrain_ReturnsWhenTheLastOneLeaves(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		a, _ := w.hello("")
		b, _ := w.hello("")
		start := time.Now()
		drained := make(chan error)
		go func() { drained <- w.Drain(t.Context(), time.Hour) }()
		a.Next()
		a.Want("close 4100 draining")
		a.Close(1000)
		b.Text(`{"op":"ping"}`) // who is not let go yet is served
		if got := b.Next(); !strings.HasPrefix(got, `text {"op":"pong"`) {
			t.Errorf("during the drain a ping is answered by %s", got)
		}
		b.Close(1000)
		b.Want("close 1000")
		if err := <-drained; err != nil {
			t.Errorf("Drain = %v", err)
		}
		wantPassed(t, start, 0)
	})
}

// TestDrain_RefusesNewcomers says hello and upgrades too late.
func TestDrain_RefusesNewcomers(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		first, _ := w.hello("")
		late := w.upgrade()
		ctx, cancel := context.WithCancel(t.Context())
		drained := make(chan error)
		go func() { drained <- w.Drain(ctx, time.Hour) }()
		first.Next()
		first.Want("close 4100 draining")
		late.Text(`{"op":"hello"}`)
		late.Want(`text {"op":"hello_ack","ok":false,"error":"unavailable"}`,
			"close 1013 unavailable")
		w.dial().Want("eof")
		cancel()
		if err := <-drained; !errors.Is(err, context.Canceled) {
			t.Errorf("Drain = %v, want its context's error", err)
		}
	})
}

// TestClose_SaysGoingAway ends a gateway in the middle of everything.
func TestClose_SaysGoingAway(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		t := w.t
		var clients sync.WaitGroup
		reading, _ := w.hello("")
		clients.Go(func() { reading.Want("close 1001 going away", "eof") })
		deaf, _ := w.hello("")
		half := w.dial()
		half.Write([]byte("GET"))
		clients.Go(func() {
			if r := half.ReadResponse(); r.StatusCode != 503 {
				t.Errorf("half an upgrade is answered by %s", r.Status)
			}
		})
		synctest.Wait()
		start := time.Now()
		if err := w.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		wantPassed(t, start, abortPatience)
		clients.Wait()
		deaf.Want("eof")
		w.want(t, 2, ReasonDrained)
		if err := w.Close(); err != nil {
			t.Errorf("Close again = %v", err)
		}
	})
}

func TestSpread(t *testing.T) {
	for _, n := range []int{10, 100, 1000} { // every prefix is even
		var in [10]int
		for i := range n {
			in[spread(i)*10/retrySpread]++
		}
		for i, got := range in {
			if got < n/20 || got > n/5 {
				t.Errorf("of %d waits %d lie in the tenth number %d", n, got, i)
			}
		}
	}
}
