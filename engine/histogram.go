package engine

import (
	"iter"
	"math"
	"math/bits"
	"time"
)

const (
	// Durations are counted in buckets of 1/16 of a power of two of nanoseconds: a quantile is
	// at most 6.25 % too large.
	histSubBits = 4
	histBuckets = (64 - histSubBits) << histSubBits
)

// Histogram counts durations. The zero value is an empty one. A Histogram got from Stats is a
// copy that does not change by itself.
type Histogram struct {
	counts *[histBuckets]uint64
	count  uint64
	sum    time.Duration
	max    time.Duration
}

// Add counts a duration; a negative one as 0. Nobody may read h or a copy of it meanwhile: others
// are given what Plus returns.
func (h *Histogram) Add(d time.Duration) {
	if h.counts == nil {
		h.counts = new([histBuckets]uint64)
	}
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.count++
	h.sum = time.Duration(satAdd(int64(h.sum), int64(d)))
	h.max = max(h.max, d)
}

// bucketOf numbers the bucket of n: exact below 16, then by the leading bit and the four after it.
func bucketOf(n uint64) int {
	if n < 1<<histSubBits {
		return int(n)
	}
	exp := bits.Len64(n) - 1 - histSubBits
	return exp<<histSubBits + int(n>>exp)
}

// upperOf is the largest number that bucketOf puts into bucket i.
func upperOf(i int) uint64 {
	if i < 1<<(histSubBits+1) {
		return uint64(i)
	}
	exp := i>>histSubBits - 1
	return uint64(i&(1<<histSubBits-1)+1<<histSubBits+1)<<exp - 1
}

// clone is a copy that no longer changes.
func (h *Histogram) clone() Histogram {
	c := *h
	if h.counts != nil {
		counts := *h.counts
		c.counts = &counts
	}
	return c
}

// Plus is a histogram of all durations that h or o counted. What either counts later is not in it.
func (h Histogram) Plus(o Histogram) Histogram {
	s := h.clone()
	if o.counts == nil {
		return s
	}
	if s.counts == nil {
		s.counts = new([histBuckets]uint64)
	}
	for i, n := range o.counts {
		s.counts[i] += n
	}
	s.count += o.count
	s.sum = time.Duration(satAdd(int64(s.sum), int64(o.sum)))
	s.max = max(s.max, o.max)
	return s
}

// Count is how many durations were counted.
func (h Histogram) Count() uint64 { return h.count }

// Sum is the sum of all durations; one that is too large is the largest there is.
func (h Histogram) Sum() time.Duration { return h.sum }

// Max is the longest duration, exactly.
func (h Histogram) Max() time.Duration { return h.max }

// Buckets yields the durations that were counted, by the upper end of each bucket that is not
// empty, in ascending order. The lower end is at most 6.25 % less.
func (h Histogram) Buckets() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		if h.counts == nil {
			return
		}
		for i, n := range h.counts {
			if n > 0 && !yield(time.Duration(min(upperOf(i), math.MaxInt64)), n) {
				return
			}
		}
	}
}

// Quantile is a duration that the share q, from 0 to 1, of all durations does not exceed, and
// which is at most 6.25 % more than the smallest such. It is 0 for an empty histogram
// and for a q that is not a number.
func (h Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 || math.IsNaN(q) {
		return 0
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(h.count)))
	rank = min(max(rank, 1), h.count)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(upperOf(i)), h.max)
		}
	}
	return h.max
}
