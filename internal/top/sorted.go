package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

// each gives the rates of counters by name that are above 0, the highest first.
func each(a, b map[string]uint64, one func(before, after uint64) float64) []named {
	var all []named
	for name, after := range b {
		if rate := one(a[name], after); rate > 0 {
			all = append(all, named{screen.Safe(name, 40), rate})
		}
	}
	slices.SortFunc(all, func(x, y named) int {
		return cmp.Or(cmp.Compare(y.rate, x.rate), strings.Compare(x.name, y.name))
	})
	return all
}

// byCode are counts of closes by a name for how it was.
func byCode(all []adminclient.CloseCount) map[string]uint64 {
	m := make(map[string]uint64, len(all))
	for _, c := range all {
		m[closeName(c)] += c.Count
	}
	return m
}

func closeName(c adminclient.CloseCount) string {
	if c.Code == 0 {
		return "cut"
	}
	return fmt.Sprintf("%d %s", c.Code, c.Side)
}
