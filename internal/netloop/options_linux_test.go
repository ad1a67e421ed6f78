package netloop

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestListen_ConnectionsInheritOptions, those of every loop.
func TestListen_ConnectionsInheritOptions(t *testing.T) {
	o := options(&echo{})
	o.Mode, o.Loops, o.PingInterval = ModeEpoll, 2, 0
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := shareListener(l.(*net.TCPListener), 2, &s.o)
	if err != nil || len(sockets) != 2 {
		t.Fatalf("shareListener = %v, %v", sockets, err)
	}
	want := map[[2]int]int{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY}:      1,
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}: int(40 * time.Second / time.Millisecond),
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE}:      1,
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}:     keepAliveSeconds,
	}
	accepted := map[int]int{}
	for len(accepted) < 2 { // the kernel spreads them
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		fd, i := acceptFrom(t, sockets)
		accepted[i]++
		for option, value := range want {
			got, err := unix.GetsockoptInt(fd, option[0], option[1])
			if got != value || err != nil {
				t.Errorf("socket %d, option %v: %d, %v, want %d", i, option, got, err, value)
			}
		}
		_ = unix.Close(fd)
	}
	_ = l.Close()
	for _, fd := range sockets {
		_ = unix.Close(fd)
	}
}

// acceptFrom accepts from whichever socket has a connection.
func acceptFrom(t *testing.T, sockets []int) (fd, index int) {
	t.Helper()
	for {
		for i, s := range sockets {
			fd, _, err := unix.Accept(s)
			if err == nil {
				return fd, i
			}
			if !errors.Is(err, unix.EAGAIN) {
				t.Fatal(err)
			}
		}
	}
}
