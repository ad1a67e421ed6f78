package wheel

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"
)

// check fails the test when an invariant of w is broken.
func check(t *testing.T, w *Wheel) {
	t.Helper()
	if err := w.checkInvariants(); err != nil {
		t.Fatalf("invariant: %v", err)
	}
}

// handedOut advances to a tick in calls with a buffer of size and returns all ids in their order.
func handedOut(t *testing.T, w *Wheel, to Tick, size int) []uint32 {
	t.Helper()
	ids, buf := []uint32{}, make([]uint32, size)
	for range 1_000_000 {
		n, done := w.Advance(to, buf)
		ids = append(ids, buf[:n]...)
		check(t, w)
		if done {
			return ids
		}
	}
	t.Fatalf("Advance(%d) is never done", to)
	return nil
}

// visits follows id to its deadline at: it advances to each Next, files the id again while it is
// not due, and returns the ticks at which it was handed out.
func visits(t *testing.T, w *Wheel, id uint32, at Tick) []Tick {
	t.Helper()
	var ticks []Tick
	for {
		next, ok := w.Next()
		if !ok || next > at {
			t.Fatalf("%d due at %d: Next() = %d, %v; visited at %d", id, at, next, ok, ticks)
		}
		for range handedOut(t, w, next, 4) {
			ticks = append(ticks, next)
		}
		if next == at {
			return ticks
		}
		w.Schedule(id, at)
		check(t, w)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s = %v, want %v", what, got, want)
	}
}

func TestEmpty(t *testing.T) {
	w := New(0)
	if at, ok := w.Next(); ok {
		t.Errorf("Next() = %d, true, want none", at)
	}
	w.Cancel(3)
	if w.Filed(3) || w.Len() != 0 || w.Stale() != 0 || w.Compact(100, nil) != 0 {
		t.Errorf("an empty wheel: Filed %v, Len %d, Stale %d", w.Filed(3), w.Len(), w.Stale())
	}
	equal(t, "Advance(1000)", handedOut(t, w, 1000, 1), []uint32{})
	equal(t, "Now()", w.Now(), Tick(1000))
	n, done := w.Advance(2000, nil)
	if n != 0 || !done {
		t.Errorf("Advance with no buffer = %d, %v, want 0, true", n, done)
	}
}

func TestTickZero(t *testing.T) {
	w := New(0)
	w.Schedule(0, 0)
	at, ok := w.Next()
	if at != 1 || !ok {
		t.Errorf("Next() = %d, %v, want 1, true: tick 0 is now", at, ok)
	}
	equal(t, "Advance(0)", handedOut(t, w, 0, 1), []uint32{})
	equal(t, "Advance(1)", handedOut(t, w, 1, 1), []uint32{0})
}

// TestBorders files an id from and for each tick around the borders of slots and levels.
func TestBorders(t *testing.T) {
	var ticks []Tick
	for level := range Levels {
		width := Tick(1) << (level * SlotBits)
		for _, border := range []Tick{width, 2 * width, (Slots - 1) * width} {
			ticks = append(ticks, border-1, border, border+1)
		}
	}
	for _, now := range ticks {
		for _, after := range ticks {
			at := now + after
			if after == 0 || at > MaxTick {
				continue
			}
			w := New(now)
			w.Schedule(9, at)
			check(t, w)
			got := visits(t, w, 9, at)
			if len(got) > Levels || got[len(got)-1] != at || w.Len() != 0 {
				t.Fatalf("from %d to %d: handed out at %d, %d entries left", now, at, got, w.Len())
			}
		}
	}
}

func TestLongestHorizon(t *testing.T) {
	w := New(0)
	w.Schedule(1, MaxTick)
	ticks := visits(t, w, 1, MaxTick)
	if len(ticks) != Levels {
		t.Errorf("handed out at %d, want once a level", ticks)
	}
	for i := 1; i < len(ticks); i++ {
		if ticks[i] <= ticks[i-1] {
			t.Errorf("handed out at %d, want ever later ticks", ticks)
		}
	}
}

func TestBeyondMaxTick(t *testing.T) {
	for _, at := range []Tick{MaxTick, MaxTick + 1, 1 << 63, 1<<64 - 1} {
		w := New(5)
		w.Schedule(1, at)
		check(t, w)
		ticks := visits(t, w, 1, MaxTick)
		equal(t, "last visit", ticks[len(ticks)-1], MaxTick)
	}
	equal(t, "New beyond the end", New(1<<64-1).Now(), MaxTick)
}

