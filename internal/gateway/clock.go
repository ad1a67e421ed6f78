package gateway

import "time"

// now is the time; nothing else in this package reads the clock.
func now() time.Time { return time.Now() }

// after is a channel that is ready once d has passed.
func after(d time.Duration) <-chan time.Time { return time.After(d) }
