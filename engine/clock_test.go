package engine

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/table"
)

// A clockRig is a clock without its goroutine, whose steps a test takes in any order and as late
// as it likes, and sessions that are touched by it.
type clockRig struct {
	*testing.T
	c        clock
	r        *rand.Rand
	words    [8]uint64 // Stamps.
	touched  [8]int64  // When each was truly touched, in nanoseconds since the epoch.
	touchers []toucher
}

// A toucher has read the stamp and has not changed the word yet.
type toucher struct {
	session int
	stamp   uint64
	began   int64
}

func newClockRig(t *testing.T, seed uint64) *clockRig {
	t.Helper()
	g := &clockRig{T: t, r: rand.New(rand.NewPCG(seed, 5))}
	g.c.init(table.New(1), time.Millisecond, false)
	return g
}

func (g *clockRig) begin() {
	began := g.c.now()
	s := g.c.stamp.Load()
	if s == table.Asleep {
		s = g.c.rouse()
	}
	g.touchers = append(g.touchers, toucher{g.r.IntN(len(g.words)), s, began})
}

// end lets a toucher go on. Stamps only move forward.
func (g *clockRig) end() {
	if len(g.touchers) == 0 {
		return
	}
	i := g.r.IntN(len(g.touchers))
	o := g.touchers[i]
	g.touchers = append(g.touchers[:i], g.touchers[i+1:]...)
	g.words[o.session] = max(g.words[o.session], o.stamp)
	g.touched[o.session] = max(g.touched[o.session], o.began)
}

// check looks at all sessions as the sweeper does: none counts as touched before it truly was.
func (g *clockRig) check() {
	v := g.c.view()
	for i, s := range g.words {
		if got := g.c.touched(&v, s); got < g.touched[i] {
			g.Fatalf("a session stamped %d counts as touched at %v, was at %v", s,
				time.Duration(got), time.Duration(g.touched[i]))
		}
	}
}

func (g *clockRig) step() {
	switch g.r.IntN(10) {
	case 0, 1:
		g.begin()
	case 2, 3:
		g.end()
	case 4:
		g.begin()
		g.touchers[len(g.touchers)-1], g.touchers[0] = g.touchers[0], g.touchers[len(g.touchers)-1]
		g.end()
	case 5:
		time.Sleep(time.Duration(g.r.IntN(int(2 * time.Millisecond))))
	case 6:
		if g.r.IntN(20) == 0 {
			time.Sleep(time.Duration(g.r.IntN(int(100 * time.Millisecond))))
		}
	case 7:
		g.c.mu.Lock()
		g.c.publishLocked()
		g.c.mu.Unlock()
	case 8:
		if g.r.IntN(8) == 0 && !g.c.keepAwake() {
			select {
			case <-g.c.wake: // As run does before it publishes again.
			default:
			}
		}
	default:
		g.check()
	}
}

// Whatever the publisher and the touchers are held up by, no session counts as touched earlier
// than it was (G1).
func TestClock_NeverCountsATouchEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(200) {
			g := newClockRig(t, seed)
			for range 2000 {
				g.step()
			}
		}
	})
}

// With a publisher that is not held up, a touch counts a tick and the allowance late at the most
// (G2).
func TestClock_CountsTouchesCloseBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		c.init(table.New(1), time.Millisecond, false)
		stop := make(chan struct{})
		defer close(stop)
		go c.run(stop)
		r := rand.New(rand.NewPCG(6, 7))
		for range 5000 {
			at := c.now()
			s := c.stamp.Load()
			if s == table.Asleep {
				s = c.rouse()
			}
			time.Sleep(time.Duration(r.IntN(int(20 * time.Millisecond))))
			v := c.view()
			if got := c.touched(&v, s) - at; got > c.tick+c.allowance {
				t.Fatalf("a touch counts %v late", time.Duration(got))
			}
		}
	})
}

// The publisher sleeps after quietTicks ticks without a stamp, and a touch wakes it.
func TestClock_SleepsWhenQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab, err := New(Options[int]{})
		if err != nil {
			t.Fatal(err)
		}
		defer tab.Close()
		s, _ := tab.Create(1)
		asleep := func() bool { return tab.clock.stamp.Load() == table.Asleep }
		for range 3 {
			time.Sleep(time.Second)
			if !asleep() {
				t.Fatal("awake a second after the last touch")
			}
			if !s.Touch() || asleep() {
				t.Fatal("asleep after a touch")
			}
			for range 100 {
				time.Sleep(50 * time.Millisecond)
				if asleep() {
					t.Fatal("asleep between touches")
				}
				s.Touch()
			}
		}
	})
}
