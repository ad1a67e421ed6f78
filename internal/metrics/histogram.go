package metrics

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
)

const (
	// schema is the resolution of native histograms: a power of two has 2^schema buckets, each
	// 4.4 % wide.
	schema        = 4
	bucketsOfTwo  = 1 << schema
	zeroThreshold = 1.0 / (1 << 20) // s; a power of two, and so the end of a bucket
)

// latenessBoundsOf are those of lateness at a tick. One of them is just above what is promised, two
// ticks and 5 ms, by as much as the engine's buckets may say too much: so all who were in time are
// below it, and a quantile between two bounds does not make them late.
func latenessBoundsOf(tick time.Duration) []time.Duration {
	promised := 2*tick + 5*time.Millisecond
	bound := promised + promised/engineBuckets
	i, there := slices.BinarySearch(latenessBounds, bound)
	if there {
		return latenessBounds
	}
	return slices.Insert(slices.Clone(latenessBounds), i, bound)
}

// engineBuckets is how many the engine has from one power of two to the next.
const engineBuckets = 16

// latenessBounds are close together around what is promised at the usual ticks.
var latenessBounds = []time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 7500 * time.Microsecond,
	10 * time.Millisecond, 15 * time.Millisecond, 20 * time.Millisecond, 25 * time.Millisecond,
	30 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
}

// sweepBounds reach from a few sessions to callbacks that block.
var sweepBounds = []time.Duration{
	10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond,
	250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second,
}

// distribution is a histogram of durations as Prometheus wants it, in seconds.
type distribution struct {
	count   uint64
	sum     float64
	classic map[float64]uint64 // how many there are up to each bound

	// native is whether the rest is set: how many are in each bucket, by its index, and how many
	// are at most zeroThreshold.
	native  bool
	buckets map[int]int64
	zero    uint64
}

// fromEngine is a histogram of the engine in both forms; the package's comment says how exact.
func fromEngine(h *engine.Histogram, bounds []time.Duration) distribution {
	d := distribution{
		sum: h.Sum().Seconds(), classic: make(map[float64]uint64, len(bounds)),
		native: true, buckets: map[int]int64{},
	}
	next := 0
	for upper, n := range h.Buckets() { // in ascending order
		for ; next < len(bounds) && bounds[next] < upper; next++ {
			d.classic[bounds[next].Seconds()] = d.count
		}
		d.count += n
		if v := upper.Seconds(); v <= zeroThreshold {
			d.zero += n
		} else {
			d.buckets[bucketOf(v)] += int64(n)
		}
	}
	for _, b := range bounds[next:] {
		d.classic[b.Seconds()] = d.count
	}
	return d
}

// fractions are the upper ends of the buckets from 0.5 to 1, but for that last.
var fractions = func() (ends [bucketsOfTwo]float64) {
	for i := range ends {
		ends[i] = math.Exp2(float64(i)/bucketsOfTwo - 1)
	}
	return ends
}()

// bucketOf is the index of the bucket of a native histogram that v, above 0, is in: bucket i ends
// with 2^(i/2^schema), itself included.
func bucketOf(v float64) int {
	fraction, exponent := math.Frexp(v) // from 0.5 on and below 1
	i, _ := slices.BinarySearch(fractions[:], fraction)
	return (exponent-1)*bucketsOfTwo + i
}

// fromBackend is a histogram of the application's latency, all 0 where l is nil.
func fromBackend(l *backend.Latency) distribution {
	d := distribution{classic: map[float64]uint64{}}
	if l == nil {
		return d
	}
	d.sum = l.Sum.Seconds()
	for i, n := range l.Buckets {
		d.count += n
		if i < len(l.Bounds) {
			d.classic[l.Bounds[i].Seconds()] = d.count
		}
	}
	return d
}

// metric is the histogram under a name.
func (d *distribution) metric(
	desc *prometheus.Desc, started time.Time, labels []string,
) prometheus.Metric {
	classic := prometheus.MustNewConstHistogramWithCreatedTimestamp(
		desc, d.count, d.sum, d.classic, started, labels...)
	if !d.native {
		return classic
	}
	return &both{
		classic: classic,
		native: prometheus.MustNewConstNativeHistogram(desc, d.count, d.sum,
			d.buckets, nil, d.zero, schema, zeroThreshold, started, labels...),
	}
}

// both is a histogram with classic buckets and native ones.
type both struct{ classic, native prometheus.Metric }

// Desc is what it is called.
func (b *both) Desc() *prometheus.Desc { return b.native.Desc() }

// Write writes it to m.
func (b *both) Write(m *dto.Metric) error {
	var classic dto.Metric
	if err := b.classic.Write(&classic); err != nil {
		return fmt.Errorf("classic buckets: %w", err)
	}
	if err := b.native.Write(m); err != nil {
		return fmt.Errorf("native buckets: %w", err)
	}
	m.Histogram.Bucket = classic.Histogram.Bucket
	return nil
}
