package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/gateway"
)

// safeLog is a log that may be looked at while it is written.
type safeLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take gives what was logged since the last call.
func (l *safeLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func TestSummary_EachIntervalInWhichSomethingExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log safeLog
		var idle, lifetime, window atomic.Uint64
		s := &summary{
			log: slog.New(slog.NewTextHandler(&log, nil)),
			counts: func() gateway.Counts {
				ended := map[gateway.Reason]uint64{
					gateway.ReasonIdle: idle.Load(), gateway.ReasonLifetime: lifetime.Load(),
					gateway.ReasonWindow: window.Load(), gateway.ReasonRevoked: 9,
				}
				return gateway.Counts{Live: 3, Detached: 1, Grace: 1, Ended: ended}
			},
		}
		want := func(expired, idle, lifetime, window int) {
			t.Helper()
			synctest.Wait()
			end := fmt.Sprintf(
				"msg=\"sessions expired\" expired=%d idle=%d lifetime=%d window=%d live=5\n",
				expired, idle, lifetime, window)
			got := log.take()
			if expired == 0 && got != "" || expired > 0 && !strings.HasSuffix(got, end) {
				t.Errorf("logged %q, want %q", got, end)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.run(ctx, 5*time.Minute)
		}()
		time.Sleep(5 * time.Minute)
		want(0, 0, 0, 0)
		idle.Store(3)
		lifetime.Store(1)
		window.Store(2)
		time.Sleep(time.Minute)
		want(0, 0, 0, 0)
		time.Sleep(4 * time.Minute)
		want(6, 3, 1, 2)
		time.Sleep(time.Hour)
		want(0, 0, 0, 0)
		idle.Store(10)
		window.Store(3)
		cancel()
		<-done
		want(0, 0, 0, 0)
		s.write() // at shutdown: the rest
		want(8, 7, 0, 1)
	})
}
