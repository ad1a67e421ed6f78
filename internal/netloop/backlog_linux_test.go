package netloop

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// askWithoutAnswer connects to addr and asks for an upgrade, as a client does whom nobody accepts.
func askWithoutAnswer(t *testing.T, addr string) *netlooptest.Client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	c := netlooptest.New(t, nc)
	c.Patience = patience
	c.Write([]byte(netlooptest.Handshake("/ws")))
	return c
}

// wantAllRefused looks whether each client is told that the server stops, and the server ends.
func wantAllRefused(t *testing.T, s *Server, clients []*netlooptest.Client) {
	t.Helper()
	for _, c := range clients {
		if r := c.ReadResponse(); r.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("who waited to be accepted is answered by %s", r.Status)
		} else if r.Header.Get("Retry-After") == "" {
			t.Fatal("who waited to be accepted is not told when to come again")
		}
		c.Want("eof")
		_ = c.Conn.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Errorf("Wait = %v", err)
	}
	if n := s.Stats().Refused[http.StatusServiceUnavailable]; n != uint64(len(clients)) {
		t.Errorf("%d are counted as refused, want %d", n, len(clients))
	}
}

// The only loop is held up while clients connect.
func TestStop_AnswersWhoWaitsForALoop(t *testing.T) {
	h := &stuck{entered: make(chan struct{}), leave: make(chan struct{})}
	o := options(h)
	o.Mode, o.Loops = ModeEpoll, 1
	overSockets(t, o, func(r *room) {
		first := r.upgrade()
		first.Text("x")
		<-h.entered
		var clients []*netlooptest.Client
		for range 100 {
			clients = append(clients, askWithoutAnswer(t, r.addr))
		}
		r.Stop()
		_ = first.Conn.Close()
		h.leave <- struct{}{}
		wantAllRefused(t, r.Server, clients)
	})
}

// The listener has a deadline that has passed, so that nobody is accepted.
func TestStop_AnswersWhoWaitsForAGoroutine(t *testing.T) {
	s, err := New(options(&echo{}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err == nil {
		err = l.(*net.TCPListener).SetDeadline(longAgo)
	}
	if err != nil {
		t.Fatal(err)
	}
	var clients []*netlooptest.Client
	for range 100 {
		clients = append(clients, askWithoutAnswer(t, l.Addr().String()))
	}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	until(t, "the server serves", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.mu.serving > 0
	})
	s.Stop()
	wantAllRefused(t, s, clients)
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("a client can connect to a server that has stopped")
	}
}

// Whoever has closed a server may listen where it did, at once.
func TestClose_LeavesTheAddress(t *testing.T) {
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			o := options(&echo{})
			o.Mode = mode
			addr := "127.0.0.2:0" // whose ports no clients of others take
			for range 50 {
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				l, err := Listen(t.Context(), addr)
				if err != nil {
					t.Fatal(err)
				}
				addr = l.Addr().String()
				served := make(chan error, 1)
				go func() { served <- s.Serve(l) }()
				c := netlooptest.Dial(t, addr, "/ws")
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				_ = c.Conn.Close()
			}
		})
	}
}
