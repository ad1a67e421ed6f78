package load

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/curfew-go/curfew/internal/load/result"
)

// TestIntervals_LoseNothing rolls over intervals of all kinds and holds that all that happened is
// handed out, once, in slices that follow one another.
func TestIntervals_LoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []result.Interval
		v := intervals{
			length: 100 * time.Millisecond,
			out:    func(i result.Interval) { all = append(all, i) },
		}
		now := time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "start"))
		start := now
		v.begin(result.PhaseRun, now, 0)
		var sent, latencies uint64
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, int64(350*time.Millisecond)).Draw(t, "step"))
			v.live.Sent++
			sent++
			if rapid.Bool().Draw(t, "answered") {
				v.live.Latency.Record(time.Millisecond)
				latencies++
			}
			v.roll(now, 7)
		}
		now++ // an event is always before the end
		v.end(now, 7)
		at, last := time.Duration(0), -1
		for _, i := range all {
			if i.Start != at || i.End <= i.Start || i.Number <= last || i.Open != 7 ||
				i.Phase != result.PhaseRun || i.Start != time.Duration(i.Number)*v.length {
				t.Fatalf("after %d at %v comes %+v", last, at, i)
			}
			at, last = i.End, i.Number
			sent -= i.Sent
			latencies -= i.Latency.Count()
		}
		if sent != 0 || latencies != 0 || at != now-start {
			t.Fatalf("%d and %d are missing of %d intervals until %v of %v", sent, latencies,
				len(all), at, now-start)
		}
	})
}

// TestIntervals_AreTheirs holds that what is handed out is not changed any more.
func TestIntervals_AreTheirs(t *testing.T) {
	var all []result.Interval
	v := intervals{length: time.Second, out: func(i result.Interval) { all = append(all, i) }}
	v.begin(result.PhaseConnect, 0, 0)
	v.live.Latency.Record(time.Second)
	v.roll(time.Second, 0)
	v.live.Latency.Record(time.Minute)
	v.live.Latency.Record(time.Minute)
	v.begin(result.PhaseRun, 1500*time.Millisecond, 0)
	v.live.Opened++
	v.roll(1600*time.Millisecond, 0) // not over yet
	v.end(1700*time.Millisecond, 0)
	v.roll(time.Hour, 0) // after its end there is none
	v.end(time.Hour, 0)
	if len(all) != 3 || all[0].Latency.Count() != 1 || all[0].Latency.Max() > 2*time.Second ||
		all[1].Latency.Count() != 2 || all[2].Latency.Count() != 0 {
		t.Fatalf("%d intervals: %+v", len(all), all)
	}
	if i := all[2]; i.Phase != result.PhaseRun || i.Number != 0 || i.Opened != 1 || i.Start != 0 ||
		i.End != 200*time.Millisecond {
		t.Errorf("the last is %+v", i)
	}
}
