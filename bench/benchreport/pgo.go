package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// pgoSet is the set of files that bench/run.sh pgo makes.
const pgoSet = "pgo"

// pgoSentence says what a build guided by a profile saves, for the guide.
func (r *report) pgoSentence() string {
	for _, f := range slices.Backward(r.files) {
		if f.set != pgoSet {
			continue
		}
		if sentence := pgoOf(f, r.tables[f]); sentence != "" {
			return sentence
		}
	}
	return "It is not measured yet: no file of the set `pgo` is in `bench/results`."
}

// pgoOf is the sentence about one file, "" where it has no such figures.
func pgoOf(f *file, tables []*table) string {
	var all []*row
	for _, t := range tables {
		for _, row := range t.rows {
			if t.name == "cpu_of_plain" && row.subject == "pgo" && row.cells[t.name] != nil {
				all = append(all, row)
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	of := func(r *row) float64 { return r.cells["cpu_of_plain"].median() }
	slices.SortStableFunc(all, func(a, b *row) int { return cmp.Compare(of(a), of(b)) })
	best, worst := all[0], all[len(all)-1]
	below, above := 0, 0
	for _, row := range all {
		c := row.cells["cpu_of_plain"]
		if c.max() < 1 {
			below++
		}
		if c.min() > 1 {
			above++
		}
	}
	return fmt.Sprintf("An echo cost a build guided by a profile %.2f times the processor time "+
		"of the plain one at best\n(%s), and %.2f times at worst (%s), medians\nof %d rounds "+
		"each; it cost less in every round at %d of %d places, and more in every round\nat %d "+
		"(`%s/%s`, %s).",
		of(best), place(best.where), of(worst), place(worst.where),
		len(best.cells["cpu_of_plain"].values), below, len(all), above,
		resultsDir, f.base, strings.TrimSpace(f.head["machine"]))
}
