package report

import (
	"math"
	"strconv"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// plots is what the page's script draws. Times are in microseconds, but for those of the time-line,
// which are in seconds.
type plots struct {
	Percentiles *curves   `json:"percentiles,omitempty"`
	Timeline    *timeline `json:"timeline,omitempty"`
	Lateness    *bins     `json:"lateness,omitempty"`
	Connect     *bins     `json:"connect,omitempty"`
}

// value is a number to draw. NaN is a gap.
type value float64

var gap = value(math.NaN())

// MarshalJSON writes five digits, more than a histogram has, and null for a gap.
func (v value) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return []byte("null"), nil
	}
	return appendDigits(nil, float64(v)), nil
}

func plotsOf(r *result.Result) *plots {
	return &plots{
		Percentiles: curvesOf(r),
		Timeline:    timelineOf(r),
		Lateness:    binsOf(&r.Histograms.Lateness),
		Connect:     binsOf(&r.Histograms.Connect),
	}
}

// appendDigits appends a number with five significant digits, as JSON has them.
func appendDigits(b []byte, v float64) []byte {
	if v == 0 {
		return append(b, '0')
	}
	power := math.Pow(10, 4-math.Floor(math.Log10(math.Abs(v))))
	return strconv.AppendFloat(b, math.Round(v*power)/power, 'g', -1, 64)
}

// curves are durations by percentile. X is log10(1/(1-p)): 1 is 90 %, 2 is 99 %, and so on, so that
// each step to the right is ten times rarer.
type curves struct {
	X           []value `json:"x"`
	Corrected   []value `json:"corrected"`
	Uncorrected []value `json:"uncorrected"`
	Harness     []value `json:"harness"` // how late the harness itself was
}

// stepsADecade is how many points a curve has for each factor of ten in rarity.
const stepsADecade = 40

func curvesOf(r *result.Result) *curves {
	h := &r.Histograms
	n := max(h.Latency.Count(), h.Uncorrected.Count())
	if n == 0 {
		return nil
	}
	c := &curves{}
	for i := 0; ; i++ {
		x := min(float64(i)/stepsADecade, math.Log10(float64(n)))
		c.X = append(c.X, value(x))
		c.Corrected = append(c.Corrected, rareness(&h.Latency, x))
		c.Uncorrected = append(c.Uncorrected, rareness(&h.Uncorrected, x))
		c.Harness = append(c.Harness, rareness(&h.TimingError, x))
		if x >= math.Log10(float64(n)) {
			return c
		}
	}
}

// rareness is the duration that one sample in 10^x exceeds; a gap where there are too few to say.
func rareness(h *result.Histogram, x float64) value {
	n := float64(h.Count())
	// One in n is the longest of them, whatever rounding makes of it.
	if n == 0 || x > math.Log10(n)+1e-9 {
		return gap
	}
	q := max(1-math.Pow(10, -x), 0.5/n)
	return value(max(float64(h.Quantile(q))/float64(time.Microsecond), 0.5))
}

// bins are a distribution. Where the longest are far from most, bins grow by a factor: Log.
type bins struct {
	Log    bool     `json:"log"`
	Edges  []value  `json:"edges"` // one more than Counts
	Counts []uint64 `json:"counts"`
	Total  uint64   `json:"total"`
	P50    value    `json:"p50"`
	P99    value    `json:"p99"`
	Max    value    `json:"max"`
}

const (
	binsMin      = 40
	binsADecade  = 10
	farFromUsual = 20 // times the median: there linear bins would put nearly all into one
)

func binsOf(h *result.Histogram) *bins {
	n := h.Count()
	if n == 0 {
		return nil
	}
	us := func(ns int64) float64 { return float64(ns) / float64(time.Microsecond) }
	b := &bins{
		Total: n, P50: value(us(int64(h.Quantile(0.5)))), P99: value(us(int64(h.Quantile(0.99)))),
		Max: value(us(int64(h.Max()))),
	}
	low, high := max(us(h.HDR().Min()), 0.5), max(us(int64(h.Max())), 1)
	b.Log = high > farFromUsual*max(float64(b.P50), 0.5)
	var place func(us float64) int
	if b.Log {
		first := math.Floor(math.Log10(low) * binsADecade)
		place = func(v float64) int {
			return int(math.Floor(math.Log10(max(v, low))*binsADecade) - first)
		}
		for i := range place(high) + 2 {
			b.Edges = append(b.Edges, value(math.Pow(10, (first+float64(i))/binsADecade)))
		}
	} else {
		width := roundWidth(high / binsMin)
		place = func(v float64) int { return int(v / width) }
		for i := range place(high) + 2 {
			b.Edges = append(b.Edges, value(float64(i)*width))
		}
	}
	b.Counts = make([]uint64, len(b.Edges)-1)
	for _, bar := range h.HDR().Distribution() {
		if bar.Count > 0 {
			middle := us(bar.From+bar.To) / 2
			b.Counts[min(place(middle), len(b.Counts)-1)] += uint64(bar.Count)
		}
	}
	for last := len(b.Counts) - 1; last > 0 && b.Counts[last] == 0; last-- {
		b.Counts, b.Edges = b.Counts[:last], b.Edges[:last+1]
	}
	return b
}

// roundWidth is the longest of 1, 2 and 5 times a power of ten that is not longer than a width.
func roundWidth(width float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(width)))
	for _, factor := range []float64{5, 2} {
		if factor*power <= width {
			return factor * power
		}
	}
	return power
}
