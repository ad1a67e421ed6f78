package command

import "time"

// This file is the only one that waits for the clock.

func newTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }
