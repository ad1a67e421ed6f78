package metrics

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"

	"github.com/curfew-go/curfew/engine"
)

// span is a bucket of a native histogram: what is above low and up to high.
type span struct {
	low, high float64
	count     uint64
}

// spans reads the buckets of a native histogram, that of zero first, as Prometheus's own
// documentation of the format says; it shares nothing with the code that wrote them.
func spans(h *dto.Histogram) []span {
	all := []span{{high: h.GetZeroThreshold(), count: h.GetZeroCount()}}
	base := math.Pow(2, math.Pow(2, -float64(h.GetSchema())))
	index, count, i := int32(0), int64(0), 0
	for _, s := range h.GetPositiveSpan() {
		index += s.GetOffset()
		for range s.GetLength() {
			count += h.GetPositiveDelta()[i]
			all = append(all, span{
				low: math.Pow(base, float64(index-1)), high: math.Pow(base, float64(index)),
				count: uint64(count),
			})
			index++
			i++
		}
	}
	return all
}

// checkHistogram checks that all that a histogram says agrees.
func checkHistogram(t interface{ Errorf(string, ...any) }, h *dto.Histogram, native bool) {
	var last uint64
	for _, b := range h.GetBucket() {
		if b.GetCumulativeCount() < last {
			t.Errorf("the bucket up to %v has %d, the one before %d",
				b.GetUpperBound(), b.GetCumulativeCount(), last)
		}
		last = b.GetCumulativeCount()
	}
	if n := h.GetSampleCount(); last > n {
		t.Errorf("a bucket has %d of %d", last, n)
	}
	if !native {
		return
	}
	var sum uint64
	for _, s := range spans(h) {
		sum += s.count
	}
	if n := h.GetSampleCount(); sum != n {
		t.Errorf("the native buckets have %d of %d", sum, n)
	}
}

// lateness is the histogram that a consumer of protobuf reads of sessions that ended that late.
func lateness(t *testing.T, late []time.Duration) *dto.Histogram {
	t.Helper()
	s := idle(t)
	h := histogramOf(t, late...)
	s.Table = func() engine.Stats { return engine.Stats{Lateness: h} }
	f := decode(t, scrape(t, handle(t, s), formats["protobuf"]))["curfew_expiry_lateness_seconds"]
	return f.GetMetric()[0].GetHistogram()
}

const (
	engineWidth = 1 + 1.0/16  // of the engine's buckets
	nativeWidth = 1.044273783 // of those of schema 4
	rounding    = 1e-9        // of floating point
)

// Both kinds of buckets say of any lateness what the package's comment promises.
func TestHistogram_KeepsItsErrorBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		late := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) time.Duration {
			// as likely between any two powers of two, up to 18 minutes
			bits := rapid.IntRange(0, 40).Draw(rt, "bits")
			return time.Duration(rapid.Int64Range(0, 1<<bits).Draw(rt, "late"))
		}), 1, 60).Draw(rt, "lateness")
		h := lateness(t, late)
		checkHistogram(rt, h, true)
		slices.Sort(late)

		all := spans(h)
		seen, rank := uint64(0), 0
		for _, s := range all {
			seen += s.count
			for ; uint64(rank) < seen; rank++ {
				checkIn(rt, s, late[rank].Seconds())
			}
		}
		for _, b := range h.GetBucket() {
			bound, n := b.GetUpperBound(), int(b.GetCumulativeCount())
			if most := upTo(late, bound); n > most {
				rt.Errorf("up to %v there are %d, want at most %d", bound, n, most)
			}
			if least := upTo(late, bound/engineWidth-1e-9); n < least {
				rt.Errorf("up to %v there are %d, want at least %d", bound, n, least)
			}
			var below, within uint64 // what the native buckets say of that bound
			for _, s := range all {
				if s.high <= bound {
					below += s.count
				}
				if s.low <= bound {
					within += s.count
				}
			}
			if uint64(n) < below || uint64(n) > within {
				rt.Errorf("up to %v there are %d, and %d to %d in native buckets",
					bound, n, below, within)
			}
		}
	})
}

// checkIn checks that whatever is read from the bucket s is near the lateness v that is in it.
func checkIn(rt *rapid.T, s span, v float64) {
	if s.low == 0 { // of what is nearly nothing
		if v > zeroThreshold {
			rt.Errorf("%v s is in the zero bucket", v)
		}
		return
	}
	if s.low < v/nativeWidth*(1-rounding) || s.high > v*engineWidth*nativeWidth*(1+rounding) {
		rt.Errorf("%v s is in the bucket from %v to %v", v, s.low, s.high)
	}
}

