package peers

import (
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/baseline"
	"github.com/curfew-go/curfew/internal/benchtest"
)

// tables are all implementations, and impls are they behind the floor.
var (
	tables = []baseline.Impl{
		curfewImpl,
		otterImpl,
		ttlcacheImpl,
		baseline.LuoImpl,
		baseline.StdTimerImpl,
		baseline.LockedMapImpl,
	}
	impls = append([]baseline.Impl{baseline.HashImpl}, tables...)
)

func BenchmarkTouch(b *testing.B)         { benchtest.Touch(b, impls) }
func BenchmarkTouchParallel(b *testing.B) { benchtest.TouchParallel(b, impls) }
func BenchmarkCreate(b *testing.B)        { benchtest.Create(b, impls) }
func BenchmarkRemove(b *testing.B)        { benchtest.Remove(b, impls) }
func BenchmarkMixed(b *testing.B)         { benchtest.Mixed(b, impls) }
func BenchmarkMemory(b *testing.B)        { benchtest.Memory(b, tables) }
func BenchmarkGC(b *testing.B)            { benchtest.GC(b, tables) }
func BenchmarkLateness(b *testing.B)      { benchtest.Lateness(b, tables) }

// TestTables is that each table does what is measured: it keeps what is touched, and ends what is
// not.
func TestTables(t *testing.T) {
	for _, impl := range tables {
		t.Run(impl.Name, func(t *testing.T) {
			t.Parallel()
			const idle = 500 * time.Millisecond
			ended := make(chan string, 10)
			s := impl.Open(baseline.Config{Idle: idle, OnExpire: func(id string) { ended <- id }})
			defer s.Close()
			ids := benchtest.Keys(3, 1)
			s.Create(ids)
			if n := s.Remove(ids[2:]); n != 1 {
				t.Fatalf("Remove found %d sessions, want 1", n)
			}
			ticker := time.NewTicker(idle / 20)
			defer ticker.Stop()
			limit := time.After(20 * time.Second)
			for {
				select {
				case <-ticker.C:
					if s.Touch(ids[:1]) != 1 {
						t.Fatal("a session that was touched ended")
					}
				case id := <-ended:
					if id != ids[1] {
						t.Fatalf("%q ended, want %q, which nobody touched", id, ids[1])
					}
					return
				case <-limit:
					t.Fatal("no session ended")
				}
			}
		})
	}
}

// TestSmoke runs every benchmark once, on few sessions.
func TestSmoke(t *testing.T) { benchtest.Smoke(t) }
