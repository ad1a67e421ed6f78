package backend

import (
	"testing"
	"time"
)

// trial drives a breaker through time.
type trial struct {
	t       *testing.T
	b       breaker
	at      time.Time
	changes []bool // whether it opened
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	tr := &trial{t: t, at: time.Unix(1000, 0)}
	tr.b.changed = func(pause time.Duration) { tr.changes = append(tr.changes, pause > 0) }
	return tr
}

// request sends one through at once, and gives whether it passed.
func (tr *trial) request(s sign) bool {
	p, ok := tr.b.enter(tr.at)
	if ok {
		tr.b.leave(tr.at, p, s)
	}
	return ok
}

func (tr *trial) fail(n int) {
	tr.t.Helper()
	for range n {
		if !tr.request(badSign) {
			tr.t.Fatal("a request is held while the breaker is closed")
		}
	}
}

func (tr *trial) want(open bool, changes int) {
	tr.t.Helper()
	if tr.b.isOpen() != open || len(tr.changes) != changes {
		tr.t.Fatalf("open is %v after changes %v; want %v after %d",
			tr.b.isOpen(), tr.changes, open, changes)
	}
}

// skip moves time to when a probe may pass, which must be about d from now.
func (tr *trial) skip(d time.Duration) {
	tr.t.Helper()
	wait := tr.b.wait(tr.at)
	if wait < d*4/5 || wait > d*6/5 {
		tr.t.Fatalf("the pause is %v, want about %v", wait, d)
	}
	if _, ok := tr.b.enter(tr.at.Add(wait - 1)); ok {
		tr.t.Fatal("a request passes in the pause")
	}
	tr.at = tr.at.Add(wait)
}

func TestBreaker_opensAfterFailuresInARow(t *testing.T) {
	tr := newTrial(t)
	for range 5 {
		tr.fail(failuresMax - 1)
		tr.request(noSign)
		tr.request(goodSign)
	}
	tr.want(false, 0)
	tr.fail(failuresMax)
	tr.want(true, 1)
}

func TestBreaker_pausesGrowAndEnd(t *testing.T) {
	tr := newTrial(t)
	tr.fail(failuresMax)
	for _, seconds := range []int{1, 2, 4, 8, 16, 30, 30} {
		tr.skip(time.Duration(seconds) * time.Second)
		if !tr.request(badSign) {
			t.Fatal("no probe passes after the pause")
		}
	}
	tr.skip(30 * time.Second)
	tr.request(goodSign)
	tr.want(false, 2)
	tr.fail(failuresMax - 1)
	tr.want(false, 2)
	tr.fail(1)
	tr.skip(time.Second)
}

func TestBreaker_oneProbeAPause(t *testing.T) {
	tr := newTrial(t)
	tr.fail(failuresMax)
	tr.skip(time.Second)
	slow, ok := tr.b.enter(tr.at)
	if !ok || !slow.probe || tr.request(goodSign) {
		t.Fatal("not exactly one probe passes")
	}
	tr.skip(time.Second) // the probe has not come back
	p, ok := tr.b.enter(tr.at)
	if !ok {
		t.Fatal("a probe that takes long keeps others out")
	}
	tr.b.leave(tr.at, p, noSign)
	if !tr.request(badSign) {
		t.Fatal("a probe that was given up counts as one")
	}
	tr.skip(2 * time.Second)
	tr.b.leave(tr.at, slow, goodSign)
	tr.want(false, 2)
}

func TestBreaker_forgetsWhatWasBefore(t *testing.T) {
	tr := newTrial(t)
	var passes []pass
	for range 3 * failuresMax {
		p, _ := tr.b.enter(tr.at)
		passes = append(passes, p)
	}
	for _, p := range passes[:2*failuresMax] {
		tr.b.leave(tr.at, p, badSign)
	}
	tr.want(true, 1)
	tr.skip(time.Second)
	tr.b.leave(tr.at, passes[2*failuresMax], goodSign)
	tr.want(true, 1)
	tr.request(goodSign)
	for _, p := range passes[2*failuresMax:] {
		tr.b.leave(tr.at, p, badSign)
	}
	tr.want(false, 2)
}
