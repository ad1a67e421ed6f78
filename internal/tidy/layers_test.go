package tidy

import (
	"slices"
	"strconv"
	"testing"
)

// layer says what one package may import besides the standard library.
type layer struct {
	// house lists packages of this module. Tests may also import what those may, and so on down.
	house []string

	// external maps modules of others to the reason for each.
	external map[string]string

	// tests lists packages of this module that only its tests may import.
	tests []string

	// testModules maps modules of others that only its tests may import to the reason for each.
	testModules map[string]string

	// why says what a boundary is for, where somebody will want to cross it.
	why string
}

const (
	whyHash  = "the seeded hash of session IDs"
	whyWheel = "the wheel behind WheelRussellLuo"
	whyPeer  = "a peer of the comparison"
	whyFrame = "the WebSocket handshake and frame headers"

	whyOptions = "options of extensions, as gobwas/ws hands them out"

	whyJudged = "a server that the suite's own tests judge"

	whyClient = "a client that its users have"

	whyHistogram = "histograms whose quantiles are true, in a format that others read"
)

// layers is the map of the house, as ARCHITECTURE.md describes it: what each package may import.
// A package may stand here before it exists.
var layers = map[string]layer{
	"cmd/curfewd": {
		house: []string{"internal/server", "internal/buildinfo"},
	},
	"cmd/curfew":         {house: []string{"internal/command", "internal/buildinfo"}},
	"internal/buildinfo": {},
	"internal/command": {
		house: []string{
			"internal/load", "internal/load/fleet", "internal/load/report",
			"internal/load/compare", "internal/load/result", "internal/conform",
			"internal/adminclient", "internal/screen", "internal/top",
		},
		tests: []string{"internal/goldentest"},
		external: map[string]string{
			"github.com/spf13/cobra":                  "commands, flags and completions",
			"github.com/spf13/pflag":                  "the flags of cobra",
			"github.com/HdrHistogram/hdrhistogram-go": "the log that its own tools read",
			"golang.org/x/term":                       "whether there is a terminal, and its width",
		},
		testModules: map[string]string{
			"github.com/gorilla/websocket": "a server to put under load",
		},
		why: "the operator's command knows the daemon only by its wire",
	},

	"internal/server": {
		house: []string{
			"internal/gateway", "internal/admin", "internal/dashboard", "internal/config",
			"internal/metrics",
			"internal/netloop", "internal/handshake", "internal/realip", "internal/backend",
			"internal/audit", "internal/notify", "engine",
		},
		tests: []string{"internal/netloop/netlooptest", "internal/conform"},
	},
	"internal/admin": {
		testModules: map[string]string{
			"github.com/santhosh-tekuri/jsonschema/v6": "answers are what openapi.json says",
		},
		why: "admin declares the interfaces that it needs; server joins them to the gateway",
	},
	"internal/audit": {why: "it writes down what it is told, and knows nobody"},
	"internal/notify": {
		external: map[string]string{"golang.org/x/sys": "the monotonic clock that systemd reads"},
	},
	"internal/metrics": {
		house: []string{"internal/gateway", "internal/netloop", "internal/backend", "engine"},
		tests: []string{"internal/goldentest"},
		external: map[string]string{
			"github.com/prometheus/client_golang": "what Prometheus reads",
			"github.com/prometheus/client_model":  "a histogram with both kinds of buckets",
			"github.com/prometheus/procfs":        "the process, if open files cannot be counted",
		},
		testModules: map[string]string{
			"github.com/prometheus/common": "reading a scrape as Prometheus does",
			"go.yaml.in/yaml/v3":           "the rules of alerts",
		},
		why: "it reads what the others count; nobody counts for it",
	},
	"internal/dashboard": {
		house: []string{"internal/uplot"},
		why:   "a page knows the daemon by the operator's API alone, as everybody does",
	},
	"internal/uplot": {why: "the files of somebody else, and nothing of ours"},
	"internal/config": {
		house:    []string{"internal/realip"},
		tests:    []string{"internal/goldentest"},
		external: map[string]string{"go.yaml.in/yaml/v3": "the configuration file"},
	},
	"internal/gateway": {
		house: []string{"internal/netloop", "internal/backend", "engine"},
		tests: []string{"internal/netloop/netlooptest"},
		why:   "the gateway knows sessions and messages; frames belong to netloop",
	},
	"internal/backend": {},
	"docs/examples/app-go": {
		tests: []string{"internal/backend"},
		why:   "an application knows the daemon by its wire",
	},
	"internal/netloop": {
		house: []string{
			"internal/netloop/poll", "internal/handshake", "internal/realip", "internal/wsframe",
			"internal/wheel",
		},
		external:    map[string]string{"golang.org/x/sys": "epoll and socket options"},
		tests:       []string{"internal/netloop/netlooptest"},
		testModules: map[string]string{"github.com/gobwas/ws": whyFrame},
		why:         "the loops move bytes and know no session",
	},
	"internal/realip": {why: "bytes in, addresses out, no I/O"},
	"internal/netloop/poll": {
		external: map[string]string{"golang.org/x/sys": "epoll and socket calls"},
		why:      "readiness and nothing else, for the loops of the server and of the load driver",
	},
	"internal/netloop/netlooptest": {
		external: map[string]string{"github.com/gobwas/ws": whyFrame},
		why:      "the client of tests shares no code with the server, so that it shares no bug",
	},
	"internal/handshake": {
		house: []string{"internal/wsframe"},
		external: map[string]string{
			"github.com/gobwas/ws":       whyFrame,
			"github.com/gobwas/httphead": whyOptions,
		},
		tests: []string{"internal/netloop/netlooptest"},
		why:   "bytes in, a verdict out, no I/O",
	},
	"internal/wsframe": {
		external: map[string]string{
			"github.com/gobwas/ws":       whyFrame,
			"github.com/gobwas/httphead": whyOptions,
		},
		testModules: map[string]string{
			"github.com/gorilla/websocket": "a WebSocket implementation to compare with",
			"github.com/coder/websocket":   "a WebSocket implementation to compare with",
		},
		why: "bytes in, events out, no I/O",
	},

	"engine": {
		house: []string{"internal/table", "internal/wheel", "internal/invariants"},
		external: map[string]string{
			"github.com/cespare/xxhash/v2":      whyHash,
			"github.com/RussellLuo/timingwheel": whyWheel,
		},
		why: "whoever uses engine inherits what it imports",
	},
	"internal/table": {
		house:    []string{"internal/invariants"},
		external: map[string]string{"github.com/cespare/xxhash/v2": whyHash},
		why:      "storage and index; clocks, locks and goroutines belong to engine",
	},
	"internal/wheel": {
		house: []string{"internal/invariants"},
		why:   "the wheel counts ticks; its owner brings the clock and the lock",
	},
	"internal/invariants": {},

	"internal/load": {
		house: []string{
			"internal/netloop/poll", "internal/wsframe", "internal/wheel", "internal/load/result",
		},
		external: map[string]string{
			"golang.org/x/sys": "sockets that connect without blocking, clocks of processes",
		},
		tests:       []string{"internal/load/selfcheck/faulty"},
		testModules: map[string]string{"github.com/gobwas/ws": "the upgrade of a server to drive"},
		why:         "the harness knows only the wire, so that it cannot flatter the server",
	},
	"internal/load/result": {external: map[string]string{
		"github.com/HdrHistogram/hdrhistogram-go": whyHistogram,
	}},
	"internal/load/fleet": {
		house:    []string{"internal/load", "internal/load/result"},
		external: map[string]string{"golang.org/x/sys": "what a process uses, and its limits"},
		why:      "it knows what a worker is told and tells, not how it does it",
	},
	"internal/load/report": {
		house: []string{"internal/load/result", "internal/uplot"},
		external: map[string]string{
			"github.com/HdrHistogram/hdrhistogram-go": whyHistogram,
		},
		why: "a page is made from the file of a run alone",
	},
	"internal/load/compare": {
		house: []string{"internal/load/result"},
		external: map[string]string{
			"golang.org/x/perf": "whether a difference is more than noise",
		},
	},
	"internal/load/selfcheck": {
		house: []string{"internal/load/result", "internal/load/selfcheck/faulty"},
		why:   "what the harness must find; it runs the command, and knows it by its report",
	},
	"internal/load/selfcheck/faulty": {
		house:    []string{"internal/wsframe"},
		external: map[string]string{"github.com/gobwas/ws": whyFrame},
		why:      "a server to judge the harness by shares nothing with it but the frames",
	},
	"internal/conform": {
		testModules: map[string]string{
			"github.com/gorilla/websocket": whyJudged,
			"github.com/coder/websocket":   whyJudged,
			"github.com/gobwas/ws":         whyJudged,
		},
		why: "it shares no code with the server's parser, so that it shares no bug",
	},
	"internal/adminclient": {
		house: []string{"internal/screen"},
		tests: []string{"internal/admin"},
		why:   "the API by its wire, so that what it promises is what its tests see",
	},
	"internal/top": {
		house: []string{"internal/adminclient", "internal/screen"},
		tests: []string{"internal/goldentest"},
		external: map[string]string{
			"charm.land/bubbletea/v2": "keys, and drawing what changed, on any terminal",
		},
	},
	"internal/screen": {why: "text in, text out, no terminal"},

	"internal/baseline": {external: map[string]string{
		"github.com/cespare/xxhash/v2":      "the floor: the hash and nothing else",
		"github.com/RussellLuo/timingwheel": whyPeer,
	}},
	"internal/benchtest": {
		house: []string{"internal/baseline"},
		why:   "the workloads know no implementation, so that none is favoured",
	},
	"bench": {
		house: []string{
			"engine", "internal/table", "internal/wheel", "internal/baseline", "internal/benchtest",
		},
		external: map[string]string{
			"github.com/cespare/xxhash/v2":      "the floor: the hash and nothing else",
			"github.com/RussellLuo/timingwheel": whyPeer,
		},
	},
	"bench/peers": {
		house: []string{
			"engine", "internal/table", "internal/wheel", "internal/baseline", "internal/benchtest",
		},
		external: map[string]string{
			"github.com/cespare/xxhash/v2":      "the floor: the hash and nothing else",
			"github.com/RussellLuo/timingwheel": whyPeer,
			"github.com/maypok86/otter/v2":      whyPeer,
			"github.com/jellydator/ttlcache/v3": whyPeer,
		},
	},

	"bench/peers/wsserver": {external: map[string]string{
		"github.com/coder/websocket":   whyPeer,
		"github.com/gobwas/ws":         whyPeer,
		"github.com/gorilla/websocket": whyPeer,
		"github.com/lesismal/nbio":     whyPeer,
		"github.com/lxzan/gws":         whyPeer,
		"github.com/panjf2000/gnet/v2": whyPeer,
	}},
	"bench/loadcheck": {
		house: []string{"internal/load/selfcheck", "internal/load/selfcheck/faulty"},
		why:   "it knows the harness by its command line and its report",
	},
	"bench/benchreport": {
		external: map[string]string{
			"golang.org/x/perf": "the format of benchmarks, medians and the U test, as benchstat's",
			"gonum.org/v1/plot": "plots",
		},
		why: "a page is made from raw files alone, by a module that no user inherits",
	},
	"bench/daemon": {
		tests: []string{"internal/server", "internal/load"},
		why:   "the whole daemon in a process that go test -bench profiles",
	},
	"bench/netbench": {
		house: []string{"internal/load"},
		why:   "it knows servers by their command line and their wire, ours too",
	},

	"internal/goldentest": {},
	"internal/tidy":       {},
	"internal/hostile": {
		tests: []string{
			"internal/server", "internal/config", "internal/netloop/netlooptest",
		},
		why: "an attacker knows the daemon by its command line, its log and its wire",
	},
	"internal/e2e": {
		tests: []string{
			"internal/server", "internal/config", "internal/adminclient",
			"internal/netloop/netlooptest",
			"internal/load/report", "internal/load/result", // a page for a browser to open
		},
		testModules: map[string]string{
			"github.com/gorilla/websocket": whyClient,
			"github.com/coder/websocket":   whyClient,

			"github.com/prometheus/common":       "reading a scrape as Prometheus does",
			"github.com/prometheus/client_model": "reading a scrape as Prometheus does",
			"go.yaml.in/yaml/v3":                 "the configuration of Prometheus",
		},
		why: "end-to-end tests drive the daemon as its clients do",
	},
}

