package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// titles say what a figure is.
var titles = map[string]string{
	"bytes_conn":       "user memory, bytes a connection (growth from none)",
	"bytes_conn_slope": "user memory, bytes a connection (slope over the last two thirds)",
	"cpu_us_accept":    "accept and upgrade, server CPU us a connection",
	"cpu_us_msg":       "echo, server CPU us a message",
	"cpu_of_raw":       "the same, as a multiple of raw's beside it",
	"cpu_of_plain":     "the same, as a multiple of the plain build's beside it",
	"idle_cpu_percent": "idle, percent of a core",

	"resume_ms":          "connections dropped at once, ms to the last hello_ack",
	"replay_ms":          "the same, ms to the last frame replayed",
	"hello_p99_ms":       "the same, p99 of ms from a hello to its answer",
	"late_p99_ms":        "expiry together, p99 of ms late from the touch's sending",
	"late_answer_p99_ms": "the same, from the touch's answer",
	"backend_p99_ms":     "message to an application over HTTP, p99 in ms from due",
	"backend_cpu_us_msg": "the same, daemon CPU us a message",
}

// results are the figures of all rounds.
type results struct {
	baseline string   // the server that the tables compare the others with
	figures  []figure // one for each table, in the order of the first round
}

// figure is one table: what each server was measured to.
type figure struct {
	name    string // such as "cpu_us_msg conns=100 size=32"
	servers []string
	values  map[string][]float64
}

func (r *results) add(name, server string, value float64) {
	i := slices.IndexFunc(r.figures, func(f figure) bool { return f.name == name })
	if i < 0 {
		i = len(r.figures)
		r.figures = append(r.figures, figure{name: name, values: map[string][]float64{}})
	}
	f := &r.figures[i]
	if !slices.Contains(f.servers, server) {
		f.servers = append(f.servers, server)
	}
	f.values[server] = append(f.values[server], value)
}

// print writes the tables.
func (r *results) print(w io.Writer) error {
	for _, f := range r.figures {
		if _, err := io.WriteString(w, f.table(r.baseline)); err != nil {
			return err
		}
	}
	return nil
}

// table is medians with the least and the most, beside the median of the baseline.
func (f figure) table(baseline string) string {
	var b strings.Builder
	what, where, _ := strings.Cut(f.name, " ")
	fmt.Fprintf(&b, "\n%s; %s\n", titles[what], where)
	fmt.Fprintf(&b, "  %-18s %10s %10s %10s %4s  %s\n",
		"server", "median", "min", "max", "n", "of "+baseline)
	base := median(f.values[baseline])
	for _, server := range f.servers {
		v := f.values[server]
		ratio := "-"
		if base > 0 {
			ratio = fmt.Sprintf("%.2f", median(v)/base)
		}
		fmt.Fprintf(&b, "  %-18s %10.2f %10.2f %10.2f %4d  %s\n",
			server, median(v), slices.Min(v), slices.Max(v), len(v), ratio)
	}
	return b.String()
}

// median is 0 of nothing.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
