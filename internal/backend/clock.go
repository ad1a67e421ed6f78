package backend

import "time"

// The clock of this package. Tests run in a bubble of testing/synctest, whose time is fake.

// now is the time.
func now() time.Time { return time.Now() }

// after gives a channel on which something comes when d has passed, and what stops that.
func after(d time.Duration) (passed <-chan time.Time, stop func() bool) {
	t := time.NewTimer(d)
	return t.C, t.Stop
}

// afterFunc calls f in a goroutine of its own when d has passed, unless it is stopped before.
func afterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
