package tidy

import (
	"go/ast"
	"go/token"
	"slices"
)

// ban forbids an import, anywhere or in some packages.
type ban struct {
	path   string // the package or the module
	reason string // why, and what to use instead

	// in lists the packages that may not import it. Where it is empty no package may.
	in []string

	// testsMay lets test files import it.
	testsMay bool
}

const (
	whyNoTime   = "time is ticks here; the owner brings the clock"
	whyNoLock   = "the owner brings the lock"
	whyCompare  = "compare by hand and say got and want, or use go-cmp for a diff"
	whyNoMock   = "no mocks: use the real thing, a fake clock or net.Pipe"
	whyPureCore = "the engine knows no network and no metrics client; Stats has what they need"
)

var bans = []ban{
	{path: "C", reason: "binaries are static: no cgo"},
	{path: "io/ioutil", reason: "use io and os"},
	{path: "log", reason: "use log/slog"},
	{path: "math/rand", reason: "use math/rand/v2, or crypto/rand for what must not be guessed"},
	{path: "testing", testsMay: true, reason: "only tests do; move it to a _test.go file"},

	{path: "github.com/matryer/is", reason: whyCompare},
	{path: "github.com/onsi/ginkgo", reason: whyCompare},
	{path: "github.com/onsi/gomega", reason: whyCompare},
	{path: "github.com/stretchr/testify", reason: whyCompare},
	{path: "gotest.tools", reason: whyCompare},
	{path: "github.com/golang/mock", reason: whyNoMock},
	{path: "go.uber.org/mock", reason: whyNoMock},
	{path: "github.com/pkg/errors", reason: "use errors and fmt.Errorf with %w"},
	{path: "go.uber.org/multierr", reason: "use errors.Join"},

	{path: "time", in: lockless, testsMay: true, reason: whyNoTime},
	{path: "sync", in: lockless, testsMay: true, reason: whyNoLock},
	{path: "sync/atomic", in: []string{"internal/wheel"}, testsMay: true, reason: whyNoLock},
	{path: "net", in: []string{"engine"}, testsMay: true, reason: whyPureCore},
	{path: "expvar", in: []string{"engine"}, testsMay: true, reason: whyPureCore},
}

// lockless lists the packages whose owner brings the clock, the locks and the goroutines.
var lockless = []string{"internal/wheel", "internal/table"}

var bannedImportsRule = rule{
	name: "banned imports",
	check: func(h *house, f *findings) {
		for _, s := range h.sources {
			for _, i := range s.imports() {
				if i.name == "." {
					f.at(s, i.pos, "name what you import: no dot import of %s", i.path)
				}
				if reason, banned := bannedIn(s, i.path); banned {
					f.at(s, i.pos, "%s may not import %s: %s", s.dir, i.path, reason)
				}
			}
		}
	},
	proofs: []proof{
		{name: "what is fine", files: map[string]string{
			"engine/a.go":              `package engine; import (_ "time"; _ "unsafe"; _ "sync")`,
			"engine/a_test.go":         `package engine; import (_ "testing"; _ "net/http")`,
			"internal/table/a.go":      `package table; import (_ "sync/atomic"; _ "unsafe")`,
			"internal/table/a_test.go": `package table; import (_ "sync"; _ "time")`,
			"internal/wheel/a_test.go": `package wheel; import (_ "math/rand/v2"; _ "unsafe")`,
			"internal/load/a.go":       `package load; import (_ "log/slog"; _ "net")`,
		}},
		{name: "everywhere, tests too", files: map[string]string{
			"bench/peers/a_test.go": `package peers; import _ "github.com/stretchr/testify/mock"`,
			"internal/load/a.go":    `package load; import (_ "log"; _ "math/rand"; _ "io/ioutil")`,
		}, want: []string{
			"may not import github.com/stretchr/testify/mock: compare by hand",
			"may not import log: use log/slog", "use math/rand/v2", "use io and os",
		}},
		{name: "the wheel counts ticks", files: map[string]string{
			"internal/wheel/a.go": `package wheel; import (_ "time"; _ "sync"; _ "sync/atomic")`,
		}, want: []string{"time: time is ticks", "sync: the owner", "sync/atomic: the owner"}},
		{name: "the table has atomics and no locks", files: map[string]string{
			"internal/table/a.go": `package table; import (_ "time"; _ "sync"; _ "sync/atomic")`,
		}, want: []string{"time: time is ticks", "sync: the owner"}},
		{name: "the engine and the network", files: map[string]string{
			"engine/a.go": `package engine; import _ "net/http"`,
		}, want: []string{"the engine knows no network"}},
		{name: "testing in production", files: map[string]string{
			"internal/wheel/a.go": `package wheel; import (_ "testing")`,
		}, want: []string{"only tests do"}},
		{name: "dot import", files: map[string]string{
			"engine/a.go": `package engine; import . "time"`,
		}, want: []string{"name what you import"}},
	},
}

func bannedIn(s *source, importPath string) (reason string, banned bool) {
	for _, b := range bans {
		switch {
		case !b.covers(importPath):
		case b.testsMay && (s.test || s.kit):
		case len(b.in) > 0 && !slices.Contains(b.in, s.dir):
		default:
			return b.reason, true
		}
	}
	return "", false
}

// covers says whether a ban is about an import: that of the standard library's package itself, so
// that log is not log/slog, but every package of a module and everything below net.
func (b ban) covers(importPath string) bool {
	if standard(b.path) && b.path != "net" {
		return importPath == b.path
	}
	return under(importPath, b.path)
}

// unsafePackages are the packages that may do more with unsafe than ask for sizes.
// Package poll hands buffers to the kernel.
var unsafePackages = []string{"engine", "internal/table", "internal/netloop/poll"}

var unsafeRule = rule{
	name: "unsafe",
	check: func(h *house, f *findings) {
		for _, s := range h.sources {
			if slices.Contains(unsafePackages, s.dir) {
				continue
			}
			s.uses("unsafe", func(name string, pos token.Pos) {
				if !slices.Contains([]string{"Alignof", "Offsetof", "Sizeof"}, name) {
					f.at(s, pos, "no unsafe.%s in %s: only the table and system calls may",
						name, s.dir)
				}
			})
		}
	},
	proofs: []proof{
		{name: "sizes, and in the storage", files: map[string]string{
			"internal/wheel/a.go": `package wheel; import "unsafe"; const n = unsafe.Sizeof(0)`,
			"internal/table/a.go": `package table; import "unsafe"; type p = unsafe.Pointer`,
		}},
		{name: "elsewhere", files: map[string]string{
			"internal/netloop/a.go": `package netloop; import "unsafe"; type p = unsafe.Pointer`,
		}, want: []string{"no unsafe.Pointer in internal/netloop"}},
	},
}

var goStatementsRule = rule{
	name: "go statements",
	check: func(h *house, f *findings) {
		for _, s := range h.sources {
			if s.test || !slices.Contains(lockless, s.dir) {
				continue
			}
			ast.Inspect(s.syntax, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					f.at(s, g.Pos(), "%s starts no goroutine: the owner does", s.dir)
				}
				return true
			})
		}
	},
	proofs: []proof{
		{name: "elsewhere", files: map[string]string{
			"engine/a.go":              `package engine; func f() { go f() }`,
			"internal/table/a_test.go": `package table; func f() { go f() }`,
		}},
		{name: "in the storage", files: map[string]string{
			"internal/table/a.go": `package table; func f() { go f() }`,
			"internal/wheel/a.go": `package wheel; func f() { func() { go f() }() }`,
		}, want: []string{"internal/table starts no", "internal/wheel starts no"}},
	},
}
