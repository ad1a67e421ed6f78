package result

import (
	"fmt"
	"time"
)

// The exit codes of `curfew load`.
const (
	ExitFine   = 0
	ExitBroken = 1 // the server broke a promise
	ExitUsage  = 2 // bad usage, or nothing could be connected
	// ExitSchedule says that the harness could not keep its schedule, or lost a process: its
	// numbers are not to be believed.
	ExitSchedule = 3
)

const (
	timingP99Max = 10 * time.Millisecond
	timingMax    = 500 * time.Millisecond
	// timingSamplesMin is of how many samples a 99th percentile says anything.
	timingSamplesMin = 100
)

// Judge sets ExitCode and Broken. maxP99 is what the latency's p99 must not exceed; 0: anything.
// That the harness was late beats what the server did, since late numbers prove nothing.
func (r *Result) Judge(maxP99 time.Duration) {
	r.ExitCode, r.Broken = ExitFine, []string{}
	r.broke(r.Lost > 0, "%d messages were lost", r.Lost)
	r.broke(r.Wrong > 0, "%d frames were wrong", r.Wrong)
	r.broke(r.Duplicated > 0, "%d answers came twice", r.Duplicated)
	r.broke(r.Reordered > 0, "%d answers came out of order", r.Reordered)
	r.broke(r.Unsent > 0, "%d messages were due and could not be sent", r.Unsent)
	r.broke(r.Fault.Lost > 0, "%d messages of slow readers were lost", r.Fault.Lost)
	r.broke(r.Cut > 0, "%d connections were ended by the server, unasked", r.Cut)
	r.broke(r.Expiry.Early > 0, "%d sessions ended early", r.Expiry.Early)
	r.broke(r.Expiry.Missing > 0, "%d sessions should have ended and did not", r.Expiry.Missing)
	r.broke(r.Connect.Failed > 0, "%d connections failed", r.Connect.Failed)
	r.broke(r.Resume.Changed+r.Resume.Refused > 0, "%d sessions were not resumed",
		r.Resume.Changed+r.Resume.Refused)
	r.broke(r.Resume.Gaps > 0, "%d sessions were resumed with a gap", r.Resume.Gaps)
	p99 := r.Histograms.Latency.Quantile(0.99)
	// A histogram rounds up, by less than a thousandth.
	r.broke(maxP99 > 0 && p99 > maxP99+maxP99/1000, "p99 is %v, over %v",
		p99.Round(time.Microsecond), maxP99)
	if r.Connect.OK == 0 {
		r.ExitCode = ExitUsage
		r.Broken = append([]string{"nothing could be connected"}, r.Broken...)
		return
	}
	t := &r.Histograms.TimingError
	late := t.Count() >= timingSamplesMin && t.Quantile(0.99) > timingP99Max
	if late || t.Max() > timingMax {
		r.ExitCode = ExitSchedule
		r.Broken = append([]string{fmt.Sprintf(
			"the harness was late itself (p99 %v, max %v), so its numbers prove nothing",
			t.Quantile(0.99).Round(time.Microsecond), t.Max().Round(time.Microsecond))},
			r.Broken...)
	}
}

// broke notes a promise that was broken.
func (r *Result) broke(broken bool, format string, args ...any) {
	if broken {
		r.ExitCode = ExitBroken
		r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
	}
}
