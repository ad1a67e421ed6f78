package backend

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// post is an office that delivers ends, for tests in a bubble.
type post struct {
	ends    *ends
	running sync.WaitGroup
	giveUp  context.CancelFunc

	mu      sync.Mutex
	seen    []string
	times   []time.Time
	now     int // attempts under way
	nowMax  int
	answers func(attempt int, e *end) delivery
	closed  time.Time // nothing may be asked before
}

func newPost(answers func(attempt int, e *end) delivery) *post {
	life, giveUp := context.WithCancel(context.Background())
	p := &post{answers: answers, giveUp: giveUp}
	p.ends = &ends{
		life: life, run: p.running.Go,
		complaints: &complaints{log: slog.New(slog.NewTextHandler(io.Discard, nil))},
	}
	p.ends.deliver = p.deliver
	p.ends.wait = func() time.Duration {
		p.mu.Lock()
		defer p.mu.Unlock()
		return max(0, time.Until(p.closed))
	}
	return p
}

func (p *post) deliver(_ context.Context, e *end) delivery {
	p.mu.Lock()
	p.seen = append(p.seen, e.session.ID)
	p.times = append(p.times, time.Now())
	n := len(p.seen)
	p.now++
	p.nowMax = max(p.nowMax, p.now)
	p.mu.Unlock()
	d := p.answers(n, e)
	p.mu.Lock()
	p.now--
	p.mu.Unlock()
	return d
}

func (p *post) add(id string) { p.ends.add(&end{session: Session{ID: id}}) }

// close ends the office: what is left is given up at once.
func (p *post) close() {
	p.ends.close()
	p.giveUp()
	p.running.Wait()
}

func (p *post) want(t *testing.T, waiting int, dropped uint64) {
	t.Helper()
	if w, d := p.ends.stats(); w != waiting || d != dropped {
		t.Errorf("%d wait, %d dropped; want %d and %d", w, d, waiting, dropped)
	}
}

func always(d delivery) func(int, *end) delivery {
	return func(int, *end) delivery { return d }
}

func TestEnds_waitForTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(always(delivery{}))
		defer p.close()
		p.ends.begin("a")
		p.ends.begin("a")
		p.add("a")
		p.add("b")
		p.ends.finish("a")
		synctest.Wait()
		if !slices.Equal(p.seen, []string{"b"}) {
			t.Errorf("posted %v while a request of a is under way", p.seen)
		}
		p.want(t, 1, 0)
		p.ends.finish("a")
		synctest.Wait()
		if !slices.Equal(p.seen, []string{"b", "a"}) || len(p.ends.mu.turns) > 0 {
			t.Errorf("posted %v, want a at last; turns %v", p.seen, p.ends.mu.turns)
		}
		p.want(t, 0, 0)
	})
}

func TestEnds_tryAgainWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(always(delivery{verdict: again}))
		defer p.close()
		p.add("a")
		p.ends.flush(t.Context())
		if len(p.times) != triesMax {
			t.Fatalf("%d tries, want %d", len(p.times), triesMax)
		}
		for i := 1; i < len(p.times); i++ {
			pause, most := p.times[i].Sub(p.times[i-1]), backoffMin<<(i-1)
			if pause < 0 || pause > min(most, backoffMax) {
				t.Errorf("pause %d is %v, want at most %v", i, pause, most)
			}
		}
		p.want(t, 0, 1)
	})
}

func TestEnds_haveOneMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(always(delivery{verdict: again, took: 25 * time.Second}))
		defer p.close()
		p.add("a")
		p.ends.flush(t.Context())
		if len(p.times) != 3 {
			t.Errorf("%d tries of 25 s, want 3", len(p.times))
		}
		p.want(t, 0, 1)
	})
}

func TestEnds_heedRetryAfterUpToALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(func(attempt int, _ *end) delivery {
			switch attempt {
			case 1:
				return delivery{verdict: again, after: 3 * time.Second}
			case 2:
				return delivery{verdict: again, after: time.Hour}
			}
			return delivery{}
		})
		defer p.close()
		p.add("a")
		p.ends.flush(t.Context())
		if d := p.times[1].Sub(p.times[0]); d != 3*time.Second {
			t.Errorf("first pause %v, want 3s", d)
		}
		if d := p.times[2].Sub(p.times[1]); d != backoffMax {
			t.Errorf("second pause %v, want %v", d, backoffMax)
		}
		p.want(t, 0, 0)
	})
}

