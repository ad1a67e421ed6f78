package engine_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// newManual makes a manual table and a record of the values that OnExpire got.
func newManual(t testing.TB, o engine.Options[int]) (*engine.Table[int], *[]engine.Expired[int]) {
	t.Helper()
	ended := new([]engine.Expired[int])
	o.Manual = true
	if o.Logger == nil {
		o.Logger = quiet
	}
	if onExpire := o.OnExpire; onExpire == nil {
		o.OnExpire = func(b []engine.Expired[int]) { *ended = append(*ended, b...) }
	}
	tab, err := engine.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tab, ended // It has no goroutine, so nobody needs to close it.
}

func mustCreate(t testing.TB, tab *engine.Table[int], v int) engine.Session[int] {
	t.Helper()
	s, err := tab.Create(v)
	if err != nil {
		t.Fatalf("Create(%d): %v", v, err)
	}
	return s
}

// On tick boundaries a manual table is exact.
func TestAdvance_IsExactOnTicks(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, 10 * time.Millisecond, time.Minute} {
		for _, idle := range []int64{1, 2, 63, 64, 65, 100, 4095, 4096, 4097, 262144, 10_000_000} {
			t.Run(fmt.Sprint(tick, " times ", idle), func(t *testing.T) {
				d := time.Duration(idle) * tick
				tab, _ := newManual(t, engine.Options[int]{Tick: tick, IdleTimeout: d})
				for _, start := range []time.Duration{0, tick, 7 * tick, 64 * tick} {
					tab.Advance(start)
					s := mustCreate(t, tab, 1)
					if n := tab.Advance(d - 1); n != 0 || s.ID() == "" {
						t.Fatalf("Advance(%v) = %d, want 0", d-1, n)
					}
					if n := tab.Advance(1); n != 1 || s.ID() != "" {
						t.Fatalf("Advance(1) to the deadline = %d, want 1", n)
					}
				}
			})
		}
	}
}

// Between ticks it is never early and at most two ticks late.
func TestAdvance_BetweenTicks(t *testing.T) {
	const tick = 10 * time.Millisecond
	for _, idle := range []time.Duration{1, tick - 1, tick + 1, 3*tick + 5, 999999999} {
		for offset := time.Duration(0); offset < tick; offset += 1234567 {
			tab, _ := newManual(t, engine.Options[int]{Tick: tick, IdleTimeout: idle})
			tab.Advance(offset)
			s := mustCreate(t, tab, 1)
			for now := time.Duration(0); s.ID() != ""; now += 777777 {
				if now > idle+2*tick {
					t.Fatalf("idle %v at %v: lives %v later", idle, offset, now)
				}
				if n := tab.Advance(777777); n != 0 && now+777777 < idle {
					t.Fatalf("idle %v at %v: ended %v later", idle, offset, now+777777)
				}
			}
		}
	}
}

// Grace that is no multiple of Tick does not add to how late a session ends.
func TestAdvance_BetweenTicksWithGrace(t *testing.T) {
	const tick, d = 10 * time.Millisecond, 11 * time.Millisecond
	tab, _ := newManual(t, engine.Options[int]{Tick: tick, IdleTimeout: d, Grace: d})
	tab.Advance(1)
	s := mustCreate(t, tab, 1)
	tab.Advance(2*d - 1)
	if s.ID() == "" {
		t.Error("ended before its grace")
	}
	tab.Advance(2*tick + 1)
	if s.ID() != "" {
		t.Error("lives two ticks after its grace")
	}
}

func TestAdvance_TimeStandsStill(t *testing.T) {
	tab, _ := newManual(t, engine.Options[int]{IdleTimeout: 1})
	s := mustCreate(t, tab, 1)
	before, _ := s.Info()
	for range 1000 {
		runtime.Gosched()
		if n := tab.Advance(0); n != 0 {
			t.Fatalf("Advance(0) = %d, want 0", n)
		}
	}
	if after, ok := s.Info(); !ok || after != before {
		t.Errorf("Info = %+v, %v, want %+v", after, ok, before)
	}
}

