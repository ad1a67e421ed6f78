package tidy

import (
	"path"
	"strconv"
	"strings"
)

const (
	fileLinesMax = 500
	mainLinesMax = 60
)

var fileSizesRule = rule{
	name: "file sizes",
	check: func(h *house, f *findings) {
		for _, s := range h.sources {
			n := lines(string(s.raw))
			if !s.test && n > fileLinesMax {
				f.add("%s: %d lines, at most %d: one file, one type; move one out",
					s.path, n, fileLinesMax)
			}
			if path.Base(s.path) == "main.go" && n > mainLinesMax {
				f.add("%s: %d lines, at most %d: main.go holds flags, the signal context, run "+
					"and the exit code", s.path, n, mainLinesMax)
			}
		}
	},
	proofs: []proof{
		{name: "as long as they may be", files: map[string]string{
			"engine/a.go":             "package engine\n" + strings.Repeat("\n", 499),
			"engine/a_test.go":        "package engine\n" + strings.Repeat("\n", 999),
			"cmd/curfewd/main.go":     "package main\n" + strings.Repeat("\n", 59),
			"internal/load/mainly.go": "package load\n" + strings.Repeat("\n", 99),
		}},
		{name: "a line longer", files: map[string]string{
			"bench/peers/a.go":    "package peers\n" + strings.Repeat("\n", 500),
			"cmd/curfewd/main.go": "package main\n" + strings.Repeat("\n", 60),
		}, want: []string{
			"501 lines, at most " + strconv.Itoa(fileLinesMax),
			"61 lines, at most " + strconv.Itoa(mainLinesMax),
		}},
	},
}

// vague names say nothing of what a package is for.
var vague = map[string]bool{
	"common": true, "helper": true, "helpers": true, "misc": true, "pkg": true, "shared": true,
	"types": true, "util": true, "utils": true,
}

var namesRule = rule{
	name: "names",
	check: func(h *house, f *findings) {
		for _, dir := range sorted(h.packages()) {
			if vague[path.Base(dir)] {
				f.add("%s: a package is a noun with one job: name it after the job", dir)
			}
		}
		for _, s := range h.sources {
			if !s.test && strings.Contains(path.Base(s.path), "_test") {
				f.add("%s: the go command takes this for production code: a test file's name "+
					"ends in _test.go", s.path)
			}
		}
	},
	proofs: []proof{
		{name: "plain", files: map[string]string{
			"engine/shard.go": "package engine", "engine/issue_7_test.go": "package engine",
		}},
		{name: "a test that is none", files: map[string]string{
			"engine/issue_test_1.25.go": "package engine",
			"engine/a_test_linux.go":    "package engine",
		}, want: []string{"a_test_linux.go: the go command", "issue_test_1.25.go: the go command"}},
		{name: "vague", files: map[string]string{
			"internal/utils/a.go": "package utils",
		}, want: []string{"internal/utils: a package is a noun"}},
	},
}
