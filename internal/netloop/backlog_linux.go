package netloop

import (
	"net"

	"golang.org/x/sys/unix"
)

// dropNewcomers has the kernel forget whoever wants to connect from now on. Those it has connected
// wait to be accepted as before; the others ask again in a second, and find the listener closed.
func dropNewcomers(l *net.TCPListener) {
	if raw, err := l.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { dropNewcomersOf(int(fd)) })
	}
}

// dropNewcomersOf is the same for a listening socket. Where the kernel has no filters, whoever
// connects between the last accept and the end of the listener is cut off.
func dropNewcomersOf(fd int) {
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	_ = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: 1, Filter: &nothing})
}

// hasQueue says whether somebody waits to be accepted.
func hasQueue(l *net.TCPListener) (waits bool) {
	raw, err := l.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(polled, 0)
		for err == unix.EINTR {
			n, err = unix.Poll(polled, 0)
		}
		waits = n == 1 && polled[0].Revents&unix.POLLIN != 0
	})
	return waits
}
