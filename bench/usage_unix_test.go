//go:build unix

package bench

import (
	"syscall"
	"time"
)

// usage is the processor time of the process and how often its threads went to sleep.
func usage() (cpu time.Duration, switches int64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	switches = int64(u.Nvcsw) //nolint:unconvert // It has 32 bits on some platforms.
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), switches
}
