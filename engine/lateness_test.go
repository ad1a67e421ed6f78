package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// With a processor to spare, which fake time has, a session ends at most two ticks and 5 ms after
// its last true touch and its idle timeout, be that a multiple of Tick or not (G2).
func TestLateness_IsBounded(t *testing.T) {
	for _, c := range []struct{ tick, idle time.Duration }{
		{10 * time.Millisecond, time.Second},
		{10 * time.Millisecond, 1001 * time.Millisecond},
		{10 * time.Millisecond, 999 * time.Millisecond},
		{time.Millisecond, 333333 * time.Microsecond},
		{100 * time.Millisecond, time.Second + 1},
		{100 * time.Millisecond, 10 * time.Second},
	} {
		t.Run(fmt.Sprint(c.idle, " at ", c.tick), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkLateness(t, c.tick, c.idle) })
		})
	}
}

func checkLateness(t *testing.T, tick, idle time.Duration) {
	t.Helper()
	var mu sync.Mutex
	due := map[engine.Ref]time.Time{}
	var late []time.Duration
	tab, err := engine.New(engine.Options[int]{
		Tick: tick, IdleTimeout: idle, Logger: quiet,
		OnExpire: func(b []engine.Expired[int]) {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range b {
				late = append(late, time.Since(due[e.Ref]))
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	r := rand.New(rand.NewPCG(16, 17))
	for i := range 1000 {
		s := mustCreate(t, tab, i)
		if i%2 == 0 {
			pause(time.Duration(r.Int64N(int64(idle / 2))))
			s.Touch()
		}
		mu.Lock()
		due[s.Ref()] = time.Now().Add(idle)
		mu.Unlock()
		pause(time.Duration(r.Int64N(int64(3 * tick))))
	}
	pause(idle + 10*tick)
	synctest.Wait()
	slices.Sort(late)
	if len(late) != 1000 || late[0] < 0 {
		t.Fatalf("%d ended, the first %v after it was due", len(late), late[0])
	}
	if p99 := late[989]; p99 > 2*tick+5*time.Millisecond {
		t.Errorf("p99 of lateness is %v, want at most 2 Tick + 5 ms", p99)
	}
	h := tab.Stats().Lateness
	if h.Count() != 1000 || h.Max() < late[999] || h.Max() > late[999]+tick {
		t.Errorf("Stats.Lateness: Count %d, Max %v, want 1000, %v", h.Count(), h.Max(), late[999])
	}
}
