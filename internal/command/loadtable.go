package command

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/screen"
)

// nameWidth is that of the first column of the table.
const nameWidth = 17

// table is the result for a reader.
type table struct{ strings.Builder }

// printf writes to memory, which does not fail.
func (t *table) printf(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) }

// row writes a line with a name.
func (t *table) row(name, format string, args ...any) {
	t.printf("%-*s%s\n", nameWidth, name, fmt.Sprintf(format, args...))
}

// rows writes lines of which only the first has a name.
func (t *table) rows(name string, lines []string) {
	for _, line := range lines {
		t.row(name, "%s", line)
		name = ""
	}
}

// writeTable writes the result for a reader.
func writeTable(w io.Writer, r *result.Result) error {
	t := new(table)
	t.head(r)
	t.rates(r)
	t.latencies(r)
	t.ledger(r)
	t.sessions(r)
	t.server(r)
	t.harness(r)
	t.WriteByte('\n')
	t.rows("errors", explain(r.Errors))
	t.rows("verdict", verdict(r))
	t.row("exit code", "%d", r.ExitCode)
	_, err := io.WriteString(w, t.String())
	return err
}

func (t *table) head(r *result.Result) {
	s := r.Environment.Settings
	t.printf("%s of %s: %s, %s connections, %s, %s\n\n", r.Profile, r.Environment.Server,
		r.Environment.Protocol, s["connections"], plural(uint64(r.Environment.Processes), "process",
			"processes"), plural(uint64(max(len(r.Runs), 1)), "run", "runs"))
	if r.Interrupted {
		t.WriteString("interrupted: what was measured until then\n\n")
	}
}

func (t *table) rates(r *result.Result) {
	if r.IntendedRate > 0 {
		sent, answered := achieved(r)
		t.row("rate", "%s intended, %s sent, %s answered, for %s", perSecond(r.IntendedRate),
			perSecond(sent), perSecond(answered), seconds(r.Seconds))
		planned, err := time.ParseDuration(r.Environment.Settings["duration"])
		if runs := max(len(r.Runs), 1); err == nil && !r.Interrupted &&
			r.Seconds < 0.95*planned.Seconds()*float64(runs) {
			t.row("", "over before the %s were: no connection was left",
				short(planned*time.Duration(runs)))
		}
	}
	c := &r.Connect
	t.row("connections", "%d opened, %d failed", c.OK, c.Failed)
}

// achieved is how many messages a second were sent and answered while they fell due. What was made
// up for afterwards does not count, as far as the intervals of a single run show it.
func achieved(r *result.Result) (sent, answered float64) {
	if r.Seconds <= 0 {
		return 0, 0
	}
	sent, answered = float64(r.Sent), float64(r.Received)
	if len(r.Runs) == 0 {
		for i := range r.Intervals {
			v := &r.Intervals[i]
			if v.Phase == result.PhaseRun && v.Start >= r.Seconds*1e3 {
				sent -= float64(v.Sent)
				answered -= float64(v.Received)
			}
		}
	}
	return sent / r.Seconds, answered / r.Seconds
}

// column is the width of a figure.
const column = 10

func (t *table) latencies(r *result.Result) {
	t.printf("\n%-*s", nameWidth, "")
	for _, name := range []string{"p50", "p90", "p99", "p99.9", "max", "count"} {
		t.printf("%*s", column, name)
	}
	t.WriteByte('\n')
	h := &r.Histograms
	t.quantiles("connect", &h.Connect)
	if r.Latency.Count > 0 || r.IntendedRate > 0 {
		t.quantiles("latency", &h.Latency)
		t.quantiles("  uncorrected", &h.Uncorrected)
	}
	if h.Lateness.Count() > 0 {
		t.quantiles("expiry lateness", &h.Lateness)
	}
	if r.Resume.Resumed > 0 {
		t.quantiles("resume", &h.Resume)
	}
	t.quantiles("timing error", &h.TimingError)
	t.WriteByte('\n')
}

func (t *table) quantiles(name string, h *result.Histogram) {
	t.printf("%-*s", nameWidth, name)
	for _, d := range []time.Duration{
		h.Quantile(0.5), h.Quantile(0.9), h.Quantile(0.99), h.Quantile(0.999), h.Max(),
	} {
		t.printf("%*s", column, short(d))
	}
	t.printf("%*d\n", column, h.Count())
}

func (t *table) ledger(r *result.Result) {
	if r.Sent+r.Unsent > 0 || r.IntendedRate > 0 {
		t.row("messages", "%d sent, %d answered, %d lost, %d wrong, %d duplicated, %d out of order",
			r.Sent, r.Received, r.Lost, r.Wrong, r.Duplicated, r.Reordered)
		if r.Late+r.Unsent > 0 {
			t.row("", "%d answered after they were lost, %d due and never sent", r.Late, r.Unsent)
		}
		if r.Lost+r.Unsent > 0 {
			t.row("", "these have no latency: that of all is a lower bound")
		}
	}
	if r.Cut > 0 {
		t.row("cut", "%d connections, by the server, unasked", r.Cut)
	}
	if f := &r.Fairness; f.Connections > 0 {
		t.row("fairness", "%.3f (Jain's index, 1 is best) of %d connections; mean latency %s, "+
			"the worst's %s", f.Jain, f.Connections, micros(f.MeanP50), micros(f.MeanMax))
	}
}

// sessions are the lines about expiry, resuming, misbehaving and closing.
func (t *table) sessions(r *result.Result) {
	if e := &r.Expiry; e.Expected+e.Observed+e.Early+e.Missing > 0 {
		t.row("expiry", "%d due, %d ended, %d early, %d missing", e.Expected, e.Observed, e.Early,
			e.Missing)
	}
	switch s := &r.Resume; {
	case s.Dropped > 0 && r.Environment.Protocol != load.SpeakJSON:
		t.row("reconnect", "%d dropped; %s has no sessions to resume", s.Dropped,
			r.Environment.Protocol)
	case s.Dropped > 0:
		t.row("resume", "%d dropped, %d resumed, %d changed, %d refused, %d gaps, %d replayed",
			s.Dropped, s.Resumed, s.Changed, s.Refused, s.Gaps, s.Replayed)
	}
	if f := &r.Fault; f.Injected > 0 {
		after := ""
		if f.AfterMax > 0 {
			after = fmt.Sprintf(" (after %s, at most %s)", micros(f.AfterP50*1e3),
				micros(f.AfterMax*1e3))
		}
		t.row("misbehaved", "%d connections: %d cut by the server%s, %d held", f.Injected, f.Cut,
			after, f.Held)
		if len(f.Reasons) > 0 {
			t.row("", "cut by %s", counts(f.Reasons))
		}
		if r.Profile == string(load.ProfileSlowReader) && f.Full < f.Held {
			t.row("", "%d of them never filled what lies between, so that the server had no need "+
				"to notice: a longer --duration or fewer --connections do", f.Held-f.Full)
		}
		if f.Sent > 0 {
			t.row("", "%d messages were not read until the end, %d of them lost", f.Sent, f.Lost)
		}
	}
	if len(r.Closes) > 0 {
		t.row("closed", "with code %s", counts(r.Closes))
		for _, code := range slices.Sorted(maps.Keys(r.Closes)) {
			if advice := closeAdvice[code]; advice != "" && r.Cut > 0 {
				t.row("", "%s: %s", code, advice)
			}
		}
	}
}

// counts are the counts of a map, in the order of their names.
func counts(m map[string]uint64) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%s: %d", name, m[name]))
	}
	return strings.Join(all, ", ")
}

func (t *table) server(r *result.Result) {
	s := &r.Server
	if s.RSSBytes == 0 {
		return
	}
	t.row("server", "CPU %s a message, %s a connection, %.1f %% of one core",
		micros(s.CPUPerMessage), micros(s.CPUPerConnect), s.CPUPercent)
	t.row("", "memory grew by %s a connection, to %s", screen.Bytes(s.BytesPerConn),
		screen.Bytes(float64(s.RSSBytes)))
	if s.KernelPerConn > 0 {
		t.row("", "kernel memory %s a connection, of the whole machine and both sides",
			screen.Bytes(s.KernelPerConn))
	}
	if s.DescriptorsAtMax > 0 {
		t.row("", "%d descriptors, %d at most", s.Descriptors, s.DescriptorsAtMax)
	}
	t.row("", "%d context switches of its own will, %d not", s.Voluntary, s.Involuntary)
}

func (t *table) harness(r *result.Result) {
	if r.Sent > 0 {
		t.row("harness", "CPU %s a message", micros(r.Client.CPUPerMessage))
	}
}

// plural is a number with its noun.
func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func perSecond(rate float64) string {
	if rate < 100 && rate != float64(int64(rate)) {
		return fmt.Sprintf("%.2f/s", rate)
	}
	return fmt.Sprintf("%.0f/s", rate)
}

func seconds(s float64) string { return short(time.Duration(s * float64(time.Second))) }

func micros(us float64) string { return short(time.Duration(us * float64(time.Microsecond))) }

// short is a duration in three digits.
func short(d time.Duration) string { return screen.Millis(d.Seconds() * 1e3) }
