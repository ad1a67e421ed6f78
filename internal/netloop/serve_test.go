package netloop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// brokenListener fails to accept, as a process without free descriptors does.
type brokenListener struct {
	fails atomic.Int64
	done  chan struct{}
}

func (l *brokenListener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
		l.fails.Add(1)
		return nil, errors.New("too many open files")
	}
}

func (l *brokenListener) Close() error { close(l.done); return nil }

func (l *brokenListener) Addr() net.Addr { return &net.UnixAddr{} }

func TestServe_RestsWhenItCannotAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		o := options(&echo{})
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		l := &brokenListener{done: make(chan struct{})}
		served := make(chan error)
		go func() { served <- s.Serve(l) }()
		time.Sleep(9 * time.Second)
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve = %v", err)
		}
		if n := l.fails.Load(); n < 90 || n > 200 {
			t.Errorf("%d tries in 9 seconds, want from 90 to 200", n)
		}
		if n := strings.Count(log.String(), "cannot accept"); n != 2 {
			t.Errorf("%d log lines in 9 seconds, want 2", n)
		}
	})
}

// TestServe_Sockets talks over real ones, some connections at a time.
func TestServe_Sockets(t *testing.T) {
	inModes(t, options(&echo{}), func(r *room) {
		t := r.t
		var clients sync.WaitGroup
		for i := range 20 {
			clients.Go(func() {
				c := netlooptest.Dial(t, r.addr, "/ws")
				for j := range 50 {
					text := strings.Repeat(fmt.Sprintf("%d-%d ", i, j), j*20)
					c.Text(text)
					if got := c.Next(); got != "text "+text {
						t.Errorf("%.20q, want an echo of %.20q", got, text)
						return
					}
				}
				c.Close(1000)
				c.Want("close 1000", "eof")
			})
		}
		clients.Wait()
		stop(t, r.Server)
	})
}

// TestServe_LargeRefusalIsRead sends more than the server reads and still gets the answer.
func TestServe_LargeRefusalIsRead(t *testing.T) {
	inModes(t, options(&echo{}), func(r *room) {
		c := r.dial()
		c.Write([]byte("GET /ws HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", 20_000)))
		if a := c.ReadResponse(); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			r.t.Errorf("the answer is %s", a.Status)
		}
		c.Want("eof")
		stop(r.t, r.Server)
	})
}

// TestServe_NeverReadingSocketIsReset fills the kernel's buffers too.
func TestServe_NeverReadingSocketIsReset(t *testing.T) {
	o := options(&echo{})
	o.WriteBufferBytes = 16 << 20 // beyond what the kernel takes, so that a write blocks
	o.PingInterval, o.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
	inModes(t, o, func(r *room) {
		c := r.upgrade()
		c.Text("flood")
		stop(r.t, r.Server) // returns when the connection is gone although its client does not read
		if _, err := io.Copy(io.Discard, c.Conn); err == nil {
			r.t.Error("the connection ended cleanly, want a reset")
		}
		if got := r.end(); got.Cause != CauseSlow && got.Cause != CauseSilent {
			r.t.Errorf("end %+v", got)
		}
	})
}

func serve(t *testing.T, o Options) (s *Server, addr string) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		// Where a test was short, Serve may not have begun.
		if err := <-served; err != nil && !errors.Is(err, ErrStopped) {
			t.Errorf("Serve = %v", err)
		}
	})
	return s, l.Addr().String()
}

// stop waits until the last connection is gone by itself.
func stop(t *testing.T, s *Server) {
	t.Helper()
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatalf("connections are left: %v", err)
	}
}