func TestAdvance_HugeJumps(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, tick := range []time.Duration{time.Millisecond, 10 * time.Millisecond, time.Minute} {
		tab, ended := newManual(t, engine.Options[int]{Tick: tick, MaxLifetime: 9 * year})
		for i, jump := range []time.Duration{time.Hour, year, 2 * year, 2 * year} {
			mustCreate(t, tab, i)
			if n := tab.Advance(jump); n != 1 || len(*ended) != i+1 {
				t.Fatalf("tick %v: Advance(%v) = %d, OnExpire got %d, want 1, %d",
					tick, jump, n, len(*ended), i+1)
			}
			for range 3 { // Time goes on as it should.
				s := mustCreate(t, tab, i)
				if n := tab.Advance(time.Hour - 1); n != 0 || !s.Touch() {
					t.Fatalf("tick %v after %v: ended early", tick, jump)
				}
				s.Remove()
			}
		}
	}
}

// Time ends with the longest duration; nothing wraps around.
func TestAdvance_ToTheEndOfTime(t *testing.T) {
	tab, ended := newManual(t, engine.Options[int]{})
	mustCreate(t, tab, 1)
	forever := mustCreate(t, tab, 2)
	forever.SetIdleTimeout(longest)
	for range 3 {
		tab.Advance(longest)
	}
	if len(*ended) != 1 || (*ended)[0].Value != 1 || forever.ID() == "" {
		t.Errorf("OnExpire got %d sessions, want the one that is not endless", len(*ended))
	}
	if _, ok := forever.Info(); !ok {
		t.Error("Info = false")
	}
}

// When one jump passes the idle timeout and the grace, OnGrace is skipped.
func TestAdvance_OverGraceSkipsOnGrace(t *testing.T) {
	graced := 0
	tab, ended := newManual(t, engine.Options[int]{
		IdleTimeout: time.Second, Grace: time.Second,
		OnGrace: func(b []engine.Session[int]) { graced += len(b) },
	})
	mustCreate(t, tab, 1)
	if n := tab.Advance(2 * time.Second); n != 1 || graced != 0 {
		t.Errorf("Advance over both = %d, OnGrace got %d, want 1, 0", n, graced)
	}
	mustCreate(t, tab, 2)
	if n := tab.Advance(2*time.Second - 1); n != 0 || graced != 1 {
		t.Errorf("Advance into grace = %d, OnGrace got %d, want 0, 1", n, graced)
	}
	if n := tab.Advance(1); n != 1 || graced != 1 || len(*ended) != 2 {
		t.Errorf("Advance over grace = %d, OnGrace got %d, want 1, 1", n, graced)
	}
}

// A jump over idle timeout, grace and lifetime ends a session for what came first.
func TestAdvance_ReasonIsWhatCameFirst(t *testing.T) {
	tab, ended := newManual(t, engine.Options[int]{
		IdleTimeout: time.Minute, Grace: time.Minute, MaxLifetime: time.Hour,
	})
	idle, old := mustCreate(t, tab, 1), mustCreate(t, tab, 2)
	old.SetIdleTimeout(59*time.Minute + time.Second)
	if n := tab.Advance(24 * time.Hour); n != 2 {
		t.Fatalf("Advance = %d, want 2", n)
	}
	for _, e := range *ended {
		want, due := engine.ReasonIdle, 2*time.Minute
		if e.Ref == old.Ref() {
			want, due = engine.ReasonLifetime, time.Hour
		}
		if e.Reason != want || e.Due.Sub(e.Created) != due {
			t.Errorf("%v %v after creation, want %v, %v", e.Reason, e.Due.Sub(e.Created), want, due)
		}
	}
	if idle.ID() != "" {
		t.Error("lives on")
	}
}

