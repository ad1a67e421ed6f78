// Package goldentest compares what a test got with what a file holds, for tests alone.
//
// With -update a test writes the file anew, in place of the comparison: what changed is then read,
// and committed, like any other change.
package goldentest

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that tests compare with anew")

// Check fails the test, at the first line that differs, where got is not what file holds.
func Check(t testing.TB, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	wanted := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(wanted) || line != wanted[i] {
			t.Fatalf("%s:%d: there should be %q; go test with -update writes it anew\n"+
				"all of it:\n%s", file, i+1, line, got)
		}
	}
	t.Fatalf("%s: there are more lines than there should be, which are\n%s", file, got)
}
