package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// monotonic is what CLOCK_MONOTONIC shows, in nanoseconds; all processes see the same.
func monotonic() int64 {
	var ts unix.Timespec
	// It cannot fail for a clock that exists and memory that is ours.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// raiseFiles lets this process open as many files as it may, and says how many that are.
func raiseFiles() (uint64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("fleet: limit of files: %w", err)
	}
	if l.Cur == l.Max {
		return l.Cur, nil
	}
	raised := unix.Rlimit{Cur: l.Max, Max: l.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		return l.Cur, nil //nolint:nilerr // what we have must do, and may
	}
	return raised.Cur, nil
}

// machineFiles is how many more files all processes together may open.
func machineFiles() (uint64, bool) {
	b, err := os.ReadFile("/proc/sys/fs/file-nr")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(b))
	if len(fields) != 3 {
		return 0, false
	}
	used, err1 := strconv.ParseUint(fields[0], 10, 64)
	limit, err2 := strconv.ParseUint(fields[2], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, false
	}
	return limit - min(used, limit), true
}

// apart keeps a process out of the group of this one, to which a terminal sends its signals: this
// one passes on what concerns it.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
