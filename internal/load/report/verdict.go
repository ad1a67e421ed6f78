package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curfew-go/curfew/internal/load/result"
)

// verdict is what came of the run, in words.
type verdict struct {
	Class    string // good, bad or doubt
	Headline string
	// Sentences say more; Reasons are the promises that were broken.
	Sentences []string
	Reasons   []string
	Promises  []promise
}

// promise is something that was promised, and what was found.
type promise struct {
	Text, Found string
	State       string // kept, broken, or late where the harness was
}

// The states of promises.
const (
	kept   = "kept"
	broken = "broken"
	late   = "late"
)

// verdictOf puts into words what the result was judged to be.
func verdictOf(r *result.Result) verdict {
	v := verdict{Reasons: r.Broken, Promises: promises(r)}
	switch {
	case r.ExitCode == result.ExitSchedule:
		v.Class, v.Headline = "doubt", "The harness fell short: these numbers prove nothing"
		v.Sentences = []string{"Where it could not keep its own schedule, what looks like the " +
			"server's delay may be its own. Give it cores of its own, more --processes, or a " +
			"lower --rate."}
	case r.ExitCode == result.ExitUsage:
		v.Class, v.Headline = "bad", "Nothing could be connected"
	case r.ExitCode == result.ExitBroken:
		v.Class, v.Headline = "bad", "The server broke "+
			plural(uint64(max(1, len(r.Broken))), "promise", "promises")
	case r.ExitCode != result.ExitFine:
		v.Class, v.Headline = "doubt", fmt.Sprintf("The run ended with exit code %d", r.ExitCode)
	case r.Connect.OK+r.Sent == 0:
		v.Class, v.Headline = "doubt", "Nothing was measured"
	default:
		v.Class, v.Headline = "good", "The server kept its promises"
	}
	if r.Interrupted {
		v.Sentences = append(v.Sentences,
			"The run was interrupted before its end: this is what was measured until then.")
		if v.Class == "good" {
			v.Class, v.Headline = "doubt", v.Headline+", as far as the run went"
		}
	}
	return v
}

// promises are those that the profile put to the test, and the harness's own.
func promises(r *result.Result) (all []promise) {
	add := func(tested, ok bool, text, found string) {
		if tested {
			state := kept
			if !ok {
				state = broken
			}
			all = append(all, promise{text, found, state})
		}
	}
	c, e, s := &r.Connect, &r.Expiry, &r.Resume
	add(c.OK+c.Failed > 0, c.Failed == 0, "Every connection is taken.",
		count(c.OK)+" opened, "+count(c.Failed)+" failed")
	add(r.Sent > 0, r.Lost+r.Wrong+r.Duplicated+r.Reordered == 0,
		"Each message comes back once, unchanged and in order.", ledgerFound(r))
	add(r.Sent+r.Unsent > 0, r.Unsent == 0,
		"Answers come fast enough for every message to be sent that is due.",
		count(r.Unsent)+" were due and could not be sent")
	add(c.OK > 0, r.Cut == 0, "No connection is ended unasked.",
		count(r.Cut)+" were cut")
	add(r.Fault.Sent > 0, r.Fault.Lost == 0,
		"Who reads slowly, and is held, misses nothing.",
		count(r.Fault.Sent)+" messages sent, "+count(r.Fault.Lost)+" lost")
	add(e.Expected+e.Observed+e.Early > 0, e.Early == 0, "No session ends before its time.",
		count(e.Early)+" ended early")
	add(e.Expected+e.Missing > 0, e.Missing == 0, "Each session that falls silent is ended.",
		fmt.Sprintf("%s expected, %s ended, %s missing",
			count(e.Expected), count(e.Observed), count(e.Missing)))
	add(s.Dropped > 0, s.Changed+s.Refused+s.Gaps == 0,
		"A session whose connection dropped is resumed, with nothing missing.",
		fmt.Sprintf("%s dropped, %s resumed, %s refused, %s became another session, %s with a gap",
			count(s.Dropped), count(s.Resumed), count(s.Refused), count(s.Changed), count(s.Gaps)))
	limit := r.Environment.Settings["max_p99"]
	add(limit != "" && limit != "0s", !brokenBy(r, "p99 "),
		"The p99 of the latency is at most "+limit+".", "it is "+micros(r.Latency.P99))
	t := &r.TimingError
	if t.Max > 0 || r.ExitCode == result.ExitSchedule {
		p := promise{
			Text:  "The harness keeps its own schedule, so that its numbers can be believed.",
			Found: "p99 " + micros(t.P99) + " late, at most " + micros(t.Max),
			State: kept,
		}
		if brokenBy(r, "the harness was late") {
			p.State = late
		}
		all = append(all, p)
	}
	return all
}

// brokenBy says whether a promise was broken whose sentence begins so.
func brokenBy(r *result.Result, sentence string) bool {
	return slices.ContainsFunc(r.Broken, func(reason string) bool {
		return strings.HasPrefix(reason, sentence)
	})
}

func ledgerFound(r *result.Result) string {
	found := []string{count(r.Sent) + " sent", count(r.Received) + " came back right"}
	for _, what := range []struct {
		n    uint64
		word string
	}{
		{r.Lost, "lost"},
		{r.Wrong, "wrong"},
		{r.Duplicated, "came twice"},
		{r.Reordered, "out of order"},
	} {
		if what.n > 0 {
			found = append(found, count(what.n)+" "+what.word)
		}
	}
	return strings.Join(found, ", ")
}
