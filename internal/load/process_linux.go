package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Process is another process, by its number.
type Process int

// CPU is the processor time that it has used, user's and system's, all threads.
func (p Process) CPU() (time.Duration, error) {
	var ts unix.Timespec
	// The clock of a process is named by its number's complement; 2 stands for what the scheduler
	// counted, in nanoseconds.
	if err := unix.ClockGettime(int32(^p<<3|2), &ts); err != nil {
		return 0, fmt.Errorf("load: clock of process %d: %w", p, err)
	}
	return time.Duration(ts.Nano()), nil
}

// AnonBytes is the resident memory that is its own: stacks and heaps, neither files nor what the
// kernel holds for its sockets.
func (p Process) AnonBytes() (int64, error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(int(p)) + "/status")
	if err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	_, rest, _ := bytes.Cut(status, []byte("RssAnon:"))
	fields := bytes.Fields(rest)
	if len(fields) < 2 || string(fields[1]) != "kB" {
		return 0, fmt.Errorf("load: no RssAnon in the status of process %d", p)
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	return kib << 10, nil
}
