package command

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/adminclient"
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
	l = &listing{width: 20}
	l.row("memory", "resident 18.7 MiB, heap 2.17 MiB")
	l.row("", "sessions 1.00 MiB")
	l.row("none", "")
	const narrow = "memory\n  resident 18.7 MiB,\n  heap 2.17 MiB\n  sessions 1.00 MiB\n"
	if got := l.String(); got != narrow {
		t.Errorf("got\n%s\nwant\n%s", got, narrow)
	}
	for width := range 20 {
		l := &listing{width: width}
		l.row("name", "a, b, c") // it ends
	}
}

// On a narrow terminal columns go, and the IDs that somebody will type stay whole.
func TestLister_Narrow(t *testing.T) {
	const id = "AK0bXY7Hqpm1X3aRQ2KzqvV3zJ0uH4nT"
	now := time.Date(2026, 5, 5, 5, 0, 0, 0, time.UTC)
	page := &adminclient.Page{At: now, Sessions: []adminclient.Session{{
		ID: id, State: "live", User: "ada", LastActivity: now, CreatedAt: now, Deadline: now,
		Remote: "192.0.2.1:1", Protocol: "curfew.raw",
	}}}
	for width, want := range map[int]string{
		0: "SESSION                           STATE  USER  IDLE  AGE  ENDS IN  REMOTE       " +
			"PROTOCOL\n" + id + "  live   ada     0s   0s       0s  192.0.2.1:1  curfew.raw\n",
		60: "SESSION                           STATE  USER  IDLE  ENDS IN\n" +
			id + "  live   ada     0s       0s\n",
		40: "SESSION                           STATE\n" + id + "  live\n",
		32: "SESSION\n" + id + "\n",
		20: "SESSION\n" + id + "\n",
	} {
		var b bytes.Buffer
		l := newLister(&operation{p: Process{Stdout: &b}}, false, width)
		if err := l.table(page); err != nil || b.String() != want {
			t.Errorf("in %d columns (%v):\n%swant\n%s", width, err, &b, want)
		}
	}
}
