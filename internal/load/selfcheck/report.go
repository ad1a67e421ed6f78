package selfcheck

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/load/selfcheck/faulty"
)

// report is the JSON of a run, as whoever reads the file has it.
type report struct {
	result.Result

	numbers map[string]float64 // all numbers that stand in objects, by their path
}

// wrongs are the counts that say that something is wrong, whatever the profile.
var wrongs = []string{
	"lost", "wrong", "duplicated", "reordered", "late", "unsent", "cut", "connect.failed",
	"expiry.early", "expiry.missing", "resume.changed", "resume.refused", "resume.gaps",
	"fault.held",
}

// wrongMaps hold such counts, by names that depend on what happened.
var wrongMaps = []string{"closes.", "errors."}

// named are further numbers that the design promises to be there always.
var named = []string{
	"intended_rate", "sent", "received", "connect.ok", "connect.p50_us", "connect.p99_us",
	"connect.max_us", "latency.count", "latency.p50_us", "latency.p90_us", "latency.p99_us",
	"latency.p999_us", "latency.max_us", "latency_uncorrected.count",
	"latency_uncorrected.p50_us", "latency_uncorrected.p90_us", "latency_uncorrected.p99_us",
	"latency_uncorrected.p999_us", "latency_uncorrected.max_us", "expiry.expected",
	"expiry.observed", "expiry.p50_ms", "expiry.p99_ms", "expiry.max_ms",
	"server.cpu_us_per_message", "server.cpu_us_per_connect", "server.rss_bytes_per_connection",
	"timing_error.p99_us", "timing_error.max_us",
}

// parse reads a report, and refuses one that lacks a number.
func parse(b []byte) (*report, error) {
	r := &report{numbers: map[string]float64{}}
	if err := json.Unmarshal(b, &r.Result); err != nil {
		return nil, fmt.Errorf("the report cannot be read: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("the report cannot be read: %w", err)
	}
	r.flatten("", all)
	for _, path := range slices.Concat(wrongs, named) {
		if _, ok := r.numbers[path]; !ok {
			return nil, fmt.Errorf("the report has no number %q", path)
		}
	}
	return r, nil
}

func (r *report) flatten(path string, object map[string]any) {
	for name, v := range object {
		switch v := v.(type) {
		case float64:
			r.numbers[path+name] = v
		case map[string]any:
			r.flatten(path+name+".", v)
		}
	}
}

// count is a number that is whole.
func (r *report) count(path string) uint64 { return uint64(math.Round(r.numbers[path])) }

// found are the counts to look at: what must be found, and what is wrong in the report; sorted.
func (r *report) found(want map[string]Count) []string {
	var paths []string
	for path := range want {
		paths = append(paths, path)
	}
	for path, n := range r.numbers {
		isWrong := slices.Contains(wrongs, path) || slices.ContainsFunc(wrongMaps,
			func(prefix string) bool { return strings.HasPrefix(path, prefix) })
		if _, wanted := want[path]; isWrong && n != 0 && !wanted {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// check holds a report and an exit code against what a case must find, and what the server did. It
// gives what was found and what is wrong with that.
func (c *Case) check(r *report, exit int, l faulty.Ledger) (found, wrong []string) {
	found = append(found, fmt.Sprintf("exit %d", exit))
	for _, path := range r.found(c.Counts) {
		n := r.count(path)
		if n > 0 || c.Counts[path].Least > 0 || c.Counts[path].Struck > 0 {
			found = append(found, fmt.Sprintf("%s %d", path, n))
		}
		least, most := c.Counts[path].bounds(l.Struck)
		if n < least || n > most {
			wrong = append(wrong, fmt.Sprintf("%s is %d and not %s", path, n, span(least, most)))
		}
	}
	if r.ExitCode != exit {
		wrong = append(wrong, fmt.Sprintf("the report says exit %d, the command exits with %d",
			r.ExitCode, exit))
	}
	if exit != c.Exit {
		wrong = append(wrong, fmt.Sprintf("exit %d and not %d: %s", exit, c.Exit,
			strings.Join(r.Broken, "; ")))
	}
	if kind := c.Server.Fault; kind.Counted() && l.Struck == 0 {
		wrong = append(wrong, "the server's fault never struck, so nothing is proven")
	}
	return found, append(wrong, c.balance(r, l)...)
}

// span is a count in words.
func span(least, most uint64) string {
	switch {
	case least == most:
		return fmt.Sprint(least)
	case least == 0:
		return fmt.Sprintf("at most %d", most)
	case most >= 1<<62:
		return fmt.Sprintf("%d or more", least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// balance holds the report against itself and against the server's own books, in profiles where
// all messages are counted.
func (c *Case) balance(r *report, l faulty.Ledger) (wrong []string) {
	equal := func(what string, got, want uint64) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s: %d and not %d", what, got, want))
		}
	}
	if c.Profile == "slow-reader" {
		return nil // its answers that are read when all is over have no latency
	}
	equal("latencies, for answers", r.Latency.Count, r.Received)
	equal("uncorrected latencies, for answers", r.Uncorrected.Count, r.Received)
	if c.Profile != "echo" || r.Connect.OK == 0 {
		return wrong
	}
	equal("answered or lost, for sent", r.Received+r.Lost, r.Sent)
	due := uint64(math.Round(c.Rate * c.Duration.Seconds()))
	equal("sent or left, for due", r.Sent+r.Unsent, due)
	equal("answers got, for those that the server gave", r.Received, l.Answered)
	if r.Unsent == 0 {
		equal("sent, for those that the server got", r.Sent, l.Messages)
	}
	return wrong
}

// compare holds times against what they must be. It gives further lines for the record.
func (c *Case) compare(r *report, cost time.Duration) (lines, wrong []string) {
	for _, t := range c.Times {
		got, verdict := r.numbers[t.Path], "ok"
		if got < t.Least || got > t.Most {
			verdict = "off"
			wrong = append(wrong, fmt.Sprintf("%s is %.3f and not %g to %g", t.Path, got,
				t.Least, t.Most))
		}
		lines = append(lines, fmt.Sprintf("%s=%.3f least=%g most=%g %s", t.Path, got, t.Least,
			t.Most, verdict))
	}
	if c.Stall {
		m := c.model(cost)
		more, off := m.compare(&r.Result)
		lines = append(lines, fmt.Sprintf("model cost_us=%.1f",
			float64(m.Cost)/float64(time.Microsecond)))
		lines, wrong = append(lines, more...), append(wrong, off...)
	}
	return lines, wrong
}
