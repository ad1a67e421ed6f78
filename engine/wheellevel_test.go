package engine

import (
	"slices"
	"testing"
	"time"
)

// Sessions stand in the slots that span their deadlines, and move to finer levels as time does.
func TestWheel_ShowsWhereSessionsStand(t *testing.T) {
	const tick = 10 * time.Millisecond
	tab, err := New(Options[int]{IdleTimeout: time.Hour, Tick: tick, Manual: true, Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	for i, idle := range []time.Duration{30 * tick, 5 * time.Second, time.Minute, time.Hour} {
		for range 10 * (i + 1) {
			s, err := tab.Create(0)
			if err != nil {
				t.Fatal(err)
			}
			s.SetIdleTimeout(idle)
		}
	}
	for _, want := range []struct {
		advance time.Duration
		levels  []int // entries that are no older ones of sessions
	}{
		{0, []int{10, 20, 0, 70}},
		{29 * tick, []int{10, 20, 0, 70}},
		{3 * tick, []int{0, 20, 0, 70}},
	} {
		tab.Advance(want.advance)
		levels := tab.Wheel()
		if len(levels) != 8 || levels[0].Slot != tick || levels[1].Slot != 64*tick {
			t.Fatalf("%d levels, slots of %v and %v", len(levels), levels[0].Slot, levels[1].Slot)
		}
		sum := 0
		for i, l := range levels {
			filed := 0
			for _, n := range l.Slots {
				filed += n
			}
			if filed != l.Entries {
				t.Errorf("level %d: %d entries in slots, %d in all", i, filed, l.Entries)
			}
			sum += l.Entries
		}
		if st := tab.Stats(); sum != st.Entries || sum-st.Stale != st.Live {
			t.Errorf("%d entries, Stats has %d, %d stale, %d live",
				sum, st.Entries, st.Stale, st.Live)
		}
		if levels[0].Entries != want.levels[0] {
			t.Errorf("after %v level 0 has %d entries, want %d", want.advance, levels[0].Entries,
				want.levels[0])
		}
	}
	if cursor := tab.Wheel()[0].Cursor; cursor != 32 {
		t.Errorf("the cursor is at slot %d, want 32", cursor)
	}
}

// What has come up and is not looked at yet is the backlog; how long it waits is told as well.
func TestStats_BacklogWhileACallbackIsSlow(t *testing.T) {
	const n = 1000
	var during []Stats
	var tab *Table[int]
	tab, err := New(Options[int]{
		IdleTimeout: time.Minute, Manual: true, Shards: 1,
		OnExpire: func([]Expired[int]) { during = append(during, tab.Stats()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	for range n {
		if _, err := tab.Create(0); err != nil {
			t.Fatal(err)
		}
	}
	if ended := tab.Advance(2 * time.Minute); ended != n {
		t.Fatalf("%d ended, want %d", ended, n)
	}
	var backlog []int
	for _, s := range during {
		backlog = append(backlog, s.Backlog)
		if s.Backlog > 0 && s.Behind < time.Minute/2 {
			t.Errorf("a backlog of %d, behind by %v", s.Backlog, s.Behind)
		}
	}
	if want := []int{744, 488, 232, 0}; !slices.Equal(backlog, want) {
		t.Errorf("backlog during callbacks: %v, want %v", backlog, want)
	}
	if s := tab.Stats(); s.Backlog != 0 || s.Behind != 0 || s.Early != 0 || s.Sweep.Count() == 0 {
		t.Errorf("at rest: backlog %d, behind %v, %d early, %d sweeps",
			s.Backlog, s.Behind, s.Early, s.Sweep.Count())
	}
}

// Buckets are what was counted, in order.
func TestHistogram_Buckets(t *testing.T) {
	var h Histogram
	for range h.Buckets() {
		t.Error("an empty histogram has a bucket")
	}
	for _, d := range []time.Duration{0, 5, 5, time.Millisecond, time.Hour, 1<<63 - 1} {
		h.Add(d)
	}
	var count uint64
	last := time.Duration(-1)
	for upper, n := range h.Buckets() {
		if upper <= last {
			t.Errorf("bucket %v follows %v", upper, last)
		}
		last = upper
		count += n
	}
	if count != h.Count() || last != 1<<63-1 {
		t.Errorf("%d in buckets up to %v, want %d", count, last, h.Count())
	}
}
