package tidy

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
)

// clockFuncs are the functions of package time that read the clock or wait for it.
var clockFuncs = []string{
	"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until",
}

// clockFiles are the files, or whole packages, whose production code may touch the clock, and why.
// One file a package, so that what time means there can be read in one place.
var clockFiles = map[string]string{
	"engine/clock.go":               "publishes the tick that all of the engine reads",
	"internal/conform/clock.go":     "how long a server may be silent",
	"internal/command/clock.go":     "how often a drain is looked at",
	"internal/adminclient/clock.go": "how long a stream of events may be silent",
	"internal/top/clock.go":         "how long a list takes, and the time between two looks",
	"internal/netloop/clock.go":     "deadlines of connections",
	"internal/gateway/clock.go":     "uptime, and the pace of a drain",
	"internal/backend/clock.go":     "timeouts, retries and pauses of the application",
	"internal/admin/clock.go":       "how long a request may take",
	"internal/server/clock.go":      "the pace of the summary, and whether a certificate is valid",
	"internal/baseline":             "peers that run on timers are what is measured",
	"internal/load/clock.go":        "when messages are due, and latency",
	"internal/audit/clock.go":       "when an entry came, and the pace of complaints",
	"internal/notify/clock.go":      "signs of life, and how long a manager is waited for",

	"internal/load/fleet/clock.go": "when all processes begin, and how long one may be silent",

	"internal/load/selfcheck/clock.go":        "how long a case takes, when a worker is stopped",
	"internal/load/selfcheck/faulty/clock.go": "when sessions end, and when it stalls",

	"bench":          "measures",
	"bench/netbench": "measures",
	"bench/peers":    "measures",

	"bench/peers/wsserver": "how long a client that was refused is read from",
}

var clocksRule = rule{
	name: "clocks in one file",
	check: func(h *house, f *findings) {
		for _, s := range h.sources {
			if s.test || s.kit || clockFiles[s.path] != "" || clockFiles[s.dir] != "" {
				continue
			}
			s.uses("time", func(name string, pos token.Pos) {
				if slices.Contains(clockFuncs, name) {
					f.at(s, pos, "time.%s: take the time as an argument or from a clock.go listed "+
						"in clockFiles in internal/tidy/clocks_test.go", name)
				}
			})
		}
	},
	proofs: []proof{
		{name: "where they belong", files: map[string]string{
			"engine/clock.go":        `package engine; import "time"; var t = time.Now()`,
			"engine/a.go":            `package engine; import "time"; var t = time.Duration(1)`,
			"engine/a_test.go":       `package engine; import "time"; var t = time.Now()`,
			"engine/enginetest/a.go": `package enginetest; import "time"; var t = time.Now()`,
			"internal/baseline/a.go": `package baseline; import "time"; var t = time.NewTimer(1)`,
		}},
		{name: "in another file of the engine", files: map[string]string{
			"engine/a.go": `package engine; import "time"; var t = time.Now()`,
		}, want: []string{"engine/a.go:1: time.Now: take the time as an argument"}},
		{name: "under another name, not called", files: map[string]string{
			"engine/a.go": `package engine; import clock "time"; var now = clock.Now`,
		}, want: []string{"time.Now: take"}},
		{name: "in another package", files: map[string]string{
			"internal/wheel/clock.go": `package wheel; import "time"; var t = time.Tick(1)`,
		}, want: []string{"time.Tick: take the time as an argument"}},
	},
}

const insteadOfSleep = "use a testing/synctest bubble, or wait for the event itself"

var sleepsRule = rule{
	name: "no sleeping in tests",
	check: func(h *house, f *findings) {
		for _, s := range h.sources {
			if (!s.test && !s.kit) || s.fakeTime() {
				continue
			}
			s.uses("time", func(name string, pos token.Pos) {
				if name == "Sleep" {
					f.at(s, pos, "no time.Sleep on the real clock: %s", insteadOfSleep)
				}
			})
			for _, pos := range s.bareWaits() {
				f.at(s, pos, "waiting for time.After alone is a sleep: %s", insteadOfSleep)
			}
		}
	},
	proofs: []proof{
		{name: "in a bubble, or as a limit", files: map[string]string{
			"engine/a_test.go": `package engine; import ("testing/synctest"; "time")
				func f() { synctest.Wait(); time.Sleep(1) }`,
			"engine/b_test.go": `package engine; import "time"
				func f(c chan int) { select { case <-c: case <-time.After(1): } }`,
		}},
		{name: "on the real clock", files: map[string]string{
			"engine/a_test.go":      `package engine; import "time"; func f() { time.Sleep(1) }`,
			"engine/b_test.go":      `package engine; import "time"; func f() { <-time.After(1) }`,
			"bench/peers/a_test.go": `package peers; import t "time"; func f() { t.Sleep(1) }`,
		}, want: []string{"bench/peers/a_test.go:1: no time.Sleep", "no time.Sleep", "is a sleep"}},
	},
}

// fakeTime says whether a test file runs in bubbles, where sleeping takes no time.
func (s *source) fakeTime() bool {
	return slices.ContainsFunc(s.imports(), func(i imported) bool {
		return i.path == "testing/synctest"
	})
}

// bareWaits finds statements that wait for time.After and nothing else.
func (s *source) bareWaits() []token.Pos {
	after := map[token.Pos]bool{}
	s.uses("time", func(name string, pos token.Pos) {
		after[pos] = name == "After"
	})
	inSelect := map[ast.Stmt]bool{}
	var found []token.Pos
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CommClause:
			inSelect[n.Comm] = true
		case *ast.ExprStmt:
			receive, ok := n.X.(*ast.UnaryExpr)
			if ok && receive.Op == token.ARROW && after[receive.X.Pos()] && !inSelect[n] {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

// oldAtomic matches the functions of sync/atomic that its types have replaced.
var oldAtomic = regexp.MustCompile(
	`^(Add|And|CompareAndSwap|Load|Or|Store|Swap)(Int|Uint|Pointer)`)

var atomicsRule = rule{
	name: "typed atomics",
	check: func(h *house, f *findings) {
		for _, s := range h.sources {
			s.uses("sync/atomic", func(name string, pos token.Pos) {
				if oldAtomic.MatchString(name) {
					f.at(s, pos, "atomic.%s: declare the variable as atomic.Int64, atomic.Pointer "+
						"or the like, so that no plain access is possible", name)
				}
			})
		}
	},
	proofs: []proof{
		{name: "types", files: map[string]string{
			"engine/a.go": `package engine; import "sync/atomic"
				var n atomic.Int64; var p atomic.Pointer[int]; var m = n.Add(1)`,
		}},
		{name: "functions", files: map[string]string{
			"engine/a.go": `package engine; import "sync/atomic"
				var n int64; var m = atomic.AddInt64(&n, 1)`,
			"engine/a_test.go": `package engine; import "sync/atomic"
				var n uintptr; var m = atomic.LoadUintptr(&n)`,
		}, want: []string{"a.go:2: atomic.AddInt64: declare", "atomic.LoadUintptr: declare"}},
	},
}