// TestEndOfTime holds what happens at MaxTick: the wheel stays there and hands out what is filed.
func TestEndOfTime(t *testing.T) {
	w := New(MaxTick - 1)
	w.Schedule(1, MaxTick+5)
	equal(t, "Advance", handedOut(t, w, 1<<64-1, 1), []uint32{1})
	equal(t, "Now()", w.Now(), MaxTick)
	for range 3 {
		for id := range uint32(100) {
			w.Schedule(id, 0)
			check(t, w)
		}
		at, ok := w.Next()
		if at != MaxTick || !ok {
			t.Fatalf("Next() = %d, %v, want %d, true", at, ok, MaxTick)
		}
		equal(t, "handed out", len(handedOut(t, w, MaxTick, 7)), 100)
	}
}

func TestHugeJump(t *testing.T) {
	w := New(77)
	var want []uint32
	for level := range Levels {
		id := uint32(level)
		w.Schedule(id, 77+Tick(3)<<(level*SlotBits))
		want = append(want, id)
	}
	equal(t, "Advance(MaxTick)", handedOut(t, w, MaxTick, 2), want)
	equal(t, "Now()", w.Now(), MaxTick)
}

func TestAdvanceBackwards(t *testing.T) {
	w := New(100)
	for id := range uint32(3) {
		w.Schedule(id, 101)
	}
	equal(t, "Advance(50)", handedOut(t, w, 50, 1), []uint32{})
	equal(t, "Now()", w.Now(), Tick(100))
	n, done := w.Advance(101, make([]uint32, 1))
	if n != 1 || done {
		t.Fatalf("Advance(101) = %d, %v, want 1, false", n, done)
	}
	equal(t, "Advance(0) in a drain", handedOut(t, w, 0, 1), []uint32{1, 2})
	equal(t, "Now()", w.Now(), Tick(101))
}

func TestScheduleInThePast(t *testing.T) {
	w := New(1000)
	for id, at := range []Tick{0, 1, 999, 1000, 1001} {
		w.Schedule(uint32(id), at)
	}
	check(t, w)
	at, ok := w.Next()
	if at != 1001 || !ok {
		t.Errorf("Next() = %d, %v, want 1001, true", at, ok)
	}
	equal(t, "Advance(1001)", handedOut(t, w, 1001, 8), []uint32{0, 1, 2, 3, 4})
}

func TestBuffers(t *testing.T) {
	for _, size := range []int{1, 2, chunkIDs - 1, chunkIDs, chunkIDs + 1, 1000} {
		w := New(0)
		var want []uint32
		for _, at := range []Tick{5, 5, 5, 6, 63} {
			for range 50 {
				id := uint32(len(want))
				w.Schedule(id, at)
				want = append(want, id)
			}
		}
		check(t, w)
		equal(t, fmt.Sprintf("with a buffer of %d", size), handedOut(t, w, 63, size), want)
		equal(t, "Len()", w.Len(), 0)
	}
}

// TestResume holds that Now waits for a bucket whose ids do not fit the buffer, and Next says so.
func TestResume(t *testing.T) {
	w := New(0)
	for id := range uint32(4) {
		w.Schedule(id, 10+Tick(id/2))
	}
	buf := make([]uint32, 1)
	for call, want := range []struct {
		now  Tick
		done bool
	}{{10, false}, {11, false}, {11, false}, {30, true}} {
		n, done := w.Advance(30, buf)
		check(t, w)
		if n != 1 || buf[0] != uint32(call) || w.Now() != want.now || done != want.done {
			t.Fatalf("call %d = %v, %v, now %d, want %v", call, buf[:n], done, w.Now(), want)
		}
		if next, ok := w.Next(); !done && (next != w.Now() || !ok) {
			t.Fatalf("Next() in a drain at %d = %d, %v", w.Now(), next, ok)
		}
	}
}

// TestBoundedWork holds that stale entries do not make a call long, however small its buffer.
func TestBoundedWork(t *testing.T) {
	w := New(0)
	const ids = 100_000
	for id := range uint32(ids) {
		w.Schedule(id, 20)
		w.Cancel(id)
	}
	w.Schedule(ids, 20)
	buf, before := make([]uint32, 8), w.Len()
	for calls := 1; ; calls++ {
		n, done := w.Advance(20, buf)
		if work := before - w.Len(); work > examinePerID*len(buf)+examineMin {
			t.Fatalf("a call examined %d entries for a buffer of %d", work, len(buf))
		}
		if done {
			equal(t, "last call", buf[:n], []uint32{ids})
			return
		}
		before = w.Len()
	}
}

func TestRescheduleEarlier(t *testing.T) {
	w := New(0)
	w.Schedule(1, 50_000)
	w.Schedule(1, 40)
	check(t, w)
	equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{2, 1})
	equal(t, "Advance(40)", handedOut(t, w, 40, 8), []uint32{1})
	equal(t, "Advance(60000)", handedOut(t, w, 60_000, 8), []uint32{})
	equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{0, 0})
}

