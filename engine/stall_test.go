package engine

import (
	"bytes"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/table"
)

// A stall is a table whose sessions note when they were touched, while something is held up.
type stall struct {
	testing.TB
	tab   *Table[*stalled]
	start time.Time
	idle  time.Duration
	ended atomic.Int64
	early atomic.Int64
}

// stalled is what a session of a stall carries.
type stalled struct {
	session Session[*stalled]
	touched atomic.Int64 // When a touch that was true began, in nanoseconds since the start.
}

func newStall(t testing.TB, o Options[*stalled]) *stall {
	t.Helper()
	s := &stall{TB: t, start: time.Now(), idle: o.IdleTimeout}
	o.Logger = slog.New(slog.DiscardHandler)
	o.OnExpire = func(b []Expired[*stalled]) {
		for _, e := range b {
			s.ended.Add(1)
			lived := time.Since(s.start) - time.Duration(e.Value.touched.Load())
			if lived < s.idle {
				s.early.Add(1)
				t.Errorf("ended %v after its last touch, want %v or more", lived, s.idle)
			}
		}
	}
	tab, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.tab = tab
	return s
}

func (s *stall) create() *stalled {
	d := &stalled{}
	d.touched.Store(int64(time.Since(s.start)))
	session, err := s.tab.Create(d)
	if err != nil {
		s.Fatalf("Create: %v", err)
	}
	d.session = session
	return d
}

func (s *stall) touch(d *stalled) bool {
	began := int64(time.Since(s.start))
	if !d.session.Touch() {
		return false
	}
	d.touched.Store(began)
	return true
}

// after holds on for a while: in these tests the time that passes is the event.
func after(t testing.TB, d time.Duration) {
	t.Helper()
	start := time.Now()
	waitFor(t, "time passes", func() bool { return time.Since(start) >= d })
}

// waitFor polls until something holds.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so within 20s", what)
		}
	}
}

// While the publisher is held up, sessions are created, touched and left, and none ends early.
func TestStall_HeldPublisher(t *testing.T) {
	const idle = 60 * time.Millisecond
	s := newStall(t, Options[*stalled]{IdleTimeout: idle, Tick: time.Millisecond})
	defer s.tab.Close()
	old := s.create()
	s.touch(old) // Wakes the publisher.
	s.tab.clock.mu.Lock()
	var all []*stalled
	for range 10 {
		all = append(all, s.create())
		after(t, 10*time.Millisecond)
		for _, d := range append(all, old) {
			if !s.touch(d) {
				t.Error("Touch = false while the publisher is held up")
			}
		}
	}
	s.tab.clock.mu.Unlock()
	waitFor(t, "all ended", func() bool { return s.ended.Load() == int64(len(all)+1) })
}

// A session that is created while the publisher is held up bears a stamp of its own. A touch
// with the old tick that is still published must count all the same.
func TestStall_CreatedWhileThePublisherIsHeld(t *testing.T) {
	const idle = 100 * time.Millisecond
	s := newStall(t, Options[*stalled]{IdleTimeout: idle, Tick: time.Millisecond})
	defer s.tab.Close()
	s.touch(s.create()) // Wakes the publisher.
	s.tab.clock.mu.Lock()
	after(t, 20*time.Millisecond)
	d := s.create()
	after(t, 50*time.Millisecond)
	if !s.touch(d) {
		t.Error("Touch = false while the publisher is held up")
	}
	s.tab.clock.mu.Unlock()
	waitFor(t, "all ended", func() bool { return s.ended.Load() == 2 })
}

// A toucher that was preempted after it read the tick does not take a session back in time.
func TestStall_OldStampDoesNotGoBack(t *testing.T) {
	tab, err := New(Options[int]{Manual: true, IdleTimeout: time.Second, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	s, _ := tab.Create(1)
	old := tab.clock.stamp.Load()
	tab.Advance(900 * time.Millisecond)
	s.Touch()
	for range 2 {
		if o := tab.store.TouchRef(table.Ref(s.Ref()), old); o == table.Missing {
			t.Fatal("a late touch finds no session")
		}
		if o := tab.store.Touch(s.ID(), old); o == table.Missing {
			t.Fatal("a late touch by ID finds no session")
		}
		var rest [table.TouchBatchMax]uint8
		table.TouchBatch(tab.store, []Ref{s.Ref()}, old, &rest)
	}
	if tab.Advance(999 * time.Millisecond); s.ID() == "" {
		t.Error("ended early")
	}
}

// A session of a manual table that is created while Advance moves time, when the time is there
// and its stamp is not published yet, lives its whole idle timeout from then on.
func TestStall_CreatedWhileAdvanceMovesTime(t *testing.T) {
	tab, err := New(Options[int]{Manual: true, IdleTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	tab.clock.set.Store(int64(5 * time.Second))
	s, _ := tab.Create(1)
	tab.Advance(0)
	if tab.Advance(time.Second - 1); s.ID() == "" {
		t.Error("ended early")
	}
	if tab.Advance(1); s.ID() != "" {
		t.Error("lives on")
	}
}

// A toucher that was preempted while it revived a session, after it read the tick and before it
// had the lock, does not take the session back in time either: others revived it meanwhile, and
// it is in grace again.
func TestStall_OldReviveDoesNotGoBack(t *testing.T) {
	tab, err := New(Options[int]{
		Manual: true, IdleTimeout: time.Second, Grace: 5 * time.Second, Shards: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	s, _ := tab.Create(1)
	tab.Advance(time.Second)
	sh := &tab.shards[0]
	sh.mu.Lock()
	var late sync.WaitGroup
	late.Go(func() { s.Touch() })
	waitFor(t, "the toucher waits for the lock", func() bool {
		buf := make([]byte, 1<<20)
		for g := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
			if bytes.Contains(g, []byte(".revive(")) && bytes.Contains(g, []byte("Mutex).Lock")) {
				return true
			}
		}
		return false
	})
	// What others did, in one step: a touch at 20 s, and grace from 21 s on.
	tab.clock.advance(20 * time.Second)
	w := tab.store.Load(table.Ref(s.Ref()).Slot())
	if !tab.store.Swap(table.Ref(s.Ref()).Slot(), w, w.With(table.Grace, tab.clock.stamp.Load())) {
		t.Fatal("the word changed under the lock")
	}
	tab.clock.advance(time.Second)
	sh.mu.Unlock()
	late.Wait()
	if tab.Advance(900 * time.Millisecond); s.ID() == "" {
		t.Error("ended 1.9 s after a touch, before its grace was over")
	}
}

// With one processor that others keep busy, the publisher runs late. Nothing ends early.
func TestStall_OneBusyProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, kind := range []WheelKind{WheelNative, WheelRussellLuo} {
		t.Run(kind.String(), func(t *testing.T) {
			s := newStall(t, Options[*stalled]{
				IdleTimeout: 40 * time.Millisecond, Tick: time.Millisecond, Wheel: kind,
			})
			defer s.tab.Close()
			done := time.After(700 * time.Millisecond)
			var over atomic.Bool
			var busy sync.WaitGroup
			for range 3 {
				busy.Go(func() {
					for !over.Load() {
					}
				})
			}
			var all []*stalled
			for loop := true; loop; {
				all = append(all, s.create())
				for until := time.Now().Add(time.Millisecond); time.Now().Before(until); {
					for _, d := range all[max(0, len(all)-30):] {
						s.touch(d)
					}
				}
				select {
				case <-done:
					loop = false
				default:
				}
			}
			over.Store(true)
			busy.Wait()
			waitFor(t, "all ended", func() bool { return s.ended.Load() == int64(len(all)) })
		})
	}
}
