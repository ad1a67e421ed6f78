package wheel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// The tests in this file hold that the wheel has none of the defects that were reported of others.
// Each names the wheel and the thread, pull request or commit.

// Caffeine 7cc9f1f41: the delay to the next expiration was wrong by up to one span of a bucket.
func TestDefect_NextDelayWrongByASpan(t *testing.T) {
	for level := range Levels {
		width := Tick(1) << (level * SlotBits)
		for _, now := range []Tick{0, 1, width / 2, width - 1, width, width + 1, 10 * width / 3} {
			w := New(now)
			at := (now/width + 2) * width // the start of a slot that lies one whole slot ahead
			w.Schedule(1, at)
			next, ok := w.Next()
			if !ok || next <= now || next > at || at-next >= width {
				t.Errorf("at %d, due at %d: Next() = %d, %v", now, at, next, ok)
			}
			if ticks := visits(t, w, 1, at); ticks[0] != next {
				t.Errorf("at %d, due at %d: Next() = %d, handed out at %d", now, at, next, ticks[0])
			}
		}
	}
}

// Caffeine 3e66fe9de: an entry removed from within the walk stranded its bucket, "its timers never
// firing again".
func TestDefect_RemovalInDrainStrandsBucket(t *testing.T) {
	m := newMachine(t, 0, 400)
	for id := range m.ids {
		m.schedule(id, 10+Tick(id%2))
	}
	for done := false; !done; {
		_, done = m.advance(11, 3, false)
		for _, id := range m.filed() { // the first, a middle and the last of what is left
			if id%5 == 0 || id+1 == m.ids {
				m.cancel(id)
			}
		}
		if len(m.ref) > 0 {
			m.schedule(m.filed()[0], 500)
		}
		m.check()
	}
	m.schedule(399, m.w.Now()+64) // the slot can be used again
	m.finish()
}

// Caffeine 94636fd69, otter #268: the clock went through the lowest or highest number, or through
// zero. A tick is unsigned and ends at MaxTick, so here that is the start and the end of time.
func TestDefect_ClockCrossesZeroOrWraps(t *testing.T) {
	for _, now := range []Tick{0, 1, MaxTick - 200, MaxTick - 64, MaxTick - 1, MaxTick} {
		m := newMachine(t, now, 200)
		for id := range m.ids {
			m.schedule(id, now+Tick(id))
		}
		m.check()
		for range 300 {
			m.advanceAll(m.w.Now()+1, 3)
			m.check()
		}
		if len(m.ref) != 0 {
			t.Errorf("from %d: %d ids are never handed out", now, len(m.ref))
		}
	}
}

// otter #196: a deadline in the past was filed 6.5 days ahead.
func TestDefect_PastDeadlineFiledFarAhead(t *testing.T) {
	for level := range Levels {
		now := Tick(5)<<(level*SlotBits) + 3
		for _, at := range []Tick{0, 1, now - 1, now, now / 2} {
			w := New(now)
			w.Schedule(1, at)
			if next, ok := w.Next(); next != now+1 || !ok {
				t.Errorf("at %d, due at %d: Next() = %d, %v, want %d", now, at, next, ok, now+1)
			}
			equal(t, "handed out a tick later", handedOut(t, w, now+1, 1), []uint32{1})
		}
	}
}

// otter #209: a deadline that moved earlier was ignored until the old one came.
func TestDefect_EarlierDeadlineIgnored(t *testing.T) {
	for level := range Levels {
		w := New(3)
		old := 3 + Tick(7)<<(level*SlotBits)
		w.Schedule(1, MaxTick)
		w.Schedule(1, old)
		for at := old; at > 4; at = 3 + (at-3)/2 {
			w.Schedule(1, at)
			if next, ok := w.Next(); next > at || !ok {
				t.Fatalf("moved from %d to %d: Next() = %d, %v", old, at, next, ok)
			}
		}
		w.Schedule(1, 4)
		check(t, w)
		equal(t, "Advance(4)", handedOut(t, w, 4, 1), []uint32{1})
	}
}

// otter #204: a lifetime of MaxInt64 overflowed and expired at once.
func TestDefect_MaxInt64ExpiresAtOnce(t *testing.T) {
	for _, at := range []Tick{math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		w := New(1_000_000)
		w.Schedule(1, at)
		check(t, w)
		if n, _ := w.Advance(100_000_000, make([]uint32, 1)); n != 0 {
			t.Errorf("due at %d: handed out at once", at)
		}
		if next, ok := w.Next(); !ok || next < 1<<40 {
			t.Errorf("due at %d: Next() = %d, %v", at, next, ok)
		}
	}
}

