package backend

import (
	"container/heap"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	endsMax       = 1 << 18 // ends that wait
	endWorkersMax = 16      // ends that are delivered at once
	triesMax      = 8
	backoffMin    = 100 * time.Millisecond
	backoffMax    = 5 * time.Second
	patienceMax   = time.Minute // for one end, tries and pauses together
)

// delivery is what came of an attempt to deliver an end.
type delivery struct {
	verdict verdict
	after   time.Duration // how long to wait at least before the next attempt
	took    time.Duration
	free    bool // the attempt does not count
}

// verdict says whether there is to be another attempt.
type verdict uint8

const (
	delivered verdict = iota
	hopeless          // the application does not want it
	again             // it did not work, it may later
	held              // it was not tried
)

// An end waits to be delivered.
type end struct {
	session Session
	End
	tries int
	spent time.Duration // on tries and pauses
	due   time.Time     // of the next try
}

// ends delivers the ends of sessions in the background: after what else is under way for the
// session, with a bounded number of workers, which exist only while something is ready, again with
// growing pauses where it may help, and not at all while nothing may be asked.
//
//	add ──> behind (its session has requests under way) ──> ready <──> worker ──> gone
//	                                                          └── later <──┘
type ends struct {
	// Set once, then only read.
	deliver    func(ctx context.Context, e *end) delivery
	wait       func() time.Duration // how long nothing may be asked
	life       context.Context      // ends deliveries when they are given up
	run        func(func())         // runs a worker, which the backend's end waits for
	complaints *complaints

	mu struct {
		sync.Mutex
		turns   map[string]turn // sessions with requests under way
		behind  int             // ends in turns
		ready   fifo
		later   laterHeap
		workers int
		alarm   func() bool // stops the timer that is set, nil when none is
		alarmAt time.Time
		closed  bool
		dropped uint64
		drained chan struct{} // closed when nothing is left, nil until somebody waits for that
	}
}

// turn is what a session has under way, and the end that waits for it.
type turn struct {
	requests int
	end      *end
}

// begin notes that a request of a session is under way.
func (q *ends) begin(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.turns == nil {
		q.mu.turns = map[string]turn{}
	}
	t := q.mu.turns[id]
	t.requests++
	q.mu.turns[id] = t
}

// finish notes that a request of a session has returned.
func (q *ends) finish(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.mu.turns[id]
	if t.requests--; t.requests > 0 {
		q.mu.turns[id] = t
		return
	}
	delete(q.mu.turns, id)
	if t.end != nil {
		q.mu.behind--
		q.pushLocked(t.end)
	}
}

// add takes an end.
func (q *ends) add(e *end) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t, busy := q.mu.turns[e.session.ID]
	if busy && t.end == nil && !q.mu.closed {
		t.end = e
		q.mu.turns[e.session.ID] = t
		q.mu.behind++
		return
	}
	q.pushLocked(e)
}

// pushLocked makes an end ready. When too many wait, the oldest is dropped: those that were tried
// before are older than those that were not.
func (q *ends) pushLocked(e *end) {
	if q.mu.closed {
		q.mu.dropped++
		return
	}
	if q.mu.ready.len()+len(q.mu.later) >= endsMax {
		if len(q.mu.later) > 0 {
			heap.Pop(&q.mu.later)
		} else {
			q.mu.ready.pop()
		}
		q.dropLocked("too many wait")
	}
	q.mu.ready.push(e)
	q.hireLocked(1)
}

// dropLocked counts an end that is given up.
func (q *ends) dropLocked(why string) {
	q.mu.dropped++
	q.complaints.warn("the application will not hear of a session's end",
		slog.String("reason", why), slog.Uint64("dropped", q.mu.dropped))
}

// hireLocked adds up to n workers. None of those that there are is known to have time.
func (q *ends) hireLocked(n int) {
	for ; n > 0 && q.mu.workers < endWorkersMax; n-- {
		q.mu.workers++
		q.run(q.work)
	}
}

