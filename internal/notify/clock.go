package notify

import "time"

// deadline is a time from now on; with newTicker the only use of the clock in this package.
func deadline(d time.Duration) time.Time { return time.Now().Add(d) }

func newTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }
