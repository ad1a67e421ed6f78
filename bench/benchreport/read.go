package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// heads are the head lines that every raw file has.
var heads = []string{"commit", "machine", "question", "command"}

// file is a raw file.
type file struct {
	base string            // its name without the directory
	set  string            // its name without date, run of the day and ending
	head map[string]string // its head lines, and pinned where it has one
	body []string          // all other lines

	samples  []sample
	failures []string // what netbench said of servers that failed
}

// sample is one line: what one subject was measured to in one go.
type sample struct {
	table   string // the benchmark's name, or the line's first figure
	subject string // the implementation or the server
	where   []dim  // what it was measured at
	values  []value
}

// dim is one setting of a measurement, such as conns=100.
type dim struct{ key, value string }

// value is one figure. Its unit is its name where the line says no more.
type value struct {
	unit string
	v    float64
}

// valueOf returns the value of a dim, "" where there is none of that key.
func valueOf(where []dim, key string) string {
	for _, d := range where {
		if d.key == key {
			return d.value
		}
	}
	return ""
}

var (
	baseName = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)-([a-z0-9-]+?)(?:-(\d+))?\.txt$`)
	headLine = regexp.MustCompile(`^([a-z]+): (.*)$`)
)

// splitBase splits the name of a raw file: the date, the set, and which run of that day it is.
func splitBase(base string) (date, set string, run int, ok bool) {
	m := baseName.FindStringSubmatch(base)
	if m == nil {
		return "", "", 0, false
	}
	run = 1
	if m[3] != "" {
		run, _ = strconv.Atoi(m[3]) // digits; a name too long for an int sorts first
	}
	return m[1], m[2], run, true
}

// verdicts are the sets whose lines say what was right and what was not, and hold no figures.
var verdicts = map[string]bool{"conform": true, "load-selfcheck": true}

// readFile reads a raw file of the directory.
func readFile(dir, base string) (*file, error) {
	raw, err := os.ReadFile(filepath.Join(dir, base))
	if err != nil {
		return nil, err
	}
	f, err := parseFile(base, raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", base, err)
	}
	return f, nil
}

func parseFile(base string, raw []byte) (*file, error) {
	_, set, _, ok := splitBase(base)
	if !ok {
		return nil, fmt.Errorf("a raw file is named YYYY-MM-DD-SET.txt, perhaps with -RUN")
	}
	f := &file{base: base, set: set, head: map[string]string{}}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		if m := headLine.FindStringSubmatch(line); m != nil && f.head[m[1]] == "" &&
			(slices.Contains(heads, m[1]) || m[1] == "pinned") {
			f.head[m[1]] = m[2]
			continue
		}
		f.body = append(f.body, line)
		if verdicts[set] {
			continue
		}
		if err := f.line(line); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	for _, h := range heads {
		if f.head[h] == "" {
			return nil, fmt.Errorf("no head line %s", h)
		}
	}
	return f, f.benchmarks(raw)
}

// line reads one line of netbench, or of the engine's soak, and passes over all else.
func (f *file) line(line string) error {
	switch {
	case strings.HasPrefix(line, "# failed: "):
		f.failures = append(f.failures, strings.TrimPrefix(line, "# failed: "))
	case strings.HasPrefix(line, "server="):
		s, err := netLine(line)
		f.samples = append(f.samples, s)
		return err
	default:
		if m := soakLine.FindStringSubmatch(line); m != nil {
			s := sample{table: "soak", subject: "curfew"}
			for i, unit := range []string{"ends", "touches", "early", "late", "lost"} {
				v, err := strconv.ParseFloat(m[i+1], 64)
				if err != nil {
					return err
				}
				s.values = append(s.values, value{unit, v})
			}
			f.samples = append(f.samples, s)
		}
	}
	return nil
}

var soakLine = regexp.MustCompile(
	`(\d+) ends and (\d+) touches checked in \S+: (\d+) early, (\d+) late, (\d+) lost`)

// netLine reads `server=NAME KEY=VALUE... round=R FIGURE=VALUE MORE=VALUE...`. What stands before
// the round says what the figures were taken at. A line without a round is one of a soak, which
// has a time at most.
func netLine(line string) (sample, error) {
	fields := strings.Fields(line)
	s := sample{subject: strings.TrimPrefix(fields[0], "server=")}
	hasRound := slices.ContainsFunc(fields, func(f string) bool {
		return strings.HasPrefix(f, "round=")
	})
	figures := !hasRound
	for _, field := range fields[1:] {
		key, text, ok := strings.Cut(field, "=")
		switch {
		case !ok || text == "":
			return s, fmt.Errorf("%q is not KEY=VALUE", field)
		case key == "round" && hasRound:
			figures = true
		case !figures || key == "seconds" && !hasRound:
			s.where = append(s.where, dim{key, text})
		case key == "ledger":
			s.table = key
			return s, s.ledger(text)
		default:
			v, err := strconv.ParseFloat(text, 64)
			if err != nil && s.table == "" {
				return s, fmt.Errorf("%s is no number", key)
			}
			if err != nil {
				continue // such as anon_kib=1,2,3 behind its figure
			}
			if s.table == "" {
				s.table = key
			}
			s.values = append(s.values, value{key, v})
		}
	}
	if len(s.values) == 0 {
		return s, fmt.Errorf("no figure in it")
	}
	return s, nil
}

// ledger reads the counts of a report in JSON, and passes over what is nested in it.
func (s *sample) ledger(text string) error {
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if v, ok := all[key].(float64); ok {
			s.values = append(s.values, value{key, v})
		}
	}
	return nil
}

// benchmarks reads the output of go test -bench.
func (f *file) benchmarks(raw []byte) error {
	r := benchfmt.NewReader(bytes.NewReader(raw), f.base)
	for r.Scan() {
		switch record := r.Result().(type) {
		case *benchfmt.SyntaxError:
			return record
		case *benchfmt.Result:
			f.samples = append(f.samples, benchmark(record))
		}
	}
	return r.Err()
}

// benchmark takes the implementation out of a benchmark's name, and its other settings, and the
// collector's from the lines around it.
func benchmark(r *benchfmt.Result) sample {
	base, parts := r.Name.Parts()
	s := sample{table: string(base)}
	if gc := r.GetConfig("gc"); gc != "" {
		s.where = append(s.where, dim{"gc", gc})
	}
	processors := "1" // go test says nothing then
	for _, part := range parts {
		key, text, ok := strings.Cut(strings.TrimPrefix(string(part), "/"), "=")
		switch {
		case ok && key == "impl":
			s.subject = text
		case ok:
			s.where = append(s.where, dim{key, text})
		case key[0] == '-':
			processors = key[1:]
		default:
			s.where = append(s.where, dim{"name", key})
		}
	}
	if s.subject == "" {
		s.subject = "curfew"
	}
	s.where = append(s.where, dim{"processors", processors})
	for _, v := range r.Values {
		if v.OrigUnit != "" {
			v.Unit, v.Value = v.OrigUnit, v.OrigValue
		}
		s.values = append(s.values, value{v.Unit, v.Value})
	}
	return s
}
