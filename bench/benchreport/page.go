package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	resultsDir = "bench/results"
	page       = "docs/benchmarks.md"
	plotsDir   = "docs/benchmarks"
	guide      = "docs/profiling.md"
)

// report is what a page is made of.
type report struct {
	files  []*file // in the order of the page
	tables map[*file][]*table
	plots  map[string][]byte // SVG, by file name
	out    strings.Builder
}

// makeAll makes the page, its plots and the guide's line, each by its name below root.
func makeAll(root string, names []string) (map[string][]byte, error) {
	r, err := newReport(filepath.Join(root, resultsDir), names)
	if err != nil {
		return nil, err
	}
	if err := r.write(names); err != nil {
		return nil, err
	}
	made := map[string][]byte{page: []byte(r.out.String())}
	for name, svg := range r.plots {
		made[plotsDir+"/"+name] = svg
	}
	old, err := os.ReadFile(filepath.Join(root, guide))
	if err != nil {
		return nil, err
	}
	made[guide], err = fillGuide(old, r.pgoSentence())
	return made, err
}

func newReport(dir string, names []string) (*report, error) {
	r := &report{tables: map[*file][]*table{}, plots: map[string][]byte{}}
	seen := map[string]bool{}
	for _, name := range names {
		base := filepath.Base(name)
		if seen[base] {
			return nil, fmt.Errorf("%s is named twice", base)
		}
		seen[base] = true
		f, err := readFile(dir, base)
		if err != nil {
			return nil, err
		}
		r.files = append(r.files, f)
		r.tables[f] = f.tables()
	}
	slices.SortFunc(r.files, func(a, b *file) int { return strings.Compare(a.base, b.base) })
	inOrder(r.files)
	return r, nil
}

