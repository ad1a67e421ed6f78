package tidy

import (
	"go/ast"
	"slices"
)

var packageCommentsRule = rule{
	name: "package comments",
	check: func(h *house, f *findings) {
		packages := h.packages()
		for _, dir := range sorted(packages) {
			if !commented(packages[dir]) {
				f.add("%s: no package comment: say in doc.go, or in the main file of a small "+
					"package, what it is and what its caller does with it", dir)
			}
		}
	},
	proofs: []proof{
		{name: "there", files: map[string]string{
			"engine/doc.go":          "// Package engine is.\npackage engine",
			"engine/a.go":            "package engine",
			"internal/e2e/a_test.go": "//go:build e2e\n\n// Package e2e drives.\npackage e2e",
		}},
		{name: "missing", files: map[string]string{
			"bench/peers/a.go":         "// Not about the package.\n\npackage peers",
			"internal/wheel/a.go":      "package wheel",
			"internal/wheel/a_test.go": "// Package wheel is.\npackage wheel",
		}, want: []string{"bench/peers: no package comment", "internal/wheel: no package comment"}},
	},
}

// commented says whether a package has its comment. Only where it is nothing but tests may the
// comment stand in one of those.
func commented(files []*source) bool {
	production := slices.ContainsFunc(files, func(s *source) bool { return !s.test })
	return slices.ContainsFunc(files, func(s *source) bool {
		return s.syntax.Doc != nil && (!s.test || !production)
	})
}

// methodCommentsRule closes the gap that lint leaves: it passes over methods with well-known names
// (String, Error, Read, Len and such), whose behaviour a reader looks up all the same.
var methodCommentsRule = rule{
	name: "method comments",
	check: func(h *house, f *findings) {
		for _, s := range h.sources {
			if s.test {
				continue
			}
			for _, decl := range s.syntax.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if ok && fn.Recv != nil && fn.Name.IsExported() && fn.Doc == nil {
					f.at(s, fn.Pos(), "method %s has no comment: say what it does here, also "+
						"where it satisfies an interface", fn.Name.Name)
				}
			}
		}
	},
	proofs: []proof{
		{name: "there, or not asked for", files: map[string]string{
			"engine/a.go": `package engine
				type T int
				// String names t.
				func (t T) String() string { return "" }
				func (t T) hidden() {}`,
			"engine/a_test.go": `package engine
				type U int
				func (u U) String() string { return "" }`,
		}},
		{name: "missing", files: map[string]string{
			"engine/a.go": `package engine
				type T int
				func (t T) String() string { return "" }`,
		}, want: []string{"engine/a.go:3: method String has no comment"}},
	},
}