// testModules may be imported by the tests of every package but those of internal/conform.
var testModules = map[string]string{
	"pgregory.net/rapid":                "model tests",
	"github.com/anishathalye/porcupine": "linearizability",
	"github.com/google/go-cmp":          "a diff where want and got are large",
}

var layersRule = rule{
	name:  "layers",
	check: checkLayers,
	proofs: []proof{
		{name: "as drawn", files: map[string]string{
			"engine/a.go":                 importing(module + "/internal/wheel"),
			"engine/b.go":                 importing("github.com/cespare/xxhash/v2"),
			"engine/a_test.go":            importing(module + "/engine"),
			"engine/b_test.go":            importing("pgregory.net/rapid"),
			"internal/server/a_test.go":   importing(module + "/internal/wheel"),
			"internal/config/a.go":        importing("go.yaml.in/yaml/v3"),
			"internal/handshake/a.go":     importing("github.com/gobwas/ws/wsutil"),
			"bench/peers/a.go":            importing(module + "/engine"),
			"internal/tidy/testdata/a.go": importing("example.org/not/looked/at"),
		}},
		{name: "up is wrong", files: map[string]string{
			"internal/wheel/a.go": importing(module + "/engine"),
		}, want: []string{"internal/wheel may not import engine: the wheel counts ticks"}},
		{name: "a test's package, by production and by tests", files: map[string]string{
			"internal/netloop/a.go":      importing(module + "/internal/netloop/netlooptest"),
			"internal/netloop/a_test.go": importing(module + "/internal/netloop/netlooptest"),
		}, want: []string{"internal/netloop/a.go:1: internal/netloop may not import"}},
		{name: "past a layer", files: map[string]string{
			"internal/gateway/a.go": importing(module + "/internal/table"),
		}, want: []string{"internal/gateway may not import internal/table"}},
		{name: "the harness and the engine, even in tests", files: map[string]string{
			"internal/load/a.go":      importing(module + "/engine"),
			"internal/load/a_test.go": importing(module + "/internal/gateway"),
		}, want: []string{
			"internal/load may not import engine: the harness knows only the wire",
			"internal/load may not import internal/gateway: the harness",
		}},
		{name: "conform is on its own, even in tests", files: map[string]string{
			"internal/conform/a.go":      importing("github.com/gobwas/ws"),
			"internal/conform/a_test.go": importing("pgregory.net/rapid"),
		}, want: []string{"may not import github.com/gobwas", "may not import pgregory"}},
		{name: "servers that conform judges, in its tests", files: map[string]string{
			"internal/conform/a_test.go": importing("github.com/gobwas/ws/wsutil"),
			"internal/conform/b_test.go": importing("github.com/gorilla/websocket"),
			"internal/load/a_test.go":    importing("github.com/gorilla/websocket"),
		}, want: []string{"internal/load may not import github.com/gorilla/websocket"}},
		{name: "nobody imports cmd or bench", files: map[string]string{
			"engine/a_test.go":          importing(module + "/bench"),
			"internal/server/a_test.go": importing(module + "/cmd/curfewd"),
		}, want: []string{"nothing imports bench", "nothing imports cmd/curfewd"}},
		{name: "a module that nobody allowed", files: map[string]string{
			"engine/a.go": importing("github.com/prometheus/client_golang/prometheus"),
		}, want: []string{"engine may not import github.com/prometheus"}},
		{name: "a test's module in production", files: map[string]string{
			"engine/a.go": importing("pgregory.net/rapid"),
		}, want: []string{"engine may not import pgregory.net/rapid"}},
		{name: "a package that is not on the map", files: map[string]string{
			"internal/util/a.go": `package util`,
		}, want: []string{"internal/util: this package is not in the map: add it"}},
	},
}