// work delivers what is ready until nothing is.
func (q *ends) work() {
	for {
		e := q.take()
		if e == nil {
			return
		}
		q.settle(e, q.deliver(q.life, e))
	}
}

// take gives a worker the next end, or ends it.
func (q *ends) take() *end {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.ready.len() > 0 {
		pause := q.wait()
		if pause == 0 {
			return q.mu.ready.pop()
		}
		q.alarmLocked(now().Add(pause))
	}
	q.mu.workers--
	q.drainedLocked()
	return nil
}

// settle puts an end where it belongs after an attempt.
func (q *ends) settle(e *end, d delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case d.verdict == delivered:
		return
	case q.mu.closed:
		q.mu.dropped++
		return
	case d.verdict == hopeless:
		q.dropLocked("it refused")
		return
	case d.verdict == held:
		q.mu.ready.unpop(e)
		return
	}
	pause := max(backoff(e.tries), min(d.after, backoffMax))
	if !d.free {
		e.tries++
		e.spent += d.took + pause
	}
	if e.tries >= triesMax || e.spent > patienceMax {
		q.dropLocked("it did not answer")
		return
	}
	e.due = now().Add(pause)
	heap.Push(&q.mu.later, e)
	q.alarmLocked(q.mu.later[0].due)
}

// backoff is a random pause after so many tries, of up to twice as much each time.
func backoff(tries int) time.Duration {
	return rand.N(doubled(backoffMin, backoffMax, tries))
}

// alarmLocked sees to it that wake runs at a time, or before.
func (q *ends) alarmLocked(at time.Time) {
	if q.mu.closed || q.mu.alarm != nil && !at.Before(q.mu.alarmAt) {
		return
	}
	if q.mu.alarm != nil {
		q.mu.alarm()
	}
	q.mu.alarmAt = at
	q.mu.alarm = afterFunc(at.Sub(now()), q.wake)
}

// wake makes ready what is due, and sets the next alarm. It may run at any time.
func (q *ends) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.alarm != nil {
		q.mu.alarm()
		q.mu.alarm = nil
	}
	for at := now(); len(q.mu.later) > 0 && !q.mu.later[0].due.After(at); {
		q.mu.ready.push(heap.Pop(&q.mu.later).(*end))
	}
	q.hireLocked(q.mu.ready.len())
	if len(q.mu.later) > 0 {
		q.alarmLocked(q.mu.later[0].due)
	}
}

// stats is how many ends wait or are on their way, and how many were given up.
func (q *ends) stats() (waiting int, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.leftLocked() + q.mu.workers, q.mu.dropped
}

// leftLocked is how many ends wait.
func (q *ends) leftLocked() int { return q.mu.behind + q.mu.ready.len() + len(q.mu.later) }

// drainedLocked tells whoever waits for it that nothing is left.
func (q *ends) drainedLocked() {
	if q.mu.drained != nil && q.mu.workers == 0 && q.leftLocked() == 0 {
		close(q.mu.drained)
		q.mu.drained = nil
	}
}

// flush waits until nothing is left, at most until ctx ends.
func (q *ends) flush(ctx context.Context) {
	q.mu.Lock()
	drained := q.mu.drained
	if drained == nil {
		drained = make(chan struct{})
		q.mu.drained = drained
		q.drainedLocked()
	}
	q.mu.Unlock()
	select {
	case <-drained:
	case <-ctx.Done():
	}
}

// close gives up what waits. What workers hold is given up when they come back with it, which the
// end of life must see to. No worker begins after it.
func (q *ends) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.closed = true
	q.mu.dropped += uint64(q.leftLocked())
	q.mu.ready, q.mu.later, q.mu.turns, q.mu.behind = fifo{}, nil, nil, 0
	if q.mu.alarm != nil {
		q.mu.alarm()
		q.mu.alarm = nil
	}
}
