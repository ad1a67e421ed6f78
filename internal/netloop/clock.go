package netloop

import "time"

// now is the time; nothing else in this package reads the clock.
func now() time.Time { return time.Now() }

// after is a channel that is ready once d has passed.
func after(d time.Duration) <-chan time.Time { return time.After(d) }

// longAgo as a deadline makes a pending read return at once.
var longAgo = time.Unix(1, 0)

// since is the time that has passed since t.
func since(t time.Time) time.Duration { return time.Since(t) }
