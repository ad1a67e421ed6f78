package command

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/conform"
)

// TestConformPage: docs/conformance.md says what the result says that it names, and how many cases
// there are.
func TestConformPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`bench/results/[0-9-]+-conform\.txt`).FindString(string(page))
	result, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatalf("the result that the page names: %v", err)
	}
	servers := 0
	for line := range strings.Lines(string(result)) {
		if strings.HasPrefix(line, "| ") {
			servers++
			if !strings.Contains(string(page), line) {
				t.Errorf("the page lacks the result's row %s", line)
			}
		}
		if strings.HasPrefix(line, "curfewd-") && strings.Contains(line, " fail ") {
			t.Errorf("curfewd: %s", line)
		}
	}
	if servers < 12 {
		t.Errorf("the result has %d rows, want one a server", servers)
	}
	for _, s := range conform.Sections() {
		n := 0
		for _, c := range conform.Cases() {
			if s.Holds(c.ID) {
				n++
			}
		}
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %s \| .* \| %d \|$`, s.Number, n))
		if !row.Match(page) {
			t.Errorf("the page has no row that gives section %s %d cases", s.Number, n)
		}
	}
}
