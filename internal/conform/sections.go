package conform

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Section is a chapter of the suite: the cases whose IDs begin with its number.
type Section struct {
	Number string
	Title  string
}

// sections are all chapters. There is no 8 and no 11, as in the Autobahn testsuite, whose 8 is
// about nothing and whose 11 is about itself.
var sections = []Section{
	{"1", "framing"},
	{"2", "pings and pongs"},
	{"3", "reserved bits"},
	{"4", "reserved opcodes"},
	{"5", "fragments"},
	{"6", "UTF-8"},
	{"7", "closing"},
	{"9", "limits"},
	{"10", "many fragments"},
	{"12", "compression: kinds of data"},
	{"13", "compression: kinds of offers"},
	{"14", "masks, lengths, handshake and more"},
}

// Sections lists the chapters of the suite in order.
func Sections() []Section {
	return slices.Clone(sections)
}

// Holds says whether the case with an ID belongs to the section.
func (s Section) Holds(id string) bool {
	number, _, _ := strings.Cut(id, ".")
	return number == s.Number
}

// Match lists the cases that a pattern names, as Options.Only does: "" is all. Where it names none
// the error is [ErrNoCase], and the cases are those that are called nearly so, at most five.
func Match(only string) ([]Case, error) {
	chosen, err := choose(only)
	if err != nil {
		return near(only), err
	}
	all := make([]Case, len(chosen))
	for i, c := range chosen {
		all[i] = c.describe()
	}
	return all, nil
}

// nearMax is how many cases are proposed for an ID that does not exist.
const nearMax = 5

// near lists the cases whose IDs share the longest beginning with a pattern, nearest length first.
func near(only string) []Case {
	shared := func(c Case) int {
		n := 0
		for n < len(c.ID) && n < len(only) && c.ID[n] == only[n] {
			n++
		}
		return n
	}
	all, most := Cases(), 0
	for _, c := range all {
		most = max(most, shared(c))
	}
	if most == 0 {
		return nil
	}
	all = slices.DeleteFunc(all, func(c Case) bool { return shared(c) < most })
	away := func(c Case) int {
		return max(len(c.ID)-len(only), len(only)-len(c.ID))
	}
	slices.SortStableFunc(all, func(a, b Case) int { return cmp.Compare(away(a), away(b)) })
	return all[:min(len(all), nearMax)]
}

// choose returns the cases that a pattern names.
func choose(only string) ([]*testCase, error) {
	if only == "" {
		return suite(), nil
	}
	var chosen []*testCase
	for _, c := range suite() {
		match, err := path.Match(only, c.id)
		if err != nil {
			return nil, &noCaseError{only, "this is no glob: a [ lacks its ]"}
		}
		if match {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, &noCaseError{only, ""}
	}
	return chosen, nil
}
