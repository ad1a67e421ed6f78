package load

import (
	"math/bits"
	"time"
)

// subBits is how many bits of a latency its bucket keeps below the highest: 1 part in 32.
const subBits = 5

// histogram counts latencies in buckets whose width grows with them.
type histogram struct {
	counts [64 << subBits]uint64
	total  uint64
	max    time.Duration
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// quantile is a latency that the part q of all does not exceed, rounded up to its bucket's end.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if n > 0 && seen >= max(rank, 1) {
			return min(time.Duration(bucketEnd(i)), h.max)
		}
	}
	return h.max
}

func (h *histogram) summary() Latency {
	return Latency{
		Count: h.total, P50: h.quantile(0.5), P99: h.quantile(0.99), P999: h.quantile(0.999),
		Max: h.max,
	}
}

// bucket is the number of the bucket that v belongs to.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-1-subBits, 0)
	return shift<<subBits + int(v>>shift)
}

// bucketEnd is the largest value of a bucket.
func bucketEnd(i int) uint64 {
	shift := max(i>>subBits-1, 0)
	return uint64(i-shift<<subBits+1)<<shift - 1
}
