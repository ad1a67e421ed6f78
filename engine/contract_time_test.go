package engine_test

import (
	"math"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

const longest = time.Duration(math.MaxInt64)

var graceful = engine.Options[int]{IdleTimeout: time.Second, Grace: 2 * time.Second}

func TestContract_Time(t *testing.T) {
	day := engine.Options[int]{Tick: time.Minute}
	endless := engine.Options[int]{
		Tick: time.Minute, IdleTimeout: longest, MaxLifetime: longest, Grace: longest,
	}
	mortal := engine.Options[int]{IdleTimeout: time.Second, MaxLifetime: 3 * time.Second}
	brief := engine.Options[int]{
		IdleTimeout: time.Second, Grace: 5 * time.Second, MaxLifetime: 3 * time.Second,
	}
	runContracts(t, []contract{
		{"the default is an hour", engine.Options[int]{}, testDefaultIdle},
		{"idle timeouts of all kinds", day, testManyIdle},
		{"an idle timeout below Tick", engine.Options[int]{IdleTimeout: 1}, testTinyIdle},
		{"durations near the maximum", endless, testEndless},
		{"a lifetime is extended by nothing", mortal, testLifetime},
		{"an idle end before the lifetime's", mortal, testIdleBeforeLifetime},
		{"grace", graceful, testGrace},
		{"nothing but a touch revives", graceful, testGraceStays},
		{"removed in grace", graceful, testRemoveInGrace},
		{"a lifetime that ends in grace", brief, testLifetimeInGrace},
		{"SetIdleTimeout longer", secondIdle, testIdleLonger},
		{"SetIdleTimeout shorter", day, testIdleShorter},
		{"SetIdleTimeout to what has passed", day, testIdlePassed},
		{"SetIdleTimeout back to the table's", secondIdle, testIdleBack},
		{"SetIdleTimeout negative", secondIdle, testIdleNegative},
		{"SetIdleTimeout to never", secondIdle, testIdleNever},
		{"SetIdleTimeout in grace, longer", graceful, testIdleLongerInGrace},
		{"SetIdleTimeout in grace, shorter", graceful, testIdleShorterInGrace},
		{"SetIdleTimeout into grace", graceful, testIdleIntoGrace},
		{"a slot's timeout is not inherited", secondIdle, testIdleNotInherited},
	})
}

func testDefaultIdle(w *world) {
	s := w.create(1)
	if i := w.info(s); i.IdleTimeout != time.Hour {
		w.Errorf("IdleTimeout = %v, want 1h", i.IdleTimeout)
	}
	w.wantEnds(s, time.Hour)
}

func testManyIdle(w *world) {
	start := time.Now()
	want := map[string]time.Duration{}
	for d := time.Minute; d < 20*24*time.Hour; d = d*5/3 + 7*time.Second {
		s := w.create(1)
		if !s.SetIdleTimeout(d) {
			w.Fatalf("SetIdleTimeout(%v) = false", d)
		}
		want[s.ID()] = d
	}
	w.sleep(21 * 24 * time.Hour)
	for _, e := range w.ended() {
		d := want[e.id]
		delete(want, e.id)
		// A timeout that is no multiple of Tick rounds up.
		if took := e.at.Sub(start); took < d || took > d+w.late+time.Minute {
			w.Errorf("a session of %v ended after %v", d, took)
		}
	}
	if len(want) != 0 {
		w.Errorf("%d sessions did not end", len(want))
	}
}

func testTinyIdle(w *world) {
	w.sleep(3 * time.Millisecond)
	s := w.create(1)
	w.wantAlive(s, "at once")
	w.sleep(1)
	w.wantAlive(s, "at its deadline")
	w.sleep(10*time.Millisecond + w.late)
	w.wantDead(s, "after its deadline")
}

func testEndless(w *world) {
	var all []engine.Session[int]
	for i, d := range []time.Duration{0, longest, longest - 1, longest - time.Hour} {
		s := w.create(i)
		s.SetIdleTimeout(d)
		all = append(all, s)
		w.sleep(time.Hour)
	}
	w.sleep(10 * 24 * time.Hour)
	for _, s := range all {
		w.wantAlive(s, "after ten days")
		if i := w.info(s); time.Until(i.Deadline) < 200*365*24*time.Hour {
			w.Errorf("Deadline in %v, want centuries", time.Until(i.Deadline))
		}
		if !s.Touch() {
			w.Error("Touch = false, want true")
		}
	}
	if s := all[0]; !s.SetIdleTimeout(time.Hour) {
		w.Error("SetIdleTimeout = false, want true")
	}
	w.sleep(time.Hour + w.late)
	if i := w.info(all[0]); i.State != engine.StateGrace {
		w.Errorf("State = %v, want endless grace", i.State)
	}
}

func testLifetime(w *world) {
	start := time.Now()
	s := w.create(9)
	s.SetIdleTimeout(time.Hour)
	for range 30 {
		w.sleep(99 * time.Millisecond)
		if _, err := w.tab.Renew(s.ID()); err != nil || !s.Touch() {
			w.Fatalf("ended %v after its creation", time.Since(start))
		}
	}
	wantTime(w.T, "Deadline", w.info(s).Deadline, start.Add(3*time.Second), 0)
	w.wantEnds(s, 3*time.Second-time.Since(start))
	e := w.wantOneEnded()
	if e.Reason != engine.ReasonLifetime || e.Value != 9 {
		w.Errorf("Reason = %v, Value = %d, want lifetime, 9", e.Reason, e.Value)
	}
	wantTime(w.T, "Created", e.Created, start, 0)
	wantTime(w.T, "Due", e.Due, start.Add(3*time.Second), 0)
}

func testIdleBeforeLifetime(w *world) {
	s := w.create(1)
	w.sleep(1500*time.Millisecond - w.late - time.Second)
	s.Touch()
	w.wantEnds(s, time.Second)
	if e := w.wantOneEnded(); e.Reason != engine.ReasonIdle {
		w.Errorf("Reason = %v, want idle", e.Reason)
	}
}

func testGrace(w *world) {
	start := time.Now()
	s := w.create(7)
	wantTime(w.T, "Deadline", w.info(s).Deadline, start.Add(time.Second), 0)
	w.sleep(time.Second)
	if n := len(w.graced()); n != 0 || w.info(s).State != engine.StateActive {
		w.Fatalf("in grace at the idle timeout, want after it")
	}
	w.sleep(w.late)
	if got := w.graced(); len(got) != 1 || got[0] != s {
		w.Fatalf("OnGrace got %v, want %v", got, s)
	}
	i := w.info(s)
	if st := w.tab.Stats(); i.State != engine.StateGrace || st.Grace != 1 || st.Live != 1 {
		w.Errorf("State = %v, Grace = %d, Live = %d, want grace, 1, 1", i.State, st.Grace, st.Live)
	}
	wantTime(w.T, "Deadline", i.Deadline, start.Add(3*time.Second), 0)
	w.wantLen(1)
	w.wantEnds(s, 3*time.Second-time.Since(start))
	e := w.wantOneEnded()
	if e.Reason != engine.ReasonIdle || len(w.graced()) != 1 || w.tab.Stats().Grace != 0 {
		w.Errorf("Reason = %v, OnGrace got %d, Grace = %d, want idle, 1, 0",
			e.Reason, len(w.graced()), w.tab.Stats().Grace)
	}
	wantTime(w.T, "Due", e.Due, start.Add(3*time.Second), 0)
	wantTime(w.T, "LastTouch", e.LastTouch, start, 0)
}

func testGraceStays(w *world) {
	s := w.create(1)
	w.sleep(time.Second + w.late)
	for range 3 {
		w.sleep(500 * time.Millisecond)
		s.SetValue(2)
		s.SetIdleTimeout(0)
		w.tab.Lookup(s.ID())
		if got, err := w.tab.Renew(s.ID()); err != nil || got != s {
			w.Fatalf("Renew in grace = %v, %v", got, err)
		}
		if i := w.info(s); i.State != engine.StateGrace {
			w.Fatalf("State = %v, want grace", i.State)
		}
	}
	w.wantEnds(s, 500*time.Millisecond-w.late)
	if n := len(w.graced()); n != 1 {
		w.Errorf("OnGrace got %d sessions, want 1", n)
	}
}

func testRemoveInGrace(w *world) {
	s := w.create(5)
	w.sleep(1500 * time.Millisecond)
	if v, ok := s.Remove(); v != 5 || !ok {
		w.Errorf("Remove = %d, %v, want 5, true", v, ok)
	}
	if st := w.tab.Stats(); st.Grace != 0 || st.Live != 0 {
		w.Errorf("Grace = %d, Live = %d, want 0, 0", st.Grace, st.Live)
	}
	w.sleep(5 * time.Second)
	if n := len(w.ended()); n != 0 {
		w.Errorf("OnExpire got %d sessions, want 0", n)
	}
}

func testLifetimeInGrace(w *world) {
	start := time.Now()
	s := w.create(1)
	w.sleep(time.Second + w.late)
	if i := w.info(s); i.State != engine.StateGrace {
		w.Fatalf("State = %v, want grace", i.State)
	}
	wantTime(w.T, "Deadline", w.info(s).Deadline, start.Add(3*time.Second), 0)
	w.wantEnds(s, 3*time.Second-time.Since(start))
	e := w.wantOneEnded()
	if e.Reason != engine.ReasonLifetime {
		w.Errorf("Reason = %v, want lifetime", e.Reason)
	}
	wantTime(w.T, "Due", e.Due, start.Add(3*time.Second), 0)
}

func testIdleLonger(w *world) {
	s := w.create(1)
	w.sleep(500 * time.Millisecond)
	if !s.SetIdleTimeout(4 * time.Second) {
		w.Error("SetIdleTimeout = false, want true")
	}
	if i := w.info(s); i.IdleTimeout != 4*time.Second {
		w.Errorf("IdleTimeout = %v, want 4s", i.IdleTimeout)
	}
	w.wantEnds(s, 3500*time.Millisecond)
}

func testIdleShorter(w *world) {
	other := w.create(0)
	s := w.create(1)
	other.SetIdleTimeout(24 * time.Hour)
	s.SetIdleTimeout(24 * time.Hour)
	w.sleep(time.Hour)
	s.SetIdleTimeout(2 * time.Hour)
	w.wantEnds(s, time.Hour)
	w.wantAlive(other, "beside one that was shortened")
}

func testIdlePassed(w *world) {
	s := w.create(1)
	w.sleep(30 * time.Minute)
	s.SetIdleTimeout(10 * time.Minute)
	w.sleep(w.late)
	w.wantDead(s, "set to a timeout that has passed")
	if e := w.wantOneEnded(); e.Reason != engine.ReasonIdle {
		w.Errorf("Reason = %v, want idle", e.Reason)
	}
}

func testIdleBack(w *world) {
	s := w.create(1)
	s.SetIdleTimeout(time.Hour)
	w.sleep(500 * time.Millisecond)
	s.SetIdleTimeout(0)
	if i := w.info(s); i.IdleTimeout != time.Second {
		w.Errorf("IdleTimeout = %v, want the table's", i.IdleTimeout)
	}
	w.wantEnds(s, 500*time.Millisecond)
}

func testIdleNegative(w *world) {
	s := w.create(1)
	for _, d := range []time.Duration{-1, -time.Hour, math.MinInt64} {
		if s.SetIdleTimeout(d) {
			w.Errorf("SetIdleTimeout(%v) = true, want false", d)
		}
	}
	if i := w.info(s); i.IdleTimeout != time.Second {
		w.Errorf("IdleTimeout = %v, want 1s", i.IdleTimeout)
	}
	w.wantEnds(s, time.Second)
}

func testIdleNever(w *world) {
	s := w.create(1)
	s.SetIdleTimeout(longest)
	w.sleep(time.Hour)
	s.Touch()
	w.sleep(time.Hour)
	w.wantAlive(s, "set to never end")
	s.SetIdleTimeout(0)
	w.sleep(w.late)
	w.wantDead(s, "set back to a second")
}

func testIdleLongerInGrace(w *world) {
	s := w.create(1)
	w.sleep(2 * time.Second)
	s.SetIdleTimeout(5 * time.Second)
	if st := w.tab.Stats(); w.info(s).State != engine.StateActive || st.Grace != 0 {
		w.Fatalf("State = %v, Grace = %d, want active, 0", w.info(s).State, st.Grace)
	}
	w.sleep(3 * time.Second)
	if i := w.info(s); i.State != engine.StateActive {
		w.Errorf("State at the new deadline = %v, want active", i.State)
	}
	w.sleep(w.late)
	if i := w.info(s); i.State != engine.StateGrace {
		w.Errorf("State after the new deadline = %v, want grace", i.State)
	}
	w.wantEnds(s, 2*time.Second-w.late)
	if n := len(w.graced()); n != 2 {
		w.Errorf("OnGrace got %d sessions, want 2", n)
	}
}

func testIdleShorterInGrace(w *world) {
	s := w.create(1)
	w.sleep(1500 * time.Millisecond)
	s.SetIdleTimeout(200 * time.Millisecond)
	w.wantEnds(s, 700*time.Millisecond)
	if n := len(w.graced()); n != 1 {
		w.Errorf("OnGrace got %d sessions, want 1", n)
	}
}

func testIdleIntoGrace(w *world) {
	s := w.create(1)
	w.sleep(500 * time.Millisecond)
	s.SetIdleTimeout(200 * time.Millisecond)
	w.sleep(w.late)
	if i := w.info(s); i.State != engine.StateGrace || len(w.graced()) != 1 {
		w.Fatalf("State = %v, OnGrace got %d, want grace, 1", i.State, len(w.graced()))
	}
	w.wantEnds(s, 1700*time.Millisecond-w.late)
}

func testIdleNotInherited(w *world) {
	for i := range 50 {
		w.create(i).SetIdleTimeout(24 * time.Hour)
	}
	for s := range w.tab.All() {
		s.Remove()
	}
	for i := range 200 {
		w.create(i)
	}
	w.sleep(time.Second)
	w.wantLen(200)
	w.sleep(w.late)
	w.wantLen(0)
}
