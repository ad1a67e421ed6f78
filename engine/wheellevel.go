package engine

import (
	"time"

	"github.com/curfew-go/curfew/internal/wheel"
)

// WheelLevel is one level of the timing wheel, all shards together.
type WheelLevel struct {
	Slot    time.Duration // What one slot spans, or the longest Duration.
	Cursor  int           // The slot that time is in, from 0.
	Entries int           // Stale ones included, and those that have come up.
	Slots   []int         // Entries that have not come up, by slot.
}

// Wheel is the timing wheel as it is, the finest level first; nil with WheelRussellLuo. It takes
// each shard's lock for a moment and never looks at sessions.
//
// A session stands in the wheel where its deadline was when it was filed; a touch leaves it there.
// So the slots show when the wheel will look at sessions next, which is not later than they end.
func (t *Table[V]) Wheel() []WheelLevel {
	if t.luo != nil {
		return nil
	}
	levels := make([]WheelLevel, wheel.Levels)
	var counts [wheel.Levels][wheel.Slots]int
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		if w, ok := sh.mu.due.(*wheel.Wheel); ok {
			for level := range levels {
				_, entries := w.Entries(level)
				levels[level].Entries += entries
				w.Fill(level, &counts[level])
			}
		}
		sh.mu.Unlock()
	}
	tick, slot := t.clock.now()/t.clock.tick, t.clock.tick
	for level := range levels {
		levels[level].Slot = time.Duration(slot)
		levels[level].Cursor = int(tick>>(level*wheel.SlotBits)) % wheel.Slots
		levels[level].Slots = counts[level][:]
		slot = satMul(slot, wheel.Slots)
	}
	return levels
}

// satMul multiplies two positive durations; what is too large becomes the largest.
func satMul(a, b int64) int64 {
	if a > forever/b {
		return forever
	}
	return a * b
}
