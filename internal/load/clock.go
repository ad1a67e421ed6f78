package load

import "time"

// clock counts from when a Client was made, monotonic.
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now()} }

// now is how long ago the start was; nothing else in this package reads the clock.
func (c clock) now() time.Duration { return time.Since(c.start) }

// at is the moment that lies d after the start.
func (c clock) at(d time.Duration) time.Time { return c.start.Add(d) }
