package backend

import "time"

// The clock of this package. Tests run in a bubble of testing/synctest, whose time is fake.

// after gives a channel on which something comes when d has passed, and what stops that.
func after(d time.Duration) (passed <-chan time.Time, stop func() bool) {
	t := time.NewTimer(d)
	return t.C, t.Stop
}
