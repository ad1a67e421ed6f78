package tidy

import (
	"go/ast"
	"regexp"
	"strings"
)

const exampleFile = "engine/example_test.go"

// readmeExampleRule holds the README's Go block to the body of the engine's package example, so
// that what a reader sees first has been compiled and run.
var readmeExampleRule = rule{
	name: "README example",
	check: func(h *house, f *findings) {
		body, _ := h.text("README.md")
		shown, shows := goBlock(body)
		want, found := h.exampleBody()
		switch {
		case shows && !found:
			f.add("README.md: its Go block must be the body of Example in %s, which is not there",
				exampleFile)
		case found && flat(shown) != flat(want):
			f.add("README.md: its first Go block must be the body of Example in %s:\n%s",
				exampleFile, want)
		}
	},
	proofs: []proof{
		{name: "neither is there", files: map[string]string{"README.md": "# curfew\n"}},
		{name: "the same but for indentation and output", files: map[string]string{
			"README.md":              "# c\n```go\nif f() {\n    g()\n}\n\n// The end.\n```\n",
			"engine/example_test.go": sampleExample,
		}},
		{name: "only in the README", files: map[string]string{
			"README.md": "```go\nf()\n```\n",
		}, want: []string{"which is not there"}},
		{name: "not in the README", files: map[string]string{
			"README.md":              "# c\n```\nmake run\n```\n",
			"engine/example_test.go": sampleExample,
		}, want: []string{"README.md: its first Go block must be the body of Example"}},
		{name: "different", files: map[string]string{
			"README.md":              "```go\nif f() {\n    h()\n}\n```\n",
			"engine/example_test.go": sampleExample,
		}, want: []string{"engine/example_test.go:\nif f() {\n\tg()\n}\n\n// The end."}},
	},
}

const sampleExample = `package engine_test

// Example shows.
func Example() {
	if f() {
		g()
	}

	// The end.

	// Output:
	// done
}
`

// goBlock returns the first fenced block of Go of a Markdown text.
func goBlock(markdown string) (string, bool) {
	_, rest, ok := strings.Cut(markdown, "```go\n")
	block, _, closed := strings.Cut(rest, "```")
	return block, ok && closed
}

// exampleBody returns what stands in the marked example, without its expected output and one
// level of indentation.
func (h *house) exampleBody() (string, bool) {
	for _, s := range h.sources {
		if s.path != exampleFile {
			continue
		}
		for _, decl := range s.syntax.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "Example" && f.Recv == nil {
				from, to := s.fset.Position(f.Body.Lbrace), s.fset.Position(f.Body.Rbrace)
				return withoutOutput(string(s.raw[from.Offset+1 : to.Offset])), true
			}
		}
	}
	return "", false
}

// outputLine begins the expected output, as the testing package has it.
var outputLine = regexp.MustCompile(`(?i)^\s*//\s*(unordered )?output:`)

func withoutOutput(body string) string {
	var kept []string
	for line := range strings.Lines(body) {
		if outputLine.MatchString(line) {
			break
		}
		kept = append(kept, strings.TrimPrefix(line, "\t"))
	}
	return strings.TrimSpace(strings.Join(kept, ""))
}

// flat takes the indentation out of a text.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(code)) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}
