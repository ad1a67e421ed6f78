package bench

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/benchtest"
	"github.com/curfew-go/curfew/internal/wheel"
)

// movedShards is how many locks and wheels a movedWheel has: as many as a table on two processors.
const movedShards = 8

// movedWheel is the way not taken: each touch moves the session's entry in the wheel. It has
// nothing else of a table, neither an index nor the session's state.
type movedWheel struct {
	start  time.Time
	shards [movedShards]struct {
		sync.Mutex
		wheel *wheel.Wheel
		_     [64]byte
	}
}

func newMovedWheel(n int) *movedWheel {
	m := &movedWheel{start: time.Now()}
	for i := range m.shards {
		m.shards[i].wheel = wheel.New(0)
	}
	for id := range uint32(n) {
		m.touch(id, 0)
	}
	return m
}

// touch moves the entry of a session to its idle timeout after now.
func (m *movedWheel) touch(id uint32, now wheel.Tick) {
	sh := &m.shards[id%movedShards]
	sh.Lock()
	w := sh.wheel
	w.Cancel(id / movedShards)
	w.Schedule(id/movedShards, now+wheel.Tick(longIdle/tick))
	// What was moved leaves a stale entry behind; as in the engine they stay under a quarter.
	if w.Stale() > w.Len()/5 {
		w.Compact(64, func(uint32) bool { return false })
	}
	sh.Unlock()
}

// BenchmarkTouchMoved measures touches that move their session's entry in the wheel, in random
// order. Beside it stands BenchmarkTouchHandle with mode=random.
func BenchmarkTouchMoved(b *testing.B) {
	for _, n := range benchtest.Sizes() {
		var m *movedWheel
		ids := make([]uint32, n)
		b.Run(fmt.Sprintf("impl=moved/n=%d", n), func(b *testing.B) {
			if m == nil {
				m = newMovedWheel(n)
				for i := range ids {
					ids[i] = uint32(i)
				}
				benchtest.Shuffle(ids, 1)
			}
			b.ReportAllocs()
			b.ResetTimer()
			now := wheel.Tick(0)
			for i := range b.N {
				if i%512 == 0 {
					now = wheel.Tick(time.Since(m.start) / tick)
				}
				m.touch(ids[i%n], now)
			}
		})
	}
}
