package poll

import (
	"net/netip"
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

// Accept takes a connection from a listener that does not block; the new socket does not block
// either. An error is an errno.
func Accept(listener int) (fd int, peer netip.AddrPort, err error) {
	var sa unix.RawSockaddrAny
	for {
		size := uint32(unix.SizeofSockaddrAny)
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener),
			uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			return int(n), address(&sa), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return -1, netip.AddrPort{}, unix.EAGAIN
		}
		return -1, netip.AddrPort{}, errno
	}
}

// address is the IP address and port of a socket address, nothing where it has none.
func address(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), swap(in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), swap(in.Port))
	}
	return netip.AddrPort{}
}

// swap turns a port from the order of the network.
func swap(port uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&port))
	return uint16(b[0])<<8 | uint16(b[1])
}
