package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

const (
	// headStart lies between the order to begin and the moment itself, so that all workers have
	// heard it by then.
	headStart = 100 * time.Millisecond
	tickEvery = 250 * time.Millisecond
)

// team is the workers of one run.
type team struct {
	o       *Options
	number  int // of the run, from 0
	workers []*worker
	events  chan event
	ticks   <-chan time.Time
	stop    <-chan struct{} // nil once it was obeyed
	stopped time.Time       // when it was
	seen    *collector
	broken  []string // what became of workers that were lost
}

func newTeam(o *Options, number int) *team {
	join := int((o.Plan.Interval + liveMax - 1) / liveMax)
	return &team{
		o: o, number: number, events: make(chan event), stop: o.Stop,
		seen: newCollector(o.Plan.Processes, join),
	}
}

// run does the whole run, and gives what all workers counted.
func (t *team) run(ctx context.Context, u *use) (*result.Part, error) {
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	var stopTicks func()
	t.ticks, stopTicks = every(tickEvery)
	defer stopTicks()
	defer t.dismiss(ctx)
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	if err := t.phases(ctx, u); err != nil {
		return nil, err
	}
	return t.part(), nil
}

// start starts all workers and waits until each has its plan.
func (t *team) start(ctx context.Context) error {
	plan := t.o.Plan
	plan.Interval /= time.Duration(t.seen.join)
	for n := range plan.Processes {
		w := &worker{number: n, limits: t.o.limits}
		if err := w.start(ctx, t.o.Command, t.events); err != nil {
			return err
		}
		t.workers = append(t.workers, w)
		own := plan
		own.Process = n
		w.tell(order{Plan: &own}, starting)
	}
	if err := t.await(ctx, ready); err != nil {
		return err
	}
	var refused []error
	for _, w := range t.workers {
		if w.refused != "" && !slices.ContainsFunc(refused, func(err error) bool {
			return err.Error() == w.refused
		}) {
			refused = append(refused, errors.New(w.refused))
		}
	}
	if len(refused) > 0 {
		return errors.Join(refused...)
	}
	if !slices.ContainsFunc(t.workers, func(w *worker) bool { return w.stage < lost }) {
		why := make([]error, 0, 1+len(t.broken))
		why = append(why, errNobody)
		for _, sentence := range t.broken {
			why = append(why, errors.New(sentence))
		}
		return errors.Join(why...)
	}
	return nil
}

// phases connects, runs, and collects.
func (t *team) phases(ctx context.Context, u *use) error {
	t.remarkOn(u.sample(beforeConnect))
	t.seen.enter(result.PhaseConnect)
	t.tell(order{Connect: true}, connecting)
	if err := t.await(ctx, opened); err != nil {
		return err
	}
	var ok uint64
	for _, w := range t.workers {
		ok += w.ok
	}
	t.remarkOn(u.sample(afterConnect))
	if ok == 0 || t.stop == nil && !t.stopped.IsZero() {
		t.tell(order{Stop: true}, opened)
		if err := t.await(ctx, done); err != nil {
			return err
		}
		u.count(t.part(), ok, monotonic())
		return nil
	}
	begin := monotonic() + int64(headStart)
	stopWatch := u.watch(begin, t.o.Plan.Warmup, t.o.Plan.Duration)
	t.seen.enter(result.PhaseRun)
	t.tell(order{Begin: begin}, running)
	err := t.await(ctx, done)
	t.remarkOn(stopWatch())
	if err != nil {
		return err
	}
	u.count(t.part(), ok, begin)
	return nil
}

// remarkOn tells of an error that ends nothing.
func (t *team) remarkOn(err error) {
	if err != nil {
		t.o.Remark(err.Error())
	}
}

// tell gives an order to all workers that are there.
func (t *team) tell(o order, to stage) {
	for _, w := range t.workers {
		if w.stage < done {
			w.tell(o, to)
		}
	}
}

// await waits until all workers have reached a stage, or are lost.
func (t *team) await(ctx context.Context, to stage) error {
	for slices.ContainsFunc(t.workers, func(w *worker) bool { return w.stage < to }) {
		select {
		case e := <-t.events:
			t.hear(e)
		case <-t.stop:
			t.stop, t.stopped = nil, now()
			t.tell(order{Stop: true}, starting)
		case at := <-t.ticks:
			t.tick(at)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// hear takes in what a worker says.
func (t *team) hear(e event) {
	w := e.worker
	w.heard = now()
	switch said := e.word; {
	case said == nil:
		w.gone = true
		t.lose(w, goneBecause(w, e.err))
	case said.Part != nil:
		if said.Error != "" {
			t.complain(w, said.Error)
		}
		w.part = said.Part
		w.stage = max(w.stage, done)
	case said.Error != "" && w.stage == starting:
		w.refused = said.Error
		w.stage = lost
	case said.Error != "":
		t.lose(w, said.Error)
	case said.Interval != nil:
		t.seen.add(w, said.Interval)
	case said.Connected != nil:
		w.ok = said.Connected.OK
		w.stage = max(w.stage, opened)
	case said.Ready:
		w.stage = max(w.stage, ready)
	}
}

// goneBecause says why the process of a worker has ended.
func goneBecause(w *worker, err error) string {
	why := "its process ended"
	if err != nil {
		why = err.Error()
	}
	if reason := w.stderr.reason(); reason != "" {
		why += ": " + reason
	}
	return why
}

// lose gives a worker up, unless it had handed over all that it had.
func (t *team) lose(w *worker, why string) {
	if w.stage >= done {
		return
	}
	w.stage, w.open = lost, 0
	t.complain(w, why)
}

func (t *team) complain(w *worker, why string) {
	sentence := scrub(&t.o.Plan, fmt.Sprintf("process %d of %d of the harness was lost (%s): "+
		"what it had not told is missing", w.number+1, len(t.workers), why))
	t.broken = append(t.broken, sentence)
	t.o.Remark(sentence)
}

// tick gives up workers that are silent, and shows how it goes.
func (t *team) tick(at time.Time) {
	for _, w := range t.workers {
		if w.stage >= done {
			continue
		}
		limit := w.limits.silence[w.stage]
		switch {
		case limit > 0 && at.Sub(w.heard) > limit:
			t.lose(w, fmt.Sprintf("it said nothing for %v", limit))
			_ = w.cmd.Process.Kill() // it may have ended
		case !t.stopped.IsZero() && at.Sub(t.stopped) > w.limits.stop:
			t.lose(w, fmt.Sprintf("it did not stop within %v", w.limits.stop))
			_ = w.cmd.Process.Kill() // it may have ended
		}
	}
	t.o.Progress(t.live(at))
}

// dismiss ends all workers, and returns when they have ended.
func (t *team) dismiss(ctx context.Context) {
	for _, w := range t.workers {
		w.dismiss()
	}
	limit := after(t.o.limits.end)
	for slices.ContainsFunc(t.workers, func(w *worker) bool { return !w.gone }) {
		select {
		case e := <-t.events:
			w := e.worker
			w.gone = w.gone || e.word == nil
		case <-limit:
			for _, w := range t.workers {
				_ = w.cmd.Process.Kill() // it may have ended
			}
			limit = nil
		case <-ctx.Done():
			return
		}
	}
}

// part is what all workers counted.
func (t *team) part() *result.Part {
	var all result.Part
	for _, w := range t.workers {
		if w.part != nil {
			all.Merge(w.part)
		}
	}
	all.Intervals = t.seen.intervals()
	// Workers are stopped as well where there is nothing to run.
	all.Interrupted = !t.stopped.IsZero()
	return &all
}
