package main

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchmath"
)

// table is all that was measured under one name.
type table struct {
	name  string
	units []string // in the order of the lines
	rows  []*row
}

// row is one subject at one place.
type row struct {
	subject string
	where   []dim
	cells   map[string]*cell // by unit
}

// cell is the samples of one figure.
type cell struct{ values []float64 }

// tables groups the samples of a file. Tables stand in the order of the file, and so do rows, but
// that those of one place stand together.
func (f *file) tables() []*table {
	var all []*table
	for _, s := range f.samples {
		i := slices.IndexFunc(all, func(t *table) bool { return t.name == s.table })
		if i < 0 {
			i = len(all)
			all = append(all, &table{name: s.table})
		}
		all[i].add(s)
	}
	for _, t := range all {
		t.gather()
	}
	return all
}

func (t *table) add(s sample) {
	i := slices.IndexFunc(t.rows, func(r *row) bool {
		return r.subject == s.subject && slices.Equal(r.where, s.where)
	})
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, &row{s.subject, s.where, map[string]*cell{}})
	}
	for _, v := range s.values {
		if !slices.Contains(t.units, v.unit) {
			t.units = append(t.units, v.unit)
		}
		c := t.rows[i].cells[v.unit]
		if c == nil {
			c = &cell{}
			t.rows[i].cells[v.unit] = c
		}
		c.values = append(c.values, v.v)
	}
}

// gather brings the rows of each place together, places in the order of their first row.
func (t *table) gather() {
	var order []string
	for _, r := range t.rows {
		if !slices.Contains(order, place(r.where)) {
			order = append(order, place(r.where))
		}
	}
	slices.SortStableFunc(t.rows, func(a, b *row) int {
		return slices.Index(order, place(a.where)) - slices.Index(order, place(b.where))
	})
}

// place is where a row was measured, in one string.
func place(where []dim) string {
	var parts []string
	for _, d := range where {
		parts = append(parts, d.key+"="+d.value)
	}
	return strings.Join(parts, " ")
}

// beside is the row of another subject at the same place, nil where there is none.
func (t *table) beside(r *row, subject string) *row {
	for _, other := range t.rows {
		if other.subject == subject && slices.Equal(other.where, r.where) {
			return other
		}
	}
	return nil
}

// varying splits the keys of a table's places: those whose value is one, and those that vary.
func (t *table) varying() (same []dim, keys []string) {
	seen := map[string]map[string]bool{}
	var order []string
	for _, r := range t.rows {
		for _, d := range r.where {
			if seen[d.key] == nil {
				seen[d.key] = map[string]bool{}
				order = append(order, d.key)
			}
		}
	}
	for _, r := range t.rows {
		for _, key := range order {
			seen[key][valueOf(r.where, key)] = true
		}
	}
	for _, key := range order {
		if len(seen[key]) == 1 {
			same = append(same, dim{key, valueOf(t.rows[0].where, key)})
		} else {
			keys = append(keys, key)
		}
	}
	return same, keys
}

func (c *cell) sample() *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(c.values), &benchmath.DefaultThresholds)
}

// median is that of benchstat.
func (c *cell) median() float64 {
	return benchmath.AssumeNothing.Summary(c.sample(), 0.95).Center
}

func (c *cell) min() float64 { return slices.Min(c.values) }
func (c *cell) max() float64 { return slices.Max(c.values) }

// String is the median, and the least and the most where they differ from it.
func (c *cell) String() string {
	m, lo, hi := short(c.median()), short(c.min()), short(c.max())
	if lo == hi {
		return m
	}
	return m + " (" + lo + " to " + hi + ")"
}

// overlap says whether the samples of two cells lie in each other's range.
func (c *cell) overlap(d *cell) bool { return c.min() <= d.max() && d.min() <= c.max() }

// short is a number in four digits, and with a comma between thousands.
func short(v float64) string {
	text := strconv.FormatFloat(v, 'g', 4, 64)
	if strings.Contains(text, "e+") || v >= 1000 || v <= -1000 {
		text = strconv.FormatFloat(v, 'f', 0, 64)
	}
	digits, fraction, _ := strings.Cut(text, ".")
	if strings.Contains(text, "e") {
		return text
	}
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if fraction != "" {
		digits += "." + fraction
	}
	return sign + digits
}