func TestAdvance_CountsWhatTimeEnded(t *testing.T) {
	calls := 0
	tab, _ := newManual(t, engine.Options[int]{
		OnExpire: func([]engine.Expired[int]) { calls++ }, IdleTimeout: time.Second,
	})
	for i := range 3000 {
		mustCreate(t, tab, i)
	}
	removed := 0
	for s := range tab.All() {
		if removed++; removed > 500 {
			break
		}
		s.Remove()
	}
	if n := tab.Advance(time.Second); n != 2500 || calls < 10 {
		t.Errorf("Advance = %d in %d batches, want 2500 in 10 or more", n, calls)
	}
	if n := tab.Advance(time.Hour); n != 0 {
		t.Errorf("Advance = %d, want 0", n)
	}
}

// Callbacks see the time that Advance moved to.
func TestAdvance_CallbacksSeeItsTime(t *testing.T) {
	var tab *engine.Table[int]
	var at time.Duration
	tab, _ = newManual(t, engine.Options[int]{
		IdleTimeout: time.Second,
		OnExpire: func(b []engine.Expired[int]) {
			s, _, _ := tab.Ensure("new", 1)
			i, _ := s.Info()
			at = i.Created.Sub(b[0].Created)
		},
	})
	mustCreate(t, tab, 1)
	if n := tab.Advance(time.Minute); n != 1 || at != time.Minute {
		t.Errorf("Advance = %d, its callback saw %v, want 1, 1m", n, at)
	}
	if n := tab.Advance(time.Second); n != 1 {
		t.Errorf("Advance = %d, want 1", n)
	}
}

// panicOf is the text that f panics with, "" if it does not.
func panicOf(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

func TestAdvance_Panics(t *testing.T) {
	auto, err := engine.New(engine.Options[int]{})
	if err != nil {
		t.Fatal(err)
	}
	defer auto.Close()
	manual, _ := newManual(t, engine.Options[int]{})
	for name, f := range map[string]func(){
		"negative":      func() { manual.Advance(-1) },
		"keeps time":    func() { auto.Advance(time.Second) },
		"keeps time, 0": func() { auto.Advance(0) },
	} {
		if got := panicOf(f); !strings.HasPrefix(got, "engine: ") {
			t.Errorf("%s: panic %q, want one that begins with engine:", name, got)
		}
	}
	mustCreate(t, manual, 1)
	if n := manual.Advance(2 * time.Hour); n != 1 {
		t.Errorf("Advance after a panic = %d, want 1", n)
	}
}

func TestAdvance_PanicsInCallbacks(t *testing.T) {
	var tab *engine.Table[int]
	var inExpire, inGrace string
	tab, _ = newManual(t, engine.Options[int]{
		IdleTimeout: time.Second, Grace: time.Second,
		OnGrace:  func([]engine.Session[int]) { inGrace = panicOf(func() { tab.Advance(1) }) },
		OnExpire: func([]engine.Expired[int]) { inExpire = panicOf(func() { tab.Advance(0) }) },
	})
	mustCreate(t, tab, 1)
	tab.Advance(time.Second)
	tab.Advance(time.Second)
	if !strings.HasPrefix(inGrace, "engine: ") || !strings.HasPrefix(inExpire, "engine: ") {
		t.Errorf("Advance from callbacks panics with %q, %q, want engine:", inGrace, inExpire)
	}
	mustCreate(t, tab, 2)
	if n := tab.Advance(time.Minute); n != 1 {
		t.Errorf("Advance afterwards = %d, want 1", n)
	}
}

func TestAdvance_AfterClose(t *testing.T) {
	tab, ended := newManual(t, engine.Options[int]{IdleTimeout: time.Second})
	for i := range 100 {
		mustCreate(t, tab, i)
	}
	_ = tab.Close()
	if n := tab.Advance(time.Hour); n != 0 || len(*ended) != 0 {
		t.Errorf("Advance after Close = %d, OnExpire got %d, want 0, 0", n, len(*ended))
	}
}

// A callback that closes its table is the last, and Advance says what it ended until then.
func TestAdvance_ClosedByItsCallback(t *testing.T) {
	var tab *engine.Table[int]
	got := 0
	tab, _ = newManual(t, engine.Options[int]{
		IdleTimeout: time.Second,
		OnExpire: func(b []engine.Expired[int]) {
			got += len(b)
			_ = tab.Close()
		},
	})
	for i := range 3000 {
		mustCreate(t, tab, i)
	}
	if n := tab.Advance(time.Hour); n != got || n > 256 || n == 0 {
		t.Errorf("Advance = %d, OnExpire got %d, want both the same and at most 256", n, got)
	}
	if n := tab.Advance(time.Hour); n != 0 || tab.Len() != 0 {
		t.Errorf("Advance after Close = %d, Len = %d, want 0, 0", n, tab.Len())
	}
}

// Advance may be called from several goroutines: each session is counted by one.
func TestAdvance_Concurrently(t *testing.T) {
	var delivered, counted atomic.Int64
	tab, _ := newManual(t, engine.Options[int]{
		IdleTimeout: time.Second, OnExpire: func(b []engine.Expired[int]) {
			delivered.Add(int64(len(b)))
		},
	})
	for i := range 10000 {
		mustCreate(t, tab, i)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				counted.Add(int64(tab.Advance(10 * time.Millisecond)))
			}
		})
	}
	all.Wait()
	if delivered.Load() != 10000 || counted.Load() != 10000 || tab.Len() != 0 {
		t.Errorf("OnExpire got %d, Advance counts %d, want 10000", delivered.Load(), counted.Load())
	}
}

