package conform

import (
	"context"
	"sync/atomic"
	"time"
)

// quiet measures for how long nothing has moved on a connection. Reader and writer of the
// connection mark it, whoever waits asks it. The zero value has never been marked.
type quiet struct {
	last atomic.Int64 // nanoseconds since start; statistics only, it orders nothing
}

// start is what the marks are relative to, so that they come from the monotonic clock.
var start = time.Now()

// mark says that bytes have moved just now.
func (q *quiet) mark() {
	q.last.Store(int64(time.Since(start)))
}

// left returns what is left of a patience that began with the last mark.
func (q *quiet) left(patience time.Duration) time.Duration {
	return time.Duration(q.last.Load()) + patience - time.Since(start)
}

// alarm returns a timer that fires after d.
func alarm(d time.Duration) *time.Timer {
	return time.NewTimer(max(d, 0))
}

// deadline returns the time that is d from now, as connections want to be told.
func deadline(d time.Duration) time.Time {
	return time.Now().Add(d)
}

// stopwatch returns a function that says how much time has passed.
func stopwatch() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// pause waits until d has passed or the context has ended.
func pause(ctx context.Context, d time.Duration) {
	t := alarm(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
