package notify

import "golang.org/x/sys/unix"

// monotonicMicros is the time of CLOCK_MONOTONIC, by which systemd tells which signal a reload
// answers.
func monotonicMicros() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // never fails for this clock
	return t.Nano() / 1000
}
