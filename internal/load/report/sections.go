package report

import (
	"slices"

	"github.com/curfew-go/curfew/internal/load/result"
)

// sections are the parts of the page that have plots, as far as they apply.
func sections(r *result.Result, p *plots) (all []section) {
	if r.Latency.Count+r.Uncorrected.Count > 0 {
		all = append(all, latencySection(r))
	}
	if p.Timeline != nil {
		all = append(all, timelineSection(r, p.Timeline))
	}
	if e := &r.Expiry; e.Expected+e.Observed+e.Early+e.Missing > 0 {
		all = append(all, expirySection(r, p.Lateness))
	}
	if r.Connect.OK+r.Connect.Failed > 0 {
		all = append(all, connectSection(r, p.Connect))
	}
	if len(r.Runs) > 0 {
		all = append(all, runsSection(r.Runs))
	}
	return all
}

func latencySection(r *result.Result) section {
	s := section{
		ID: "latency", Title: "Latency",
		Note: "Latency runs from the moment at which a message was due. The uncorrected figure " +
			"runs from the moment at which it was written: what closed-loop tools show, and " +
			"blind to how long messages had to wait for their turn.",
	}
	if r.Lost+r.Unsent > 0 {
		s.Note += " Messages that were lost or never sent have none, so that it is a lower bound."
	}
	c, u := &r.Latency, &r.Uncorrected
	t := table{Caption: "Latency of answers", Head: []string{"", "from due", "uncorrected"}}
	line := func(name string, of func(float64) string, a, b float64) {
		t.Rows = append(t.Rows, row{Cells: []string{name, of(a), of(b)}})
	}
	line("answers", number, float64(c.Count), float64(u.Count))
	line("p50", micros, c.P50, u.P50)
	line("p90", micros, c.P90, u.P90)
	line("p99", micros, c.P99, u.P99)
	line("p99.9", micros, c.P999, u.P999)
	line("max", micros, c.Max, u.Max)
	s.Tables = append(s.Tables, t)
	if h := &r.Histograms; h.Latency.Count()+h.Uncorrected.Count() > 0 {
		s.Plots = []plotRef{{"percentiles", "Latency by percentile", true}}
		s.Tables = append(s.Tables, percentileTable(h))
	}
	return s
}

// percentileTable holds what the percentile plot shows.
func percentileTable(h *result.Histograms) table {
	t := table{
		Caption: "Percentiles", Folded: true,
		Head: []string{"", "from due", "uncorrected", "harness late"},
	}
	cell := func(h *result.Histogram, q float64) string {
		// Of 100 samples the 99.9th percentile is a guess.
		if n := float64(h.Count()); n == 0 || q < 1 && n*(1-q) < 1-1e-6 {
			return ""
		}
		return micros(float64(h.Quantile(q).Nanoseconds()) / 1e3)
	}
	for _, q := range []float64{
		0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999,
		0.999999, 1,
	} {
		cells := []string{percent(q), cell(&h.Latency, q), cell(&h.Uncorrected, q)}
		if cells[1]+cells[2] != "" {
			t.Rows = append(t.Rows, row{Cells: append(cells, cell(&h.TimingError, q))})
		}
	}
	return t
}

func timelineSection(r *result.Result, t *timeline) section {
	s := section{
		ID: "timeline", Title: "Time-line",
		Note: "Time 0 is when the first message was due; connecting is before it.",
	}
	if slices.ContainsFunc(t.Phases, func(p phase) bool { return p.Name == result.PhaseWarmup }) {
		s.Note += " Messages of the warm-up are not counted."
	}
	if len(r.Runs) > 0 {
		s.Note += " It is that of the last run."
	}
	plot := func(shown bool, name, title string, toggle bool) {
		if shown {
			s.Plots = append(s.Plots, plotRef{name, title, toggle})
		}
	}
	plot(happens(t.Sent) || happens(t.Received), "rate", "Messages a second", false)
	plot(happens(t.Max), "latency", "Latency from due, by interval", true)
	plot(true, "open", "Open connections", false)
	plot(happens(t.Opened) || happens(t.Closed), "turnover",
		"Connections opened and closed a second", false)
	plot(happens(t.Expired), "expired", "Sessions expired a second", false)
	plot(happens(t.Bad), "bad", "Bad messages a second: lost, wrong, twice or out of order", false)
	s.Tables = []table{intervalTable(t)}
	return s
}

