package result

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawHistogram draws a histogram, and what was recorded in it.
func drawHistogram(t *rapid.T, label string) (h Histogram, all []time.Duration) {
	all = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
		unit := rapid.SampledFrom([]time.Duration{
			1, time.Microsecond, time.Millisecond, time.Second, time.Minute,
		}).Draw(t, "unit")
		return unit * time.Duration(rapid.IntRange(0, 999).Draw(t, "n"))
	}), 0, 20).Draw(t, label)
	for _, d := range all {
		h.Record(d)
	}
	return h, all
}

// sameHistogram says whether two histograms hold the same.
func sameHistogram(a, b *Histogram) bool {
	return a.Count() == b.Count() && a.Max() == b.Max() && a.Mean() == b.Mean() &&
		a.HDR().Equals(b.HDR())
}

func TestHistogram_Zero(t *testing.T) {
	var h, other Histogram
	if h.Count() != 0 || h.Max() != 0 || h.Mean() != 0 || h.Quantile(0.5) != 0 {
		t.Errorf("an empty one holds something: %d, max %v", h.Count(), h.Max())
	}
	h.Reset()
	h.Merge(&other)
	h.Merge(&h)
	b, err := json.Marshal(h)
	if err != nil || string(b) != `""` {
		t.Errorf("Marshal() = %s, %v, want an empty string", b, err)
	}
	h.Record(time.Second)
	if err := json.Unmarshal(b, &h); err != nil || h.Count() != 0 {
		t.Errorf("Unmarshal(%s) leaves %d, %v, want 0", b, h.Count(), err)
	}
}

func TestHistogram_Limits(t *testing.T) {
	var h Histogram
	h.Record(-time.Second)
	if h.Max() >= time.Microsecond {
		t.Errorf("a negative one counts as %v, want 0", h.Max())
	}
	h.Record(100 * time.Hour)
	if h.Count() != 2 || h.Max() < time.Hour || h.Max() > time.Hour+10*time.Second {
		t.Errorf("%d recorded, max %v, want 2 and an hour", h.Count(), h.Max())
	}
	h.Reset()
	if h.Count() != 0 || h.Max() != 0 {
		t.Errorf("Reset() leaves %d, max %v", h.Count(), h.Max())
	}
}

func TestHistogram_CloneIsIndependent(t *testing.T) {
	var h Histogram
	h.Record(time.Second)
	c := h.Clone()
	h.Record(time.Minute)
	if c.Count() != 1 || c.Max() > 2*time.Second {
		t.Errorf("the copy has %d, max %v, want 1 second", c.Count(), c.Max())
	}
	h.Reset()
	empty := h.Clone()
	empty.Record(time.Second)
	if h.Count() != 0 {
		t.Errorf("what was recorded in a copy is in the original")
	}
}

// TestHistogram_Precise holds that a quantile is what it says within three digits, and no less.
func TestHistogram_Precise(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var h Histogram
		d := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "d"))
		h.Record(d)
		for _, got := range []time.Duration{h.Max(), h.Quantile(0.5), h.Quantile(1)} {
			if got < d || got > d+d/1000+time.Microsecond {
				t.Fatalf("%v is shown as %v", d, got)
			}
		}
	})
}

func TestHistogram_RoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, all := drawHistogram(t, "all")
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var back Histogram
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if !sameHistogram(&h, &back) {
			t.Fatalf("%v come back as %d, max %v", all, back.Count(), back.Max())
		}
		// What was read can be counted on.
		back.Record(time.Hour)
		back.Merge(&h)
		if back.Count() != 2*h.Count()+1 {
			t.Fatalf("%d after a merge, want %d", back.Count(), 2*h.Count()+1)
		}
	})
}

func TestHistogram_MergeIsRecordingBoth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, _ := drawHistogram(t, "a")
		b, more := drawHistogram(t, "b")
		merged, recorded := a.Clone(), a.Clone()
		merged.Merge(&b)
		for _, d := range more {
			recorded.Record(d)
		}
		if !sameHistogram(&merged, &recorded) {
			t.Fatalf("merged: %d, max %v; recorded: %d, max %v", merged.Count(), merged.Max(),
				recorded.Count(), recorded.Max())
		}
	})
}

func TestHistogram_UnmarshalRefuses(t *testing.T) {
	for _, s := range []string{
		`1`, `null1`, `"x"`, `"AAAA"`, `"HISTFAAA"`, `{}`, `"HISTFAAAAAAAAAAA"`,
	} {
		var h Histogram
		if err := json.Unmarshal([]byte(s), &h); err == nil {
			t.Errorf("%s is read, as %d values", s, h.Count())
		}
	}
}

// FuzzHistogram_Unmarshal holds that what a file says it is can be looked at, or is refused.
func FuzzHistogram_Unmarshal(f *testing.F) {
	var h Histogram
	h.Record(time.Second)
	b, err := json.Marshal(h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`"HISTFAAA"`))
	f.Add([]byte(`""`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var h, sum Histogram
		if h.UnmarshalJSON(b) == nil {
			sum.Merge(&h)
			_, _ = h.Quantile(0.99), h.Max()
		}
	})
}
