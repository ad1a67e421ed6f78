package netloop

import (
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
	"github.com/curfew-go/curfew/internal/netloop/poll"
)

// idleLoop is a loop that nobody runs, and one connection of it that is open.
func idleLoop(t *testing.T) (l *loop, h *echo, i uint32, peer int) {
	t.Helper()
	h = &echo{}
	o := options(h)
	o.Mode = ModeEpoll
	srv, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if l, err = newLoop(srv, 1); err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.cutOff()
		_ = unix.Close(fds[1])
	})
	l.add(fds[0], netip.MustParseAddrPort("192.0.2.1:80"))
	if _, err := unix.Write(fds[1], []byte(netlooptest.Handshake("/ws"))); err != nil {
		t.Fatal(err)
	}
	l.event(key(0, l.slots.at(0)), poll.Ready(poll.Read))
	if !l.slots.at(0).has(flagOpen) {
		t.Fatal("the connection is not open")
	}
	return l, h, 0, fds[1]
}

// TestLoop_DropsStaleEvents has events of a connection whose slot and descriptor others have.
func TestLoop_DropsStaleEvents(t *testing.T) {
	l, h, i, peer := idleLoop(t)
	s := l.slots.at(i)
	if _, err := unix.Write(peer, netlooptest.Frame(1, true, []byte("panic"))); err != nil {
		t.Fatal(err)
	}
	for _, generation := range []uint64{uint64(s.generation()) + 1, generationMax} {
		l.event(generation<<32|uint64(i), poll.Ready(poll.Read|poll.Write|unix.EPOLLHUP))
	}
	if n := h.count(); n != 0 || s.has(flagEnding) {
		t.Errorf("an event of another connection was heeded: %d ends, flags %x", n, s.word.Load())
	}
	l.event(key(i, s), poll.Ready(poll.Read))
	if n := h.count(); n != 1 {
		t.Errorf("%d ends, want the event of the connection itself to be heeded", n)
	}
	// The slot of a connection that is gone has its generation until it is used again.
	l.begin(i)
	l.lost(i, s)
	l.finish(i, s)
	if s.has(flagUsed) {
		t.Fatal("the connection is not gone")
	}
	l.event(key(i, s), poll.Ready(poll.Read|unix.EPOLLHUP))
	if n := h.count(); n != 1 {
		t.Errorf("%d ends, want no event of a free slot to be heeded", n)
	}
}

// TestLoop_DropsStaleErrands posts for a connection that is gone when the loop reads it.
func TestLoop_DropsStaleErrands(t *testing.T) {
	l, h, i, _ := idleLoop(t)
	s := l.slots.at(i)
	old := l.id(i, s.generation())
	c := Conn{on: &l.outside, id: old}
	if !c.Send(Text, []byte("x")) {
		t.Fatal("Send gave false")
	}
	l.begin(i)
	l.lost(i, s)
	l.finish(i, s)
	if s.has(flagUsed) {
		t.Fatal("the connection is not gone")
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fds[1]) }()
	l.add(fds[0], netip.AddrPort{})
	if n := l.slots.used; n != 1 {
		t.Fatalf("%d slots are used, want the same one again", n)
	}
	l.runErrands()
	s.set(flagOpen | flagMessaged) // as if it were upgraded
	c.Close(4200, "stale")
	if c.Send(Text, []byte("x")); c.Tag() != 0 || c.Remote().IsValid() {
		t.Error("a connection that is gone has an address or a tag")
	}
	c.Ready()
	l.runErrands()
	if w := s.word.Load(); w&(flagEnding|flagReady) != 0 || s.waits() != 0 {
		t.Errorf("the successor in the slot was met: %x, %d bytes", w, s.waits())
	}
	if h.count() != 1 {
		t.Errorf("%d ends, want 1", h.count())
	}
	s.clear(flagOpen | flagMessaged)
}

// TestLoops_NeverReuseAnID connects and goes thousands of times.
func TestLoops_NeverReuseAnID(t *testing.T) {
	h := &collector{seen: make(map[ID]bool)}
	o := options(h)
	o.Loops = 2
	inLoops(t, o, func(r *room) {
		for range 30 {
			var clients sync.WaitGroup
			for range 100 {
				clients.Go(func() {
					c := netlooptest.Dial(r.t, r.addr, "/ws")
					c.Text("x")
					c.Want("text x")
					_ = c.Conn.Close()
				})
			}
			clients.Wait()
			r.until("all are gone", func() bool { return r.Len() == 0 })
		}
		h.lock.Lock()
		old := h.old
		if n := len(h.seen); n != 3000 || h.twice > 0 {
			r.t.Errorf("3000 connections had %d IDs, %d of them twice", n, h.twice)
		}
		h.lock.Unlock()
		var slots uint32
		for _, l := range r.fleet.list() {
			slots += l.slots.used
		}
		if slots > 250 {
			r.t.Errorf("%d slots were used by 100 connections at a time", slots)
		}
		for _, c := range old {
			if c.Send(Text, []byte("late")) {
				r.t.Fatal("Send to a connection that is gone gave true")
			}
			c.Close(4200, "late")
			if _, ok := r.Conn(c.ID()); ok {
				r.t.Fatal("a connection that is gone is found")
			}
		}
		c := r.upgrade()
		c.Text("not met")
		c.Want("text not met")
	})
}

// collector is an echo that knows all IDs, and keeps the connections as others see them.
type collector struct {
	echo
	lock  sync.Mutex
	seen  map[ID]bool
	twice int
	old   []Conn
}

func (h *collector) inner() *echo { return &h.echo }

func (h *collector) Open(c Conn, r *Request, header []byte) ([]byte, *Refusal) {
	h.lock.Lock()
	if h.seen[c.ID()] {
		h.twice++
	}
	h.seen[c.ID()] = true
	if in, ok := c.on.(*inside); ok {
		h.old = append(h.old, Conn{on: &in.l.outside, id: c.ID()})
	}
	h.lock.Unlock()
	return h.echo.Open(c, r, header)
}