func TestEnds_refusedAreNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(always(delivery{verdict: hopeless}))
		defer p.close()
		p.add("a")
		p.ends.flush(t.Context())
		if len(p.seen) != 1 {
			t.Errorf("%d tries, want 1", len(p.seen))
		}
		p.want(t, 0, 1)
	})
}

func TestEnds_areNotLostWhileNothingMayBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(func(attempt int, _ *end) delivery {
			if attempt <= 2 { // another request was the probe
				return delivery{verdict: held}
			}
			if attempt <= 2+2*triesMax { // probes that fail
				return delivery{verdict: again, free: true, took: time.Minute}
			}
			return delivery{}
		})
		defer p.close()
		p.closed = time.Now().Add(10 * time.Minute)
		p.add("a")
		p.add("b")
		p.ends.flush(t.Context())
		if first := p.times[0].Sub(p.closed); first < 0 || first > time.Second {
			t.Errorf("first try %v after the pause", first)
		}
		p.want(t, 0, 0)
	})
}

func TestEnds_wakeBeforeThePauseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(always(delivery{}))
		defer p.close()
		p.closed = time.Now().Add(time.Hour)
		for i := range 100 {
			p.add(fmt.Sprint(i))
		}
		synctest.Wait()
		p.want(t, 100, 0)
		p.mu.Lock()
		p.closed = time.Time{}
		p.mu.Unlock()
		p.ends.wake()
		synctest.Wait()
		p.want(t, 0, 0)
		if len(p.seen) != 100 {
			t.Errorf("%d posted, want 100", len(p.seen))
		}
	})
}

func TestEnds_boundedWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(func(int, *end) delivery {
			time.Sleep(time.Second)
			return delivery{}
		})
		defer p.close()
		start := time.Now()
		for i := range 10 * endWorkersMax {
			p.add(fmt.Sprint(i))
		}
		p.ends.flush(t.Context())
		if p.nowMax != endWorkersMax || time.Since(start) != 10*time.Second {
			t.Errorf("%d at once, done after %v; want %d and 10s",
				p.nowMax, time.Since(start), endWorkersMax)
		}
	})
}

func TestEnds_slowOneHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(func(_ int, e *end) delivery {
			if e.session.ID == "slow" {
				time.Sleep(time.Minute)
			}
			return delivery{}
		})
		defer p.close()
		p.add("slow")
		synctest.Wait()
		p.add("fast")
		synctest.Wait()
		if len(p.seen) != 2 {
			t.Errorf("posted %v, want both", p.seen)
		}
		p.ends.flush(t.Context())
	})
}

func TestEnds_oldestAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(always(delivery{}))
		defer p.close()
		p.closed = time.Now().Add(time.Hour)
		for i := range endsMax + 3 {
			p.add(fmt.Sprint(i))
		}
		synctest.Wait()
		p.want(t, endsMax, 3)
		if first := p.ends.mu.ready.pop(); first.session.ID != "3" {
			t.Errorf("the first is %s, want 3", first.session.ID)
		}
	})
}

func TestEnds_closeGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *post
		p = newPost(func(_ int, e *end) delivery {
			switch e.session.ID {
			case "under way":
				<-p.ends.life.Done()
			}
			return delivery{verdict: again}
		})
		p.ends.begin("behind")
		p.add("behind")
		p.add("under way")
		p.add("later")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		p.ends.flush(ctx)
		p.close()
		p.ends.finish("behind")
		p.add("after")
		p.want(t, 0, 4)
	})
}

func TestFIFO_keepsOrder(t *testing.T) {
	var f fifo
	var model []*end
	for i := range 10000 {
		switch e := (&end{tries: i}); {
		case i%7 == 3:
			f.unpop(e)
			model = slices.Insert(model, 0, e)
		case i%5 < 2+i/4000 && len(model) > 0:
			if got := f.pop(); got != model[0] {
				t.Fatalf("step %d: pop = %d, want %d", i, got.tries, model[0].tries)
			}
			model = model[1:]
		default:
			f.push(e)
			model = append(model, e)
		}
		if f.len() != len(model) {
			t.Fatalf("step %d: len = %d, want %d", i, f.len(), len(model))
		}
	}
}
