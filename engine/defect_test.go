package engine_test

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/invariants"
)

// What other wheels, caches and session stores got wrong, each by name and with its thread. Those
// about a bare wheel are with internal/wheel.

// RussellLuo/timingwheel #53, #25, #28, #35: adding from an expiry locked the wheel up for good.
func TestDefect_AddingFromAnExpiryLocksUp(t *testing.T) {
	var tab atomic.Pointer[engine.Table[int]]
	o := secondIdle
	o.OnExpire = func(b []engine.Expired[int]) {
		for range b {
			_, _ = tab.Load().Create(1) // Each is replaced by one.
		}
	}
	inWorlds(t, o, func(w *world) {
		tab.Store(w.tab)
		for i := range 600 {
			w.create(i)
		}
		w.sleep(time.Minute)
		w.wantLen(600)
		if n := len(w.ended()); n < 600*50 {
			w.Errorf("OnExpire got %d sessions in a minute, want 600 a second", n)
		}
	})
}

// RussellLuo/timingwheel #19 fired a timer of 8 days on the next day; rpc-perf #180 long ones
// early; Linux an eighth late.
func TestDefect_LongTimersFireEarly(t *testing.T) {
	o := engine.Options[int]{IdleTimeout: 8 * 24 * time.Hour, Tick: time.Second}
	inWorlds(t, o, func(w *world) {
		w.sleep(time.Hour)
		w.wantEnds(w.create(1), 8*24*time.Hour)
	})
}

// RussellLuo/timingwheel #31: Stop during a flush returned false, and the timer still fired. A
// Remove says true exactly when no callback will come.
func TestDefect_StopFalseAndStillFires(t *testing.T) {
	for range 200 {
		var fired atomic.Int32
		tab, err := engine.New(engine.Options[int]{
			Manual: true, IdleTimeout: time.Second,
			Logger:   quiet,
			OnExpire: func(b []engine.Expired[int]) { fired.Add(int32(len(b))) },
		})
		if err != nil {
			t.Fatal(err)
		}
		s := mustCreate(t, tab, 1)
		var both sync.WaitGroup
		var stopped bool
		both.Go(func() { _, stopped = s.Remove() })
		both.Go(func() { tab.Advance(time.Second) })
		both.Wait()
		if stopped == (fired.Load() == 1) {
			t.Fatalf("Remove = %v, and OnExpire got %d", stopped, fired.Load())
		}
		_ = tab.Close()
	}
}

// RussellLuo/timingwheel: a second Stop closed a closed channel; #31: use after Stop blocked for
// ever. go-zero #1768: a deadlock after Stop. The bubble would not end.
func TestDefect_DoubleStopAndUseAfterStop(t *testing.T) {
	inWorlds(t, secondIdle, func(w *world) {
		s := w.create(1)
		for range 3 {
			w.close()
			w.wantClosed()
			wantAllFalse(w.T, w.tab, s)
			w.sleep(time.Hour)
		}
	})
}

// RussellLuo/timingwheel #49, Netty #2541, #2561, Pingora's wheel (tokio #7384): what was
// cancelled stayed until its time came.
func TestDefect_CancelledEntriesPileUp(t *testing.T) {
	for _, shards := range []int{1, 8} {
		tab, _ := newManual(t, engine.Options[int]{IdleTimeout: 24 * time.Hour, Shards: shards})
		slack := 300 * shards
		var all []engine.Session[int]
		for i := range 40_000 {
			all = append(all, mustCreate(t, tab, i))
		}
		for i, s := range all[:39_000] {
			s.Remove()
			if st := tab.Stats(); i%1000 == 0 && st.Stale > st.Live/4+slack {
				t.Fatalf("%d shards: %d stale entries, %d sessions", shards, st.Stale, st.Live)
			}
		}
		if st := tab.Stats(); st.Stale > st.Live/4+slack || st.Entries > st.Live*5/4+slack {
			t.Errorf("%d shards: %d entries, %d stale, %d sessions",
				shards, st.Entries, st.Stale, st.Live)
		}
	}
}

