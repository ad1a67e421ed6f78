package command

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/curfew-go/curfew/internal/conform"
	"github.com/curfew-go/curfew/internal/screen"
)

// inFullMax is how many failures are shown in full where nobody asked for all of them.
const inFullMax = 30

// view shows a report to a person.
type view struct {
	w      *bytes.Buffer
	flags  *conformFlags
	report *conform.Report
	chosen int // how many cases were to run
}

func (v *view) show() {
	if !v.flags.quiet {
		fmt.Fprintf(v.w, "%s held against RFC 6455 and RFC 7692\n\n", v.report.Server)
		if v.flags.single == "" {
			v.table()
		}
		if v.flags.verbose || v.flags.single != "" {
			v.all()
		} else {
			v.failures()
		}
		v.skips()
		v.remarks()
		v.hint()
	}
	v.last()
}

// table shows how many cases of each section came to what.
func (v *view) table() {
	rows := bytes.NewBufferString("\tpass\tfail\tskip\tremarks\t  section\n")
	row := func(holds func(id string) bool, name string) {
		var pass, fail, skip, remarks int
		for _, c := range v.report.Cases {
			switch {
			case !holds(c.ID):
			case c.Outcome == conform.Fail:
				fail++
			case c.Outcome == conform.Skip:
				skip++
			default:
				pass++
				if remarked(c) {
					remarks++
				}
			}
		}
		if pass+fail+skip > 0 {
			fmt.Fprintf(rows, "\t%s\t%s\t%s\t%s\t  %s\n", dashed(pass), dashed(fail), dashed(skip),
				dashed(remarks), name)
		}
	}
	for _, s := range conform.Sections() {
		row(s.Holds, fmt.Sprintf("%2s %s", s.Number, s.Title))
	}
	row(func(string) bool { return true }, "   all")
	t := tabwriter.NewWriter(v.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = t.Write(rows.Bytes()) // A bytes.Buffer takes all.
	_ = t.Flush()
	fmt.Fprintln(v.w)
}

// dashed is a count in a table, in which 0 should not catch the eye.
func dashed(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// remarked says whether a case passed with a remark.
func remarked(c conform.Result) bool {
	return c.Outcome == conform.Pass && c.Reason != ""
}

// with lists the cases for which something holds.
func (v *view) with(holds func(conform.Result) bool) []conform.Result {
	return slices.DeleteFunc(slices.Clone(v.report.Cases), func(c conform.Result) bool {
		return !holds(c)
	})
}

// failures shows what failed.
func (v *view) failures() {
	failed := v.with(func(c conform.Result) bool { return c.Outcome == conform.Fail })
	if len(failed) == 0 {
		return
	}
	fmt.Fprintln(v.w, "failed")
	for i, c := range failed {
		if i < inFullMax {
			v.inFull(c)
		} else {
			fmt.Fprintf(v.w, "  %-8s %s\n", c.ID, c.Description)
		}
	}
	if len(failed) > inFullMax {
		fmt.Fprintf(v.w, "  (--verbose shows the last %d in full too)\n", len(failed)-inFullMax)
	}
	fmt.Fprintln(v.w)
}

// all shows each case.
func (v *view) all() {
	for _, c := range v.report.Cases {
		fmt.Fprint(v.w, c.Outcome)
		v.inFull(c)
	}
	fmt.Fprintln(v.w)
}

// inFull shows one case.
func (v *view) inFull(c conform.Result) {
	fmt.Fprintf(v.w, "  %-8s %s\n", c.ID, c.Description)
	for _, field := range []struct{ name, text string }{
		{outcomeWord(c), c.Reason}, {"sent", c.Sent}, {"expected", c.Expected}, {"seen", c.Seen},
	} {
		if field.text != "" {
			fmt.Fprintf(v.w, "           %-9s %s\n", field.name, field.text)
		}
	}
}

// outcomeWord is what the reason of a case is called.
func outcomeWord(c conform.Result) string {
	if c.Outcome == conform.Pass {
		return "remark"
	}
	return "because"
}

// skips sums up what was skipped, by reason.
func (v *view) skips() {
	v.grouped("skipped", v.with(func(c conform.Result) bool { return c.Outcome == conform.Skip }))
}

// remarks shows or counts what was remarked.
func (v *view) remarks() {
	noted := v.with(remarked)
	switch {
	case len(noted) == 0 || v.flags.verbose || v.flags.single != "":
	case v.flags.remarks:
		v.grouped("remarks", noted)
	default:
		fmt.Fprintf(v.w, "%s passed with a remark; --remarks shows them\n\n",
			counted(len(noted), "case"))
	}
}

// grouped shows cases under what is said of them.
func (v *view) grouped(title string, cases []conform.Result) {
	if len(cases) == 0 {
		return
	}
	fmt.Fprintln(v.w, title)
	var order []string
	ids := map[string][]string{}
	for _, c := range cases {
		if ids[c.Reason] == nil {
			order = append(order, c.Reason)
		}
		ids[c.Reason] = append(ids[c.Reason], c.ID)
	}
	for _, reason := range order {
		fmt.Fprintf(v.w, "  %s: %s\n", reason, listed(ids[reason]))
	}
	fmt.Fprintln(v.w)
}

// listedMax is how many IDs a list holds.
const listedMax = 8

// listed lists IDs, those of a group as one where all of it is there.
func listed(ids []string) string {
	ids = folded(ids)
	if len(ids) <= listedMax {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:listedMax], ", "), len(ids)-listedMax)
}

