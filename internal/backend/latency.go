package backend

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// Latency is how long the application took for the requests of one event: those that it answered,
// whatever the answer, and those that it was given up on since it took too long. The time in which
// a request waited for its turn does not count.
type Latency struct {
	Event   string
	Bounds  []time.Duration // upper ends of the buckets, ascending
	Buckets []uint64        // one more than Bounds: the last has what took longer
	Sum     time.Duration
	Max     time.Duration
}

// Count is how many requests there were.
func (l *Latency) Count() (n uint64) {
	for _, k := range l.Buckets {
		n += k
	}
	return n
}

// Quantile is about how long the share q of the requests took at most: it lies in the right bucket,
// in proportion to how many of that one are meant. It is 0 where there were none.
func (l *Latency) Quantile(q float64) time.Duration {
	left := math.Ceil(min(max(q, 0), 1) * float64(l.Count()))
	from := time.Duration(0)
	for i, n := range l.Buckets {
		to := l.Max
		if i < len(l.Bounds) {
			to = min(to, l.Bounds[i])
		}
		if n > 0 && left <= float64(n) {
			return from + time.Duration(float64(to-from)*left/float64(n))
		}
		left -= float64(n)
		from = to
	}
	return l.Max
}

// latencyBounds are the upper ends of the buckets.
var latencyBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second,
}

// latencies counts how long requests took, by event. They are for statistics only.
type latencies [events]struct {
	buckets [len(latencyBounds) + 1]atomic.Uint64
	sum     atomic.Int64
	max     atomic.Int64
}

// add counts what came of a request that took d, if that says how long the application takes.
func (l *latencies) add(e event, a *answer, d time.Duration) {
	if a.status == 0 && a.outcome != outcomeTimeout {
		return // it did not answer, or somebody did not wait for that
	}
	i, _ := slices.BinarySearch(latencyBounds[:], d)
	of := &l[e]
	of.buckets[i].Add(1)
	of.sum.Add(int64(d))
	for {
		m := of.max.Load()
		if int64(d) <= m || of.max.CompareAndSwap(m, int64(d)) {
			return
		}
	}
}

// list is those of each event.
func (l *latencies) list() []Latency {
	all := make([]Latency, events)
	for e := range events {
		of := &l[e]
		all[e] = Latency{
			Event: e.String(), Bounds: slices.Clone(latencyBounds[:]),
			Buckets: make([]uint64, len(of.buckets)),
			Sum:     time.Duration(of.sum.Load()), Max: time.Duration(of.max.Load()),
		}
		for i := range of.buckets {
			all[e].Buckets[i] = of.buckets[i].Load()
		}
	}
	return all
}
