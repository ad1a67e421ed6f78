package engine

import "slices"

// maxLate is how many records of late ticks are kept apart. When there are more, neighbours are
// joined: touches between them then count as late as the later of the two, which keeps sessions
// a little longer and never ends one early.
const maxLate = 1024

// lateStamps are records of ticks that were published for longer than they should have been: the
// publisher was held up, by a busy processor, a collection or a stopped process, while touches
// went on being stamped. Records are in the order of their stamps and never change once others
// can see them, so a copy of the slice is a snapshot.
type lateStamps []lateStamp

// A lateStamp says that touches stamped first to last may have happened up to extra ticks later
// than their stamps allow by themselves.
type lateStamp struct {
	first, last uint64
	extra       uint64
	lag         uint64
}

// add notes that touches were stamped s up to the beginning of tick until.
func (l *lateStamps) add(s, lag, until uint64) {
	if until <= s+lag {
		return
	}
	if len(*l) == maxLate {
		*l = l.joined()
	}
	*l = append(*l, lateStamp{first: s, last: s, extra: until - s - lag, lag: lag})
}

// joined is the records in half their number.
func (l lateStamps) joined() lateStamps {
	half := make(lateStamps, 0, maxLate)
	for pair := range slices.Chunk(l, 2) {
		a, b := pair[0], pair[len(pair)-1]
		a.last = b.last
		a.extra = max(a.extra, b.extra)
		half = append(half, a)
	}
	return half
}

// until is the tick by whose beginning the touches stamped s had happened, 0 without a record.
func (l lateStamps) until(s uint64) uint64 {
	if len(l) == 0 || s > l[len(l)-1].last {
		return 0
	}
	i, _ := slices.BinarySearchFunc(l, s, func(r lateStamp, s uint64) int {
		if r.last < s {
			return -1
		}
		return 1
	})
	if r := l[i]; r.first <= s {
		return s + r.lag + r.extra
	}
	return 0
}