// folded writes the IDs of a whole section or group as one glob.
func folded(ids []string) []string {
	all := conform.Cases()
	under := func(prefix string) (n int) {
		for _, c := range all {
			if strings.HasPrefix(c.ID, prefix) {
				n++
			}
		}
		return n
	}
	for _, depth := range []int{1, 2} {
		count := map[string]int{}
		for _, id := range ids {
			count[prefixOf(id, depth)]++
		}
		var short []string
		for _, id := range ids {
			prefix := prefixOf(id, depth)
			switch {
			case prefix == "" || count[prefix] == 1 || count[prefix] < under(prefix):
				short = append(short, id)
			case !slices.Contains(short, prefix+"*"):
				short = append(short, prefix+"*")
			}
		}
		ids = short
	}
	return ids
}

// prefixOf is the beginning of an ID with so many of its numbers, or "" where it has no more.
func prefixOf(id string, depth int) string {
	parts := strings.Split(id, ".")
	if len(parts) <= depth || strings.HasSuffix(id, "*") {
		return ""
	}
	return strings.Join(parts[:depth], ".") + "."
}

// hint says what to look at where nothing at all came back.
func (v *view) hint() {
	framing := v.with(func(c conform.Result) bool { return strings.HasPrefix(c.ID, "1.") })
	for _, c := range framing {
		if c.Outcome != conform.Fail {
			return
		}
	}
	if len(framing) < 2 {
		return
	}
	hint := "no message came back as it was sent: is this an endpoint that echoes?"
	if v.flags.subprotocol == "" {
		hint += " curfewd is one with --subprotocol curfew.raw."
	}
	fmt.Fprintln(v.w, hint)
	fmt.Fprintln(v.w)
}

// last is the line that sums up.
func (v *view) last() {
	r := v.report
	fmt.Fprintf(v.w, "%d passed, %d failed, %d skipped in %v", r.Passed, r.Failed, r.Skipped,
		r.Took.Round(time.Millisecond))
	if done := len(r.Cases); done < v.chosen {
		fmt.Fprintf(v.w, " (interrupted: %d of %s ran)", done, counted(v.chosen, "case"))
	}
	fmt.Fprintln(v.w)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return screen.Count(n) + " " + what + "s"
}

// conformProgress is a line on a terminal that says how far a run is.
type conformProgress struct {
	line               liveLine
	quiet              bool
	done, failed, want int
}

// newConformProgress shows progress where the output is a terminal and silence was not asked for.
func newConformProgress(p Process, want int, quiet bool) *conformProgress {
	return &conformProgress{line: p.newLiveLine(p.Stderr), quiet: quiet, want: want}
}

// add counts a result.
func (p *conformProgress) add(c conform.Result) {
	if p.quiet {
		return
	}
	p.done++
	if c.Outcome == conform.Fail {
		p.failed++
	}
	p.line.draw(fmt.Sprintf("%d of %d cases, %d failed, %s", p.done, p.want, p.failed, c.ID))
}
