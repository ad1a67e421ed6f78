package tidy

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the path of the root module. Its packages, those of the modules in bench included, are
// named below by their directory.
const module = "github.com/curfew-go/curfew"

// house is what the rules read.
type house struct {
	sources  []*source // every Go file whatever its build tags, by path
	texts    []text    // every text file that git would track, Go files included, by path
	binaries []string  // the paths of all other files that git would track
}

// source is a Go file.
type source struct {
	path   string // from the top of the house, with slashes
	dir    string // the package's directory
	test   bool   // a _test.go file
	kit    bool   // in a package that is there for tests, such as netlooptest
	raw    []byte
	syntax *ast.File
	fset   *token.FileSet
}

// text is a file that is not binary.
type text struct {
	path, body string
}

// imported is one import of a source.
type imported struct {
	path string // as written
	name string // what the file calls it
	pos  token.Pos
}

// load reads the tree under its root. It fails on a Go file that does not parse.
func load(tree fs.FS) (*house, error) {
	h := &house{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case untracked(name) && d.IsDir():
			return fs.SkipDir
		case untracked(name) || !d.Type().IsRegular():
			return nil
		}
		raw, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(raw, 0) < 0 {
			h.texts = append(h.texts, text{name, string(raw)})
		} else {
			h.binaries = append(h.binaries, name)
		}
		if !isGo(name) {
			return nil
		}
		s, err := parse(name, raw)
		h.sources = append(h.sources, s)
		return err
	})
	return h, err
}

func parse(name string, raw []byte) (*source, error) {
	s := &source{
		path: name,
		dir:  path.Dir(name),
		test: strings.HasSuffix(name, "_test.go"),
		kit:  strings.HasSuffix(path.Dir(name), "test"),
		raw:  raw,
		fset: token.NewFileSet(),
	}
	var err error
	s.syntax, err = parser.ParseFile(s.fset, name, raw,
		parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}

// untracked says which files and directories the repository does not hold; see .gitignore.
func untracked(name string) bool {
	switch path.Base(name) {
	case ".git", "node_modules":
		return true
	}
	switch path.Ext(name) {
	case ".test", ".prof", ".out":
		return true
	}
	return name == "build" || name == "bench/results/tmp" ||
		name == "bench/benchreport/benchreport" ||
		strings.HasSuffix(name, "testdata/rapid")
}

// isGo says whether the go command would look at a file.
func isGo(name string) bool {
	if path.Ext(name) != ".go" {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "testdata" || part[0] == '_' || part[0] == '.' {
			return false
		}
	}
	return true
}

// packages returns the sources of each package directory.
func (h *house) packages() map[string][]*source {
	all := map[string][]*source{}
	for _, s := range h.sources {
		all[s.dir] = append(all[s.dir], s)
	}
	return all
}

// text returns a text file's body, and whether the file is there.
func (h *house) text(name string) (string, bool) {
	for _, t := range h.texts {
		if t.path == name {
			return t.body, true
		}
	}
	return "", false
}

// textsIn returns the text files that stand in a directory itself.
func (h *house) textsIn(dir string) []text {
	var in []text
	for _, t := range h.texts {
		if path.Dir(t.path) == dir {
			in = append(in, t)
		}
	}
	return in
}

func (s *source) imports() []imported {
	var all []imported
	for _, spec := range s.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // The parser accepts no such import.
		}
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		all = append(all, imported{p, name, spec.Pos()})
	}
	return all
}

// uses calls found for each name of a package that the file mentions, called or not.
func (s *source) uses(importPath string, found func(name string, pos token.Pos)) {
	local := ""
	for _, i := range s.imports() {
		if i.path == importPath {
			local = i.name
		}
	}
	if local == "" {
		return
	}
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == local {
				found(sel.Sel.Name, sel.Pos())
			}
		}
		return true
	})
}

// houseDir returns the directory of a package of this house, or false for one of another.
func houseDir(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// standard says whether an import is of the standard library, whose paths have no host in front.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// under says whether an import is of a module or of a package below it.
func under(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}

// lines counts the lines of a text.
func lines(body string) int {
	return strings.Count(strings.TrimSuffix(body, "\n"), "\n") + 1
}

// sorted returns the keys of a map in order, so that findings come in order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
