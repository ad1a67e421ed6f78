package adminclient_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/adminclient"
)

// follow follows the events of a server that is talked to by a pipe, and gives how many came, how
// long it took and how it ended.
func follow(
	t *testing.T, timeout time.Duration, talk func(ctx context.Context, w io.Writer),
) (n int, took time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	c, err := adminclient.New(adminclient.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	c.DialBy(func() (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer close(done)
			defer far.Close()
			if _, err := http.ReadRequest(bufio.NewReader(far)); err == nil {
				talk(ctx, far)
			}
		}()
		return near, nil
	})
	begun := time.Now()
	for _, last := range c.Events(t.Context(), adminclient.EventQuery{}) {
		if err = last; err == nil {
			n++
		}
	}
	took = time.Since(begun)
	cancel()
	<-done
	c.Close()
	return n, took, err
}

// pause waits for d or until ctx ends, and says whether it was d.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// A stream begins within the timeout of a request, and may be silent for longer from then on.
func TestClient_EventsTime(t *testing.T) {
	const (
		timeout = 2 * time.Second
		head    = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
		event   = "event: create\ndata: {\"session_id\":\"a\"}\n\n"
	)
	for _, tt := range []struct {
		name   string
		talk   func(ctx context.Context, w io.Writer)
		events int
		took   time.Duration
		part   string
	}{
		{"silence", func(ctx context.Context, _ io.Writer) {
			<-ctx.Done()
		}, 0, timeout, "does not answer within 2s"},
		{"102 for ever", func(ctx context.Context, w io.Writer) {
			for pause(ctx, timeout/4) {
				_, _ = io.WriteString(w, "HTTP/1.1 102 Processing\r\n\r\n")
			}
		}, 0, timeout, "does not answer within 2s"},
		{"half a refusal", func(ctx context.Context, w io.Writer) {
			_, _ = io.WriteString(w, "HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n{")
			<-ctx.Done()
		}, 0, timeout, "does not answer within 2s"},
		{"a quiet stream", func(ctx context.Context, w io.Writer) {
			_, _ = io.WriteString(w, head)
			for range 3 {
				pause(ctx, adminclient.SilenceMax-time.Second)
				_, _ = io.WriteString(w, event)
			}
			<-ctx.Done()
		}, 3, 4*adminclient.SilenceMax - 3*time.Second, "has been silent for 45s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, took, err := follow(t, timeout, tt.talk)
			if n != tt.events || took != tt.took {
				t.Errorf("%s: %d events in %v, want %d in %v", tt.name, n, took, tt.events, tt.took)
			}
			wantErr(t, err, adminclient.KindSlow, tt.part)
		})
	}
}
