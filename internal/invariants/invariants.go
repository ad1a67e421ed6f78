// Package invariants says whether a build checks what must always hold.
//
// Such checks run in builds with the tag invariants and under the race detector, and are compiled
// away in all others. Gate checks, never change the path taken: what a program does must not
// depend on [Enabled], or the tests test another program than the one that runs.
//
//	if invariants.Enabled {
//		invariants.Check(n <= limit, "%d sessions, limit %d", n, limit)
//	}
package invariants

import "fmt"

// Check panics with the formatted text after "invariant: " when invariants are [Enabled] and ok is
// false. Callers stand inside an "if Enabled", so that the arguments cost nothing in other builds.
func Check(ok bool, format string, args ...any) {
	if Enabled && !ok {
		panic(fmt.Sprintf("invariant: "+format, args...))
	}
}
