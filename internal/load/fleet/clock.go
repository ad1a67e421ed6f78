package fleet

import "time"

// now is the moment; nothing else in this package reads the clock.
func now() time.Time { return time.Now() }

// after tells when a duration has passed.
func after(d time.Duration) <-chan time.Time { return time.After(d) }

// every tells again and again when a duration has passed, until stop is called.
func every(d time.Duration) (ticks <-chan time.Time, stop func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// later calls a function when a duration has passed, unless it is stopped.
func later(d time.Duration, f func()) (stop func() bool) { return time.AfterFunc(d, f).Stop }

// moment is the time of this process at which CLOCK_MONOTONIC shows some nanoseconds.
func moment(nanos int64) time.Time {
	return time.Now().Add(time.Duration(nanos - monotonic()))
}
