package command

import (
	"strings"
	"testing"
)

// On a terminal lines are folded, so that nothing is lost.
func TestListing_Folds(t *testing.T) {
	l := &listing{width: 30}
	l.row("name", "one thing, another, and one more of them")
	l.row("none", "")
	l.row("long", strings.Repeat("x", 20)+"é")
	const want = "name          one thing,\n" +
		"              another,\n              and one more of\n              them\n" +
		"long          xxxxxxxxxxxxxxxx\n              xxxxé\n"
	if got := l.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for width := range 20 {
		l := &listing{width: width}
		l.row("name", "a, b, c") // it ends
	}
}