// hertzbeat #4201, rfyiamcool/timewheel #6: a task that was set again stayed under its old time
// too. A deadline that moves to and fro leaves nothing behind.
func TestDefect_ResetLeavesTheOldTask(t *testing.T) {
	for _, kind := range wheels {
		inWorld(t, engine.Options[int]{Shards: 1, Wheel: kind}, func(w *world) {
			s := w.create(1)
			for range 20_000 {
				s.SetIdleTimeout(time.Hour)
				s.SetIdleTimeout(time.Minute)
			}
			if st := w.tab.Stats(); st.Entries > 400 {
				w.Errorf("%d entries for one session", st.Entries)
			}
			w.wantEnds(s, time.Minute)
			w.wantOneEnded()
		})
	}
}

// The same for deadlines that only move earlier, each filed anew, with nothing else going on.
func TestDefect_ShorteningPilesUpEntries(t *testing.T) {
	tab, _ := newManual(t, engine.Options[int]{IdleTimeout: 30 * 24 * time.Hour, Shards: 1})
	for i := range 1000 {
		s := mustCreate(t, tab, i)
		for d := 29 * 24 * time.Hour; d > time.Minute; d = d * 9 / 10 {
			s.SetIdleTimeout(d)
		}
	}
	if st := tab.Stats(); st.Stale > st.Live/4+1000 {
		t.Errorf("%d stale entries beside %d sessions", st.Stale, st.Live)
	}
}

// otter #208: SetExpiresAfter revived an entry that had expired.
func TestDefect_ExpiredEntryRevived(t *testing.T) {
	inWorlds(t, secondIdle, func(w *world) {
		s := w.create(1)
		w.sleep(time.Second + w.late)
		if s.SetIdleTimeout(time.Hour) || s.Touch() || s.SetValue(1) {
			w.Error("an ended session says true")
		}
		w.wantOneEnded()
		w.wantLen(0)
	})
}

// otter #209: a deadline that moved earlier was ignored until the old one. Go #41699 and tokio
// have trouble with the same.
func TestDefect_EarlierDeadlineIgnored(t *testing.T) {
	inWorlds(t, engine.Options[int]{IdleTimeout: 30 * 24 * time.Hour}, func(w *world) {
		for _, d := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
			s := w.create(1)
			w.sleep(500 * time.Millisecond)
			s.SetIdleTimeout(d)
			w.wantEnds(s, d-500*time.Millisecond)
		}
	})
}

// glommio #44: a later timer hid an earlier deadline.
func TestDefect_LaterTimerHidesEarlier(t *testing.T) {
	inWorlds(t, engine.Options[int]{Shards: 1}, func(w *world) {
		first := w.create(1)
		first.SetIdleTimeout(time.Second)
		for i := range 100 {
			w.create(i).SetIdleTimeout(time.Duration(i+2) * time.Hour)
		}
		w.wantEnds(first, time.Second)
	})
}

// otter #196: a deadline in the past was filed 6.5 days ahead. glommio #44: it made the loop spin.
func TestDefect_PastDeadlineFiledAhead(t *testing.T) {
	inWorlds(t, engine.Options[int]{}, func(w *world) {
		s := w.create(1)
		w.sleep(59 * time.Minute)
		s.SetIdleTimeout(1)
		w.sleep(w.late)
		w.wantDead(s, "after its deadline moved into the past")
	})
}

// otter #204: MaxInt64 overflowed and expired at once. Moka #248: zero durations panicked. etcd
// #12105: a lease had -600 s left.
func TestDefect_DurationsOverflow(t *testing.T) {
	o := engine.Options[int]{IdleTimeout: longest, Grace: longest, MaxLifetime: longest}
	inWorlds(t, o, func(w *world) {
		s := w.create(1)
		for _, d := range []time.Duration{0, math.MaxInt64, math.MaxInt64 - 1, 0} {
			if !s.SetIdleTimeout(d) {
				w.Errorf("SetIdleTimeout(%v) = false", d)
			}
			w.sleep(time.Minute)
			if i := w.info(s); i.State != engine.StateActive || i.Deadline.Before(time.Now()) {
				w.Errorf("idle %v: %v until %v", d, i.State, i.Deadline)
			}
		}
	})
}

