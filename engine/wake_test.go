package engine_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// Whenever a session is filed for a time before the one the sweeper means to wake at, be it just
// about to sleep or asleep, the session ends on time.
func TestWake_NothingIsOverslept(t *testing.T) {
	type waiter = chan struct{}
	for _, kind := range wheels {
		t.Run(kind.String(), func(t *testing.T) {
			tab, err := engine.New(engine.Options[waiter]{
				Tick: time.Millisecond, Wheel: kind, Logger: quiet,
				OnExpire: func(b []engine.Expired[waiter]) {
					for _, e := range b {
						close(e.Value)
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer tab.Close()
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 60 {
						w := make(waiter)
						s, err := tab.Create(w)
						if err != nil {
							t.Error(err)
							return
						}
						s.SetIdleTimeout(1 + rand.N(3*time.Millisecond))
						select {
						case <-w:
						case <-time.After(10 * time.Second):
							t.Error("a session was overslept")
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// The same where the clock falls asleep between touches: nothing ends early, nothing stays.
func TestWake_ClockFallsAsleep(t *testing.T) {
	for _, kind := range wheels {
		o := engine.Options[int]{
			Tick: time.Millisecond, IdleTimeout: 20 * time.Millisecond, Wheel: kind,
		}
		inWorld(t, o, func(w *world) {
			r := rand.New(rand.NewPCG(8, 9))
			for range 200 {
				s := w.create(1)
				for range r.IntN(20) {
					pause(6*time.Millisecond + time.Duration(r.IntN(int(6*time.Millisecond))))
					if !s.Touch() {
						w.Fatal("ended early")
					}
				}
				w.wantEnds(s, 20*time.Millisecond)
			}
		})
	}
}

// A table with sessions far from their end, and one with none, is asleep: years go by in which
// nobody wakes, or this test would take long.
func TestWake_QuietWhenIdle(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, o := range map[string]engine.Options[int]{
		"empty":   {},
		"endless": {IdleTimeout: longest},
		"far":     {IdleTimeout: 3 * year, Tick: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, o, func(w *world) {
				if name != "empty" {
					for i := range 1000 {
						w.create(i).Touch()
					}
				} else {
					w.create(1).Remove()
				}
				n := w.tab.Len()
				w.sleep(2 * year)
				w.wantLen(n)
			})
		})
	}
}
