package dashboard

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// ours are the files that are not uPlot's.
func ours() map[string]string {
	all := map[string]string{}
	for name, body := range sources() {
		if name != uPlotScript && name != uPlotStyle {
			all[name] = string(body)
		}
	}
	return all
}

// No file names another host. The two addresses below are names and are never asked.
func TestAssets_NameNoHost(t *testing.T) {
	names := map[string]bool{
		"http://www.w3.org/2000/svg":        true, // the name space of a picture
		"https://github.com/leeoniya/uPlot": true, // in the licence's line
	}
	address := regexp.MustCompile(`(?i)(?:[a-z]+:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s"')]*`)
	for name, body := range sources() {
		for _, found := range address.FindAllString(string(body), -1) {
			if !names[found] {
				t.Errorf("%s names %s", name, found)
			}
		}
	}
}

// Nothing is made from text but text, and nothing is written where the policy forbids it.
func TestAssets_MakeNoMarkup(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|` +
		`setHTML|createContextualFragment|DOMParser|srcdoc|\beval\(|new Function|` +
		`setAttribute\('style|cssText|new EventSource|XMLHttpRequest|new WebSocket|javascript:`)
	for name, body := range ours() {
		if found := forbidden.FindString(body); found != "" {
			t.Errorf("%s has %s", name, found)
		}
	}
	inline := regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|<style|<script>|<script [^>]*>[^<]`)
	if found := inline.FindString(ours()[pageName]); found != "" {
		t.Errorf("the page has %q, which its policy forbids", found)
	}
}

// Every module is imported by another or is the one that the page runs, what is imported is there,
// and so is each element that a module asks for.
func TestAssets_FitTogether(t *testing.T) {
	all := ours()
	imports := regexp.MustCompile(`(?m)^(?:import|export) [^;]*?from '\./([^']+)';`)
	imported := map[string]bool{"main.js": true, bootScript: true}
	for name, body := range all {
		for _, m := range imports.FindAllStringSubmatch(body, -1) {
			imported[m[1]] = true
			if _, ok := all[m[1]]; !ok {
				t.Errorf("%s imports %s, which is not there", name, m[1])
			}
		}
	}
	for name := range all {
		if path.Ext(name) == ".js" && !imported[name] {
			t.Errorf("nobody imports %s", name)
		}
	}
	ids := map[string]bool{}
	names := regexp.MustCompile(`\bid="([^"]+)"`)
	for _, m := range names.FindAllStringSubmatch(all[pageName], -1) {
		if ids[m[1]] {
			t.Errorf("two elements of the page are #%s", m[1])
		}
		ids[m[1]] = true
	}
	asked := regexp.MustCompile(`\$\('([^']+)'\)`)
	for name, body := range all {
		for _, m := range asked.FindAllStringSubmatch(body, -1) {
			if !ids[m[1]] {
				t.Errorf("%s asks for #%s, which the page has not", name, m[1])
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?:for|aria-labelledby|aria-describedby)="([^"]+)"`).
		FindAllStringSubmatch(all[pageName], -1) {
		if !ids[m[1]] {
			t.Errorf("the page refers to #%s, which it has not", m[1])
		}
	}
}

// Modules say what they are first, and stay small.
func TestAssets_AreReadable(t *testing.T) {
	const linesMax, columnsMax = 300, 100
	all := ours()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		body := all[name]
		if path.Ext(name) != ".js" {
			continue
		}
		if !strings.HasPrefix(body, "// ") {
			t.Errorf("%s does not say what it is", name)
		}
		if n := strings.Count(body, "\n"); n > linesMax {
			t.Errorf("%s: %d lines, at most %d: one module, one idea", name, n, linesMax)
		}
		n := 0
		for line := range strings.Lines(body) {
			n++
			if wide := utf8.RuneCountInString(line) - 1; wide > columnsMax {
				t.Errorf("%s:%d: %d columns, at most %d", name, n, wide, columnsMax)
			}
		}
	}
}
