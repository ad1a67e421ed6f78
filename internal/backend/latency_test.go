package backend

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"
)

// latency is that of the requests of one event.
func (h *HTTP) latency(event string) Latency {
	for _, l := range h.Stats().Latency {
		if l.Event == event {
			return l
		}
	}
	panic("no latency of " + event)
}

// TestHTTP_Latency counts what was answered, well or not, and what took too long, each in its
// bucket, and neither what was given up by who asked nor the time before a request's turn.
func TestHTTP_Latency(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Curfew-Session") {
		case "slow":
			letPass(3 * time.Millisecond)
			http.Error(w, "no", http.StatusTeapot)
		case "slower":
			letPass(7 * time.Second)
			http.Error(w, "no", http.StatusInternalServerError)
		case "stall":
			stall(w, r)
		}
	}
	bubble(t, HTTPOptions{Timeout: time.Minute, Concurrency: 1}, answer,
		func(t *testing.T, h *HTTP) {
			t.Helper()
			say := func(id string, patience time.Duration) {
				ctx, cancel := context.WithCancel(t.Context())
				stop := time.AfterFunc(patience, cancel)
				_, err := h.Message(ctx, Session{ID: id}, Message{Kind: Text, Data: []byte("hi")})
				stop.Stop()
				if (err == nil) != (id == "") {
					t.Errorf("Message of %q = %v", id, err)
				}
			}
			for _, id := range []string{"", "", "slow", "slower", "stall"} {
				say(id, time.Hour)
			}
			say("stall", time.Second) // who asked does not wait
			done := make(chan struct{})
			go func() {
				defer close(done)
				say("slower", time.Hour)
			}()
			say("slower", time.Hour) // one of both waits for its turn
			<-done
			l := h.latency("message")
			want := make([]uint64, len(latencyBounds)+1)
			want[0], want[2], want[12], want[14] = 2, 1, 3, 1
			for i, n := range l.Buckets {
				if n != want[i] {
					t.Errorf("%v in the buckets, want %v", l.Buckets, want)
					break
				}
			}
			sum := 3*time.Millisecond + 3*7*time.Second + time.Minute
			if l.Sum != sum || l.Max != time.Minute || l.Count() != 7 {
				t.Errorf("%d took %v, one %v, want 7, %v and 1m", l.Count(), l.Sum, l.Max, sum)
			}
			if n := h.latency("call"); n.Count() != 0 {
				t.Errorf("%d calls", n.Count())
			}
		})
}

// TestHTTP_LatencyOfNobody has nobody there: it is not fast.
func TestHTTP_LatencyOfNobody(t *testing.T) {
	h, err := NewHTTP(HTTPOptions{
		URL: "http://app", Logger: quiet,
		dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("nobody is there")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(t.Context()) })
	for range 2 * failuresMax {
		if one(t.Context(), h) == nil {
			t.Fatal("nobody answered")
		}
	}
	l := h.latency("message")
	if n := l.Count(); n != 0 || l.Quantile(0.99) != 0 {
		t.Errorf("%d requests are counted as answered", n)
	}
}

func TestLatency_Quantile(t *testing.T) {
	l := Latency{
		Bounds:  []time.Duration{10, 100, 1000},
		Buckets: []uint64{50, 40, 0, 10}, Max: 5000,
	}
	for q, want := range map[float64]time.Duration{
		-1: 0, 0: 0, 0.01: 0, 0.25: 5, 0.5: 10, 0.7: 55, 0.9: 100, 0.95: 3000, 1: 5000, 2: 5000,
	} {
		if got := l.Quantile(q); got != want {
			t.Errorf("Quantile(%g) = %d, want %d", q, got, want)
		}
	}
	l = Latency{Bounds: l.Bounds, Buckets: []uint64{0, 1, 0, 0}, Max: 20}
	if got := l.Quantile(0.999); got != 20 {
		t.Errorf("of one that took 20, %d", got)
	}
	if got := (&Latency{}).Quantile(0.5); got != 0 {
		t.Errorf("of none, %d", got)
	}
}
