package selfcheck

import (
	"fmt"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// Stall is the model of an open loop against a server that stalls at regular times, see the
// package's comment.
type Stall struct {
	Rate        float64 // messages that fall due a second
	Connections int     // with one message in flight each
	Stall       time.Duration
	Period      time.Duration // from the start of a stall to that of the next
	Cost        time.Duration // what one answer costs while a backlog drains
}

// Corrected is the latency, from when it was due, that the part q of all messages does not exceed.
func (m Stall) Corrected(q float64) time.Duration {
	drain := 1 - m.Rate*m.Cost.Seconds()
	return max(0, m.Stall-time.Duration((1-q)*float64(m.Period)*drain))
}

// Uncorrected is the same from when a message was written.
func (m Stall) Uncorrected(q float64) time.Duration {
	n := min(float64(m.Connections), m.Rate*m.Stall.Seconds())
	if 1-q >= n/(m.Rate*m.Period.Seconds()) {
		return 0
	}
	return m.Stall - time.Duration((1-q)*float64(m.Period))
}

// Tolerances of what is measured, for a machine on which server and harness share the processors.
const (
	tolerancePart = 0.05
	toleranceTime = 5 * time.Millisecond
)

// near says whether a time was measured as it was to be.
func near(got, want time.Duration) bool {
	return (got - want).Abs() <= time.Duration(tolerancePart*float64(want))+toleranceTime
}

// quantiles are where model and measurement are compared.
var quantiles = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}}

// compare holds a report against the model. It gives a line for each quantile, and what is wrong.
func (m Stall) compare(r *result.Result) (lines, wrong []string) {
	check := func(what, name string, got, want time.Duration) {
		verdict := "ok"
		if !near(got, want) {
			verdict = "off"
			wrong = append(wrong, fmt.Sprintf("%s %s is %v, the model says %v", what, name,
				got.Round(time.Microsecond), want.Round(time.Microsecond)))
		}
		lines = append(lines, fmt.Sprintf("%s quantile=%s model_ms=%.1f measured_ms=%.1f %s",
			what, name, millis(want), millis(got), verdict))
	}
	corrected, uncorrected := &r.Histograms.Latency, &r.Histograms.Uncorrected
	for _, x := range quantiles {
		check("latency", x.name, corrected.Quantile(x.q), m.Corrected(x.q))
	}
	for _, x := range quantiles {
		check("uncorrected", x.name, uncorrected.Quantile(x.q), m.Uncorrected(x.q))
	}
	// The shape between them: uniform, and not only right at a few points.
	worst, at := time.Duration(0), 0.0
	for i := range 100 {
		q := 0.9 + float64(i)*0.001
		if off := (corrected.Quantile(q) - m.Corrected(q)).Abs(); off >= worst {
			worst, at = off, q
		}
	}
	check("latency", fmt.Sprintf("p90..p99.9, worst at p%.1f", at*100),
		corrected.Quantile(at), m.Corrected(at))
	return lines, wrong
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
