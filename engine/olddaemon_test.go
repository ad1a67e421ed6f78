package engine_test

import (
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// The scenarios by which the daemon that Curfew replaces was judged, with its timeout of an hour.
var oldDaemon = engine.Options[int]{IdleTimeout: 3600 * time.Second}

func TestOldDaemon_ActiveSessionIsPreserved(t *testing.T) {
	inWorlds(t, oldDaemon, func(w *world) {
		s := w.ensure("active", 1)
		for range 24 {
			w.sleep(3599 * time.Second)
			if !w.tab.Touch("active") {
				w.Fatal("an active session was cleaned up")
			}
		}
		w.wantAlive(s, "after a day of activity")
		if n := len(w.ended()); n != 0 {
			w.Errorf("cleaned up %d sessions, want 0", n)
		}
	})
}

func TestOldDaemon_InactiveSessionIsCleanedUp(t *testing.T) {
	inWorlds(t, oldDaemon, func(w *world) {
		inactive, active := w.ensure("inactive", 1), w.ensure("active", 2)
		w.sleep(1800 * time.Second)
		active.Touch()
		w.sleep(1800 * time.Second)
		w.wantAlive(inactive, "at 3,600 s")
		w.sleep(w.late)
		w.wantDead(inactive, "after 3,600 s")
		w.wantAlive(active, "beside an inactive one")
		if e := w.wantOneEnded(); e.id != "inactive" || w.tab.Stats().Idle != 1 {
			w.Errorf("cleaned up %q, count %d, want inactive, 1", e.id, w.tab.Stats().Idle)
		}
	})
}

func TestOldDaemon_TenSessionsAreCleanedUp(t *testing.T) {
	inWorlds(t, oldDaemon, func(w *world) {
		for i := range 10 {
			w.create(i)
		}
		w.sleep(3600 * time.Second)
		w.wantLen(10)
		w.sleep(w.late)
		w.wantLen(0)
		if n := len(w.ended()); n != 10 {
			w.Errorf("cleaned up %d sessions, want 10", n)
		}
	})
}
