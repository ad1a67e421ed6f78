package poll

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func never() bool { return false }

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fds[0]); _ = unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func write(t *testing.T, fd int) {
	t.Helper()
	if _, err := unix.Write(fd, []byte("x")); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, p *Poller, until time.Time) []Event {
	t.Helper()
	events, err := p.Wait(until, false, never)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestPoller_TellsWhatIsReadyUntilItIsRead(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	if err := p.Add(a, 7<<40|9, Read); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if i == 0 { // woken out of parking
			go func() {
				for !p.parked.Load() {
				}
				_, _ = unix.Write(b, []byte("x"))
			}()
		}
		events := wait(t, p, time.Time{})
		if len(events) != 1 || events[0].Key() != 7<<40|9 || !events[0].Ready().Read() ||
			events[0].Ready().Write() {
			t.Fatalf("Wait = %v, want one that is ready to be read", events)
		}
	}
	if err := p.Modify(a, 1, Write); err != nil {
		t.Fatal(err)
	}
	events := wait(t, p, time.Time{})
	if len(events) != 1 || events[0].Key() != 1 || !events[0].Ready().Write() ||
		events[0].Ready().Read() {
		t.Fatalf("Wait = %v, want one that is ready to be written", events)
	}
	if err := p.Modify(a, 2, 0); err != nil {
		t.Fatal(err)
	}
	_ = unix.Shutdown(b, unix.SHUT_RDWR)
	events = wait(t, p, time.Time{})
	if len(events) != 1 || !events[0].Ready().Broken() {
		t.Fatalf("Wait = %v, want one that broke", events)
	}
	if err := p.Remove(a); err != nil {
		t.Fatal(err)
	}
	if events := wait(t, p, time.Now().Add(time.Millisecond)); len(events) != 0 {
		t.Fatalf("Wait = %v after Remove", events)
	}
}

func TestPoller_Deadlines(t *testing.T) {
	p := newPoller(t)
	for _, ms := range []int{5, 1, 20, -5} {
		until := time.Now().Add(time.Duration(ms) * time.Millisecond)
		for now := time.Now(); now.Before(until); now = time.Now() {
			if events := wait(t, p, until); len(events) != 0 {
				t.Fatalf("Wait = %v, want nothing", events)
			}
		}
	}
}

// Whoever leaves work and then wakes the loop is heard, whenever that is.
func TestPoller_Wake(t *testing.T) {
	p := newPoller(t)
	work := make(chan int, 1)
	pending := func() bool { return len(work) > 0 }
	const rounds = 20000
	back := make(chan struct{})
	go func() {
		for i := range rounds {
			work <- i
			p.Wake()
			<-back
		}
	}()
	for i := 0; i < rounds; {
		if _, err := p.Wait(time.Time{}, false, pending); err != nil {
			t.Error(err)
			return
		}
		select {
		case got := <-work:
			if got != i {
				t.Fatalf("work %d, want %d", got, i)
			}
			i++
			back <- struct{}{}
		default:
		}
	}
}

func TestPoller_OtherWorkDoesNotWait(t *testing.T) {
	p := newPoller(t)
	busy := func() bool { return true }
	if events, err := p.Wait(time.Time{}, false, busy); len(events) != 0 || err != nil {
		t.Fatalf("Wait = %v, %v", events, err)
	}
	a, b := pair(t)
	if err := p.Add(a, 1, Read); err != nil {
		t.Fatal(err)
	}
	write(t, b)
	if events, err := p.Wait(time.Time{}, false, busy); len(events) != 1 || err != nil {
		t.Fatalf("Wait = %v, %v", events, err)
	}
}

func TestPoller_AllocatesNothing(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	if err := p.Add(a, 1, Read); err != nil {
		t.Fatal(err)
	}
	write(t, b)
	if n := testing.AllocsPerRun(100, func() { wait(t, p, time.Time{}) }); n != 0 {
		t.Errorf("Wait allocates %v times", n)
	}
}

func TestSockets(t *testing.T) {
	a, b := pair(t)
	buf := make([]byte, 8)
	if n, err := ReadSocket(a, buf); n != 0 || !errors.Is(err, unix.EAGAIN) {
		t.Fatalf("ReadSocket = %d, %v, want EAGAIN", n, err)
	}
	if n, err := WriteSocket(b, []byte("hello")); n != 5 || err != nil {
		t.Fatalf("WriteSocket = %d, %v", n, err)
	}
	if n, err := ReadSocket(a, buf); string(buf[:n]) != "hello" || err != nil {
		t.Fatalf("ReadSocket = %q, %v", buf[:n], err)
	}
	_ = unix.Shutdown(b, unix.SHUT_WR)
	if n, err := ReadSocket(a, buf); n != 0 || err != nil {
		t.Fatalf("ReadSocket = %d, %v at the end", n, err)
	}
	big := make([]byte, 1<<22)
	if n, err := WriteSocket(a, big); n == 0 || n == len(big) || err != nil {
		t.Fatalf("WriteSocket = %d, %v, want a part", n, err)
	}
	if n, err := WriteSocket(-1, big); n != 0 || !errors.Is(err, unix.EBADF) {
		t.Fatalf("WriteSocket = %d, %v, want EBADF", n, err)
	}
}
