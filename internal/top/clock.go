package top

import (
	"context"
	"time"
)

// This file is the only one that reads the clock.

// took is how long f took.
func took(f func()) time.Duration {
	begun := time.Now()
	f()
	return time.Since(begun)
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
