package benchtest

import (
	"slices"
	"testing"
)

func TestKeys(t *testing.T) {
	a, b := Keys(1000, 1), Keys(1000, 1)
	if !slices.Equal(a, b) {
		t.Error("the same seed gives other IDs")
	}
	seen := map[string]bool{}
	for _, id := range append(a, Keys(1000, 2)...) {
		if len(id) != IDLen || seen[id] {
			t.Fatalf("ID %q is of a wrong length or not new", id)
		}
		seen[id] = true
	}
}
