package admin

import "time"

// This file is the only one that reads the clock.

func now() time.Time { return time.Now() }

func since(t time.Time) time.Duration { return time.Since(t) }

func newTimer(d time.Duration) *time.Timer { return time.NewTimer(d) }
