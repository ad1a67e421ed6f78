package report

import (
	"math"
	"strconv"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// pointsMax is how many points a time-line has at most. A screen has hardly more columns.
const pointsMax = 1200

// timeline is what happened when. Time 0 is when the run began; connecting is before it.
type timeline struct {
	Seconds  []instant `json:"t"` // the middle of each interval
	Sent     []value   `json:"sent"`
	Received []value   `json:"received"`
	P50      []value   `json:"p50"`
	P99      []value   `json:"p99"`
	Max      []value   `json:"max"`
	Open     []uint64  `json:"open"`
	Opened   []value   `json:"opened"`
	Closed   []value   `json:"closed"`
	Expired  []value   `json:"expired"` // a second, as all that happens
	Bad      []value   `json:"bad"`
	Phases   []phase   `json:"phases"`

	spans []span
}

// phase is a stretch of the time-line, in seconds.
type phase struct {
	Name  string  `json:"name"`
	Start instant `json:"start"`
	End   instant `json:"end"`
}

// instant is a moment in seconds.
type instant float64

// MarshalJSON writes whole milliseconds.
func (i instant) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, math.Round(float64(i)*1e3)/1e3, 'f', -1, 64), nil
}

// span is one or several intervals of the result that follow one another.
type span struct {
	result.IntervalTimes

	start, end float64 // seconds, on the time-line
}

// timelineOf is nil where there are too few intervals to see anything.
func timelineOf(r *result.Result) *timeline {
	if len(r.Intervals) < 2 {
		return nil
	}
	t := &timeline{}
	connecting := connectingMillis(r)
	for _, f := range r.Phases {
		shift := 0.0
		if f.Name == result.PhaseConnect {
			shift = connecting
		}
		t.Phases = append(t.Phases, phase{
			f.Name, instant((f.Start - shift) / 1e3), instant((f.End - shift) / 1e3),
		})
	}
	t.spans = merged(r.Intervals, pointsMax)
	for i := range t.spans {
		v := &t.spans[i]
		shift := 0.0
		if v.Phase == result.PhaseConnect {
			shift = connecting
		}
		v.start, v.end = (v.Start-shift)/1e3, (v.End-shift)/1e3
		t.add(v)
	}
	return t
}

// connectingMillis is how long connecting took.
func connectingMillis(r *result.Result) float64 {
	longest := 0.0
	for _, f := range r.Phases {
		if f.Name == result.PhaseConnect {
			longest = max(longest, f.End)
		}
	}
	for i := range r.Intervals {
		if r.Intervals[i].Phase == result.PhaseConnect {
			longest = max(longest, r.Intervals[i].End)
		}
	}
	return longest
}

// aSecond is how many there are a second, in this span.
func (v *span) aSecond(n uint64) float64 {
	if v.end <= v.start {
		return 0
	}
	return float64(n) / (v.end - v.start)
}

func (t *timeline) add(v *span) {
	rate := func(to *[]value, n uint64) { *to = append(*to, value(v.aSecond(n))) }
	t.Seconds = append(t.Seconds, instant((v.start+v.end)/2))
	rate(&t.Sent, v.Sent)
	rate(&t.Received, v.Received)
	rate(&t.Opened, v.Opened)
	rate(&t.Closed, v.Closed)
	rate(&t.Expired, v.Expired)
	rate(&t.Bad, v.Bad)
	t.Open = append(t.Open, v.Open)
	latency := func(to *[]value, us float64) {
		if v.Max == 0 {
			*to = append(*to, gap) // nothing was answered
			return
		}
		*to = append(*to, value(max(us, 0.5)))
	}
	latency(&t.P50, v.P50)
	latency(&t.P99, v.P99)
	latency(&t.Max, v.Max)
}

// happens says whether something happened at any time.
func happens(of []value) bool {
	for _, v := range of {
		if v > 0 {
			return true
		}
	}
	return false
}

// merged are the intervals, as many of them together as it takes to have no more than most.
func merged(all []result.IntervalTimes, most int) []span {
	together := (len(all) + most - 1) / most
	var found []span
	held := 0
	for i := range all {
		last := len(found) - 1
		if last < 0 || held == together || found[last].Phase != all[i].Phase {
			v := span{IntervalTimes: all[i]}
			if together > 1 {
				v.Latency = v.Latency.Clone()
			}
			found, held = append(found, v), 1
			continue
		}
		found[last].merge(&all[i])
		held++
	}
	return found
}

// merge adds the interval that follows. Quantiles come from the histograms; where these were left
// out, the worse of both stands for both.
func (v *span) merge(o *result.IntervalTimes) {
	v.End = o.End
	v.Sent += o.Sent
	v.Received += o.Received
	v.Bad += o.Bad
	v.Opened += o.Opened
	v.Closed += o.Closed
	v.Expired += o.Expired
	v.Open = o.Open
	v.Max = max(v.Max, o.Max)
	v.Latency.Merge(&o.Latency)
	if v.Latency.Count() == 0 {
		v.P50, v.P99 = max(v.P50, o.P50), max(v.P99, o.P99)
		return
	}
	v.P50 = float64(v.Latency.Quantile(0.5)) / float64(time.Microsecond)
	v.P99 = float64(v.Latency.Quantile(0.99)) / float64(time.Microsecond)
}
