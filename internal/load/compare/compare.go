package compare

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/curfew-go/curfew/internal/load/result"
)

// Alpha is the chance below which a difference counts as significant.
const Alpha = 0.05

// comparison is two sides beside each other. Its JSON is what scripts read.
type comparison struct {
	Alpha   float64  `json:"alpha"`
	A       side     `json:"a"`
	B       side     `json:"b"`
	Figures []change `json:"figures"`
	// Warnings say why the sides are not to be compared, or a run not to be believed.
	Warnings []string `json:"warnings"`
	// Remarks say what the numbers cannot tell.
	Remarks []string `json:"remarks"`
}

// side is what is known of all runs of a side.
type side struct {
	Runs    int    `json:"runs"`
	Profile string `json:"profile"`
	Server  string `json:"server"`
	Version string `json:"version"`

	runs []result.Result
}

// The judgements of a change.
const (
	better   = "better"
	worse    = "worse"
	same     = "same"    // no difference that is significant
	untold   = "untold"  // too few runs to say
	oneSided = "missing" // one side has no such figure
)

// change is one figure on both sides.
type change struct {
	Name string  `json:"name"`
	Unit string  `json:"unit"`
	A    summary `json:"a"`
	B    summary `json:"b"`
	// Percent is from the median of A to that of B; null where A is 0 or a side is empty.
	Percent *float64 `json:"change_percent"`
	// P is null where a side is empty.
	P           *float64 `json:"p"`
	Significant bool     `json:"significant"`
	Judgement   string   `json:"judgement"`

	label string
}

// summary is one figure on one side. Its numbers are 0 where N is.
type summary struct {
	N      int       `json:"n"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Values []float64 `json:"values"` // ascending
}

// Write compares the runs of a with those of b, as an aligned table or as JSON. Results are not
// changed.
func Write(w io.Writer, a, b []*result.Result, asJSON bool) error {
	c := compareSides(a, b)
	if !asJSON {
		return c.table(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}

func compareSides(a, b []*result.Result) *comparison {
	c := &comparison{
		Alpha: Alpha, A: sideOf(a), B: sideOf(b),
		Figures: []change{}, Warnings: []string{}, Remarks: []string{},
	}
	for _, f := range figures {
		as, bs := f.values(c.A.runs), f.values(c.B.runs)
		if len(as)+len(bs) > 0 {
			c.Figures = append(c.Figures, f.compare(as, bs))
		}
	}
	c.warn()
	c.remark()
	return c
}

// sideOf takes reports apart into their runs.
func sideOf(reports []*result.Result) side {
	var s side
	for _, r := range reports {
		if len(r.Runs) == 0 {
			s.runs = append(s.runs, *r)
			continue
		}
		for _, run := range r.Runs {
			s.runs = append(s.runs, completed(run, r))
		}
	}
	s.Runs = len(s.runs)
	s.Profile = s.all(func(r *result.Result) string { return r.Profile })
	s.Server = s.all(func(r *result.Result) string { return r.Environment.Server })
	s.Version = s.all(func(r *result.Result) string { return r.Environment.Version })
	return s
}

// completed is a single run with what it has in common with its report.
func completed(run result.Result, report *result.Result) result.Result {
	if run.Profile == "" {
		run.Profile, run.IntendedRate = report.Profile, report.IntendedRate
	}
	if run.Environment.Server == "" {
		run.Environment = report.Environment
	}
	return run
}

// compare holds the values of a figure beside each other.
func (f *figure) compare(a, b []float64) change {
	c := change{
		Name: f.name, Unit: f.unit, label: f.label, A: summaryOf(a), B: summaryOf(b),
		Judgement: oneSided,
	}
	if c.A.N == 0 || c.B.N == 0 {
		return c
	}
	if c.A.Median != 0 {
		percent := 100 * (c.B.Median - c.A.Median) / c.A.Median
		c.Percent = &percent
	}
	t := benchmath.AssumeNothing.Compare(sample(c.A.Values), sample(c.B.Values))
	c.P = &t.P
	c.Significant = t.P < Alpha
	switch {
	case leastP(c.A.N, c.B.N) >= Alpha:
		c.Judgement = untold
	case !c.Significant:
		c.Judgement = same
	case (c.B.Median > c.A.Median) == (f.wanted > 0):
		c.Judgement = better
	default:
		c.Judgement = worse
	}
	return c
}

func sample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

func summaryOf(values []float64) summary {
	if len(values) == 0 {
		return summary{Values: []float64{}}
	}
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return summary{
		N: n, Median: (values[(n-1)/2] + values[n/2]) / 2, Min: values[0], Max: values[n-1],
		Values: values,
	}
}

// off is how far the run that is farthest off is from the median.
func (s *summary) off() float64 { return max(s.Max-s.Median, s.Median-s.Min) }

// leastP is the p-value of sides that do not overlap, of n and m runs: two of all the ways in which
// the runs could be in order.
func leastP(n, m int) float64 {
	ways := 1.0
	for i := 1; i <= m; i++ {
		ways *= float64(n+i) / float64(i)
	}
	return math.Min(1, 2/ways)
}
