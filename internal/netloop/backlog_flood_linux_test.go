package netloop

import (
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStop_EndsUnderAFlood of clients who connect all the time, also where the kernel does not keep
// newcomers out.
func TestStop_EndsUnderAFlood(t *testing.T) {
	for name, mode := range modes() {
		for kept, prepare := range map[string]func(*testing.T, *net.TCPListener){
			"kept out": func(*testing.T, *net.TCPListener) {},
			"let in":   lockFilter,
		} {
			t.Run(name+"/"+kept, func(t *testing.T) {
				o := options(&echo{})
				o.Mode, o.Loops = mode, 1
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				l, err := Listen(t.Context(), "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				prepare(t, l.(*net.TCPListener))
				served := make(chan error, 1)
				go func() { served <- s.Serve(l) }()
				var clients sync.WaitGroup
				for range 4 {
					clients.Go(func() { flood(l.Addr().String()) })
				}
				until(t, "clients come", func() bool { return s.Stats().Accepted > 100 })
				stop(t, s)
				if err := <-served; err != nil {
					t.Errorf("Serve = %v", err)
				}
				clients.Wait()
			})
		}
	}
}

// lockFilter makes the kernel refuse to filter a socket, as a container may.
func lockFilter(t *testing.T, l *net.TCPListener) {
	t.Helper()
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		lockErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1)
	})
	if err != nil || lockErr != nil {
		t.Fatal(err, lockErr)
	}
}

// flood connects, and resets what it has connected, until nobody listens.
func flood(addr string) {
	for {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = c.(*net.TCPConn).SetLinger(0) // else the ports would be used up
		_ = c.Close()
	}
}
