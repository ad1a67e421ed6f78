package netloop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wheel"
)

// heldLoop is an idleLoop whose connection is held, with a message behind that which holds it.
func heldLoop(t *testing.T) (l *loop, h *echo, s *slot, peer int) {
	t.Helper()
	l, h, i, peer := idleLoop(t)
	s = l.slots.at(i)
	tell(t, peer, texts("hold", "kept"))
	l.event(key(i, s), poll.Ready(poll.Read))
	if !s.has(flagHeld) {
		t.Fatal("the connection is not held")
	}
	return l, h, s, peer
}

func tell(t *testing.T, peer int, b []byte) {
	t.Helper()
	if n, err := unix.Write(peer, b); n < len(b) {
		t.Fatalf("wrote %d bytes: %v", n, err)
	}
}

// said is what a peer can read.
func said(peer int) string {
	var b [4096]byte
	n, _ := unix.Read(peer, b[:])
	return string(b[:max(n, 0)])
}

// turn is one turn of a loop that nobody runs, and says how many events it had.
func turn(t *testing.T, l *loop) int {
	t.Helper()
	events, err := l.poll.Wait(time.Time{}, false, func() bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		l.event(events[i].Key(), events[i].Ready())
	}
	l.runErrands()
	l.visitDue()
	return len(events)
}

// TestLoop_DoesNotSpinForTheHeld sends to one, and breaks it.
func TestLoop_DoesNotSpinForTheHeld(t *testing.T) {
	l, h, s, peer := heldLoop(t)
	said(peer)
	tell(t, peer, texts("more"))
	if n := turn(t, l); n != 1 {
		t.Fatalf("%d events of bytes that came, want 1", n)
	}
	if n := turn(t, l); n != 0 {
		t.Fatalf("%d events of a connection that is held, want none", n)
	}
	l.outside.release(l.id(0, s.generation()))
	turn(t, l)
	turn(t, l)
	if got := said(peer); got != "\x81\x04kept\x81\x04more" {
		t.Errorf("the peer was told %q", got)
	}
	if s.busy != 0 || s.has(flagHeld) || s.has(flagReleased) {
		t.Errorf("busy state %d and flags %x are left", s.busy, s.word.Load())
	}

	tell(t, peer, texts("hold", "kept"))
	turn(t, l)
	tell(t, peer, texts("more"))
	turn(t, l)
	if err := unix.Shutdown(peer, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	turn(t, l)
	if h.count() != 1 || s.has(flagUsed) {
		t.Errorf("%d ends, flags %x, want one that broke to be gone", h.count(), s.word.Load())
	}
	if n := turn(t, l); n != 0 {
		t.Errorf("%d events of a connection that is gone", n)
	}
}

// TestLoop_DeadlinesRestWhileHeld lets hours pass.
func TestLoop_DeadlinesRestWhileHeld(t *testing.T) {
	l, h, s, peer := heldLoop(t)
	said(peer)
	o := &l.srv.o
	for range 100 {
		l.now += wheel.Tick(time.Hour / tick)
		turn(t, l)
	}
	if got := said(peer); got != "" || h.count() != 0 {
		t.Fatalf("the peer was told %q, %d ends", got, h.count())
	}
	l.outside.release(l.id(0, s.generation()))
	turn(t, l)
	if got := said(peer); got != "\x81\x04kept" {
		t.Fatalf("the peer was told %q", got)
	}
	l.now += wheel.Tick(o.PingInterval/tick) - 1
	turn(t, l)
	if got := said(peer); got != "" {
		t.Fatalf("the peer was told %q before it was silent for long", got)
	}
	l.now += 3
	turn(t, l)
	if got := said(peer); got != "\x89\x00" {
		t.Fatalf("the peer was told %q, want a ping", got)
	}
}

// TestLoop_WritesOfTheHeldAreTimed has a peer that does not read.
func TestLoop_WritesOfTheHeldAreTimed(t *testing.T) {
	l, h, s, _ := heldLoop(t)
	c := Conn{on: &l.outside, id: l.id(0, s.generation())}
	for c.Queued() == 0 {
		c.Send(Binary, make([]byte, 20_000))
		turn(t, l)
	}
	l.now += wheel.Tick(l.srv.o.writeTimeout()/tick) - 1
	if turn(t, l); h.count() != 0 {
		t.Fatal("the connection ended before its time")
	}
	l.now += 4
	if turn(t, l); h.count() != 1 || h.ends[0].Cause != CauseSlow {
		t.Fatalf("ends %v, want one for being slow", h.ends)
	}
}

// TestLoop_HeldHelloTimeoutIsAsFarAway as it was, not farther.
func TestLoop_HeldHelloTimeoutIsAsFarAway(t *testing.T) {
	l, h, i, peer := idleLoop(t)
	h.silent = true
	s := l.slots.at(i)
	s.clear(flagReady)
	l.schedule(i, l.after(l.srv.o.HelloTimeout))
	hello := wheel.Tick(l.srv.o.HelloTimeout / tick)
	l.now += hello / 2
	for range 10 {
		tell(t, peer, texts("hold"))
		turn(t, l)
		l.now += hello
		turn(t, l)
		l.outside.release(l.id(i, s.generation()))
		turn(t, l)
	}
	l.now += hello/2 - 3
	if turn(t, l); h.count() != 0 {
		t.Fatal("the connection ended before its time")
	}
	l.now += 6
	if turn(t, l); h.count() != 1 || h.ends[0].Cause != CauseHello {
		t.Fatalf("ends %v, want one for want of a hello", h.ends)
	}
}
