package backend

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes, for servers in a bubble.
type pipes struct {
	queue  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.queue:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.queue <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// bubble runs a test with an application over pipes, in fake time. All goroutines must have ended
// when the test has.
func bubble(t *testing.T, o HTTPOptions, handler http.HandlerFunc, test func(*testing.T, *HTTP)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{queue: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: handler}
		go server.Serve(p)
		o.URL, o.dial, o.Logger = "http://app", p.dial, quiet
		h, err := NewHTTP(o)
		if err != nil {
			t.Fatal(err)
		}
		test(t, h)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		h.Close(ctx)
		server.Close()
	})
}

// letPass lets a bubble's time pass.
func letPass(d time.Duration) { time.Sleep(d) }

// stall answers nothing until its client is gone.
func stall(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func one(ctx context.Context, h *HTTP) error {
	_, err := h.Message(ctx, ann, Message{Kind: Text, Data: []byte("hi")})
	return err
}

func TestHTTP_DeadlineOfAnEvent(t *testing.T) {
	bubble(t, HTTPOptions{}, stall, func(t *testing.T, h *HTTP) {
		t.Helper()
		start := time.Now()
		wantCode(t, "Message", one(t.Context(), h), CodeTimeout, 0)
		if d := time.Since(start); d != defaultTimeout {
			t.Errorf("Message took %v, want %v", d, defaultTimeout)
		}
	})
}

func TestHTTP_DeadlineOfTheCaller(t *testing.T) {
	bubble(t, HTTPOptions{}, stall, func(t *testing.T, h *HTTP) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		wantCode(t, "Message", one(ctx, h), CodeTimeout, 0)
		if d := time.Since(start); d != time.Second {
			t.Errorf("Message took %v, want 1s", d)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := one(ctx, h); !errors.Is(err, context.Canceled) {
			t.Errorf("Message that was given up = %v", err)
		}
	})
}

func TestHTTP_WaitingForATurnCounts(t *testing.T) {
	bubble(t, HTTPOptions{Concurrency: 1, Timeout: 10 * time.Second}, stall,
		func(t *testing.T, h *HTTP) {
			t.Helper()
			var wg sync.WaitGroup
			start := time.Now()
			for range 5 {
				wg.Go(func() { wantCode(t, "Message", one(t.Context(), h), CodeTimeout, 0) })
			}
			wg.Wait()
			if d := time.Since(start); d != 10*time.Second {
				t.Errorf("five messages took %v, want 10s", d)
			}
		})
}

func TestHTTP_LostConnectIsUndone(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	bubble(t, HTTPOptions{}, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		heard = append(heard, r.Header.Get("Curfew-Event"))
		mu.Unlock()
		if r.Header.Get("Curfew-Event") == "connect" {
			stall(w, r)
		}
	}, func(t *testing.T, h *HTTP) {
		t.Helper()
		_, err := h.Connect(t.Context(), ann, Newcomer{})
		wantCode(t, "Connect", err, CodeTimeout, 0)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := h.Connect(ctx, ann, Newcomer{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Connect that was given up = %v", err)
		}
		h.ends.flush(t.Context())
		if n := h.count("disconnect", "ok"); n != 2 {
			t.Errorf("%d disconnects for two sessions that may have begun; heard %v", n, heard)
		}
	})
}

// sick is an application that fails until it is well.
type sick struct {
	mu       sync.Mutex
	well     bool
	requests int
	ends     map[string]int
}

func (s *sick) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if !s.well {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if r.Header.Get("Curfew-Event") == "expire" {
		s.ends[r.Header.Get("Curfew-Session")]++
	}
}

func TestHTTP_BreakerSparesTheApplication(t *testing.T) {
	app := &sick{}
	bubble(t, HTTPOptions{}, app.serve, func(t *testing.T, h *HTTP) {
		t.Helper()
		for range 10 * failuresMax {
			wantCodeOnly(t, one(t.Context(), h), CodeUnavailable)
		}
		if app.requests != failuresMax || !h.Stats().BreakerOpen {
			t.Errorf("%d requests reached it, want %d", app.requests, failuresMax)
		}
		for start := time.Now(); time.Since(start) < 10*time.Minute; time.Sleep(time.Second) {
			wantCodeOnly(t, one(t.Context(), h), CodeUnavailable)
		}
		if n := app.requests - failuresMax; n < 15 || n > 35 {
			t.Errorf("%d probes in ten minutes", n)
		}
		app.well = true
		time.Sleep(pauseMax * 6 / 5)
		for range 10 {
			if err := one(t.Context(), h); err != nil {
				t.Errorf("Message to an application that is well = %v", err)
			}
		}
		if h.Stats().BreakerOpen || h.count("message", "ok") != 10 {
			t.Errorf("Stats = %+v", h.Stats())
		}
	})
}

func wantCodeOnly(t *testing.T, err error, code Code) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

func TestHTTP_EndsSurviveAnOutage(t *testing.T) {
	app := &sick{ends: map[string]int{}}
	bubble(t, HTTPOptions{}, app.serve, func(t *testing.T, h *HTTP) {
		t.Helper()
		const sessions = 500
		for range failuresMax {
			wantCodeOnly(t, one(t.Context(), h), CodeUnavailable)
		}
		for i := range sessions {
			h.Ended(Session{ID: string(rune('A'+i%26)) + string(rune('A'+i/26))},
				End{Reason: "idle", ByTime: true})
		}
		time.Sleep(time.Hour)
		if s := h.Stats(); s.EndsWaiting != sessions || s.EndsDropped != 0 {
			t.Errorf("after an hour: %+v", s)
		}
		app.mu.Lock()
		app.well = true
		app.mu.Unlock()
		h.ends.flush(t.Context())
		if len(app.ends) != sessions {
			t.Errorf("%d ends arrived, want %d", len(app.ends), sessions)
		}
		for session, n := range app.ends {
			if n != 1 {
				t.Errorf("the end of %s arrived %d times", session, n)
			}
		}
	})
}

func TestHTTP_EndIsTriedAgain(t *testing.T) {
	var mu sync.Mutex
	var times []time.Time
	statuses := []int{500, 429, 503, 200}
	bubble(t, HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(statuses[len(times)])
		times = append(times, time.Now())
	}, func(t *testing.T, h *HTTP) {
		t.Helper()
		h.Ended(ann, End{Reason: "bye"})
		h.ends.flush(t.Context())
		if len(times) != len(statuses) || times[3].Sub(times[0]) != 6*time.Second {
			t.Errorf("tries at %v, want 4 in 6s", times)
		}
		if s := h.Stats(); s.EndsDropped != 0 || s.EndsWaiting != 0 {
			t.Errorf("Stats = %+v", s)
		}
	})
}

