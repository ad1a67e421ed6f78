package tidy

import (
	"regexp"
	"strings"
)

// private matches what is true on one machine only.
var private = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{
		regexp.MustCompile(`(^|[^\w./~:-])/(root|work|home|Users)/`),
		"a path of one machine: write it from the top of the house, or as a variable",
	},
	{
		regexp.MustCompile(`\bregistry\.[a-z][\w-]*\.[a-z]|\bproxy\.golang\.org|"reso[l]ved":`),
		"a registry's host: each machine has its own; lock files record none",
	},
}

var machinePathsRule = rule{
	name:  "machine paths",
	check: checkMachinePaths,
	proofs: []proof{
		{name: "paths that hold everywhere", files: map[string]string{
			"README.md":     "build/curfewd, /etc/c.yaml, a/root/b, https://example.org/work/a\n",
			"bench/x.bin":   "\x00" + slash + "root/x",
			"build/a.txt":   slash + "root/x",
			"docs/proxy.md": "registry of sessions. proxy.example.org",
		}},
		{name: "paths of one machine", files: map[string]string{
			".ci/run":                        "cd " + slash + "root/x\n",
			"bench/peers/go.mod":             "module a\nreplace b => " + slash + "work/b\n",
			"engine/testdata/a.txt":          slash + "home/me/x",
			"internal/e2e/package-lock.json": `"resol` + `ved": "x"`,
			"internal/e2e/x.npmrc":           "registry=https://registry" + ".example.org/",
		}, want: []string{
			".ci/run:1: ", "bench/peers/go.mod:2: ", "engine/testdata/a.txt:1: ",
			"package-lock.json:1: ", "x.npmrc:1: ",
		}},
	},
}

func checkMachinePaths(h *house, f *findings) {
	for _, t := range h.texts {
		n := 0
		for line := range strings.Lines(t.body) {
			n++
			for _, p := range private {
				if m := p.pattern.FindString(line); m != "" {
					f.add("%s:%d: %q is %s", t.path, n, m, p.instead)
				}
			}
		}
	}
}

// binariesRule keeps out what was built: nobody can review it, and every clone would carry it for
// ever. Inputs of tests may be any bytes.
var binariesRule = rule{
	name: "binary files",
	check: func(h *house, f *findings) {
		for _, name := range h.binaries {
			if !strings.Contains("/"+name, "/testdata/") {
				f.add("%s: a binary file: keep what it is made from, and build into build/", name)
			}
		}
	},
	proofs: []proof{
		{name: "text, inputs of tests, what is ignored", files: map[string]string{
			"README.md":                       "# c\n",
			"internal/wsframe/testdata/a.bin": "\x00",
			"build/curfewd":                   "\x7fELF\x00",
			"bench/benchreport/benchreport":   "\x7fELF\x00",
		}},
		{name: "a program that was built where it stands", files: map[string]string{
			"cmd/curfewd/curfewd": "\x7fELF\x00",
		}, want: []string{"cmd/curfewd/curfewd: a binary file"}},
	},
}

// slash keeps the samples above from being found in this file.
const slash = "/"