// TestRescheduleOneTickEarlier moves a deadline from the start of a bucket to the tick before it.
func TestRescheduleOneTickEarlier(t *testing.T) {
	for level := range Levels {
		at := Tick(2)<<(level*SlotBits) - 1
		w := New(0)
		w.Schedule(1, at+1)
		w.Schedule(1, at)
		check(t, w)
		ticks := visits(t, w, 1, at)
		equal(t, "last visit", ticks[len(ticks)-1], at)
	}
}

// TestRescheduleLaterStays is the touch: nothing happens until the bucket comes up.
func TestRescheduleLaterStays(t *testing.T) {
	w := New(0)
	w.Schedule(1, 40)
	for at := Tick(40); at < 50_000; at += 500 {
		w.Schedule(1, at)
		equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{1, 0})
	}
	equal(t, "Advance(40)", handedOut(t, w, 40, 8), []uint32{1})
}

func TestCancel(t *testing.T) {
	w := New(0)
	w.Schedule(1, 10)
	w.Schedule(2, 10)
	w.Cancel(1)
	w.Cancel(1)
	check(t, w)
	if w.Filed(1) || !w.Filed(2) {
		t.Errorf("Filed = %v, %v, want false, true", w.Filed(1), w.Filed(2))
	}
	equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{2, 1})
	equal(t, "Advance(10)", handedOut(t, w, 10, 8), []uint32{2})
	equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{0, 0})
}

// TestRearmAfterCancel holds that an entry of a cancelled id is used again, not joined by another.
func TestRearmAfterCancel(t *testing.T) {
	w := New(0)
	for range 1000 {
		w.Schedule(1, 10)
		w.Cancel(1)
	}
	w.Schedule(1, 12)
	check(t, w)
	equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{1, 0})
	equal(t, "Advance(10)", handedOut(t, w, 10, 8), []uint32{1})
}

// twice returns a wheel in which id 1 stands in the bucket of tick 200 twice.
func twice(t *testing.T) *Wheel {
	t.Helper()
	w := New(0)
	w.Schedule(1, 200)
	w.Schedule(1, 5)
	equal(t, "Advance(5)", handedOut(t, w, 5, 1), []uint32{1})
	w.Schedule(1, 200)
	check(t, w)
	equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{2, 1})
	return w
}

func TestTwiceInOneBucket(t *testing.T) {
	t.Run("drain", func(t *testing.T) {
		w := twice(t)
		equal(t, "Advance(200)", handedOut(t, w, 200, 1), []uint32{1})
		equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{0, 0})
	})
	t.Run("again between the two", func(t *testing.T) {
		w := twice(t)
		w.Advance(200, make([]uint32, 1))
		w.Schedule(1, 201)
		check(t, w)
		equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{2, 1})
		equal(t, "Advance(200)", handedOut(t, w, 200, 8), []uint32{})
		equal(t, "Advance(201)", handedOut(t, w, 201, 8), []uint32{1})
	})
	t.Run("cancel", func(t *testing.T) {
		w := twice(t)
		w.Cancel(1)
		check(t, w)
		equal(t, "Stale()", w.Stale(), 2)
		equal(t, "Advance(200)", handedOut(t, w, 200, 8), []uint32{})
		equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{0, 0})
	})
	t.Run("compact", func(t *testing.T) {
		w := twice(t)
		w.Compact(w.Len(), nil)
		check(t, w)
		equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{1, 0})
		equal(t, "Advance(200)", handedOut(t, w, 200, 8), []uint32{1})
	})
}

// inDrain returns a wheel that has handed out id 0 of the ids 0 to 199, all due at tick 10.
func inDrain(t *testing.T) *Wheel {
	t.Helper()
	w := New(0)
	for id := range uint32(200) {
		w.Schedule(id, 10)
	}
	n, done := w.Advance(10, make([]uint32, 1))
	if n != 1 || done {
		t.Fatalf("Advance(10) = %d, %v, want 1, false", n, done)
	}
	return w
}

func TestCancelInDrain(t *testing.T) {
	w := inDrain(t)
	for id := range uint32(200) {
		if id%3 == 0 {
			w.Cancel(id)
			check(t, w)
		}
	}
	ids := handedOut(t, w, 10, 7)
	equal(t, "ids", len(ids), 133)
	for _, id := range ids {
		if id%3 == 0 {
			t.Errorf("%d was cancelled and is handed out", id)
		}
	}
	equal(t, "Len, Stale", []int{w.Len(), w.Stale()}, []int{0, 0})
}

