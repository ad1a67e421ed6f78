package engine

import (
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
			h.add(d)
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
		h.add(d)
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

// A copy does not change.
func TestHistogram_CopyStays(t *testing.T) {
	var h Histogram
	h.add(5)
	c := h.clone()
	for range 10 {
		h.add(1000)
	}
	if c.Count() != 1 || c.Quantile(1) != 5 {
		t.Errorf("a copy went to Count %d, Quantile(1) %v", c.Count(), c.Quantile(1))
	}
}
