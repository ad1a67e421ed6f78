package engine_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/engine"
)

func TestContract_Close(t *testing.T) {
	runContracts(t, []contract{
		{"an empty table", secondIdle, func(w *world) { w.close(); w.wantClosed() }},
		{"everything is dead", graceful, testCloseDead},
		{"no callback runs afterwards", graceful, testCloseSilent},
		{"concurrently and again", secondIdle, testCloseConcurrently},
		{"while all is in use", secondIdle, testCloseInUse},
	})
}

func (w *world) close() {
	w.Helper()
	if err := w.tab.Close(); err != nil {
		w.Errorf("Close = %v, want nil", err)
	}
}

// wantClosed checks what every method of a closed table says.
func (w *world) wantClosed() {
	w.Helper()
	_, err := w.tab.Create(1)
	_, created, err2 := w.tab.Ensure("a", 1)
	_, err3 := w.tab.Renew("a")
	if created || !errors.Is(err, engine.ErrClosed) || !errors.Is(err2, engine.ErrClosed) ||
		!errors.Is(err3, engine.ErrClosed) {
		w.Errorf("Create, Ensure, Renew after Close = %v, %v, %v, want ErrClosed", err, err2, err3)
	}
	wantNoID(w.T, w.tab, "a")
	w.wantLen(0)
	if st := w.tab.Stats(); st.Grace != 0 {
		w.Errorf("Grace after Close = %d, want 0", st.Grace)
	}
}

func testCloseDead(w *world) {
	active, long := w.ensure("a", 1), w.ensure(string(make([]byte, 200)), 1)
	inGrace := w.create(2)
	inGrace.SetIdleTimeout(time.Millisecond)
	w.sleep(500 * time.Millisecond)
	if i := w.info(inGrace); i.State != engine.StateGrace {
		w.Fatalf("State = %v, want grace", i.State)
	}
	w.close()
	w.wantClosed()
	for _, s := range []engine.Session[int]{active, long, inGrace} {
		wantAllFalse(w.T, w.tab, s)
	}
	w.close()
}

func testCloseSilent(w *world) {
	for i := range 1000 {
		w.create(i)
	}
	w.sleep(1500 * time.Millisecond) // All are in grace.
	w.close()
	w.sleep(time.Hour)
	if n := len(w.ended()); n != 0 {
		w.Errorf("OnExpire got %d sessions of a closed table, want 0", n)
	}
	w.wantClosed()
}

func testCloseConcurrently(w *world) {
	w.create(1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w.close()
			w.wantClosed()
		})
	}
	all.Wait()
	w.close()
}

func testCloseInUse(w *world) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				s, err := w.tab.Create(1)
				if errors.Is(err, engine.ErrClosed) {
					return
				}
				s.Touch()
				w.tab.Touch(s.ID())
				_, _ = w.tab.Renew(s.ID())
				s.SetIdleTimeout(time.Minute)
				pause(time.Millisecond)
				w.tab.Stats()
				s.Remove()
			}
		})
	}
	pause(100 * time.Millisecond)
	w.close()
	all.Wait()
	w.wantClosed()
}

// Close returns when the callback that runs has returned, and that is the last.
func TestContract_CloseWaitsForTheCallback(t *testing.T) {
	var began, returned atomic.Bool
	o := engine.Options[int]{IdleTimeout: time.Second}
	o.OnExpire = func([]engine.Expired[int]) {
		began.Store(true)
		pause(time.Minute)
		returned.Store(true)
	}
	inWorlds(t, o, func(w *world) {
		began.Store(false)
		returned.Store(false)
		for i := range 1000 {
			w.create(i)
		}
		w.sleep(30 * time.Second)
		if !began.Load() || returned.Load() {
			w.Fatal("want a callback that runs")
		}
		w.close()
		if !returned.Load() {
			w.Error("Close returned before the callback")
		}
		n := len(w.ended())
		w.sleep(time.Hour)
		if got := len(w.ended()); n > 256 || got != n {
			w.Errorf("OnExpire got %d sessions, then %d more after Close", n, got-n)
		}
	})
}

// Called from a callback, Close returns at once, and the running batch is the last.
func TestContract_CloseFromCallbacks(t *testing.T) {
	var w *world
	closed := 0
	closeTwice := func() {
		w.close()
		w.close()
		w.wantClosed()
		closed++
	}
	for name, o := range map[string]engine.Options[int]{
		"OnExpire": {
			IdleTimeout: time.Second,
			OnExpire:    func([]engine.Expired[int]) { closeTwice() },
		},
		"OnGrace": {
			IdleTimeout: time.Second, Grace: time.Second,
			OnGrace: func([]engine.Session[int]) { closeTwice() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorlds(t, o, func(in *world) {
				w, closed = in, 0
				for i := range 3000 {
					w.create(i)
				}
				w.sleep(time.Hour)
				if n := len(w.ended()) + len(w.graced()); closed != 1 || n > 256 {
					w.Errorf("%d callbacks with %d sessions, want 1 with at most 256", closed, n)
				}
				w.close()
			})
		})
	}
}

// Nothing is left of a table that was closed: the bubble would not end.
func TestContract_CloseLeavesNoGoroutine(t *testing.T) {
	for _, kind := range wheels {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for i := range 50 {
					tab, err := engine.New(engine.Options[int]{Wheel: kind, Logger: quiet})
					if err != nil {
						t.Fatal(err)
					}
					for range i {
						if s, err := tab.Create(i); err != nil || !s.Touch() {
							t.Fatalf("Create: %v", err)
						}
					}
					pause(time.Duration(i) * time.Millisecond)
					_ = tab.Close()
				}
			})
		})
	}
}
