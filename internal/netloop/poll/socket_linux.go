package poll

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadSocket reads from a socket that does not block. It gives 0 and no error at the end. The
// scheduler is not told of it, since it returns at once.
func ReadSocket(fd int, b []byte) (int, error) { return transfer(unix.SYS_READ, fd, b) }

// WriteSocket writes to a socket that does not block, and may write a part.
func WriteSocket(fd int, b []byte) (int, error) { return transfer(unix.SYS_WRITE, fd, b) }

func transfer(call uintptr, fd int, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])),
			uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, unix.EAGAIN // a constant, so that nothing is allocated
		}
		return 0, errno
	}
}
