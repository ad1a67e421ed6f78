package poll

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Block gives what is ready, and waits for it in the calling thread, for at most timeout, which is
// kept to the microsecond where the thread's timer slack is: it is for a loop that has a thread to
// itself and must act on time. What it gives is valid until the next call and may be nothing. Wake
// ends it too.
func (p *Poller) Block(timeout time.Duration) ([]Event, error) {
	p.parked.Store(true)
	p.block(max(timeout, 0))
	p.parked.Store(false)
	return p.take()
}

func (p *Poller) block(timeout time.Duration) {
	if p.coarse {
		p.poll(int(timeout.Milliseconds()))
		return
	}
	limit := unix.NsecToTimespec(int64(timeout))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), eventsMax, uintptr(unsafe.Pointer(&limit)), 0, 0)
	switch errno {
	case 0:
		p.n = int(n)
	case unix.EINTR:
	case unix.ENOSYS, unix.EPERM: // before Linux 5.11, or where a filter of calls does not know it
		p.coarse = true
		p.block(timeout)
	default:
		p.n, p.err = 0, os.NewSyscallError("epoll_pwait2", errno)
	}
}

// slice is how long the thread of a loop that must be on time runs before others may, as far as the
// scheduler heeds it (EEVDF, from Linux 6.12): the shorter, the sooner it runs when it has waited.
const slice = 100 * time.Microsecond

// PreciseThread locks the goroutine to its thread, and makes that thread's timers end on time, for
// [Poller.Block].
func PreciseThread() error {
	runtime.LockOSThread()
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Runtime: uint64(slice)}, 0) // an older one ignores it
	// Timers of a thread are otherwise late by up to 50 us, so that several end together.
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0))
}
