package gateway

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// atBegin is a log that calls a function where it is told that a session begins.
type atBegin struct {
	slog.Handler
	f func(id string)
}

// Handle calls the function.
func (h atBegin) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "session began" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "session" {
				h.f(a.Value.String())
			}
			return true
		})
	}
	return nil
}

// TestPush_NotBeforeTheHelloAck pushes to a session that has just begun: either it is not there
// yet, or what is pushed comes after the hello_ack, with its number where the session can be
// resumed.
func TestPush_NotBeforeTheHelloAck(t *testing.T) {
	for _, slow := range []bool{false, true} {
		for more, seq := range map[string]string{"": "", `,"want":{"resume":true}`: `"seq":1,`} {
			var w *world
			var err error
			o := Options{Backend: newPatient(slow), ResumeWindow: time.Minute}
			o.Logger = slog.New(atBegin{newJournal(), func(id string) {
				err = w.Push(id, backend.Message{Kind: backend.JSON, Data: []byte("1")})
			}})
			bubble(t, o, func(in *world) {
				w = in
				c, ack := w.greeted(`{"op":"hello"` + more + `}`)
				if !ack.OK {
					w.t.Errorf("slow %v, %s: the first frame is no hello_ack", slow, more)
					return
				}
				if err == nil {
					c.Want(`text {"op":"message",` + seq + `"data":1}`)
				}
			})
		}
	}
}

// TestMemory_OfDetachedSessions_SoonAfterAResume is about sessions that lose their connection again
// within seconds, as all do after one mass reconnect and another.
func TestMemory_OfDetachedSessions_SoonAfterAResume(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes what memory is needed")
	}
	const n = 50_000
	o := Options{
		IdleTimeout: 2 * time.Hour, ResumeWindow: time.Hour,
		Watched: func() bool { return false }, // the test keeps what it sees
	}
	bubble(t, o, func(w *world) {
		client := w.upgrade()
		go func() { _, _ = io.Copy(io.Discard, client.Conn) }()
		var c netloop.Conn
		for c = range w.net.All() {
		}
		w.detachMany(w.t, c, 1000)
		before := heap()
		w.detachMany(w.t, c, n)
		time.Sleep(time.Second) // else the old deadlines are the new ones
		for s := range w.table.All() {
			l, _ := s.Value()
			st := l.state
			st.mu.Lock()
			st.recently().spare, st.recent.spareUntil = st.newest, w.elapsed()+spareTime
			st.conn = c.ID()
			var counts toll
			counts.arrivedLocked(st)
			w.counters.add(&counts)
			st.mu.Unlock()
			w.detach(c, s, st, ReasonLost)
		}
		time.Sleep(time.Minute) // nothing of that matters any more
		synctest.Wait()
		grown := float64(heap()-before) / n
		if got := w.Counts().Detached; got != n+1000 {
			w.t.Errorf("%d sessions are detached, want %d", got, n+1000)
		}
		if grown > detachedBytesMax {
			w.t.Errorf("a detached session takes %.0f bytes, want at most %d",
				grown, detachedBytesMax)
		}
	})
}

// TestTombstones_AreThereBeforeTheSessionIsGone ends sessions while their clients come to resume:
// each learns that it is back, or why not.
func TestTombstones_AreThereBeforeTheSessionIsGone(t *testing.T) {
	bubble(t, Options{ResumeWindow: time.Hour}, func(w *world) {
		for range 200 {
			c, id, token := w.resumable("")
			w.cut(c)
			var ending sync.WaitGroup
			ending.Go(func() { w.Kick(id) })
			p := present(token)
			for alive := true; alive; {
				_, alive = w.table.Lookup(id)
				why, _ := w.tombstones.reason(&p, w.elapsed())
				if !alive && why != ReasonRevoked {
					w.t.Fatalf("a session that is gone ended for %q", why)
				}
				runtime.Gosched()
			}
			ending.Wait()
		}
	})
}