// otter #264 to #268: a panic in a callback left the engine unusable. The wheel calls nobody while
// it advances; an owner that panics between two calls finds all as it was.
func TestDefect_PanicLosesTheRest(t *testing.T) {
	w := New(0)
	for id := range uint32(10) {
		w.Schedule(id, 5)
	}
	var ended []uint32
	work := func() (done bool) {
		defer func() { _ = recover() }()
		due := make([]uint32, 1)
		n, _ := w.Advance(5, due)
		ended = append(ended, due[:n]...)
		panic("owner")
	}
	for w.Len() > 0 {
		work()
		check(t, w)
	}
	equal(t, "ended", ended, []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
}

// glommio #44: a timer filed later, for later, hid an earlier deadline.
func TestDefect_LaterTimerHidesEarlierDeadline(t *testing.T) {
	ticks := []Tick{5, 63, 64, 70, 4095, 4096, 5000, 1 << 20, 1 << 40}
	for _, first := range ticks {
		for _, second := range ticks {
			w := New(0)
			w.Schedule(1, first)
			before, _ := w.Next()
			w.Schedule(2, second)
			if next, ok := w.Next(); !ok || next > before || next > second {
				t.Errorf("due at %d and %d: Next() = %d, then %d", first, second, before, next)
			}
		}
	}
}

// glommio #44: a deadline that was no whole number of slots came early or late where it passed from
// one level to the next.
func TestDefect_FractionalDeadlineAtCascade(t *testing.T) {
	for level := 1; level < Levels; level++ {
		width := Tick(1) << (level * SlotBits)
		for _, at := range []Tick{2*width - 1, 2 * width, 2*width + 1, 5 * width / 2, 3*width - 1} {
			w := New(width - 1)
			w.Schedule(1, at)
			ticks := visits(t, w, 1, at)
			if last := ticks[len(ticks)-1]; last != at {
				t.Errorf("due at %d: handed out for the last time at %d", at, last)
			}
			if _, ok := w.Next(); ok {
				t.Errorf("due at %d: handed out at %d and still filed", at, ticks)
			}
		}
	}
}

// glommio #44: what belongs to the cursor's slot may lie a whole revolution ahead; taking it for
// due, or for due a revolution later, are both wrong.
func TestDefect_CursorSlotHoldsARevolutionOut(t *testing.T) {
	for level := range Levels - 1 {
		width := Tick(1) << (level * SlotBits)
		for _, now := range []Tick{5 * width, 5*width + width/2, 6*width - 1} {
			at := now + Slots*width // the same digit at this level, one revolution on
			w := New(now)
			w.Schedule(1, at)
			check(t, w)
			digit := uint(now>>(level*SlotBits)) % Slots
			if occupied, _ := w.Entries(level); occupied>>digit&1 != 0 {
				t.Errorf("level %d: the cursor slot is occupied", level)
			}
			ticks := visits(t, w, 1, at)
			if last := ticks[len(ticks)-1]; last != at {
				t.Errorf("at %d, due at %d: handed out at %d", now, at, ticks)
			}
		}
	}
}

// glommio #44, nexus #666 to #669: finding the next deadline, or finding nothing due, walked the
// population. Here neither reads an entry: it works with all chunks gone.
func TestDefect_LookupScalesWithPopulation(t *testing.T) {
	w := New(0)
	for id := range uint32(100_000) {
		w.Schedule(id, 1_000_000+Tick(id))
	}
	w.arena.pages, w.positions.blocks = nil, nil
	next, ok := w.Next()
	if !ok || next <= 1000 {
		t.Fatalf("Next() = %d, %v", next, ok)
	}
	for to := Tick(1); to < 1000; to++ {
		if n, done := w.step(to); n != 0 || !done {
			t.Fatalf("Advance(%d) = %d, %v, want 0, true", to, n, done)
		}
	}
}

// step is Advance with room for one id, without the check of invariants that would read entries.
func (w *Wheel) step(to Tick) (n int, done bool) {
	w.unchecked = math.MinInt
	return w.Advance(to, make([]uint32, 1))
}

// glommio #44: the next expiry was in the past, and an owner that sleeps until then span.
func TestDefect_NextInThePastSpins(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w, due := New(0), make([]uint32, 64)
	for range 20_000 {
		id := r.Uint32N(50)
		switch r.Uint32N(3) {
		case 0:
			w.Schedule(id, Tick(r.Uint64N(uint64(w.Now())+1000)))
		case 1:
			w.Cancel(id)
		case 2:
			w.Advance(w.Now()+Tick(r.Uint64N(100)), due)
		}
		if next, ok := w.Next(); ok && next <= w.Now() && w.drain.head == 0 {
			t.Fatalf("Next() = %d at %d, with no drain under way", next, w.Now())
		}
	}
}

// glommio #44: an unlink by a position that was out of date detached another entry. Here ids move
// and are cancelled while their old entries stand beside those of others.
func TestDefect_StalePositionDetachesAnother(t *testing.T) {
	w := New(0)
	for id := range uint32(100) {
		w.Schedule(id, 5000)
	}
	for id := uint32(0); id < 100; id += 2 {
		w.Schedule(id, 10) // the entry at 5000 goes stale
		w.Cancel(id)       // this one too
	}
	check(t, w)
	w.Schedule(2, 5000) // filed anew where its first entry still stands
	w.Cancel(0)         // not filed: nothing happens
	check(t, w)
	equal(t, "Advance(10)", handedOut(t, w, 10, 9), []uint32{2})
	w.Schedule(2, 5000)
	got := handedOut(t, w, 5000, 9)
	slices.Sort(got)
	want := []uint32{1, 2}
	for id := uint32(3); id < 100; id += 2 {
		want = append(want, id)
	}
	equal(t, "Advance(5000)", got, want)
}

// Moka #248: an entry with a zero duration was filed where the walk had just been, and the walk
// never ended.
func TestDefect_ZeroDurationLoops(t *testing.T) {
	w, due := New(100), make([]uint32, 2)
	w.Schedule(1, 100)
	w.Schedule(2, 0)
	for tick := Tick(101); tick < 300; tick++ {
		n, done := w.Advance(tick, due)
		if n != 2 || w.Now() != tick {
			t.Fatalf("Advance(%d) = %d, %v at %d, want both ids", tick, n, done, w.Now())
		}
		if _, done = w.Advance(tick, due); !done {
			t.Fatalf("Advance(%d) is never done", tick)
		}
		for _, id := range due[:n] {
			w.Schedule(id, w.Now())
		}
		check(t, w)
	}
}

// Netty #2541, #2561, #5647, Pingora (tokio #7384): cancelled timeouts were kept until their slot
// came up, and memory ran out.
func TestDefect_CancelledTimeoutsKept(t *testing.T) {
	const live, ids = 1000, 500_000
	w := New(0)
	for id := range uint32(ids) {
		w.Schedule(id, 360_000)
		if id >= live {
			w.Cancel(id - live)
		}
		if w.Stale() > live/4 {
			w.Compact(chunkIDs, nil)
		}
		if w.Len() > 2*live+4*chunkIDs {
			t.Fatalf("%d entries for %d live ids", w.Len(), live)
		}
	}
	if chunks := len(w.arena.pages) * pageChunks; chunks > 4*pageChunks {
		t.Errorf("%d chunks for %d live ids", chunks, live)
	}
}

// hertzbeat #4201: a timer armed again without a cancel left its predecessor, millions of them.
func TestDefect_RearmWithoutCancelOrphans(t *testing.T) {
	w := New(0)
	for i := range Tick(1_000_000) {
		w.Schedule(uint32(i%100), i+3000)
		if w.Len() > 100 {
			t.Fatalf("%d entries for 100 ids", w.Len())
		}
	}
}

// Netty #2453: an empty timer took 250 KB.
func TestDefect_EmptyWheelIsLarge(t *testing.T) {
	const room = Levels*Slots*int64(unsafe.Sizeof(list{})) + 512 // its slots and little else
	if got := New(0).Bytes(); got > room {
		t.Errorf("an empty wheel has %d bytes, want at most %d", got, room)
	}
}

// rpc-perf #180: long timers fired early. RussellLuo/timingwheel #19: one of eight days fired the
// next day.
func TestDefect_LongTimersEarly(t *testing.T) {
	const day = 24 * 3600 * 100 // of ticks of 10 ms
	for _, at := range []Tick{day + 1, 8 * day, 30*day + 77, 400 * day, 40_000 * day} {
		w := New(12_345)
		w.Schedule(1, at)
		ticks := visits(t, w, 1, at)
		if last := ticks[len(ticks)-1]; last != at || len(ticks) > Levels {
			t.Errorf("due at %d: handed out at %d", at, ticks)
		}
	}
}

// nexus #666 to #669: a coarse slot was walked on each tick of its span.
func TestDefect_PopulationWalkedEachTick(t *testing.T) {
	const ids = 10_000
	w, due := New(0), make([]uint32, ids)
	for id := range uint32(ids) {
		w.Schedule(id, 4096+Tick(id)%4096)
	}
	handed := 0
	for tick := Tick(1); tick < 8192; tick++ {
		n, _ := w.Advance(tick, due)
		handed += n
		for _, id := range due[:n] {
			if at := 4096 + Tick(id)%4096; at > tick {
				w.Schedule(id, at)
			}
		}
	}
	if w.Len() != 0 || handed > 3*ids {
		t.Errorf("%d hand-outs of %d ids, %d left, want at most one a level", handed, ids, w.Len())
	}
}

// RussellLuo/timingwheel #53, and before it #25, #28, #29, #35: the flush of a bucket filed into
// the same bucket and waited for itself for ever.
func TestDefect_FlushFilesIntoItsOwnBucket(t *testing.T) {
	w, due := New(0), make([]uint32, 1)
	for id := range uint32(100) {
		w.Schedule(id, 64)
	}
	filed := 0
	for done := false; !done; {
		var n int
		n, done = w.Advance(64, due)
		for _, id := range due[:n] {
			w.Schedule(id, 64)              // now: counts as the next tick
			w.Schedule(id+100, 64+64*64*64) // the same slot, one level up
			filed++
		}
		check(t, w)
	}
	equal(t, "handed out", filed, 100)
	equal(t, "a tick later", len(handedOut(t, w, 65, 7)), 100)
}

// RussellLuo/timingwheel #54: the clock advanced to the expiration of a bucket that had moved on to
// its next revolution, and all in between fired early.
func TestDefect_ClockFollowsAMovedBucket(t *testing.T) {
	w, due := New(0), make([]uint32, 1)
	w.Schedule(1, 10)
	w.Schedule(2, 10)
	w.Schedule(3, 40)
	w.Advance(10, due)
	w.Schedule(1, 10+64)
	w.Schedule(2, 10+64)
	equal(t, "Now()", w.Now(), Tick(10))
	equal(t, "Advance(10)", handedOut(t, w, 10, 1), []uint32{2})
	equal(t, "Now()", w.Now(), Tick(10))
	if next, ok := w.Next(); next != 40 || !ok {
		t.Errorf("Next() = %d, %v, want 40, true", next, ok)
	}
}

// RussellLuo/timingwheel #5: timers never fired.
func TestDefect_TimersNeverFire(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m := newMachine(t, 0, 500)
	for range 3000 {
		m.schedule(r.Uint32N(m.ids), m.w.Now()+1<<r.Uint32N(20))
		m.advanceAll(m.w.Now()+Tick(r.Uint32N(50)), 16)
	}
	m.check()
	m.finish()
}

// RussellLuo/timingwheel #3: rounding. A tick is a tick: handed out at it, not before, not after.
func TestDefect_Rounding(t *testing.T) {
	for after := Tick(1); after < 64; after++ {
		w := New(64)
		w.Schedule(1, 64+after)
		equal(t, "a tick before", handedOut(t, w, 64+after-1, 1), []uint32{})
		equal(t, "at the tick", handedOut(t, w, 64+after, 1), []uint32{1})
	}
}

// RussellLuo/timingwheel #45: the clock advanced only when a bucket expired, so a timer was filed
// relative to an old time.
func TestDefect_ClockStandsStillWhileEmpty(t *testing.T) {
	w := New(0)
	equal(t, "Advance", handedOut(t, w, 1_000_000, 1), []uint32{})
	w.Schedule(1, 1_000_010)
	if next, ok := w.Next(); next != 1_000_010 || !ok {
		t.Errorf("Next() = %d, %v, want the tick itself", next, ok)
	}
}

// RussellLuo/timingwheel #31: a Stop while its bucket was flushed was lost and the timer fired.
func TestDefect_StopDuringFlushLost(t *testing.T) {
	w, due := New(0), make([]uint32, 1)
	for id := range uint32(3) {
		w.Schedule(id, 100)
	}
	w.Advance(64, due) // id 0 is with the owner, 1 and 2 are still in the bucket that started
	w.Cancel(0)
	w.Cancel(2)
	equal(t, "Advance(100)", handedOut(t, w, 100, 1), []uint32{1})
	if w.Filed(0) || w.Filed(2) {
		t.Errorf("Filed(0), Filed(2) = %v, %v, want false", w.Filed(0), w.Filed(2))
	}
}

// RussellLuo/timingwheel #30: a Stop had to be repeated until it worked. #31: stopped twice, it
// panicked.
func TestDefect_StopTwice(t *testing.T) {
	w := New(0)
	w.Schedule(1, 10)
	for range 3 {
		w.Cancel(1)
		if w.Filed(1) || w.Stale() != 1 {
			t.Fatalf("cancelled: Filed %v, Stale %d, want false, 1", w.Filed(1), w.Stale())
		}
	}
	equal(t, "Advance(10)", handedOut(t, w, 10, 1), []uint32{})
	w.Cancel(1)
	equal(t, "Stale()", w.Stale(), 0)
}

// RussellLuo/timingwheel #49, #42: memory was kept after a Stop. The wheel holds ids and no
// pointers to what they stand for, and its pages do not grow in number as ids come and go.
func TestDefect_MemoryKeptAfterStop(t *testing.T) {
	w := New(0)
	var size int64
	for round := range 50 {
		for id := range uint32(10_000) {
			w.Schedule(id, w.Now()+1000)
		}
		for id := range uint32(10_000) {
			w.Cancel(id)
		}
		w.Compact(w.Len(), nil)
		equal(t, "Len()", w.Len(), 0)
		if round == 0 {
			size = w.Bytes()
		}
	}
	equal(t, "Bytes()", w.Bytes(), size)
}

// RussellLuo/timingwheel #10, rfyiamcool #6: no Reset, or one that left the old task as well.
func TestDefect_ResetKeepsTheOldTask(t *testing.T) {
	w := New(0)
	w.Schedule(1, 50)
	w.Schedule(1, 20) // earlier
	w.Schedule(1, 70) // later than both
	equal(t, "Advance(20)", handedOut(t, w, 20, 1), []uint32{1})
	w.Schedule(1, 70)
	equal(t, "Advance(69)", handedOut(t, w, 63, 1), []uint32{})
	ticks := visits(t, w, 1, 70)
	equal(t, "visits", ticks[len(ticks)-1], Tick(70))
	equal(t, "Len()", w.Len(), 0)
}

// antlabs/timer: a Reset while the timer cascades is a TODO in its source.
func TestDefect_ResetDuringCascade(t *testing.T) {
	w, due := New(0), make([]uint32, 1)
	for id := range uint32(4) {
		w.Schedule(id, 4096+100)
	}
	w.Advance(4096, due)   // the bucket started; 0 is with the owner
	w.Schedule(0, 4096+5)  // handed out, earlier than before
	w.Schedule(1, 4096+5)  // in the chain, earlier: asked at once, early enough
	w.Schedule(2, 1<<30)   // in the chain, later: asked at once, too
	w.Cancel(3)            // in the chain
	w.Schedule(3, 4096+90) // and back
	check(t, w)
	equal(t, "Advance(4096)", handedOut(t, w, 4096, 1), []uint32{1, 2, 3})
	equal(t, "Advance(4101)", handedOut(t, w, 4101, 1), []uint32{0})
}

// Linux: a base that had slept caught up tick by tick, for a millisecond or more. A jump costs what
// it has to hand out.
func TestDefect_CatchUpLoop(t *testing.T) {
	w, due := New(0), make([]uint32, 4)
	w.Schedule(1, 5)
	w.Schedule(2, MaxTick-1)
	if n, done := w.Advance(MaxTick-1, due); n != 2 || !done {
		t.Fatalf("Advance over all of time = %d, %v, want 2, true", n, done)
	}
}

// Apollo #15763, trantor #80: a clock that jumped stopped the wheel.
func TestDefect_ClockJumpStopsTheWheel(t *testing.T) {
	m := newMachine(t, 1_000_000, 100)
	for i, to := range []Tick{5_000_000, 3, 5_000_100, 0, 5_000_099, 1 << 40, 7, 1<<40 + 1} {
		before := m.w.Now()
		m.schedule(uint32(i), before+10)
		m.advanceAll(to, 1)
		m.check()
		if _, filed := m.ref[uint32(i)]; filed == (to >= before+10) {
			t.Errorf("from %d to %d: filed is %v", before, to, filed)
		}
	}
	m.finish()
}

// wahern/timeout.c #18: with deep levels a cascade was degenerate. Here a step of one tick over a
// border of all levels looks at one bucket.
func TestDefect_DegenerateCascade(t *testing.T) {
	const border = Tick(1) << ((Levels - 1) * SlotBits)
	w := New(border - 1)
	w.Schedule(1, border)
	w.Schedule(2, border+1)
	equal(t, "Advance", handedOut(t, w, border, 8), []uint32{1, 2})
	w.Schedule(2, border+1)
	equal(t, "Advance", handedOut(t, w, border+1, 8), []uint32{2})
}
