package baseline

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// impls are those that the contract holds for. Luo may end a session up to a tick early.
var impls = []struct {
	Impl
	early, late time.Duration
}{
	{LockedMapImpl, 0, time.Minute / scansPerIdle},
	{StdTimerImpl, 0, 0},
	{LuoImpl, luoTick, luoTick},
}

// ledger notes who expired.
type ledger struct {
	mu  sync.Mutex
	ids []string
}

func (l *ledger) expired(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = append(l.ids, id)
}

func (l *ledger) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.ids)
	return slices.Clone(l.ids)
}

func TestContract(t *testing.T) {
	const idle = time.Minute
	for _, impl := range impls {
		t.Run(impl.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l ledger
				s := impl.Open(Config{Idle: idle, OnExpire: l.expired})
				defer s.Close()
				s.Create([]string{"a", "b", "c"})
				if n := s.Touch([]string{"a", "x", "c"}); n != 2 || s.Len() != 3 {
					t.Fatalf("Touch found %d of %d, want 2 of 3", n, s.Len())
				}
				if n := s.Remove([]string{"b", "b", "x"}); n != 1 || s.Len() != 2 {
					t.Fatalf("Remove found %d and left %d, want 1 and 2", n, s.Len())
				}
				for range 5 {
					time.Sleep(idle - impl.early - time.Millisecond)
					if n := s.Touch([]string{"a"}); n != 1 {
						t.Fatal("a session that was touched ended")
					}
				}
				if got := l.all(); !slices.Equal(got, []string{"c"}) {
					t.Fatalf("expired %q, want c, which nobody touched", got)
				}
				time.Sleep(idle + impl.late + time.Millisecond)
				synctest.Wait()
				if got := l.all(); !slices.Equal(got, []string{"a", "c"}) || s.Len() != 0 {
					t.Fatalf("expired %q and left %d, want a and c, and none", got, s.Len())
				}
			})
		})
	}
}

// TestContract_TouchAtTheEnd touches at the very moment at which timers fire.
func TestContract_TouchAtTheEnd(t *testing.T) {
	for _, impl := range impls {
		t.Run(impl.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const idle = 50 * time.Millisecond
				var l ledger
				s := impl.Open(Config{Idle: idle, OnExpire: l.expired})
				defer s.Close()
				for range 200 {
					s.Create([]string{"a"})
					var both sync.WaitGroup
					for range 2 {
						both.Go(func() {
							time.Sleep(idle)
							s.Touch([]string{"a"})
						})
					}
					both.Wait()
					time.Sleep(3 * idle)
					synctest.Wait()
				}
				if n := len(l.all()); n != 200 || s.Len() != 0 {
					t.Fatalf("%d sessions ended and %d are left, want 200 and 0", n, s.Len())
				}
			})
		})
	}
}

func TestLockedMap_CleanupCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewLockedMap(Config{Idle: time.Hour})
		defer m.Close()
		m.Create([]string{"a", "b"})
		if n := m.Cleanup(time.Now().Add(time.Hour)); n != 0 {
			t.Fatalf("Cleanup at the idle timeout = %d, want 0", n)
		}
		if n := m.Cleanup(time.Now().Add(time.Hour + 1)); n != 2 || m.Len() != 0 {
			t.Fatalf("Cleanup after it = %d, want 2", n)
		}
	})
}