// otter #264 to #268, Caffeine's advance: a panic in a callback left locks held, or lost the rest
// of its bucket.
func TestDefect_PanicLeavesLocksHeld(t *testing.T) {
	o := secondIdle
	o.OnExpire = func([]engine.Expired[int]) { panic("boom") }
	inWorlds(t, o, func(w *world) {
		for range 3 {
			for i := range 1000 {
				w.create(i)
			}
			w.sleep(time.Second + w.late)
			w.wantLen(0)
		}
		if n := len(w.ended()); n != 3000 {
			w.Errorf("OnExpire got %d sessions, want 3000", n)
		}
	})
}

// Caffeine 3e66fe9de: removing others from a callback stranded their bucket.
func TestDefect_RemovalInCallbackStrandsOthers(t *testing.T) {
	var mu sync.Mutex
	var all []engine.Session[int]
	var removed int
	o := secondIdle
	o.OnExpire = func(b []engine.Expired[int]) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range b {
			if _, ok := all[(e.Value+1)%len(all)].Remove(); ok {
				removed++
			}
		}
	}
	inWorlds(t, o, func(w *world) {
		mu.Lock()
		all, removed = nil, 0
		for i := range 3000 {
			all = append(all, w.create(i))
		}
		mu.Unlock()
		w.sleep(time.Second + w.late)
		w.wantLen(0)
		if n := len(w.ended()); n+removed != 3000 {
			w.Errorf("OnExpire got %d sessions, %d were removed, want 3000", n, removed)
		}
	})
}

// golang-lru #159, #161, #189, erigon #23848, goetty #23, ouqiang #15: a goroutine for each cache
// that nothing stops. Read off the whole process, where no bubble helps.
func TestDefect_UnstoppableGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		for _, kind := range wheels {
			tab, err := engine.New(engine.Options[int]{Wheel: kind, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			mustCreate(t, tab, 1).Touch()
			_ = tab.Close()
		}
	}
	waitUntil(t, 10*time.Second, func() bool { return runtime.NumGoroutine() <= before })
}

// A manual table has no goroutine at all.
func TestDefect_ManualTableHasGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 50 {
		tab, _ := newManual(t, engine.Options[int]{IdleTimeout: time.Second})
		mustCreate(t, tab, 1)
		tab.Advance(time.Minute)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
}

// trantor #80, Apollo #15763, ristretto #358: a wall clock that was set stopped the wheel or ended
// all. The engine reads the monotonic clock alone, which is what a Time shows as m=.
func TestDefect_WallClockIsRead(t *testing.T) {
	tab, ended := newManual(t, engine.Options[int]{IdleTimeout: time.Second})
	s := mustCreate(t, tab, 1)
	i, _ := s.Info()
	tab.Advance(time.Second)
	e := (*ended)[0]
	all := []time.Time{i.Created, i.LastTouch, i.Deadline, e.Created, e.LastTouch, e.Due}
	for _, at := range all {
		if !strings.Contains(at.String(), " m=") {
			t.Errorf("%v has no monotonic reading", at)
		}
	}
}

// etcd #10686: leases that expired were dropped when a channel was full; Redis #15411: the cycle
// starved. A callback that is slow makes others late and loses none.
func TestDefect_SlowConsumerLosesExpiries(t *testing.T) {
	o := engine.Options[int]{IdleTimeout: time.Second}
	o.OnExpire = func([]engine.Expired[int]) { pause(time.Minute) }
	inWorlds(t, o, func(w *world) {
		for i := range 5000 {
			w.create(i)
			if i%100 == 0 {
				w.sleep(10 * time.Millisecond)
			}
		}
		w.sleep(24 * time.Hour)
		if n := len(w.ended()); n != 5000 {
			w.Errorf("OnExpire got %d sessions, want 5000", n)
		}
	})
}

// ristretto #138, #329: buckets that time had passed while nobody looked were skipped. Caffeine
// 7cc9f1f41: the next delay was off by a span.
func TestDefect_SkippedBuckets(t *testing.T) {
	tab, ended := newManual(t, engine.Options[int]{Tick: time.Millisecond})
	for i := range 5000 {
		s := mustCreate(t, tab, i)
		s.SetIdleTimeout(time.Duration(i*i%90_000+1) * time.Millisecond)
	}
	for _, ms := range []int{63, 1, 64, 4095, 1, 4096, 65, 10_000, 1, 71_616} {
		tab.Advance(time.Duration(ms) * time.Millisecond)
	}
	if len(*ended) != 5000 || tab.Len() != 0 {
		t.Errorf("OnExpire got %d sessions, Len = %d, want 5000, 0", len(*ended), tab.Len())
	}
}