// importing is a file with one import.
func importing(importPath string) string {
	return "package p; import _ " + strconv.Quote(importPath)
}

func checkLayers(h *house, f *findings) {
	packages := h.packages()
	for _, dir := range sorted(packages) {
		l, ok := layers[dir]
		if !ok {
			f.add("%s: this package is not in the map: add it to layers in "+
				"internal/tidy/layers_test.go, below what uses it, and to ARCHITECTURE.md", dir)
			continue
		}
		for _, s := range packages[dir] {
			for _, i := range s.imports() {
				if complaint := l.complaint(s, i.path); complaint != "" {
					f.at(s, i.pos, "%s", complaint)
				}
			}
		}
	}
}

// complaint returns what is wrong with an import of a package in this layer, or "".
func (l layer) complaint(s *source, importPath string) string {
	if standard(importPath) {
		return ""
	}
	dir, ours := houseDir(importPath)
	switch {
	case ours && dir == s.dir:
		return "" // An external test imports what it tests.
	case ours && (under(dir, "cmd") || under(dir, "bench")):
		return "nothing imports " + dir + ": move what is shared to a package below both"
	case ours && l.allowsDir(dir, s.test):
		return ""
	case !ours && l.allowsModule(importPath, s):
		return ""
	}
	what := importPath
	if ours {
		what = dir
	}
	complaint := s.dir + " may not import " + what
	if l.why != "" {
		complaint += ": " + l.why
	}
	return complaint + "; if the map is wrong, change it in internal/tidy/layers_test.go and in " +
		"ARCHITECTURE.md; a new dependency needs a decision record"
}

