package gateway

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Where evicting begins while there are sessions, it is the one idle longest that goes first, in
// the order of their last touches and not of their beginnings.
func TestSetLimits_EvictsTheIdlestOfThoseThatWereThere(t *testing.T) {
	bubble(t, Options{MaxSessions: 4}, func(w *world) {
		var ids []string
		for range 4 {
			_, id := w.hello("")
			ids = append(ids, id)
			time.Sleep(time.Second)
		}
		w.Touch(ids[0])
		time.Sleep(time.Second)
		full := w.upgrade()
		full.Text(`{"op":"hello"}`)
		if got := full.Next(); !strings.Contains(got, "session_limit") {
			t.Fatalf("a full table answers %s", got)
		}
		l := *w.limits.Load()
		l.EvictIdle = true
		w.SetLimits(l)
		for n, want := range []string{ids[1], ids[2], ids[3], ids[0]} {
			w.hello("")
			synctest.Wait()
			if got := w.reason(want); got != ReasonEvicted {
				t.Errorf("eviction %d: %s ended by %q", n, want, got)
			}
		}
		l.EvictIdle = false
		w.SetLimits(l)
		if n := len(w.idlest.mu.agenda.heap); n != 0 {
			t.Errorf("%d sessions are still entered where none is evicted", n)
		}
		refused := w.upgrade()
		refused.Text(`{"op":"hello"}`)
		if got := refused.Next(); !strings.Contains(got, "session_limit") {
			t.Errorf("where nobody is evicted any more a full table answers %s", got)
		}
		w.wantNothingLeft()
	})
}

// Where an application decides about newcomers, evicting can begin later, too.
func TestSetLimits_EvictsForWhomTheApplicationLetsIn(t *testing.T) {
	o := Options{MaxSessions: 2, Backend: newPatient(true)}
	bubble(t, o, func(w *world) {
		_, first := w.hello("")
		time.Sleep(time.Second)
		_, second := w.hello("")
		time.Sleep(time.Second)
		l := *w.limits.Load()
		l.EvictIdle = true
		w.SetLimits(l)
		for _, want := range []string{first, second} {
			w.hello("")
			synctest.Wait()
			if got := w.reason(want); got != ReasonEvicted {
				t.Errorf("%s ended by %q", want, got)
			}
		}
		if n := w.Counts().Live; n != 2 {
			t.Errorf("%d live", n)
		}
		w.wantNothingLeft()
	})
}

// A user who has more sessions than a bound that was lowered gets another one for some of them,
// until there are as few as may be; where nobody is evicted, none.
func TestSetLimits_FewerSessionsOfAUser(t *testing.T) {
	const had, bound = 30, 3
	o := Options{MaxSessionsPerUser: had, EvictUsersIdle: true, Backend: newPatient(true)}
	bubble(t, o, func(w *world) {
		enter := func() (session, refused string) {
			_, ack := w.greeted(`{"op":"hello","token":"user ann"}`)
			synctest.Wait()
			time.Sleep(time.Second)
			return ack.SessionID, ack.Error
		}
		for range had {
			if _, refused := enter(); refused != "" {
				t.Fatalf("refused: %s", refused)
			}
		}
		l := *w.limits.Load()
		l.MaxSessionsPerUser, l.EvictUsersIdle = bound, false
		w.SetLimits(l)
		if _, refused := enter(); refused != "session_limit" {
			t.Errorf("refused: %q", refused)
		}
		if n := w.Counts().Live; n != had {
			t.Errorf("%d live, want %d", n, had)
		}
		l.EvictUsersIdle = true
		w.SetLimits(l)
		var newest []string
		for last := had; ; {
			id, refused := enter()
			if refused != "" {
				t.Fatalf("with %d sessions refused: %s", last, refused)
			}
			newest = append(newest, id)
			n := w.Counts().Live
			if n > max(last-1, bound) {
				t.Fatalf("%d live after there were %d", n, last)
			}
			if last = n; last == bound {
				break
			}
		}
		for _, id := range newest[max(0, len(newest)-bound):] {
			if why := w.reason(id); why != "" {
				t.Errorf("one of the newest ended by %q", why)
			}
		}
		w.wantNothingLeft()
	})
}
