package engine

import "slices"

// maxLate is how many records of late ticks are kept apart.
const maxLate = 1024

// lateStamps are records of ticks that were published for longer than they should have been: the
// publisher was held up, by a busy processor, a collection or a stopped process, while touches
// went on being stamped. Records are in the order of their stamps and never change once others
// can see them, so a copy of the slice is a snapshot.
type lateStamps []lateStamp

// A lateStamp says that touches stamped first to last may have happened up to nanos later than
// their stamps allow by themselves.
type lateStamp struct {
	first, last uint64
	nanos       int64
}

// add notes that touches stamped first to last happened up to so many nanoseconds later than
// their stamps allow, if that is later at all. When there are too many records two neighbours
// become one.
func (l *lateStamps) add(first, last uint64, nanos int64) {
	if nanos <= 0 {
		return
	}
	if n := len(*l); n > 0 && first <= (*l)[n-1].last {
		// A clock that falls asleep and wakes within a tick retires that tick twice.
		*l = slices.Clone(*l)
		end := &(*l)[n-1]
		end.last, end.nanos = max(end.last, last), max(end.nanos, nanos)
		return
	}
	if len(*l) == maxLate {
		*l = l.joined()
	}
	*l = append(*l, lateStamp{first: first, last: last, nanos: nanos})
}

// joined is the records with those two made one that this costs least: touches that either covers,
// or that lie between, then count as late as the later of the two allows, which keeps sessions a
// little longer and ends none early. One long stall thus stays by itself.
func (l lateStamps) joined() lateStamps {
	best, least := 0, l.joinCost(0)
	for i := 1; i < len(l)-1; i++ {
		if cost := l.joinCost(i); cost < least {
			best, least = i, cost
		}
	}
	fewer := slices.Clone(l)
	fewer[best].last = l[best+1].last
	fewer[best].nanos = max(l[best].nanos, l[best+1].nanos)
	return slices.Delete(fewer, best+1, best+2)
}

// joinCost is the sum, over all stamps, of what joining record i with the next adds to them.
func (l lateStamps) joinCost(i int) float64 {
	a, b := l[i], l[i+1]
	span := func(first, last uint64) float64 { return float64(last) - float64(first) + 1 }
	most := max(a.nanos, b.nanos)
	return float64(most)*span(a.last+1, b.first-1) +
		float64(most-a.nanos)*span(a.first, a.last) +
		float64(most-b.nanos)*span(b.first, b.last)
}

// extra is how much later than their stamp allows touches stamped s may have happened.
func (l lateStamps) extra(s uint64) int64 {
	if len(l) == 0 || s > l[len(l)-1].last {
		return 0
	}
	i, _ := slices.BinarySearchFunc(l, s, func(r lateStamp, s uint64) int {
		if r.last < s {
			return -1
		}
		return 1
	})
	if l[i].first <= s {
		return l[i].nanos
	}
	return 0
}
