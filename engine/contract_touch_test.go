package engine_test

import (
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

var secondIdle = engine.Options[int]{IdleTimeout: time.Second}

// touches are all ways to touch a session.
var touches = map[string]func(w *world, s engine.Session[int]) bool{
	"Touch": func(w *world, s engine.Session[int]) bool { return w.tab.Touch(s.ID()) },
	"TouchBytes": func(w *world, s engine.Session[int]) bool {
		return w.tab.TouchBytes([]byte(s.ID()))
	},
	"handle": func(_ *world, s engine.Session[int]) bool { return s.Touch() },
	"TouchBatch": func(w *world, s engine.Session[int]) bool {
		return w.tab.TouchBatch([]engine.Ref{0, s.Ref(), 0}) == 1
	},
	"Ensure": func(w *world, s engine.Session[int]) bool {
		found, created, err := w.tab.Ensure(s.ID(), -1)
		return found == s && !created && err == nil
	},
}

func TestContract_EveryTouchExtends(t *testing.T) {
	for name, touch := range touches {
		t.Run(name, func(t *testing.T) {
			inWorlds(t, secondIdle, func(w *world) {
				s := w.create(7)
				for range 20 {
					w.sleep(937 * time.Millisecond)
					if !touch(w, s) {
						w.Fatal("touch = false, want true")
					}
				}
				w.wantEnds(s, time.Second)
				if v := w.wantOneEnded().Value; v != 7 {
					w.Errorf("Value = %d, want 7", v)
				}
			})
		})
	}
}

func TestContract_EveryTouchRevives(t *testing.T) {
	o := engine.Options[int]{IdleTimeout: time.Second, Grace: 10 * time.Second}
	for name, touch := range touches {
		t.Run(name, func(t *testing.T) {
			inWorlds(t, o, func(w *world) {
				s := w.create(7)
				w.sleep(3 * time.Second)
				if i := w.info(s); i.State != engine.StateGrace {
					w.Fatalf("State = %v, want grace", i.State)
				}
				if !touch(w, s) {
					w.Fatal("touch = false, want true")
				}
				if st := w.tab.Stats(); st.Revived != 1 || st.Grace != 0 {
					w.Errorf("Revived = %d, Grace = %d, want 1, 0", st.Revived, st.Grace)
				}
				w.sleep(time.Second)
				if i := w.info(s); i.State != engine.StateActive {
					w.Errorf("State a full idle window later = %v, want active", i.State)
				}
				w.sleep(w.late)
				if i := w.info(s); i.State != engine.StateGrace {
					w.Errorf("State after the window = %v, want grace", i.State)
				}
				if n := len(w.graced()); n != 2 {
					w.Errorf("OnGrace got %d sessions, want 2", n)
				}
			})
		})
	}
}

func TestContract_NothingElseTouches(t *testing.T) {
	inWorlds(t, secondIdle, func(w *world) {
		s := w.create(7)
		for range 9 {
			w.sleep(100 * time.Millisecond)
			id := s.ID()
			w.tab.Lookup(id)
			w.tab.At(s.Ref()).Info()
			s.Value()
			s.SetValue(8)
			s.AppendID(nil)
			for range w.tab.All() {
				w.tab.Len()
			}
			w.tab.Stats()
			s.SetIdleTimeout(0)
			if got, err := w.tab.Renew(id); err != nil || got != s {
				w.Fatalf("Renew = %v, %v, want the same handle", got, err)
			}
		}
		w.wantEnds(s, 100*time.Millisecond)
	})
}

func TestContract_DeadSessionsAnswerFalse(t *testing.T) {
	inWorlds(t, secondIdle, func(w *world) {
		expired, removed := w.create(1), w.create(2)
		ids := []string{expired.ID(), removed.ID()}
		removed.Remove()
		w.sleep(time.Second + w.late)
		none := []engine.Session[int]{{}, w.tab.At(0), w.tab.At(1 << 63)}
		for i, s := range append([]engine.Session[int]{expired, removed}, none...) {
			wantAllFalse(w.T, w.tab, s)
			if i < len(ids) {
				wantNoID(w.T, w.tab, ids[i])
			}
		}
		w.wantLen(0)
	})
}

// wantAllFalse checks that a handle is dead, whatever it is asked.
func wantAllFalse(t *testing.T, tab *engine.Table[int], s engine.Session[int]) {
	t.Helper()
	_, value := s.Value()
	_, info := s.Info()
	removed, remove := s.Remove()
	if s.Touch() || value || info || remove || removed != 0 || s.SetValue(1) ||
		s.SetIdleTimeout(time.Hour) || s.ID() != "" || len(s.AppendID(nil)) != 0 ||
		tab.TouchBatch([]engine.Ref{s.Ref(), s.Ref()}) != 0 {
		t.Errorf("a handle %#x of no session says true", s.Ref())
	}
}

// wantNoID checks that no session has an ID.
func wantNoID(t *testing.T, tab *engine.Table[int], id string) {
	t.Helper()
	_, lookup := tab.Lookup(id)
	_, remove := tab.Remove(id)
	if tab.Touch(id) || tab.TouchBytes([]byte(id)) || lookup || remove {
		t.Errorf("ID %q of no session says true", id)
	}
}

func TestContract_TouchBatchCountsTheLiving(t *testing.T) {
	inWorlds(t, secondIdle, func(w *world) {
		var refs []engine.Ref
		var all []engine.Session[int]
		for i := range 1000 {
			s := w.create(i)
			refs = append(refs, s.Ref())
			all = append(all, s)
		}
		for i := 0; i < len(all); i += 4 {
			all[i].Remove()
		}
		w.sleep(900 * time.Millisecond)
		if n := w.tab.TouchBatch(refs); n != 750 {
			w.Errorf("TouchBatch = %d, want 750", n)
		}
		if n := w.tab.TouchBatch(nil); n != 0 {
			w.Errorf("TouchBatch(nil) = %d, want 0", n)
		}
		w.sleep(900 * time.Millisecond)
		w.wantLen(750)
		w.sleep(200 * time.Millisecond)
		w.wantLen(0)
	})
}
