package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/curfew-go/curfew/internal/load/result"
)

// traits are what runs must have in common to be compared.
var traits = []struct {
	name string
	of   func(r *result.Result) string
}{
	{"profile", func(r *result.Result) string { return r.Profile }},
	{"rate", func(r *result.Result) string {
		return strconv.FormatFloat(r.IntendedRate, 'g', -1, 64) + "/s"
	}},
	{"connections", setting("connections")},
	{"size", setting("size")},
	{"duration", setting("duration")},
	{"warm-up", setting("warmup")},
	{"ramp", setting("ramp")},
	{"expected idle", setting("expect_idle")},
	{"protocol", func(r *result.Result) string { return r.Environment.Protocol }},
	{"machine", func(r *result.Result) string {
		e := &r.Environment
		return fmt.Sprintf("%s, %d cores, Linux %s", e.CPU, e.Cores, e.Kernel)
	}},
	{"processes", func(r *result.Result) string { return strconv.Itoa(r.Environment.Processes) }},
}

func setting(name string) func(*result.Result) string {
	return func(r *result.Result) string { return r.Environment.Settings[name] }
}

// all is what a trait is in the runs of a side: one value, or several with commas.
func (s *side) all(of func(*result.Result) string) string {
	var found []string
	for i := range s.runs {
		if v := of(&s.runs[i]); !slices.Contains(found, v) {
			found = append(found, v)
		}
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

// warn says why the sides are not to be compared, and which runs are not to be believed.
func (c *comparison) warn() {
	for _, t := range traits {
		if a, b := c.A.all(t.of), c.B.all(t.of); a != b {
			c.Warnings = append(c.Warnings, fmt.Sprintf(
				"not comparable: %s is %s in A and %s in B", t.name, orNone(a), orNone(b)))
		} else if c.A.differ(t.of) {
			c.Warnings = append(c.Warnings, fmt.Sprintf(
				"not comparable: %s differs from run to run (%s)", t.name, a))
		}
	}
	c.Warnings = append(append(c.Warnings, c.A.doubts("A")...), c.B.doubts("B")...)
}

func (s *side) differ(of func(*result.Result) string) bool {
	return slices.ContainsFunc(s.runs, func(r result.Result) bool {
		return of(&r) != of(&s.runs[0])
	})
}

func orNone(s string) string {
	if s == "" {
		return "not said"
	}
	return s
}

// doubts are the runs of a side that prove little or nothing.
func (s *side) doubts(name string) []string {
	var found []string
	for i := range s.runs {
		which := "the run of " + name
		if len(s.runs) > 1 {
			which = fmt.Sprintf("run %d of %s", i+1, name)
		}
		switch r := &s.runs[i]; {
		case r.ExitCode == result.ExitSchedule:
			found = append(found, which+": the harness fell short (exit code 3), "+
				"so its numbers prove nothing")
		case r.ExitCode == result.ExitUsage:
			found = append(found, which+": nothing could be connected")
		case r.Interrupted:
			found = append(found, which+" was interrupted, so it is shorter than it should be")
		}
	}
	return found
}

// remark says what the numbers cannot tell.
func (c *comparison) remark() {
	a, b := c.A.Runs, c.B.Runs
	least := leastP(a, b)
	switch {
	case a == 1 && b == 1:
		c.Remarks = append(c.Remarks, "one run a side: no significance can be told; use --repeat")
	case least >= Alpha:
		c.Remarks = append(c.Remarks, fmt.Sprintf("%s on side A and %s on side B: no significance "+
			"can be told, since even sides that do not overlap have p=%.2f; use --repeat 4 or more",
			runs(a), runs(b), least))
	}
}

func runs(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}
