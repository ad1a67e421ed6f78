package server

import "time"

// newTicker ticks every d; nothing else in this package waits for time.
func newTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }
