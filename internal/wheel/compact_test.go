package wheel

import "testing"

// TestCompactLeavesNoStale files, cancels and moves ids all over the wheel, then compacts it.
func TestCompactLeavesNoStale(t *testing.T) {
	w := New(1 << 20)
	const ids = 5000
	for id := range uint32(ids) {
		w.Schedule(id, w.Now()+Tick(id)<<(id%40))
		switch id % 3 {
		case 1:
			w.Cancel(id)
		case 2:
			w.Schedule(id, w.Now()+Tick(id%100))
		}
	}
	check(t, w)
	if w.Stale() < ids/2 {
		t.Fatalf("Stale() = %d, want more than half of %d", w.Stale(), ids)
	}
	for w.Stale() > 0 {
		if w.Compact(100, nil) == 0 {
			t.Fatalf("Compact examines nothing while %d are stale", w.Stale())
		}
		check(t, w)
	}
	equal(t, "Len()", w.Len(), ids-(ids+1)/3)
}

// TestCompactDrops asks for each filed id exactly once and drops what it is told to.
func TestCompactDrops(t *testing.T) {
	w := New(0)
	const ids = 1000
	for id := range uint32(ids) {
		w.Schedule(id, 10+Tick(id%4)*1000)
	}
	w.Cancel(7)
	asked := map[uint32]int{}
	examined := 0
	for examined < ids {
		examined += w.Compact(1, func(id uint32) bool {
			asked[id]++
			return id%2 == 0
		})
		check(t, w)
	}
	equal(t, "ids asked for", len(asked), ids-1)
	for id, n := range asked {
		if n != 1 || id == 7 {
			t.Errorf("Compact asked for %d %d times", id, n)
		}
		if w.Filed(id) != (id%2 == 1) {
			t.Errorf("Filed(%d) = %v after Compact", id, w.Filed(id))
		}
	}
	equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{ids/2 - 1, 0})
}

// TestCompactHugeBucket cuts one bucket up and lets other calls come between the steps.
func TestCompactHugeBucket(t *testing.T) {
	const ids, budget = 50_000, 256
	m := newMachine(t, 0, 2*ids)
	for id := range uint32(ids) {
		m.schedule(id, 60)
	}
	for id := uint32(0); id < ids; id += 2 {
		m.cancel(id)
	}
	steps := 0
	for ; m.w.Stale() > 0; steps++ {
		m.compact(budget, 0)
		if id := uint32(steps); id < 150 {
			m.schedule(ids+id, 60)   // into the bucket under way
			m.schedule(2*id, 61)     // cancelled, perhaps not dropped yet
			m.cancel(ids - 1 - 2*id) // filed, perhaps not examined yet
			m.cancel(2*id + 1)       // filed and examined
		}
		if steps > 4*ids/budget {
			t.Fatalf("after %d steps %d of %d are stale", steps, m.w.Stale(), m.w.Len())
		}
	}
	if steps < ids/(budget+chunkIDs) {
		t.Fatalf("done in %d steps, want steps of %d", steps, budget)
	}
	m.check()
	m.finish()
}

// TestCompactBucketComesUp drains a bucket whose compaction is under way.
func TestCompactBucketComesUp(t *testing.T) {
	m := newMachine(t, 0, 1000)
	for id := range m.ids {
		m.schedule(id, 60)
	}
	m.compact(300, 3)
	m.check()
	m.schedule(0, 60)
	m.advanceAll(60, 10)
	m.check()
	equal(t, "Len()", m.w.Len(), 0)
	equal(t, "Compact", m.w.Compact(100, nil), 0)
}

// TestCompactInDrain leaves the bucket that is being handed out alone.
func TestCompactInDrain(t *testing.T) {
	m := newMachine(t, 0, 500)
	for id := range m.ids {
		m.schedule(id, 60+Tick(id%2)*100)
	}
	m.advance(60, 10, false)
	m.compact(1000, 5)
	m.check()
	m.finish()
}

// TestCompactGoesOn visits all of the wheel although new ids are filed in the lowest buckets.
func TestCompactGoesOn(t *testing.T) {
	w := New(0)
	const ids = 10_000
	for id := range uint32(ids) {
		w.Schedule(id, 100+Tick(id)*50)
	}
	left := map[uint32]bool{}
	for id := range uint32(ids) {
		left[id] = true
	}
	for call := range uint32(4 * ids / 64) {
		w.Schedule(ids+call%100, w.Now()+1+Tick(call%60))
		w.Compact(64, func(id uint32) bool {
			delete(left, id)
			return false
		})
	}
	equal(t, "ids never examined", len(left), 0)
}

func TestCompactBudget(t *testing.T) {
	w := New(0)
	for id := range uint32(1000) {
		w.Schedule(id, 60)
	}
	for _, test := range []struct{ budget, want int }{
		{-1, 0}, {0, 0}, {1, chunkIDs}, {chunkIDs, chunkIDs}, {chunkIDs + 1, 2 * chunkIDs},
	} {
		if got := w.Compact(test.budget, nil); got != test.want {
			t.Errorf("Compact(%d) = %d, want %d", test.budget, got, test.want)
		}
	}
}
