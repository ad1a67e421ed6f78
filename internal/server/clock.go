package server

import "time"

// now is the time; nothing else in this package reads the clock.
func now() time.Time { return time.Now() }

// newTicker ticks every d, and after fires once in d; nothing else in this package waits for time.
func newTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

func after(d time.Duration) <-chan time.Time { return time.After(d) }
