package engine_test

import (
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

func TestContract_BatchesAreBounded(t *testing.T) {
	var running, most atomic.Int32
	o := engine.Options[int]{IdleTimeout: time.Second, Grace: time.Second}
	count := func() {
		most.Store(max(most.Load(), running.Add(1)))
		pause(time.Microsecond)
		running.Add(-1)
	}
	o.OnExpire = func([]engine.Expired[int]) { count() }
	o.OnGrace = func([]engine.Session[int]) { count() }
	inWorlds(t, o, func(w *world) { // The record checks that each has at most 256.
		for i := range 5000 {
			w.create(i)
		}
		w.sleep(3 * time.Second)
		seen := map[int]bool{}
		for _, e := range w.ended() {
			seen[e.Value] = true
		}
		if len(w.ended()) != 5000 || len(seen) != 5000 || len(w.graced()) != 5000 {
			w.Errorf("OnExpire got %d sessions, %d different, OnGrace %d, want 5000",
				len(w.ended()), len(seen), len(w.graced()))
		}
		if n := most.Load(); n != 1 {
			w.Errorf("%d callbacks at once, want 1", n)
		}
	})
}

// A callback may call any method.
func TestContract_CallbacksMayCallAll(t *testing.T) {
	var w *world
	calls := 0
	all := func(ref engine.Ref) {
		calls++
		wantAllFalse(w.T, w.tab, w.tab.At(ref))
		s, created, err := w.tab.Ensure("from a callback", -1)
		if err != nil || created != (calls == 1) {
			w.Errorf("Ensure = %v, %v", created, err)
		}
		s.SetIdleTimeout(time.Hour)
		s.SetValue(calls)
		s.Touch()
		w.info(s)
		n, err := w.tab.Create(0)
		if err != nil {
			w.Errorf("Create: %v", err)
		}
		if _, err := w.tab.Renew(n.ID()); err != nil {
			w.Errorf("Renew: %v", err)
		}
		w.tab.TouchBatch([]engine.Ref{n.Ref()})
		for range w.tab.All() {
			w.tab.Stats()
		}
		if _, ok := w.tab.Remove(n.ID()); !ok {
			w.Error("Remove = false")
		}
		if _, ok := w.tab.Lookup("from a callback"); !ok {
			w.Error("Lookup = false")
		}
	}
	o := engine.Options[int]{IdleTimeout: time.Second, Grace: time.Second}
	o.OnExpire = func(b []engine.Expired[int]) { all(b[0].Ref) }
	o.OnGrace = func(b []engine.Session[int]) {
		w.info(b[0])
		all(0)
	}
	inWorlds(t, o, func(in *world) {
		w, calls = in, 0
		for i := range 700 {
			w.create(i)
		}
		w.sleep(5 * time.Second)
		w.wantLen(1)
		if n := len(w.ended()); n != 700 {
			w.Errorf("OnExpire got %d sessions, want 700", n)
		}
		if n := w.tab.Stats().CallbackPanics; n != 0 || calls == 0 {
			w.Errorf("%d panics in %d calls, want none", n, calls)
		}
	})
}

// A batch revived in OnGrace lives on.
func TestContract_OnGraceMayRevive(t *testing.T) {
	o := graceful
	o.OnGrace = func(b []engine.Session[int]) {
		for _, s := range b {
			s.Touch()
		}
	}
	inWorlds(t, o, func(w *world) {
		for i := range 300 {
			w.create(i)
		}
		w.sleep(10 * time.Second)
		w.wantLen(300)
		if st := w.tab.Stats(); st.Revived < 9*300 || st.Ended != 0 || st.Grace != 0 {
			w.Errorf("Revived = %d, Ended = %d, Grace = %d", st.Revived, st.Ended, st.Grace)
		}
	})
}

// The ways in which a callback can go wrong.
var failures = map[string]struct {
	fail func()
	text string
}{
	"panic":        {func() { panic(errors.New("boom")) }, "boom"},
	"panic of nil": {func() { panic(nil) }, "nil"},
	"a nil map":    {func() { writeTo(nil) }, "nil map"},
	"Goexit":       {runtime.Goexit, ""},
}

func writeTo(m map[int]int) { m[1] = 1 }

func TestContract_FailingCallbacks(t *testing.T) {
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			var book logbook
			o := engine.Options[int]{IdleTimeout: time.Second, Grace: time.Second}
			o.Logger = slog.New(&book)
			o.OnExpire = func([]engine.Expired[int]) { f.fail() }
			o.OnGrace = func([]engine.Session[int]) { f.fail() }
			inWorlds(t, o, func(w *world) {
				book.mu.records = nil
				for i := range 2000 {
					w.create(i)
					if i%500 == 0 { // Some are in grace while others end.
						w.sleep(time.Second / 2)
					}
				}
				w.sleep(5 * time.Second)
				if len(w.ended()) != 2000 || len(w.graced()) != 2000 {
					w.Errorf("OnExpire got %d sessions, OnGrace %d, want 2000",
						len(w.ended()), len(w.graced()))
				}
				logged := book.lines(false)
				if n := w.tab.Stats().CallbackPanics; n < 16 || n != uint64(len(logged)) {
					w.Errorf("CallbackPanics = %d, %d logged, want as many", n, len(logged))
				}
				for _, r := range logged {
					wantStack(w, r, f.text)
				}
				if _, err := w.tab.Create(1); err != nil {
					w.Errorf("Create afterwards: %v", err)
				}
			})
		})
	}
}

// wantStack checks that a record tells a panic's text and its stack.
func wantStack(w *world, r slog.Record, text string) {
	w.Helper()
	lines := []string{r.Message}
	for key, v := range attrs(r) {
		lines = append(lines, key+"="+v.String())
	}
	all := strings.Join(lines, "\n")
	if !strings.Contains(all, text) || !strings.Contains(all, "contract_callback_test.go") ||
		r.Level != slog.LevelError {
		w.Fatalf("%v %q, want an error with %q and the stack", r.Level, all, text)
	}
}
