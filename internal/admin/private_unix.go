//go:build unix

package admin

import "syscall"

// makePrivate gives a socket, before it is bound, the mode that its file will have: on Linux the
// file is never open to others, not even for a moment.
func makePrivate(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.Fchmod(int(fd), uint32(socketMode)) // elsewhere it fails, and chmod follows
	})
}
