package uplot

import (
	"strings"
	"testing"
)

// The script says which version it is, and neither file has markup made from text or loads
// anything: a page may forbid both.
func TestFiles(t *testing.T) {
	const head = "/*! https://github.com/leeoniya/uPlot (v" + Version + ") */"
	rest, ok := strings.CutPrefix(Script, head)
	if !ok {
		t.Errorf("the script begins with %.60q, want %q", Script, head)
	}
	for _, unwanted := range []string{
		"http:", "https:", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
		"eval(", "Function(", "import(", "fetch(", "XMLHttpRequest", "@import", "url(", "</script",
		"</style", `"style"`,
	} {
		if strings.Contains(rest, unwanted) || strings.Contains(Style, unwanted) {
			t.Errorf("%q in uPlot: pages forbid that, or break by it", unwanted)
		}
	}
}