func (l layer) allowsDir(dir string, test bool) bool {
	if !test {
		return slices.Contains(l.house, dir)
	}
	return reachable(layers, slices.Concat(l.house, l.tests))[dir]
}

func (l layer) allowsModule(importPath string, s *source) bool {
	for m := range l.external {
		if under(importPath, m) {
			return true
		}
	}
	for m := range l.testModules {
		if s.test && under(importPath, m) {
			return true
		}
	}
	for m := range testModules {
		if s.test && s.dir != "internal/conform" && under(importPath, m) {
			return true
		}
	}
	return false
}

// reachable returns the packages that may be imported, directly or not, starting from some.
func reachable(all map[string]layer, from []string) map[string]bool {
	seen := map[string]bool{}
	for len(from) > 0 {
		dir := from[0]
		from = from[1:]
		if !seen[dir] {
			seen[dir] = true
			from = append(from, all[dir].house...)
		}
	}
	return seen
}

// TestLayerMap holds the map itself, so that a mistake in it cannot hide one in the code.
func TestLayerMap(t *testing.T) {
	for _, problem := range checkLayerMap(layers) {
		t.Error(problem)
	}
	broken := map[string]layer{
		"a": {house: []string{"b"}},
		"b": {house: []string{"a"}, tests: []string{"c"}},
	}
	want := []string{
		"layers: a may import itself",
		"layers: b may import c, not on the map",
		"layers: b may import itself",
	}
	if got := checkLayerMap(broken); !slices.Equal(got, want) {
		t.Errorf("checkLayerMap(broken) = %q, want %q", got, want)
	}
}

func checkLayerMap(all map[string]layer) []string {
	var found []string
	for _, dir := range sorted(all) {
		for _, below := range slices.Concat(all[dir].house, all[dir].tests) {
			if _, ok := all[below]; !ok {
				found = append(found, "layers: "+dir+" may import "+below+", not on the map")
			}
		}
		if reachable(all, all[dir].house)[dir] {
			found = append(found, "layers: "+dir+" may import itself")
		}
	}
	return found
}
