package load

import (
	"math"
	"testing"
	"time"
)

func TestHistogram_Buckets(t *testing.T) {
	last := -1
	for _, v := range []uint64{0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 1000, 1 << 20, 1<<62 + 1} {
		i := bucket(v)
		if i < last || i >= 64<<subBits {
			t.Errorf("bucket(%d) = %d after %d", v, i, last)
		}
		last = i
		end := bucketEnd(i)
		if end < v || float64(end) > float64(v)*33/32+1 {
			t.Errorf("bucketEnd(%d) = %d, want %d or little more", i, end, v)
		}
		if end < math.MaxUint64 && bucket(end+1) != i+1 {
			t.Errorf("bucket(%d) = %d, want %d", end+1, bucket(end+1), i+1)
		}
	}
}

func TestHistogram_Quantiles(t *testing.T) {
	var h histogram
	for i := 1; i <= 1000; i++ {
		h.add(time.Duration(i) * time.Microsecond)
	}
	got := h.summary()
	if got.Count != 1000 || got.Max != time.Millisecond {
		t.Errorf("summary() = %+v, want 1000 and 1ms", got)
	}
	for _, c := range []struct{ got, want time.Duration }{
		{got.P50, 500 * time.Microsecond}, {got.P99, 990 * time.Microsecond},
	} {
		if c.got < c.want || c.got > c.want*33/32 {
			t.Errorf("quantile = %v, want %v or little more", c.got, c.want)
		}
	}
	if q := new(histogram).quantile(0.5); q != 0 {
		t.Errorf("quantile of nothing = %v, want 0", q)
	}
}
