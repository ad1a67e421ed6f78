package load

import (
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// intervals cuts a phase into slices of one length and hands each out when it is over.
type intervals struct {
	out    func(result.Interval)
	length time.Duration
	phase  string
	start  time.Duration // of the phase, by the loop's clock
	number int
	live   result.Interval
	begun  bool
}

// begin begins a phase; what happened in the last one is handed out.
func (v *intervals) begin(phase string, now time.Duration, open int) {
	v.end(now, open)
	v.phase, v.start, v.number, v.begun = phase, now, 0, true
}

// roll ends the interval whose time is over. Where several passed at once, all that happened
// stands in the first of them, which is then longer.
func (v *intervals) roll(now time.Duration, open int) {
	if !v.begun || now < v.start+time.Duration(v.number+1)*v.length {
		return
	}
	next := int((now - v.start) / v.length)
	v.emit(v.start+time.Duration(next)*v.length, open)
	v.number = next
}

// end ends the last interval of a phase.
func (v *intervals) end(now time.Duration, open int) {
	if v.begun && now > v.start+time.Duration(v.number)*v.length {
		v.emit(now, open)
	}
	v.begun = false
}

func (v *intervals) emit(end time.Duration, open int) {
	l := &v.live
	l.Phase, l.Number, l.Open = v.phase, v.number, uint64(open)
	l.Start, l.End = time.Duration(v.number)*v.length, end-v.start
	if v.out != nil {
		out := *l
		out.Latency = l.Latency.Clone()
		v.out(out)
	}
	l.Latency.Reset()
	*l = result.Interval{Latency: l.Latency}
}
