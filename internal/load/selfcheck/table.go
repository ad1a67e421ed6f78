package selfcheck

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Expected is what a case must find, in words.
func (c *Case) Expected() string {
	parts := []string{fmt.Sprintf("exit %d", c.Exit)}
	for _, path := range slices.Sorted(maps.Keys(c.Counts)) {
		switch n := c.Counts[path]; {
		case n.Struck == 1 && n.Least == 0:
			parts = append(parts, path+" as often as it struck")
		case n.Least > 0 || n.Struck > 0:
			least, most := n.bounds(1)
			parts = append(parts, path+" "+span(least, most))
		}
	}
	if c.Stall {
		parts = append(parts, "latencies as the model has them")
	}
	for _, t := range c.Times {
		parts = append(parts, t.Path+" as it must be")
	}
	return strings.Join(parts, ", ")
}

// verdict is a row's last column.
func (r *Row) verdict() string {
	switch {
	case !r.OK():
		return "MISSED"
	case r.Busy:
		return "ok, on a busy machine"
	case r.Again:
		return "ok, when run again"
	}
	return "ok"
}

// WriteTable writes a line for each row, and below it what is wrong, if anything is.
func WriteTable(to io.Writer, rows []Row) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	// What fails is told by Flush.
	_, _ = fmt.Fprintln(w, "fault\texpected\tfound\t")
	for i := range rows {
		r := &rows[i]
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Case.Name, r.Case.Expected(),
			strings.Join(r.Found, ", "), r.verdict())
		for _, wrong := range r.Wrong {
			_, _ = fmt.Fprintf(w, "\t  %s\t\t\n", strings.ReplaceAll(wrong, "\n", " "))
		}
	}
	return w.Flush()
}

// WriteRaw writes a row for a file of raw results: a line for the case, one for each time that was
// compared, and one for each thing that is wrong.
func WriteRaw(to io.Writer, r *Row) error {
	head := fmt.Sprintf("server=%s protocol=%s profile=%s", name(r.Case.Server.Fault),
		r.Case.protocol(), r.Case.Profile)
	_, err := fmt.Fprintf(to, "%s case=%q expected=%q found=%q took=%v verdict=%q\n", head,
		r.Case.Name, r.Case.Expected(), strings.Join(r.Found, ", "),
		r.Took.Round(time.Millisecond), r.verdict())
	for _, line := range r.Lines {
		if err == nil {
			_, err = fmt.Fprintf(to, "%s %s\n", head, line)
		}
	}
	for _, wrong := range r.Wrong {
		if err == nil {
			_, err = fmt.Fprintf(to, "%s missed=%q\n", head, wrong)
		}
	}
	return err
}

// name is a fault's name.
func name[F ~string](f F) string {
	if f == "" {
		return "none"
	}
	return string(f)
}
