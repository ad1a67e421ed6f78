package gateway

import (
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop"
)

// detachedBytesMax is what a detached session may take, its replay aside.
const detachedBytesMax = 256

// TestMemory_OfDetachedSessions measures what is on the heap more with very many of them. They are
// made by the same calls as all others, over one connection, so that nothing is measured but them.
func TestMemory_OfDetachedSessions(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes what memory is needed")
	}
	const n = 100_000
	o := Options{
		ResumeWindow: time.Hour, Backend: newPatient(false),
		Watched: func() bool { return false }, // the test keeps what it sees
	}
	overSockets(t, o, func(w *world) {
		client := w.upgrade()
		go func() { _, _ = io.Copy(io.Discard, client.Conn) }()
		var c netloop.Conn
		for c = range w.net.All() {
		}
		w.detachMany(t, c, 1000) // what there is but once
		bytes := w.Stats().Bytes
		before := heap()
		w.detachMany(t, c, n)
		grown := float64(heap()-before) / n
		inTable := float64(w.Stats().Bytes-bytes) / n
		t.Logf("%.0f bytes a session, %.0f of them in the table", grown, inTable)
		if grown > detachedBytesMax || grown < inTable/2 {
			t.Errorf("a detached session takes %.0f bytes (%.0f in the table), want at most %d",
				grown, inTable, detachedBytesMax)
		}
		if got := w.Stats().Live; got != n+1000 {
			t.Errorf("%d sessions are live, want %d", got, n+1000)
		}
	})
}

// detachMany lets sessions begin on a connection, each of which loses it again.
func (w *world) detachMany(t *testing.T, c netloop.Conn, n int) {
	t.Helper()
	h := &hello{wants: wantsResume, named: wantsResume}
	for range n {
		for c.Queued() > 100<<10 {
			runtime.Gosched() // until it is written
		}
		w.welcome(c, h)
		s := w.session(c)
		l, ok := s.Value()
		if !ok || !l.state.resumable() {
			t.Fatal("there is no session that can be resumed")
		}
		w.detach(c, s, l.state, ReasonLost)
		c.SetTag(0)
	}
}

// heap is how much of it is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemory_OfDetachedSessions_ComesBack ends them all by their window.
func TestMemory_OfDetachedSessions_ComesBack(t *testing.T) {
	const n = 20_000
	bubble(t, Options{ResumeWindow: time.Minute}, func(w *world) {
		client := w.upgrade()
		go func() { _, _ = io.Copy(io.Discard, client.Conn) }()
		var c netloop.Conn
		for c = range w.net.All() {
		}
		w.detachMany(w.t, c, n)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if live := w.Stats().Live; live != 0 {
			w.t.Errorf("%d sessions are live", live)
		}
		w.want(w.t, n, ReasonWindow)
		w.deadlines.mu.Lock()
		left := len(w.deadlines.mu.agenda.heap)
		w.deadlines.mu.Unlock()
		if left != 0 {
			w.t.Errorf("%d deadlines are left", left)
		}
		time.Sleep(tombstoneLife)
		p := present("no token")
		for range n/forgetStep + 1 { // each call drops some
			w.tombstones.reason(&p, w.elapsed())
		}
		if w.tombstones.mu.ring != nil {
			w.t.Error("the tombstones stay")
		}
	})
}
