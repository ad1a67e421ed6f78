package admin

import (
	"fmt"
	"net"
	"syscall"
)

// peerOf says who opened a unix socket, by what the system knows of the process; "" for other
// connections, and where it does not know.
func peerOf(c net.Conn) string {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ""
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ""
	}
	peer := ""
	_ = raw.Control(func(fd uintptr) {
		who, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err == nil {
			peer = fmt.Sprintf("pid %d uid %d", who.Pid, who.Uid)
		}
	})
	return peer
}
