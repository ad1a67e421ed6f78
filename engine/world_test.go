package engine_test

import (
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/engine"
)

var quiet = slog.New(slog.DiscardHandler)

var wheels = []engine.WheelKind{engine.WheelNative, engine.WheelRussellLuo}

// A world is a table that keeps its own time, in a bubble of fake time, and a record of what its
// callbacks got.
type world struct {
	*testing.T
	tab  *engine.Table[int]
	late time.Duration // How late a session may end.

	mu struct {
		sync.Mutex
		ended  []ending
		graced []engine.Session[int]
	}
}

// An ending is a session as OnExpire got it. Its ID is a copy, since a batch must not be kept.
type ending struct {
	engine.Expired[int]
	id string
	at time.Time
}

// inWorlds runs a test against both wheels, each in a bubble of its own.
func inWorlds(t *testing.T, o engine.Options[int], test func(w *world)) {
	t.Helper()
	for _, kind := range wheels {
		o := o
		o.Wheel = kind
		t.Run(kind.String(), func(t *testing.T) { inWorld(t, o, test) })
	}
}

// inWorld runs a test in a bubble. Callbacks that the options have are called after the record is
// made.
func inWorld(t *testing.T, o engine.Options[int], test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t}
		onExpire, onGrace := o.OnExpire, o.OnGrace
		o.OnExpire = func(b []engine.Expired[int]) {
			w.noteEnded(b)
			if onExpire != nil {
				onExpire(b)
			}
		}
		o.OnGrace = func(b []engine.Session[int]) {
			w.noteGraced(b)
			if onGrace != nil {
				onGrace(b)
			}
		}
		if o.Logger == nil {
			o.Logger = quiet
		}
		tick := o.Tick
		if tick == 0 {
			tick = 10 * time.Millisecond
		}
		w.late = 2*tick + 5*time.Millisecond // G2.
		if o.Wheel == engine.WheelRussellLuo {
			w.late = 6 * tick // It promises no more than not to be early.
		}
		tab, err := engine.New(o)
		if err != nil {
			t.Fatal(err)
		}
		w.tab = tab
		defer tab.Close()
		test(w)
	})
}

func (w *world) noteEnded(b []engine.Expired[int]) {
	if len(b) == 0 || len(b) > 256 {
		w.Errorf("OnExpire got %d sessions, want 1 to 256", len(b))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range b {
		if got := string(e.AppendID([]byte("x"))); got != "x"+e.ID() {
			w.Errorf("AppendID(x) = %q, want x%s", got, e.ID())
		}
		w.mu.ended = append(w.mu.ended, ending{e, e.ID(), time.Now()})
	}
}

func (w *world) noteGraced(b []engine.Session[int]) {
	if len(b) == 0 || len(b) > 256 {
		w.Errorf("OnGrace got %d sessions, want 1 to 256", len(b))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.graced = append(w.mu.graced, b...)
}

func (w *world) ended() []ending {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.mu.ended)
}

func (w *world) graced() []engine.Session[int] {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.mu.graced)
}

// pause lets fake time pass, in a callback for one.
func pause(d time.Duration) { time.Sleep(d) }

// sleep lets fake time pass and waits until the table has done what it had to.
func (w *world) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) create(v int) engine.Session[int] {
	w.Helper()
	s, err := w.tab.Create(v)
	if err != nil {
		w.Fatalf("Create(%d): %v", v, err)
	}
	return s
}

func (w *world) ensure(id string, v int) engine.Session[int] {
	w.Helper()
	s, created, err := w.tab.Ensure(id, v)
	if err != nil || !created {
		w.Fatalf("Ensure(%q) = created %v, %v, want a new session", id, created, err)
	}
	return s
}

func (w *world) info(s engine.Session[int]) engine.Info {
	w.Helper()
	i, ok := s.Info()
	if !ok {
		w.Fatal("Info = false, want a living session")
	}
	return i
}

func (w *world) wantAlive(s engine.Session[int], when string) {
	w.Helper()
	if s.ID() == "" {
		w.Fatalf("%s: session ended, want alive", when)
	}
}

func (w *world) wantDead(s engine.Session[int], when string) {
	w.Helper()
	if s.ID() != "" {
		w.Fatalf("%s: session lives, want ended", when)
	}
}

// wantEnds checks that the session lives for d and no longer, but for what the table may be late.
func (w *world) wantEnds(s engine.Session[int], d time.Duration) {
	w.Helper()
	w.sleep(d - 1)
	w.wantAlive(s, "before its deadline")
	w.sleep(w.late + 1)
	w.wantDead(s, "after its deadline")
}

// wantOneEnded checks that exactly one session was handed to OnExpire and returns it.
func (w *world) wantOneEnded() ending {
	w.Helper()
	got := w.ended()
	if len(got) != 1 {
		w.Fatalf("OnExpire got %d sessions, want 1", len(got))
	}
	return got[0]
}

func (w *world) wantLen(n int) {
	w.Helper()
	all := 0
	for range w.tab.All() {
		all++
	}
	if w.tab.Len() != n || w.tab.Stats().Live != n || all != n {
		w.Fatalf("Len = %d, Stats.Live = %d, All yields %d, want %d",
			w.tab.Len(), w.tab.Stats().Live, all, n)
	}
}

// A contract is a named case that a table must meet on either wheel.
type contract struct {
	name    string
	options engine.Options[int]
	test    func(w *world)
}

func runContracts(t *testing.T, cases []contract) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { inWorlds(t, c.options, c.test) })
	}
}