func TestHTTP_CloseGivesUpInTime(t *testing.T) {
	bubble(t, HTTPOptions{}, stall, func(t *testing.T, h *HTTP) {
		t.Helper()
		for i := range 100 {
			h.Ended(Session{ID: string(rune('A' + i%26))}, End{Reason: "bye"})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		h.Close(ctx)
		if d := time.Since(start); d != time.Second {
			t.Errorf("Close took %v, want 1s", d)
		}
		if s := h.Stats(); s.EndsDropped != 100 || s.EndsWaiting != 0 || s.InFlight != 0 {
			t.Errorf("Stats = %+v", s)
		}
	})
}

func TestHTTP_UnusedConnectionsAreClosedEarly(t *testing.T) {
	nothing := func(http.ResponseWriter, *http.Request) {}
	bubble(t, HTTPOptions{}, nothing, func(t *testing.T, h *HTTP) {
		t.Helper()
		if err := one(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		open := func() int {
			h.link.conns.mu.Lock()
			defer h.link.conns.mu.Unlock()
			return len(h.link.conns.mu.open)
		}
		if open() != 1 {
			t.Errorf("%d connections, want one that is kept", open())
		}
		time.Sleep(idleMax)
		synctest.Wait()
		if open() != 0 {
			t.Errorf("%d connections, want none", open())
		}
	})
}