// An Advance that a callback's Goexit ended leaves the table in order.
func TestAdvance_GoexitInCallback(t *testing.T) {
	got := map[int]bool{}
	tab, _ := newManual(t, engine.Options[int]{
		IdleTimeout: time.Second,
		OnExpire: func(b []engine.Expired[int]) {
			for _, e := range b {
				got[e.Value] = true
			}
			runtime.Goexit()
		},
	})
	for i := range 1000 {
		mustCreate(t, tab, i)
	}
	for range 100 {
		var one sync.WaitGroup
		one.Go(func() { tab.Advance(time.Second) })
		one.Wait()
	}
	if len(got) != 1000 || tab.Len() != 0 {
		t.Errorf("OnExpire got %d sessions, Len = %d, want 1000, 0", len(got), tab.Len())
	}
}

// A manual table shows the truth about its times: it has no excuse to be off by more than Tick,
// and what it shows of a session that nobody touches does not change.
func TestManual_TimesStayAsTheyAre(t *testing.T) {
	tab, _ := newManual(t, engine.Options[int]{IdleTimeout: time.Second})
	tab.Advance(5 * time.Millisecond)
	s := mustCreate(t, tab, 1)
	first, _ := s.Info()
	tab.Advance(500 * time.Millisecond)
	if later, _ := s.Info(); later != first {
		t.Errorf("Info of an untouched session went from %+v to %+v", first, later)
	}
}

// After the last tick that a word can tell, sessions end late or never, but not early.
func TestManual_NotEarlyAfterTheLastStamp(t *testing.T) {
	tab, _ := newManual(t, engine.Options[int]{Tick: time.Millisecond})
	for range 20 {
		tab.Advance(365 * 24 * time.Hour)
		s := mustCreate(t, tab, 1)
		if n := tab.Advance(time.Hour - 1); n != 0 || !s.Touch() {
			t.Fatal("ended early")
		}
	}
}

// When OnGrace closes the table, its batch is the last, also where OnExpire would have one.
func TestManual_CloseInOnGraceIsTheLast(t *testing.T) {
	var tab *engine.Table[int]
	graced := 0
	tab, ended := newManual(t, engine.Options[int]{
		IdleTimeout: time.Second, Grace: time.Second, Shards: 1,
		OnGrace: func([]engine.Session[int]) {
			if graced++; graced == 2 {
				_ = tab.Close()
			}
		},
	})
	mustCreate(t, tab, 1)
	tab.Advance(time.Second)
	mustCreate(t, tab, 2)
	tab.Advance(time.Second) // The first session ends, the second is in grace.
	if graced != 2 || len(*ended) != 0 {
		t.Errorf("OnGrace called %d times, OnExpire got %d after Close", graced, len(*ended))
	}
}
