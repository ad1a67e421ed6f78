package compare

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table writes the comparison for people: warnings first, since they may void the rest.
func (c *comparison) table(w io.Writer) error {
	var b strings.Builder
	for _, warning := range c.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	for _, s := range []struct {
		name string
		side *side
	}{{"A", &c.A}, {"B", &c.B}} {
		fmt.Fprintf(&b, "%s: %s, %s, %s, harness %s\n", s.name, runs(s.side.Runs),
			orNone(s.side.Profile), orNone(s.side.Server), orNone(s.side.Version))
	}
	b.WriteByte('\n')
	rows := [][]string{{"", "A", "spread", "B", "spread", "change", "p", ""}}
	for i := range c.Figures {
		rows = append(rows, c.Figures[i].row())
	}
	if len(c.Figures) == 0 {
		rows = [][]string{{"There is no figure to compare."}}
	}
	align(&b, rows)
	if len(c.Figures) > 0 {
		fmt.Fprintf(&b, "\nmedians; spread: the run farthest from it; ~: no significant change "+
			"(Mann-Whitney U, p >= %v); ?: too few runs to tell\n", Alpha)
	}
	for _, remark := range c.Remarks {
		fmt.Fprintf(&b, "%s\n", remark)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}

// align writes rows in columns, the first flush left, the others flush right but for the last.
func align(b *strings.Builder, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch i {
			case 0:
				line.WriteString(cell + pad)
			case len(widths) - 1:
				line.WriteString("  " + cell)
			default:
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func (c *change) row() []string {
	scale := scaleOf(c.Unit, max(c.A.Median, c.B.Median))
	row := []string{
		c.label, c.A.median(scale), c.A.spread(scale), c.B.median(scale), c.B.spread(scale),
		c.delta(), "", "",
	}
	if c.P != nil && c.Judgement != untold {
		row[6] = fmt.Sprintf("%.3f", *c.P)
	}
	if c.Judgement == better || c.Judgement == worse {
		row[7] = c.Judgement
	}
	return row
}

// delta is the change in percent, or what stands for it.
func (c *change) delta() string {
	var percent string
	switch {
	case c.Judgement == oneSided:
		return "-"
	case c.Judgement == same, c.A.Median == c.B.Median && !c.Significant:
		return "~"
	case c.Percent == nil:
		percent = "from 0"
	default:
		percent = fmt.Sprintf("%+.1f%%", *c.Percent)
	}
	if c.Judgement == untold {
		percent += " ?"
	}
	return percent
}

func (s *summary) median(in scale) string {
	if s.N == 0 {
		return "-"
	}
	return in.format(s.Median)
}

// spread is in percent, and where the median is 0 in the figure's own unit.
func (s *summary) spread(in scale) string {
	switch {
	case s.N == 0:
		return ""
	case s.N == 1:
		return "-"
	case s.Median == 0 && s.off() > 0:
		return "±" + in.format(s.off())
	case s.Median == 0:
		return "±0%"
	}
	return fmt.Sprintf("±%.0f%%", 100*s.off()/s.Median)
}

// scale is how the values of a row are written: both sides alike, so that they can be compared.
type scale struct {
	divisor  float64
	decimals int
	suffix   string
}

// scales are the ways to write a unit, by the value from which each is used.
var scales = map[string][]scale{
	unitMicros: {{1, 0, "µs"}, {1e3, 0, "ms"}, {1e6, 0, "s"}},
	unitMillis: {{1e-3, 0, "µs"}, {1, 0, "ms"}, {1e3, 0, "s"}},
	unitBytes:  {{1, 0, "B"}, {1 << 10, 0, "KiB"}, {1 << 20, 0, "MiB"}},
	unitPerSec: {{1, 0, "/s"}},
	unitCount:  {{1, 0, ""}},
}

// scaleOf is the scale in which a value has at least one digit and altogether four.
func scaleOf(unit string, v float64) scale {
	all := scales[unit]
	s := all[0]
	for _, larger := range all {
		if v >= larger.divisor {
			s = larger
		}
	}
	if v /= s.divisor; v != math.Trunc(v) || unit == unitMicros || unit == unitMillis {
		for s.decimals = 2; s.decimals > 0 && v >= 100; v /= 10 {
			s.decimals--
		}
	}
	return s
}

func (s scale) format(v float64) string {
	return strconv.FormatFloat(v/s.divisor, 'f', s.decimals, 64) + s.suffix
}