// intervalTable holds what the time-line shows, without columns in which nothing happens.
func intervalTable(t *timeline) table {
	columns := []struct {
		name  string
		shown bool
		of    func(v *span) string
	}{
		{"sent", happens(t.Sent), func(v *span) string { return count(v.Sent) }},
		{"received", happens(t.Received), func(v *span) string { return count(v.Received) }},
		{"bad", happens(t.Bad), func(v *span) string { return count(v.Bad) }},
		{"p50", happens(t.Max), func(v *span) string { return micros(v.P50) }},
		{"p99", happens(t.Max), func(v *span) string { return micros(v.P99) }},
		{"max", happens(t.Max), func(v *span) string { return micros(v.Max) }},
		{"open", true, func(v *span) string { return count(v.Open) }},
		{"opened", happens(t.Opened), func(v *span) string { return count(v.Opened) }},
		{"closed", happens(t.Closed), func(v *span) string { return count(v.Closed) }},
		{"expired", happens(t.Expired), func(v *span) string { return count(v.Expired) }},
	}
	all := table{Caption: "Intervals", Folded: true, Head: []string{"from, s", "phase"}}
	for _, c := range columns {
		if c.shown {
			all.Head = append(all.Head, c.name)
		}
	}
	for i := range t.spans {
		v := &t.spans[i]
		line := row{Cells: []string{digits(v.start), v.Phase}, Bad: v.Bad > 0}
		for _, c := range columns {
			if c.shown {
				line.Cells = append(line.Cells, c.of(v))
			}
		}
		all.Rows = append(all.Rows, line)
	}
	return all
}

func expirySection(r *result.Result, b *bins) section {
	e := &r.Expiry
	s := section{
		ID: "expiry", Title: "Expiry",
		Note: "Lateness is from when a session was due to end, counted from just before its last " +
			"sign of life was sent, until its end was seen.",
		Tables: []table{{Caption: "Sessions that had to end", Rows: []row{
			{Cells: []string{"expected", count(e.Expected)}},
			{Cells: []string{"ended", count(e.Observed)}},
			{Cells: []string{"ended early", count(e.Early)}, Bad: e.Early > 0},
			{Cells: []string{"missing", count(e.Missing)}, Bad: e.Missing > 0},
			{Cells: []string{"late, p50", millis(e.P50)}},
			{Cells: []string{"late, p99", millis(e.P99)}},
			{Cells: []string{"late, max", millis(e.Max)}},
		}}},
	}
	return s.with(b, "lateness", "How late sessions ended")
}

func connectSection(r *result.Result, b *bins) section {
	c := &r.Connect
	s := section{
		ID: "connect", Title: "Connecting",
		Note: "From when a connection was due until messages could be sent over it.",
		Tables: []table{{Caption: "Connections", Rows: []row{
			{Cells: []string{"opened", count(c.OK)}},
			{Cells: []string{"failed", count(c.Failed)}, Bad: c.Failed > 0},
			{Cells: []string{"p50", micros(c.P50)}},
			{Cells: []string{"p99", micros(c.P99)}},
			{Cells: []string{"max", micros(c.Max)}},
		}}},
	}
	if c.TCPP99+c.UpgradeP99 > 0 {
		s.Tables[0].Rows = append(s.Tables[0].Rows,
			row{Cells: []string{"p99 of TCP alone", micros(c.TCPP99)}},
			row{Cells: []string{"p99 of the handshakes after it", micros(c.UpgradeP99)}})
	}
	return s.with(b, "connect", "How long connecting took")
}

// with adds a distribution to a section: its plot, and its table.
func (s section) with(b *bins, name, title string) section {
	if b == nil {
		return s
	}
	t := table{
		Caption: "Distribution", Folded: true,
		Head: []string{"from", "to", "how many", "share", "up to here"},
	}
	var sum uint64
	for i, n := range b.Counts {
		sum += n
		if n > 0 {
			t.Rows = append(t.Rows, row{Cells: []string{
				micros(float64(b.Edges[i])), micros(float64(b.Edges[i+1])), count(n),
				share(n, b.Total), share(sum, b.Total),
			}})
		}
	}
	s.Plots = append(s.Plots, plotRef{Name: name, Title: title})
	s.Tables = append(s.Tables, t)
	return s
}

func runsSection(runs []result.Result) section {
	t := table{Caption: "Single runs", Head: []string{
		"run", "answered/s", "p50", "p99", "p99.9", "max", "uncorrected p99", "lost", "wrong",
		"expired", "early", "missing", "late p99", "verdict",
	}}
	for i := range runs {
		r := &runs[i]
		rate := ""
		if r.Seconds > 0 {
			rate = number(float64(r.Received) / r.Seconds)
		}
		verdict := "fine"
		switch {
		case r.ExitCode == result.ExitSchedule:
			verdict = "proves nothing"
		case r.ExitCode != result.ExitFine:
			verdict = "broken"
		case r.Interrupted:
			verdict = "interrupted"
		}
		t.Rows = append(t.Rows, row{Bad: r.ExitCode != result.ExitFine, Cells: []string{
			count(uint64(i + 1)), rate, micros(r.Latency.P50), micros(r.Latency.P99),
			micros(r.Latency.P999), micros(r.Latency.Max), micros(r.Uncorrected.P99),
			count(r.Lost), count(r.Wrong), count(r.Expiry.Observed), count(r.Expiry.Early),
			count(r.Expiry.Missing), millis(r.Expiry.P99), verdict,
		}})
	}
	return section{
		ID: "runs", Title: "Runs",
		Note: "Each run by itself. How far they differ is what a comparison with another server " +
			"has to exceed: curfew load diff says whether it does.",
		Tables: []table{t},
	}
}