func TestScheduleInDrain(t *testing.T) {
	w := inDrain(t)
	w.Schedule(0, 12)   // handed out: filed anew
	w.Schedule(150, 12) // in the chain: stays there
	w.Cancel(151)
	w.Schedule(151, 9000) // cancelled and in the chain: back again
	w.Cancel(152)
	check(t, w)
	ids := handedOut(t, w, 10, 7)
	equal(t, "ids", len(ids), 198)
	if !slices.Contains(ids, 150) || !slices.Contains(ids, 151) || slices.Contains(ids, 152) {
		t.Errorf("handed out 150, 151, 152: %v, %v, %v, want true, true, false",
			slices.Contains(ids, 150), slices.Contains(ids, 151), slices.Contains(ids, 152))
	}
	equal(t, "Advance(12)", handedOut(t, w, 12, 7), []uint32{0})
}

// TestFileBehindTarget files ids for ticks that the unfinished call is on its way to.
func TestFileBehindTarget(t *testing.T) {
	w := inDrain(t)
	buf := make([]uint32, 199)
	n, done := w.Advance(5000, buf)
	if n != 199 || !done {
		t.Fatalf("Advance(5000) = %d, %v, want 199, true", n, done)
	}
	w = inDrain(t)
	w.Advance(5000, buf[:198])
	w.Schedule(1, 4000)
	w.Schedule(2, 300)
	w.Schedule(3, 5001)
	// The bucket of 5001 starts at 4096, so id 3 is asked early and files itself again.
	equal(t, "Advance(5000)", handedOut(t, w, 5000, 1), []uint32{199, 2, 1, 3})
	w.Schedule(3, 5001)
	equal(t, "Advance(5001)", handedOut(t, w, 5001, 1), []uint32{3})
}

func TestHighestID(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 32 MiB")
	}
	w := New(0)
	w.Schedule(1<<32-1, 3)
	equal(t, "Advance(3)", handedOut(t, w, 3, 1), []uint32{1<<32 - 1})
	if got, limit := w.Bytes(), int64(40<<20); got > limit {
		t.Errorf("Bytes() = %d, want at most %d", got, limit)
	}
}

func TestEntries(t *testing.T) {
	w := New(0)
	w.Schedule(1, 3)
	w.Schedule(2, 3)
	w.Schedule(3, 130)
	for level, want := range []struct {
		occupied uint64
		ids      int
	}{{1 << 3, 2}, {1 << 2, 1}, {0, 0}} {
		occupied, ids := w.Entries(level)
		if occupied != want.occupied || ids != want.ids {
			t.Errorf("Entries(%d) = %b, %d, want %b", level, occupied, ids, want)
		}
	}
	w.Advance(3, make([]uint32, 1))
	if occupied, ids := w.Entries(0); occupied != 0 || ids != 1 {
		t.Errorf("Entries(0) in a drain = %b, %d, want 0, 1", occupied, ids)
	}
}

func TestSizes(t *testing.T) {
	if got := unsafe.Sizeof(chunk{}); got != chunkBytes {
		t.Errorf("a chunk has %d bytes, want %d: four cache lines", got, chunkBytes)
	}
	if got := unsafe.Sizeof(page{}); got != 16<<10 {
		t.Errorf("a page has %d bytes, want 16 KiB, a size class of the allocator", got)
	}
	const ids = 1_000_000
	w := New(0)
	for id := range uint32(ids) {
		w.Schedule(id, 360_000)
	}
	if got := float64(w.Bytes()) / ids; got > 6.3 {
		t.Errorf("%.2f bytes an id, want at most 6.3: 4 and a chunk's slack, and 2", got)
	}
}

// TestSparseIDs holds that a wheel pays little for blocks of ids that it never sees.
func TestSparseIDs(t *testing.T) {
	w := New(0)
	const ids = 1_000_000
	for id := range uint32(ids) {
		if id>>10%16 == 3 {
			w.Schedule(id, 360_000)
		}
	}
	if got := float64(w.Bytes()) / float64(w.Len()); got > 6.8 {
		t.Errorf("%.2f bytes an id, want at most 6.8", got)
	}
}

// TestNoAllocations runs a wheel in steady state: touches, cancels, cascades, compaction.
func TestNoAllocations(t *testing.T) {
	const ids = 5000
	w, due := New(0), make([]uint32, 256)
	rounds := uint32(0)
	round := func() {
		rounds++
		for id := range uint32(ids) {
			w.Schedule(id, w.Now()+50+Tick((id*2654435761+rounds)%10_000))
			if (id+rounds)%7 == 0 {
				w.Cancel(id)
			}
		}
		w.Compact(ids/4, nil)
		for done := false; !done; {
			_, done = w.Advance(w.Now()+2000, due)
		}
	}
	for range 20 {
		round()
	}
	if got := testing.AllocsPerRun(100, round); got != 0 {
		t.Errorf("%v allocations a round, want none", got)
	}
	check(t, w)
}