// upTo is how many of sorted durations are at most so long.
func upTo(sorted []time.Duration, seconds float64) int {
	return len(slices.DeleteFunc(slices.Clone(sorted), func(d time.Duration) bool {
		return d.Seconds() > seconds
	}))
}

// The error that the package's comment states follows from the widths.
func TestHistogram_ErrorIsAsTheCommentSays(t *testing.T) {
	if low := 1 - 1/nativeWidth; low > 0.043 {
		t.Errorf("a quantile may be %v too small", low)
	}
	if high := engineWidth*nativeWidth - 1; high > 0.11 {
		t.Errorf("a quantile may be %v too large", high)
	}
}

// The end of a bucket belongs to it.
func TestBucketOf_Ends(t *testing.T) {
	for exponent := -20; exponent <= 12; exponent++ {
		v, want := math.Ldexp(1, exponent), exponent*bucketsOfTwo
		if got := bucketOf(v); got != want {
			t.Errorf("bucketOf(2^%d) = %d, want %d", exponent, got, want)
		}
		if got := bucketOf(math.Nextafter(v, math.Inf(1))); got != want+1 {
			t.Errorf("bucketOf(just above 2^%d) = %d, want %d", exponent, got, want+1)
		}
	}
	for i := range bucketsOfTwo {
		if got := bucketOf(math.Exp2(float64(i) / bucketsOfTwo)); got != i {
			t.Errorf("bucketOf(2^(%d/%d)) = %d, want %d", i, bucketsOfTwo, got, i)
		}
	}
}

// Whoever scrapes while sessions end sees counters that only grow and histograms that agree.
func TestScrape_AgreesWhileSessionsEnd(t *testing.T) {
	table, err := engine.New(engine.Options[struct{}]{
		Tick: tick, IdleTimeout: 10 * tick, Manual: true, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := fixed(t)
	s.Table, s.Wheel = table.Stats, table.Wheel
	h := handle(t, s)

	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := time.Duration(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			for range 20 {
				_, _ = table.Create(struct{}{}) // it cannot be full
			}
			table.Advance((i * 77777) % (30 * tick))
		}
	}()
	var scrapers sync.WaitGroup
	for range 4 {
		scrapers.Go(func() {
			var before map[string]*dto.MetricFamily
			for range 20 {
				now := decode(t, scrape(t, h, formats["protobuf"]))
				checkGrown(t, before, now)
				before = now
			}
		})
	}
	scrapers.Wait()
	close(stop)
	<-stopped
	if now := decode(t, scrape(t, h, formats["text"])); ended(now) == 0 {
		t.Error("no session has ended meanwhile")
	}
}

func ended(all map[string]*dto.MetricFamily) uint64 {
	return all["curfew_expiry_lateness_seconds"].GetMetric()[0].GetHistogram().GetSampleCount()
}

// checkGrown checks that nothing went backwards between two scrapes.
func checkGrown(t *testing.T, before, now map[string]*dto.MetricFamily) {
	t.Helper()
	for name, f := range now {
		for i, m := range f.GetMetric() {
			h := m.GetHistogram()
			if h != nil {
				checkHistogram(t, h, h.Schema != nil)
			}
			if before == nil {
				continue
			}
			old := before[name].GetMetric()[i]
			if m.GetCounter().GetValue() < old.GetCounter().GetValue() {
				t.Errorf("%s went from %v to %v", name, old, m)
			}
			for j, b := range h.GetBucket() {
				was := old.GetHistogram().GetBucket()[j].GetCumulativeCount()
				if b.GetCumulativeCount() < was {
					t.Errorf("%s up to %v went from %d to %d",
						name, b.GetUpperBound(), was, b.GetCumulativeCount())
				}
			}
			if h.GetSampleSum() < old.GetHistogram().GetSampleSum() {
				t.Errorf("%s_sum went from %v to %v", name, old, m)
			}
		}
	}
}

// BenchmarkScrape is one scrape as text, of a table with a million sessions.
func BenchmarkScrape(b *testing.B) {
	table, err := engine.New(engine.Options[struct{}]{Manual: true, Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	for range 1_000_000 {
		if _, err := table.Create(struct{}{}); err != nil {
			b.Fatal(err)
		}
	}
	s := fixed(b)
	s.Table, s.Wheel = table.Stats, table.Wheel
	for name, accept := range formats {
		b.Run("format="+name, func(b *testing.B) {
			h := handle(b, s)
			b.ReportAllocs()
			for b.Loop() {
				scrape(b, h, accept).Body.Close()
			}
		})
	}
}
