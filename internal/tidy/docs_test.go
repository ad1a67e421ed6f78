package tidy

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

const (
	decisionsDir     = "docs/decisions"
	decisionLinesMax = 60
	resultsDir       = "bench/results"
)

var (
	decisionName = regexp.MustCompile(`^(\d{4})-[a-z0-9]+(-[a-z0-9]+)+\.md$`)
	decisionLink = regexp.MustCompile(`\((\d{4}[^)]*\.md)\)`)
	resultName   = regexp.MustCompile(`^\d{4}-\d\d-\d\d-[a-z0-9-]+\.txt$`)
)

// decisionParts are the lines that each decision record has, by how they begin.
var decisionParts = []string{
	"# ", "Status: ", "Date: ",
	"## Context", "## Decision", "## Alternatives", "## Consequences", "## Evidence",
}

var decisionsRule = rule{
	name:  "decisions",
	check: checkDecisions,
	proofs: []proof{
		{name: "in order", files: map[string]string{
			"docs/decisions/README.md":       "[a](0001-do-this.md) [b](0002-do-that.md)",
			"docs/decisions/0001-do-this.md": sampleDecision,
			"docs/decisions/0002-do-that.md": sampleDecision,
		}},
		{name: "not in the index, and the index wrong", files: map[string]string{
			"docs/decisions/README.md":       "[b](0002-do-that.md)",
			"docs/decisions/0001-do-this.md": sampleDecision,
		}, want: []string{"0001-do-this.md: not in the index", "lists 0002-do-that.md"}},
		{name: "a gap", files: map[string]string{
			"docs/decisions/README.md":       "[a](0001-do-this.md) [b](0003-do-that.md)",
			"docs/decisions/0001-do-this.md": sampleDecision,
			"docs/decisions/0003-do-that.md": sampleDecision,
		}, want: []string{"number 0003, want 0002"}},
		{name: "a number twice", files: map[string]string{
			"docs/decisions/README.md":       "[a](0001-do-this.md) [b](0001-do-that.md)",
			"docs/decisions/0001-do-this.md": sampleDecision,
			"docs/decisions/0001-do-that.md": sampleDecision,
		}, want: []string{"0001-do-this.md: number 0001, want 0002"}},
		{name: "badly named, too long, parts missing", files: map[string]string{
			"docs/decisions/README.md": "[a](0001-do-this.md) [n](notes.md)",
			"docs/decisions/0001-do-this.md": strings.Repeat("\n", 60) +
				strings.Replace(sampleDecision, "## Evidence", "## Proof", 1),
			"docs/decisions/notes.md": sampleDecision,
		}, want: []string{"\"## Evidence\"", "at most 60", "NNNN-verb-noun.md"}},
	},
}

const sampleDecision = `# Title

Status: accepted
Date: 2026-01-01

## Context
## Decision
## Alternatives
## Consequences
## Evidence
`

func checkDecisions(h *house, f *findings) {
	const indexFile = decisionsDir + "/README.md"
	index, _ := h.text(indexFile)
	next := 1
	for _, r := range h.textsIn(decisionsDir) {
		if r.path == indexFile {
			continue
		}
		checkDecision(r, f)
		name := path.Base(r.path)
		if !strings.Contains(index, "("+name+")") {
			f.add("%s: not in the index: link it in %s", r.path, indexFile)
		}
		if m := decisionName.FindStringSubmatch(name); m != nil {
			if want := fmt.Sprintf("%04d", next); m[1] != want {
				f.add("%s: number %s, want %s: numbers are unique and have no gaps",
					r.path, m[1], want)
			}
			next++
		}
	}
	for _, m := range decisionLink.FindAllStringSubmatch(index, -1) {
		if _, ok := h.text(decisionsDir + "/" + m[1]); !ok {
			f.add("%s: lists %s, which is not there", indexFile, m[1])
		}
	}
}

func checkDecision(r text, f *findings) {
	if !decisionName.MatchString(path.Base(r.path)) {
		f.add("%s: a record is named NNNN-verb-noun.md", r.path)
	}
	for _, part := range decisionParts {
		if !hasLine(r.body, part) {
			f.add("%s: no line begins with %q; the form is in %s/README.md",
				r.path, part, decisionsDir)
		}
	}
	if n := lines(r.body); n > decisionLinesMax {
		f.add("%s: %d lines, at most %d: one decision, one screen", r.path, n, decisionLinesMax)
	}
}

// hasLine says whether a text has a line that begins in a certain way.
func hasLine(body, start string) bool {
	return strings.HasPrefix(body, start) || strings.Contains(body, "\n"+start)
}

const sampleResult = "commit: a\nmachine: b\nquestion: c\ncommand: d\n"

// resultHeads are the head lines of a kept benchmark result, without which it proves nothing.
var resultHeads = []string{"commit: ", "machine: ", "question: ", "command: "}

var resultsRule = rule{
	name: "benchmark results",
	check: func(h *house, f *findings) {
		for _, r := range h.textsIn(resultsDir) {
			if path.Ext(r.path) == ".md" {
				continue
			}
			if !resultName.MatchString(path.Base(r.path)) {
				f.add("%s: a result is raw text named YYYY-MM-DD-what.txt", r.path)
			}
			for _, head := range resultHeads {
				if !hasLine(r.body, head) {
					f.add("%s: no head line %q; make bench writes it", r.path, head)
				}
			}
		}
	},
	proofs: []proof{
		{name: "with heads", files: map[string]string{
			"bench/results/2026-01-02-touch.txt": sampleResult,
			"bench/results/README.md":            "what is what",
			"bench/results/tmp/x":                "not kept",
		}},
		{name: "without", files: map[string]string{
			"bench/results/2026-01-02-touch.txt": "commit: a\nmachine: b\nquestion: c\n",
			"bench/results/touch.csv":            sampleResult,
		}, want: []string{"no head line \"command: \"", "touch.csv: a result is raw text named"}},
	},
}
