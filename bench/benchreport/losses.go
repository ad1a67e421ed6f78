package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// losses writes where we are worse than asked for, and worse than others.
func (r *report) losses() {
	r.printf("## Where Curfew loses\n\n" +
		"Computed from the files, and all of it: whatever misses its goal, and whatever a peer " +
		"does better in the median.\n\n")
	losing := r.missed()
	for _, f := range r.beaten() {
		losing[f] = true
	}
	r.reasons(losing)
}

// reasons writes why, for the sets in which we lose.
func (r *report) reasons(losing map[*file]bool) {
	r.printf("### Why, as far as it is known\n\n")
	for _, why := range reasons {
		for _, f := range r.files {
			if losing[f] && (f.set == why.set || strings.HasPrefix(f.set, why.set+"-")) {
				r.printf("- **%s**: %s\n", sectionOf(f).title, why.text)
				break
			}
		}
	}
	r.printf("\n")
}

// missed writes the goals that were not reached, and returns the files that say so.
func (r *report) missed() map[*file]bool {
	r.printf("### Goals missed\n\n")
	var lines []string
	losing := map[*file]bool{}
	for _, g := range goals() {
		for _, f := range r.files {
			for _, a := range g.answers(f, r.tables[f]) {
				if a.met {
					continue
				}
				losing[f] = true
				at := place(a.row.where)
				if g.of.subject == "curfewd" {
					at = a.row.subject + " " + at
				}
				lines = append(lines, fmt.Sprintf("| %s | %s | %s%s | %s | %s | %s |\n",
					g.question, g.asked(), short(a.value), g.suffix, a.distance(g),
					at, link(f)))
			}
		}
	}
	if len(lines) == 0 {
		r.printf("None.\n\n")
		return losing
	}
	r.printf("| question | asked | answer | off by | at | file |\n|---|---|---|---|---|---|\n%s\n",
		strings.Join(lines, ""))
	return losing
}

// distance is how far an answer is from its goal.
func (a answer) distance(g goal) string {
	if g.bound == 0 {
		return ""
	}
	off := 100 * (a.value - g.bound) / g.bound
	if off = max(off, -off); off < 1 {
		return "less than 1 %"
	}
	return fmt.Sprintf("%.0f %%", off)
}

// lead is a peer that does better at one place.
type lead struct {
	subject string
	theirs  *cell
	ratio   float64 // of theirs to ours
	overlap bool
	tested  bool // there are samples enough for p
	p       float64
}

// beaten writes each of our figures that a peer's is better than, and returns their files.
func (r *report) beaten() []*file {
	r.printf("### Figures that a peer's is better than\n\n" +
		"Each peer stands with its figure and what that is of ours. In *italics* stand those " +
		"whose samples lie within the range of ours, so that the order may be noise; *p* is the " +
		"least of the U tests, and three samples a side cannot bring it below 0.1.\n\n")
	var lines []string
	var losing []*file
	for _, f := range r.files {
		for _, t := range r.tables[f] {
			if slices.Contains(sectionOf(f).hide, t.name) {
				continue
			}
			for _, row := range t.rows {
				if kinds[row.subject] != ours {
					continue
				}
				for _, unit := range t.shown() {
					if all := t.leads(row, unit); len(all) > 0 {
						losing = append(losing, f)
						lines = append(lines, beatenLine(f, t, row, unit, all))
					}
				}
			}
		}
	}
	if len(lines) == 0 {
		r.printf("None.\n\n")
		return nil
	}
	r.printf("| figure | at | ours | better | p | file |\n|---|---|---|---|---|---|\n%s\n",
		strings.Join(lines, ""))
	return losing
}

func beatenLine(f *file, t *table, row *row, unit string, all []lead) string {
	var texts []string
	p, tested := 1.0, ""
	for _, l := range all {
		text := l.subject + " " + l.theirs.String()
		if l.ratio > 0 {
			text += fmt.Sprintf(", %.2fx", l.ratio)
		}
		if l.overlap {
			text = "*" + text + "*"
		}
		texts = append(texts, text)
		if l.tested {
			p = min(p, l.p)
			tested = fmt.Sprintf("%.2f", p)
		}
	}
	figure := title(unit)
	if unit != t.name {
		figure = t.name + ": " + figure
	}
	if measures[t.name] != (measure{}) && unit != t.name {
		figure = title(t.name) + ": " + title(unit)
	}
	return fmt.Sprintf("| %s | %s | %s %s | %s | %s | %s |\n", figure, place(row.where),
		row.subject, row.cells[unit].String(), strings.Join(texts, "; "), tested, link(f))
}

// leads are the peers whose figure is better at the same place, the best first. Who ends sessions
// early is not better at ending them soon.
func (t *table) leads(row *row, unit string) []lead {
	c := row.cells[unit]
	if c == nil || wayOf(unit) == neither {
		return nil
	}
	var all []lead
	for _, other := range t.rows {
		d := other.cells[unit]
		if kinds[other.subject] != peer || d == nil || !slices.Equal(other.where, row.where) ||
			strings.HasPrefix(unit, "late-") && other.early() {
			continue
		}
		theirs, mine := d.median(), c.median()
		if wayOf(unit) == less && theirs >= mine || wayOf(unit) == more && theirs <= mine {
			continue
		}
		l := lead{subject: other.subject, theirs: d, overlap: c.overlap(d)}
		if mine != 0 {
			l.ratio = theirs / mine
		}
		if len(c.values) > 1 && len(d.values) > 1 {
			l.tested = true
			l.p = benchmath.AssumeNothing.Compare(c.sample(), d.sample()).P
		}
		all = append(all, l)
	}
	slices.SortStableFunc(all, func(a, b lead) int { return cmp.Compare(a.ratio, b.ratio) })
	return all
}

// early says whether a subject ended sessions before their time.
func (r *row) early() bool {
	c := r.cells["early"]
	return c != nil && c.max() > 0
}