// golang-lru's expirable overwrote a key without a callback. A session is not overwritten.
func TestDefect_OverwriteSkipsCallback(t *testing.T) {
	inWorlds(t, secondIdle, func(w *world) {
		for i := range 5 {
			_, _, _ = w.tab.Ensure("same", i)
		}
		w.sleep(time.Second + w.late)
		if e := w.wantOneEnded(); e.Value != 0 {
			w.Errorf("Value = %d, want the first", e.Value)
		}
	})
}

// Oxia #1235, ZOOKEEPER-1669, Netty #973: very many sessions that fall due together stall all
// else. While they end, no call of another waits for more than a batch.
func TestDefect_ManyDueAtOnceStall(t *testing.T) {
	var tab *engine.Table[int]
	calls := 0
	tab, _ = newManual(t, engine.Options[int]{
		IdleTimeout: time.Second, Shards: 1,
		OnExpire: func(b []engine.Expired[int]) {
			calls++
			if !tab.Touch("other") { // Its lock, the only one, is free between any two batches.
				t.Error("Touch = false")
			}
			if _, ok := tab.Remove("other"); !ok {
				t.Error("Remove = false")
			}
			_, _, _ = tab.Ensure("other", 1)
		},
	})
	for i := range 20_000 {
		mustCreate(t, tab, i)
	}
	tab.Advance(500 * time.Millisecond)
	_, _, _ = tab.Ensure("other", 1)
	if n := tab.Advance(600 * time.Millisecond); n != 20_000 || calls < 20_000/256 {
		t.Errorf("Advance = %d in %d batches, want 20000 in 79 or more", n, calls)
	}
}

// Slots are used again at once, and no handle of an earlier session in one comes alive.
func TestDefect_ReusedSlotRevivesHandle(t *testing.T) {
	tab, _ := newManual(t, engine.Options[int]{Shards: 1, IdleTimeout: time.Second})
	seen := map[engine.Ref]bool{}
	var old []engine.Session[int]
	for i := range 20_000 {
		s := mustCreate(t, tab, i)
		if seen[s.Ref()] {
			t.Fatalf("Ref %#x twice", s.Ref())
		}
		seen[s.Ref()] = true
		if old = append(old, s); i%2 == 0 {
			s.Remove()
		} else {
			tab.Advance(time.Second)
		}
	}
	mustCreate(t, tab, 1)
	for _, s := range old {
		if s.Touch() || s.ID() != "" {
			t.Fatalf("handle %#x came alive again", s.Ref())
		}
	}
}

// A slot's generations are used up one day. What comes after is another slot, not an old handle.
func TestDefect_GenerationWraps(t *testing.T) {
	if invariants.Enabled {
		return // It takes a million sessions, which the race detector makes many seconds.
	}
	tab, _ := newManual(t, engine.Options[int]{Shards: 1})
	refs := make([]engine.Ref, 0, 1<<20+5000)
	for range cap(refs) {
		s := mustCreate(t, tab, 1)
		refs = append(refs, s.Ref())
		s.Remove()
	}
	slices.Sort(refs)
	if n := len(slices.Compact(refs)); n != cap(refs) {
		t.Errorf("%d Refs for %d sessions", n, cap(refs))
	}
	if st := tab.Stats(); st.Stale > 1000 {
		t.Errorf("%d stale entries after churn in one slot", st.Stale)
	}
}

// etcd #9418, Valkey #28: to find what is due all was scanned. A table of many idle sessions goes
// through a day without a look at most of them; fake time shows it, since nothing wakes.
func TestDefect_IdleSessionsAreScanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := engine.Options[int]{IdleTimeout: 365 * 24 * time.Hour, Logger: quiet}
		tab, err := engine.New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer tab.Close()
		for i := range 50_000 {
			mustCreate(t, tab, i)
		}
		start := time.Now()
		for range 24 {
			pause(time.Hour)
			synctest.Wait()
		}
		if got := time.Since(start); got != 24*time.Hour || tab.Len() != 50_000 {
			t.Errorf("%d sessions after %v", tab.Len(), got)
		}
	})
}
