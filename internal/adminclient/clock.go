package adminclient

import "time"

// This file is the only one that reads the clock.

// watchdog calls f unless it is fed again within d.
type watchdog struct {
	t *time.Timer
	d time.Duration
}

func newWatchdog(d time.Duration, f func()) watchdog {
	return watchdog{time.AfterFunc(d, f), d}
}

// feed begins the time anew.
func (w watchdog) feed() { w.t.Reset(w.d) }

func (w watchdog) stop() { w.t.Stop() }