// write writes what was made, and removes plots that are no more.
func write(root string, made map[string][]byte) error {
	old, err := filepath.Glob(filepath.Join(root, plotsDir, "*.svg"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if made[plotsDir+"/"+filepath.Base(name)] == nil {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	err = os.MkdirAll(filepath.Join(root, plotsDir), 0o755)
	for name, body := range made {
		err = errors.Join(err, os.WriteFile(filepath.Join(root, name), body, 0o644))
	}
	return err
}

// madeFrom is the line of the page that names its files, for the test that makes it again.
var madeFrom = regexp.MustCompile(`(?m)^<!-- made from: (.*) -->$`)

// namedFiles are the files that a page was made from.
func namedFiles(body []byte) []string {
	m := madeFrom.FindSubmatch(body)
	if m == nil {
		return nil
	}
	return strings.Fields(string(m[1]))
}

const intro = "Made by `make bench-report` from raw files in " +
	`[bench/results](../bench/results); do not
edit it. [bench/README.md](../bench/README.md) says how each figure is taken and who the peers are;
[profiling.md](profiling.md) says how to find out why a figure is what it is.

A figure is the median of its samples, with the least and the most behind it where they differ, and
*n* is their number. Compare ratios within one file: machines, their neighbours and days differ.

`

// write writes the page into r.out.
func (r *report) write(names []string) error {
	var bases []string
	for _, name := range names {
		bases = append(bases, filepath.Base(name))
	}
	slices.Sort(bases)
	r.printf("# Benchmarks\n\n<!-- made from: %s -->\n\n%s", strings.Join(bases, " "), intro)
	r.claims()
	r.losses()
	for _, f := range r.files {
		if err := r.section(f); err != nil {
			return fmt.Errorf("%s: %w", f.base, err)
		}
	}
	return nil
}

func (r *report) printf(format string, args ...any) { fmt.Fprintf(&r.out, format, args...) }

// claims writes what was asked for and what came of it.
func (r *report) claims() {
	r.printf("## What was asked for\n\n" +
		"| question | asked | of | answer | n | file |\n|---|---|---|---|---|---|\n")
	for _, g := range goals() {
		found := false
		for _, f := range r.files {
			all := g.answers(f, r.tables[f])
			if len(all) == 0 {
				continue
			}
			var texts []string
			least := all[0].n
			for _, a := range all {
				texts = append(texts, r.answer(g, a, len(all) > 1))
				least = min(least, a.n)
			}
			goal := fmt.Sprintf("%s | %s | %s", g.question, g.asked(), g.source)
			if found {
				goal = " | | " // as above
			}
			found = true
			r.printf("| %s | %s | %d | %s |\n", goal, strings.Join(texts, "; "), least, link(f))
		}
		if !found {
			r.printf("| %s | %s | %s | not measured in these files | | |\n",
				g.question, g.asked(), g.source)
		}
	}
	for _, p := range proofs {
		r.printf("| %s | %s | %s | a test holds it | | `%s` |\n",
			p.question, p.asked, p.source, p.command)
	}
	r.printf("\n")
}

// answer is one answer in words, with where it was measured where there are several.
func (r *report) answer(g goal, a answer, several bool) string {
	text := short(a.value) + g.suffix
	if !a.met {
		text = "**missed: " + text + "**"
	}
	if several {
		text = r.whereabouts(g, a) + ": " + text
	}
	return text
}

// whereabouts says what tells an answer from the others of its goal.
func (r *report) whereabouts(g goal, a answer) string {
	var parts []string
	if g.of.subject == "curfewd" {
		parts = append(parts, a.row.subject)
	}
	for _, t := range r.tables[a.file] {
		if t.name != g.table {
			continue
		}
		_, keys := t.varying()
		for _, key := range keys {
			if valueOf(g.of.where, key) == "" {
				parts = append(parts, key+"="+valueOf(a.row.where, key))
			}
		}
	}
	return strings.Join(parts, " ")
}

func link(f *file) string {
	return "[" + f.base + "](../" + resultsDir + "/" + f.base + ")"
}

// section writes a file: its head, its plots and its tables. One of several of its set has its
// date in its title, and its plots have it in their names.
func (r *report) section(f *file) error {
	s, suffix := sectionOf(f), ""
	if slices.ContainsFunc(r.files, func(o *file) bool { return o != f && o.set == f.set }) {
		date, _, run, _ := splitBase(f.base)
		s.title += ", " + date
		suffix = "-" + date
		if run > 1 {
			s.title += fmt.Sprintf(", run %d", run)
			suffix += fmt.Sprintf("-%d", run)
		}
	}
	r.printf("## %s\n\n", s.title)
	question := f.head["question"]
	r.printf("%s%s?\n\n", strings.ToUpper(question[:1]), strings.TrimRight(question[1:], "?"))
	r.printf("- command: `%s`\n- file: %s, of commit %s\n- machine: %s\n",
		f.head["command"], link(f), f.head["commit"], f.head["machine"])
	if pinned := f.head["pinned"]; pinned != "" {
		r.printf("- pinned: %s\n", pinned)
	}
	if s.note != "" {
		r.printf("\n%s\n", s.note)
	}
	r.printf("\n")
	for _, failure := range f.failures {
		r.printf("**Failed:** %s\n\n", failure)
	}
	for _, p := range s.plots {
		svg, alt, err := p.draw(r.tables[f])
		if err != nil {
			return fmt.Errorf("plot %s: %w", p.name, err)
		}
		if svg != nil {
			r.plots[p.name+suffix+".svg"] = svg
			r.printf("![%s](benchmarks/%s.svg)\n\n", alt, p.name+suffix)
		}
	}
	shown := 0
	for _, t := range r.tables[f] {
		if !slices.Contains(s.hide, t.name) {
			r.table(t, s.base)
			shown++
		}
	}
	if shown == 0 {
		r.excerpt(f)
	}
	return nil
}

// excerptLinesMax is how much of a file without figures is shown.
const excerptLinesMax = 25

// excerpt shows a file that no figure was found in.
func (r *report) excerpt(f *file) {
	lines := f.body
	cut := len(lines) > excerptLinesMax
	if cut {
		lines = lines[len(lines)-excerptLinesMax:]
	}
	r.printf("```\n")
	if cut {
		r.printf("...\n")
	}
	for _, line := range lines {
		r.printf("%s\n", strings.ReplaceAll(strings.TrimRight(line, " \t"), "\t", " "))
	}
	r.printf("```\n\n")
}

// table writes a table: a row for each subject at each place, a column for each figure, and beside
// the first one how it compares with the base's.
func (r *report) table(t *table, base string) {
	same, keys := t.varying()
	caption := title(t.name)
	if caption == t.name {
		caption = "`" + t.name + "`"
	}
	if len(same) > 0 {
		caption += "; " + place(same)
	}
	r.printf("%s\n\n", caption)
	units := t.shown()
	against := slices.ContainsFunc(t.rows, func(row *row) bool { return row.subject == base }) &&
		wayOf(units[0]) != neither
	columns := append(slices.Clone(keys), "", "n")
	for _, unit := range units {
		columns = append(columns, title(unit))
		if unit == units[0] && against {
			columns = append(columns, "of "+base)
		}
	}
	if t.name == units[0] {
		columns[len(keys)+2] = "median (least to most)"
	}
	r.printf("| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, row := range t.rows {
		var fields []string
		for _, key := range keys {
			fields = append(fields, valueOf(row.where, key))
		}
		fields = append(fields, row.subject, row.count())
		for _, unit := range units {
			fields = append(fields, row.text(unit))
			if unit == units[0] && against {
				fields = append(fields, row.ratio(t.beside(row, base), unit))
			}
		}
		r.printf("| %s |\n", strings.Join(fields, " | "))
	}
	r.printf("\n")
}

// shown are the figures that a table has columns for: all of a benchmark and of a line that is not
// known, and of a known line the first and its extras.
func (t *table) shown() []string {
	if _, known := measures[t.name]; !known {
		return t.units
	}
	var units []string
	for _, unit := range append([]string{t.name}, extras[t.name]...) {
		if slices.Contains(t.units, unit) {
			units = append(units, unit)
		}
	}
	return units
}

func (r *row) count() string {
	most := 0
	for _, c := range r.cells {
		most = max(most, len(c.values))
	}
	return fmt.Sprint(most)
}

func (r *row) text(unit string) string {
	if c := r.cells[unit]; c != nil {
		return c.String()
	}
	return ""
}

// ratio is a row's figure as a multiple of the base's, "" where there is none.
func (r *row) ratio(base *row, unit string) string {
	if base == nil || r.cells[unit] == nil || base.cells[unit] == nil {
		return ""
	}
	by := base.cells[unit].median()
	if by == 0 {
		return ""
	}
	return fmt.Sprintf("%.2fx", r.cells[unit].median()/by)
}

var guideMark = []byte("<!-- bench-report: pgo -->\n")

// fillGuide puts a sentence between the two marks of the guide.
func fillGuide(old []byte, sentence string) ([]byte, error) {
	parts := bytes.Split(old, guideMark)
	if len(parts) != 3 {
		return nil, fmt.Errorf("%s has %d of the 2 lines %q", guide, len(parts)-1, guideMark)
	}
	return bytes.Join([][]byte{parts[0], []byte(sentence + "\n"), parts[2]}, guideMark), nil
}
