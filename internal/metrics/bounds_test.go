package metrics

import (
	"math"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/curfew-go/curfew/engine"
)

// quantile is what histogram_quantile makes of classic buckets.
func quantile(q float64, h *dto.Histogram) float64 {
	rank, low, before := q*float64(h.GetSampleCount()), 0.0, 0.0
	for _, b := range h.GetBucket() {
		n := float64(b.GetCumulativeCount())
		if n >= rank && n > before {
			return low + (b.GetUpperBound()-low)*(rank-before)/(n-before)
		}
		low, before = b.GetUpperBound(), n
	}
	return math.Inf(1)
}

// Whatever the tick, sessions that ended in time do not make the alert of late ones ring, wherever
// between nothing and what is promised they are, and those that ended late do.
func TestLateness_IsJudgedAtAnyTick(t *testing.T) {
	for _, tick := range []time.Duration{
		time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 13 * time.Millisecond,
		20 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, time.Second,
		10 * time.Second, time.Minute,
	} {
		promised := 2*tick + 5*time.Millisecond
		alert := 1.07 * (2*tick.Seconds() + 0.005) // as in curfew-alerts.yml
		for _, c := range []struct {
			name     string
			from, to time.Duration
			late     bool
		}{
			{"at once", 0, tick, false},
			{"usual", tick, 2 * tick, false},
			{"just in time", promised - promised/50, promised, false},
			{"twice as late", 2 * promised, 2*promised + promised/10, true},
		} {
			var late []time.Duration
			for i := range 200 {
				share := float64(i) / 199
				late = append(late, c.from+time.Duration(share*float64(c.to-c.from)))
			}
			s := idle(t)
			h := histogramOf(t, late...)
			s.Table = func() engine.Stats { return engine.Stats{Lateness: h} }
			s.Limits = func() Limits { return Limits{Tick: tick} }
			f := decode(t, scrape(t, handle(t, s), formats["protobuf"]))
			m := f["curfew_expiry_lateness_seconds"].GetMetric()[0]
			if p99 := quantile(0.99, m.GetHistogram()); p99 > alert != c.late {
				t.Errorf("tick %v, %s: the p99 is %v s, and the alert rings above %v s", tick,
					c.name, p99, alert)
			}
		}
	}
}
