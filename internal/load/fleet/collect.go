package fleet

import (
	"time"

	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/load/result"
)

// Live is how a run goes at the moment, over all its processes.
type Live struct {
	Run, Runs int    // this one, from 1, of how many
	Phase     string // "start", and those of [result.Phase]
	// Elapsed is since the phase began, and Total how long it will take, 0 where nobody knows.
	Elapsed, Total time.Duration
	Connections    int    // asked for
	Open           uint64 // there
	// Sent and Received are messages a second, and P99 the latency, over the last second.
	Sent, Received float64
	P99            time.Duration
	Expired        uint64 // sessions, so far
	Bad            uint64 // messages lost, wrong, doubled or out of order, so far
	Stopping       bool
}

// collector joins the intervals of all workers, and knows the last second.
type collector struct {
	join    int // how many intervals of a worker make one of the report
	kept    result.Part
	pending []*result.Interval // what is being joined, of each worker
	recent  []recent

	phase        string
	entered      time.Time
	expired, bad uint64
}

// recent is an interval of the last second.
type recent struct {
	worker int
	heard  time.Time
	result.Interval
}

func newCollector(workers, join int) *collector {
	return &collector{
		join: max(join, 1), pending: make([]*result.Interval, workers),
		phase: "start", entered: now(),
	}
}

// enter notes that a phase begins.
func (c *collector) enter(phase string) {
	c.phase, c.entered = phase, now()
	c.recent = nil
}

// add takes in an interval of a worker.
func (c *collector) add(w *worker, v *result.Interval) {
	w.open = v.Open
	c.expired += v.Expired
	c.bad += v.Bad
	c.recent = append(c.recent, recent{w.number, w.heard, *v})
	group := v.Number / c.join
	have := c.pending[w.number]
	if have != nil && have.Phase == v.Phase && have.Number == group {
		have.Start, have.End = min(have.Start, v.Start), max(have.End, v.End)
		have.Sent += v.Sent
		have.Received += v.Received
		have.Bad += v.Bad
		have.Opened += v.Opened
		have.Closed += v.Closed
		have.Expired += v.Expired
		have.Open = v.Open
		have.Latency.Merge(&v.Latency)
		return
	}
	c.flush(w.number)
	first := *v
	first.Number = group
	first.Latency = result.Coarse()
	first.Latency.Merge(&v.Latency)
	c.pending[w.number] = &first
}

func (c *collector) flush(worker int) {
	if v := c.pending[worker]; v != nil {
		c.kept.MergeInterval(v)
		c.pending[worker] = nil
	}
}

// intervals are those of the report, so far.
func (c *collector) intervals() []result.Interval {
	for n := range c.pending {
		c.flush(n)
	}
	return c.kept.Intervals
}

// live is how it goes.
func (t *team) live(at time.Time) Live {
	c, p := t.seen, &t.o.Plan
	l := Live{
		Run: t.number + 1, Runs: t.o.Repeat, Phase: c.phase, Elapsed: max(0, at.Sub(c.entered)),
		Connections: p.Connections, Expired: c.expired, Bad: c.bad, Stopping: !t.stopped.IsZero(),
	}
	for _, w := range t.workers {
		l.Open += w.open
	}
	switch c.phase {
	case result.PhaseConnect:
		if p.Ramp > 0 {
			l.Total = time.Duration(float64(p.Connections) / p.Ramp * float64(time.Second))
		}
	case result.PhaseRun:
		l.Phase, l.Elapsed, l.Total = runPhase(p, max(0, l.Elapsed-headStart))
	}
	c.lastSecond(at, &l)
	return l
}

// runPhase is in which part of the run one is some time after it began.
func runPhase(p *load.Plan, elapsed time.Duration) (phase string, since, total time.Duration) {
	if elapsed < p.Warmup {
		return result.PhaseWarmup, elapsed, p.Warmup
	}
	elapsed -= p.Warmup
	whole := p.Duration
	if p.Profile == load.ProfileIdle || p.Profile == load.ProfileChatty ||
		p.Profile == load.ProfileStorm {
		whole = max(whole, max(p.ExpectIdle, p.AskIdle)+time.Second)
	}
	if elapsed < whole {
		return result.PhaseRun, elapsed, whole
	}
	return result.PhaseDrain, elapsed - whole, 0
}

// lastSecond fills in the rates and the latency of the last second.
func (c *collector) lastSecond(at time.Time, l *Live) {
	first := 0
	for first < len(c.recent) && at.Sub(c.recent[first].heard) > time.Second {
		first++
	}
	c.recent = append(c.recent[:0], c.recent[first:]...)
	type count struct {
		sent, received uint64
		seconds        float64
	}
	counts := make([]count, len(c.pending))
	var latency result.Histogram
	for i := range c.recent {
		v := &c.recent[i]
		n := &counts[v.worker]
		n.sent += v.Sent
		n.received += v.Received
		n.seconds += (v.End - v.Start).Seconds()
		latency.Merge(&v.Latency)
	}
	for _, n := range counts {
		if n.seconds > 0 {
			l.Sent += float64(n.sent) / n.seconds
			l.Received += float64(n.received) / n.seconds
		}
	}
	l.P99 = latency.Quantile(0.99)
}
