package metrics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop"
)

// The sets of labels have all that the daemon can say: what it has is read from its source.
func TestLabels_AreAllThatThereAre(t *testing.T) {
	for _, c := range []struct {
		file, declared string // constants of that type, or the value of that variable
		have           []string
	}{
		{"../gateway/session.go", "Reason", names(reasons, text)},
		{"../backend/httpstats.go", "eventHeaders", events},
		{"../backend/httpstats.go", "outcomeNames", outcomes},
		{"../netloop/stats.go", "statuses", names(statuses, strconv.Itoa)},
		{"../netloop/handler.go", "causeNames", names(causes, netloop.Cause.String)},
		{"../netloop/handler.go", "Code", names(closeCodes, code)},
		{"../gateway/gateway.go", "Code", names(closeCodes, code)},
		{"../gateway/counters.go", "outcomeNames", callOutcomes},
		{"../gateway/hello.go", "refusal", slices.Concat(helloErrors, resumeErrors)},
	} {
		said := literals(t, c.file, c.declared)
		if len(said) < 5 {
			t.Errorf("%s: %s has only %q", c.file, c.declared, said)
		}
		for _, s := range said {
			if !slices.Contains(c.have, s) {
				t.Errorf("%s: %s has %q, which would be shown as other", c.file, c.declared, s)
			}
		}
	}
}

func names[K any](set []K, name func(K) string) []string {
	all := make([]string, len(set))
	for i, k := range set {
		all[i] = name(k)
	}
	return all
}

// httpStatuses are the names of statuses that handshakes are answered with.
var httpStatuses = map[string]string{
	"StatusBadRequest": "400", "StatusUnauthorized": "401", "StatusForbidden": "403",
	"StatusNotFound": "404", "StatusMethodNotAllowed": "405", "StatusRequestTimeout": "408",
	"StatusRequestEntityTooLarge": "413", "StatusUpgradeRequired": "426",
	"StatusTooManyRequests": "429", "StatusRequestHeaderFieldsTooLarge": "431",
	"StatusInternalServerError": "500", "StatusServiceUnavailable": "503",
	"StatusHTTPVersionNotSupported": "505",
}

// literals are the values in a file that belong to a name: of constants of that type, of a variable
// of that name, and of the field "name" of composites of that type. Empty ones and 0 are left out.
func literals(t *testing.T, file, name string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	add := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				v := n.Value
				if s, err := strconv.Unquote(v); err == nil {
					v = s
				}
				if v != "" && v != "0" {
					all = append(all, v)
				}
			case *ast.SelectorExpr:
				status := httpStatuses[n.Sel.Name]
				if status == "" {
					status = n.Sel.Name
				}
				all = append(all, status)
			}
			return true
		})
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if typeName(n.Type) == name || n.Names[0].Name == name {
				for _, v := range n.Values {
					if c, ok := v.(*ast.CompositeLit); ok {
						for _, e := range c.Elts {
							add(e) // not the type, which may hold a length
						}
						continue
					}
					add(v)
				}
			}
		case *ast.CompositeLit:
			if typeName(n.Type) == name {
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "name" {
						add(kv.Value)
					}
				}
			}
		}
		return true
	})
	return all
}

// typeName is the name of a type, without that of its package.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
