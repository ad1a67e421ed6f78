package engine

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogram_Empty(t *testing.T) {
	var h Histogram
	if h.Count() != 0 || h.Max() != 0 || h.Sum() != 0 || h.Quantile(0.5) != 0 {
		t.Errorf("an empty histogram says %+v", h)
	}
}

// A quantile is a duration that the share q does not exceed, and at most 6.25 % too large.
func TestHistogram_Quantile(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 15))
	for _, n := range []int{1, 2, 3, 10, 99, 1000} {
		var h Histogram
		var all []time.Duration
		for range n {
			d := time.Duration(r.Int64() >> r.IntN(63))
			all = append(all, d)
			h.Add(d)
		}
		slices.Sort(all)
		for _, q := range []float64{-1, 0, 0.1, 0.5, 0.75, 0.9, 0.99, 0.999, 1, 2} {
			got := h.Quantile(q)
			rank := int(math.Ceil(min(max(q, 0), 1) * float64(n)))
			want := all[max(rank, 1)-1]
			if got < want || float64(got) > float64(want)*1.0625+1 {
				t.Errorf("Quantile(%v) of %d = %v, want %v or up to 6.25%% more", q, n, got, want)
			}
		}
		if h.Max() != all[n-1] || h.Count() != uint64(n) {
			t.Errorf("Max = %v, Count = %d, want %v, %d", h.Max(), h.Count(), all[n-1], n)
		}
	}
}

func TestHistogram_Ends(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{-5, 0, 1, math.MaxInt64} {
		h.Add(d)
	}
	if h.Quantile(0) != 0 || h.Quantile(1) != math.MaxInt64 || h.Max() != math.MaxInt64 {
		t.Errorf("Quantile(0) = %v, Quantile(1) = %v, Max = %v",
			h.Quantile(0), h.Quantile(1), h.Max())
	}
	for i := range histBuckets {
		if got := bucketOf(upperOf(i)); got != i {
			t.Fatalf("bucketOf(upperOf(%d)) = %d", i, got)
		}
	}
}

// A sum has what both counted, and nothing of what they count later.
func TestHistogram_Plus(t *testing.T) {
	counted := func(all ...[]time.Duration) (h Histogram) {
		for _, d := range slices.Concat(all...) {
			h.Add(d)
		}
		return h
	}
	few := []time.Duration{0, 5, time.Millisecond, time.Millisecond, time.Second}
	more := []time.Duration{3, time.Millisecond, time.Hour}
	most := []time.Duration{math.MaxInt64}
	for _, c := range [][2][]time.Duration{
		{nil, nil}, {few, nil}, {nil, few}, {few, more}, {more, few}, {most, more}, {few, most},
	} {
		a, b, want := counted(c[0]), counted(c[1]), counted(c[0], c[1])
		sum := a.Plus(b)
		a.Add(time.Minute)
		b.Add(time.Minute)
		if sum.Count() != want.Count() || sum.Sum() != want.Sum() || sum.Max() != want.Max() ||
			!maps.Equal(maps.Collect(sum.Buckets()), maps.Collect(want.Buckets())) {
			t.Errorf("%v and %v: Count %d, Sum %v, Max %v, want %d, %v, %v", c[0], c[1],
				sum.Count(), sum.Sum(), sum.Max(), want.Count(), want.Sum(), want.Max())
		}
	}
}

// A copy does not change.
func TestHistogram_CopyStays(t *testing.T) {
	var h Histogram
	h.Add(5)
	c := h.clone()
	for range 10 {
		h.Add(1000)
	}
	if c.Count() != 1 || c.Quantile(1) != 5 {
		t.Errorf("a copy went to Count %d, Quantile(1) %v", c.Count(), c.Quantile(1))
	}
}
