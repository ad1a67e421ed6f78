package netloop

import (
	"bytes"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// plain is a handler that allocates nothing.
type plain struct{}

func (plain) Open(c Conn, _ *Request, header []byte) ([]byte, *Refusal) {
	c.Ready()
	return header, nil
}
func (plain) Message(c Conn, kind Kind, payload []byte) { c.Send(kind, payload) }
func (plain) Control(Conn, Kind)                        {}
func (plain) Released(Conn)                             {}
func (plain) Closed(Conn, End)                          {}

// socket is a client that allocates nothing once it is made.
type socket struct {
	t    *testing.T
	fd   int
	peer *unix.SockaddrInet4
	buf  [4096]byte
}

func newSocket(t *testing.T, addr string) *socket {
	t.Helper()
	a := netip.MustParseAddrPort(addr)
	return &socket{t: t, peer: &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}}
}

func (s *socket) connect() {
	var err error
	if s.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		s.t.Fatal(err)
	}
	patience := unix.NsecToTimeval(patience.Nanoseconds())
	_ = unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience)
	if err := unix.Connect(s.fd, s.peer); err != nil {
		s.t.Fatal(err)
	}
}

// ask writes and reads until it has n bytes, or an end.
func (s *socket) ask(question []byte, n int, end []byte) {
	if _, err := unix.Write(s.fd, question); err != nil {
		s.t.Fatal(err)
	}
	for got := 0; got < n || end != nil && !bytes.HasSuffix(s.buf[:got], end); {
		m, err := unix.Read(s.fd, s.buf[got:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || m == 0 {
			s.t.Fatalf("read: %d bytes, %v", m, err)
		}
		got += m
	}
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// spent is what one call of f costs on average, in allocations and bytes of all goroutines.
func spent(n int, f func()) (mallocs, allocated float64) {
	for range n / 10 {
		f()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n),
		float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
}

func TestGarbage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	o := options(plain{})
	o.Mode, o.Loops = ModeEpoll, 1
	o.HelloTimeout, o.PingInterval = time.Hour, time.Hour
	s, addr := serve(t, o)
	c := newSocket(t, addr)
	head, blank := []byte(netlooptest.Handshake("/ws")), []byte("\r\n\r\n")

	_, allocated := spent(1000, func() {
		c.connect()
		c.ask(head, 0, blank)
		c.close()
	})
	if allocated >= 200 {
		t.Errorf("a handshake leaves %.0f bytes of garbage, want less than 200", allocated)
	}
	c.connect()
	c.ask(head, 0, blank)
	for _, n := range []int{5, 120, 1000} {
		frame := netlooptest.Frame(1, true, bytes.Repeat([]byte("x"), n))
		answer := len(frame) - 4
		mallocs, _ := spent(20_000, func() { c.ask(frame, answer, nil) })
		if mallocs > 0.01 {
			t.Errorf("an echo of %d bytes costs %.3f allocations, want none", n, mallocs)
		}
		two := append(append([]byte(nil), frame...), frame...)
		mallocs, _ = spent(2000, func() { c.ask(two, 2*answer, nil) })
		if mallocs > 0.05 {
			t.Errorf("two echoes of %d bytes cost %.3f allocations, want none", n, mallocs)
		}
	}
	c.close()
	stop(t, s)
}
