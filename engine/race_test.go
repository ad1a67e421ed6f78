package engine

import (
	"log/slog"
	"sync"
	"testing"
	"time"
)

// A touch that comes between the sweeper's decision that a session is over and its end has the
// sweeper decide anew: whoever was told true at the new time lives on (G1, G3).
func TestTable_TouchAgainstExpiry(t *testing.T) {
	const sessions, rounds = 2000, 100
	tab, err := New(Options[int]{
		Manual: true, IdleTimeout: time.Second, Shards: 1,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	won, lost := 0, 0
	for round := range rounds {
		var all []Session[int]
		for i := range sessions {
			s, err := tab.Create(i)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		var touched [sessions]bool
		stamp := tab.clock.stamp.Load()
		var toucher sync.WaitGroup
		toucher.Go(func() {
			for tab.clock.stamp.Load() == stamp { // Until time has moved and the sweep begins.
			}
			for i := range all {
				n := i
				if round%2 == 0 {
					n = sessions - 1 - i // Against the sweep, to meet it somewhere.
				}
				touched[n] = all[n].Touch()
			}
		})
		tab.Advance(time.Second)
		toucher.Wait()
		for i, s := range all {
			if touched[i] != (s.ID() != "") {
				t.Fatalf("Touch = %v, and the session lives: %v", touched[i], s.ID() != "")
			}
			if touched[i] {
				won++
				s.Remove()
			} else {
				lost++
			}
		}
	}
	t.Logf("%d touches came before the end, %d after", won, lost)
}
