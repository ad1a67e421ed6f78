package selfcheck

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// simulate plays the queue that the model is about, message by message: which are written when,
// and when each is answered.
func simulate(m Stall, periods int) (corrected, uncorrected []time.Duration) {
	free := make([]time.Duration, m.Connections) // when each connection is
	server := time.Duration(0)                   // when the server is
	for i := range int(m.Rate * m.Period.Seconds() * float64(periods)) {
		due := time.Duration(float64(i) / m.Rate * float64(time.Second))
		first := 0
		for c, at := range free {
			if at < free[first] {
				first = c
			}
		}
		sent := max(due, free[first])
		begin := max(sent, server)
		// A stall begins with each period.
		if into := begin % m.Period; into < m.Stall {
			begin += m.Stall - into
		}
		server = begin + m.Cost
		free[first] = server
		corrected = append(corrected, server-due)
		uncorrected = append(uncorrected, server-sent)
	}
	slices.Sort(corrected)
	slices.Sort(uncorrected)
	return corrected, uncorrected
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[max(0, min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1))]
}

// TestStallModel holds the formulas against a simulation of the queue.
func TestStallModel(t *testing.T) {
	for _, m := range []Stall{
		{2000, 10, 200 * time.Millisecond, time.Second, 10 * time.Microsecond},
		{2000, 10, 200 * time.Millisecond, time.Second, 200 * time.Microsecond},
		{2000, 400, 200 * time.Millisecond, time.Second, 20 * time.Microsecond},
		{10000, 50, 100 * time.Millisecond, 2 * time.Second, 50 * time.Microsecond},
		{500, 1, 700 * time.Millisecond, time.Second, 100 * time.Microsecond},
		{100, 1000, 300 * time.Millisecond, time.Second, time.Microsecond},
	} {
		corrected, uncorrected := simulate(m, 20)
		// A message is served in its own time too, and two that follow each other are 1/R apart.
		slack := m.Cost*time.Duration(m.Connections) +
			time.Duration(2*float64(time.Second)/m.Rate)
		for _, q := range []float64{0.1, 0.5, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99, 0.999, 1} {
			if got, want := quantile(corrected, q), m.Corrected(q); (got - want).Abs() > slack {
				t.Errorf("%+v: corrected p%v is %v, the model says %v", m, q*100, got, want)
			}
			// Beside the edge, which one message more or less moves.
			edge := min(float64(m.Connections), m.Rate*m.Stall.Seconds()) /
				(m.Rate * m.Period.Seconds())
			if math.Abs(1-q-edge) < 2/m.Rate {
				continue
			}
			got, want := quantile(uncorrected, q), m.Uncorrected(q)
			if (got - want).Abs() > slack {
				t.Errorf("%+v: uncorrected p%v is %v, the model says %v", m, q*100, got, want)
			}
		}
	}
}

// record makes a report of latencies that were simulated.
func record(corrected, uncorrected []time.Duration) *result.Result {
	var p result.Part
	for _, d := range corrected {
		p.Latency.Record(d)
	}
	for _, d := range uncorrected {
		p.Uncorrected.Record(d)
	}
	return result.Of(&p)
}

// TestStallCompare takes a harness that tells the truth for what it is, and finds three that do
// not.
func TestStallCompare(t *testing.T) {
	m := Stall{2000, 10, 200 * time.Millisecond, time.Second, 10 * time.Microsecond}
	corrected, uncorrected := simulate(m, 10)
	if _, wrong := m.compare(record(corrected, uncorrected)); len(wrong) > 0 {
		t.Errorf("a true report is refused: %q", wrong)
	}
	// Closed loop: latency is counted from the write.
	if _, wrong := m.compare(record(uncorrected, uncorrected)); len(wrong) < 2 {
		t.Errorf("a closed loop passes for an open one: %q", wrong)
	}
	// Both from due, so that the figure beside it is no comparison.
	if _, wrong := m.compare(record(corrected, corrected)); len(wrong) < 2 {
		t.Errorf("latency from due passes for uncorrected: %q", wrong)
	}
	// Messages that fell due with all connections busy are forgotten, as by a harness that skips
	// them.
	skipped := slices.DeleteFunc(slices.Clone(corrected), func(d time.Duration) bool {
		return d > 10*time.Millisecond && d < 195*time.Millisecond
	})
	if _, wrong := m.compare(record(skipped, uncorrected)); len(wrong) == 0 {
		t.Error("a harness that skips messages passes")
	}
}

func ExampleStall() {
	m := Stall{
		Rate: 2000, Connections: 10, Stall: 200 * time.Millisecond, Period: time.Second,
	}
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		fmt.Printf("p%v: %v from due, %v from the write\n", q*100,
			m.Corrected(q).Round(time.Millisecond), m.Uncorrected(q).Round(time.Millisecond))
	}
	// Output:
	// p50: 0s from due, 0s from the write
	// p90: 100ms from due, 0s from the write
	// p99: 190ms from due, 0s from the write
	// p99.9: 199ms from due, 199ms from the write
	// p100: 200ms from due, 200ms from the write
}
