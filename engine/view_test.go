package engine_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// page is up to n sessions after one, and the last of them.
func page(tab *engine.Table[int], after engine.Ref, n int) (all []engine.Ref, last engine.Ref) {
	for s := range tab.AllAfter(after) {
		if all = append(all, s.Ref()); len(all) == n {
			break
		}
	}
	if len(all) > 0 {
		last = all[len(all)-1]
	}
	return all, last
}

// tables are one of each kind.
func tables(t *testing.T, test func(t *testing.T, tab *engine.Table[int])) {
	t.Helper()
	for _, o := range []engine.Options[int]{
		{Wheel: engine.WheelNative},
		{Wheel: engine.WheelRussellLuo},
		{Wheel: engine.WheelNative, Manual: true},
	} {
		t.Run(fmt.Sprintf("%v,manual=%v", o.Wheel, o.Manual), func(t *testing.T) {
			o.IdleTimeout, o.Grace, o.Shards = time.Hour, time.Hour, 4
			o.Tick = time.Millisecond
			tab, err := engine.New(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := tab.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, tab)
		})
	}
}

// churn makes sessions that end in each way, until stop is closed.
func churn(t *testing.T, tab *engine.Table[int], stop <-chan struct{}) {
	t.Helper()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		s, err := tab.Create(i)
		if err != nil {
			t.Error(err)
			return
		}
		switch i % 4 {
		case 0:
			s.SetIdleTimeout(time.Nanosecond) // Into grace, where it stays for a while.
			s.Touch()
			s.Remove()
		case 1:
			if _, err := tab.Renew(s.ID()); err != nil {
				t.Error(err)
			}
			s.SetIdleTimeout(time.Minute)
			s.Remove()
		case 2:
			s.SetValue(-i)
			s.Remove()
		default:
			if id := s.ID(); !tab.Touch(id) {
				t.Errorf("%s does not live", id)
			}
			s.Remove()
		}
	}
}

// Walks in pages, while sessions come and go, meet each that lives throughout once, and no other
// more often. What is told of the table meanwhile never contradicts itself.
func TestAllAfter_PagesWhileSessionsComeAndGo(t *testing.T) {
	tables(t, func(t *testing.T, tab *engine.Table[int]) {
		t.Helper()
		const n = 2000
		lives := make(map[engine.Ref]int, n)
		var inTheWay []engine.Session[int]
		for i := range n {
			s, err := tab.Create(i)
			if err != nil {
				t.Fatal(err)
			}
			lives[s.Ref()] = i
			if s, err = tab.Create(-1); err != nil {
				t.Fatal(err)
			}
			inTheWay = append(inTheWay, s)
		}
		for _, s := range inTheWay {
			s.Remove()
		}
		stop := make(chan struct{})
		var running sync.WaitGroup
		defer running.Wait()
		defer close(stop)
		for range 2 {
			running.Go(func() { churn(t, tab, stop) })
		}
		for size := 1; size <= n; size = 3*size + 1 {
			met := make(map[engine.Ref]int)
			for last := engine.Ref(0); ; {
				var refs []engine.Ref
				if refs, last = page(tab, last, size); len(refs) == 0 {
					break
				}
				for _, r := range refs {
					if met[r]++; met[r] > 1 {
						t.Fatalf("pages of %d: %v came %d times", size, r, met[r])
					}
				}
			}
			for r, i := range lives {
				v, ok := tab.At(r).View()
				if met[r] != 1 || !ok || v.Value != i {
					t.Fatalf("pages of %d: %v came %d times, its View is %+v, %v",
						size, r, met[r], v, ok)
				}
			}
			checkAmongOthers(t, tab, n)
		}
	})
}

// checkAmongOthers checks what Stats and Wheel say of at least n sessions of which nobody was due.
func checkAmongOthers(t *testing.T, tab *engine.Table[int], n int) {
	t.Helper()
	st := tab.Stats()
	if st.Early != 0 || st.Backlog < 0 || st.Behind < 0 || st.Stale < 0 || st.Entries < n ||
		st.Live < n || st.Grace < 0 || st.Created < st.Ended {
		t.Errorf("Stats = %+v", st)
	}
	for i, l := range tab.Wheel() {
		filed := 0
		for _, k := range l.Slots {
			filed += k
		}
		if filed > l.Entries || l.Cursor < 0 || l.Cursor >= len(l.Slots) || l.Slot <= 0 {
			t.Errorf("level %d: %d in slots: %+v", i, filed, l)
		}
	}
}

// A Ref that the table never gave, as somebody may make up, begins no walk anew.
func TestAllAfter_UnknownRefs(t *testing.T) {
	tables(t, func(t *testing.T, tab *engine.Table[int]) {
		t.Helper()
		s, err := tab.Create(1)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []engine.Ref{
			math.MaxUint64, math.MaxUint32, math.MaxUint32 << 32, s.Ref(), 1 << 31,
		} {
			if refs, _ := page(tab, r, 2); len(refs) > 0 && r&math.MaxUint32 != 0 {
				t.Errorf("after %x comes %x", r, refs)
			}
			if v, ok := tab.At(r).View(); ok != (r == s.Ref()) {
				t.Errorf("View of %x is %+v, %v", r, v, ok)
			}
		}
	})
}

// View is Info and Value, until the session ends.
func TestView_IsInfoAndValue(t *testing.T) {
	tables(t, func(t *testing.T, tab *engine.Table[int]) {
		t.Helper()
		s, err := tab.Create(7)
		if err != nil {
			t.Fatal(err)
		}
		s.SetIdleTimeout(time.Minute)
		info, _ := s.Info()
		v, ok := s.View()
		want := engine.View[int]{
			Value: 7, State: info.State, Created: info.Created, LastTouch: info.LastTouch,
			Deadline: info.Deadline, IdleTimeout: time.Minute,
		}
		if !ok || v != want {
			t.Errorf("View = %+v, %v, want %+v", v, ok, want)
		}
		s.Remove()
		if v, ok := s.View(); ok || v != (engine.View[int]{}) {
			t.Errorf("View of one that ended = %+v, %v", v, ok)
		}
	})
}

// A table that is closed has no backlog, and nothing in its wheel.
func TestStats_OfAClosedTable(t *testing.T) {
	tables(t, func(t *testing.T, tab *engine.Table[int]) {
		t.Helper()
		s, err := tab.Create(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := tab.Close(); err != nil {
			t.Fatal(err)
		}
		st := tab.Stats()
		if st.Backlog != 0 || st.Behind != 0 || st.Entries != 0 || st.Live != 0 || st.Early != 0 {
			t.Errorf("Stats = %+v", st)
		}
		for i, l := range tab.Wheel() {
			if l.Entries != 0 {
				t.Errorf("level %d has %d entries", i, l.Entries)
			}
		}
		if refs, _ := page(tab, 0, 1); len(refs) != 0 {
			t.Errorf("there are %v", refs)
		}
		if _, ok := s.View(); ok {
			t.Error("a session of a closed table has a View")
		}
	})
}
