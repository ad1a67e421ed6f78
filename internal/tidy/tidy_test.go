package tidy

import (
	"fmt"
	"go/token"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// rules are all the rules of the house.
var rules = []rule{
	layersRule,
	bannedImportsRule,
	unsafeRule,
	goStatementsRule,
	clocksRule,
	sleepsRule,
	atomicsRule,
	packageCommentsRule,
	methodCommentsRule,
	fileSizesRule,
	namesRule,
	decisionsRule,
	resultsRule,
	readmeExampleRule,
	machinePathsRule,
	binariesRule,
	linksRule,
}

// rule is one rule of the house.
type rule struct {
	name string

	// check adds a line for each breach: where it is, what it is, what to do instead.
	check func(h *house, f *findings)

	// proofs show that the rule can fail and that it can pass.
	proofs []proof
}

// findings are what breaks a rule.
type findings []string

// add adds what is not to be found in one line of Go.
func (f *findings) add(format string, args ...any) {
	*f = append(*f, fmt.Sprintf(format, args...))
}

// at adds what is.
func (f *findings) at(s *source, pos token.Pos, format string, args ...any) {
	f.add("%s:%d: %s", s.path, s.fset.Position(pos).Line, fmt.Sprintf(format, args...))
}

// proof is a tiny house and what a rule finds in it.
type proof struct {
	name  string
	files map[string]string

	// want holds a part of each finding, in order. Where it is empty the house is clean.
	want []string
}

// TestTidy holds this house to its rules.
func TestTidy(t *testing.T) {
	h, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			var found findings
			r.check(h, &found)
			for _, finding := range found {
				t.Error(finding)
			}
		})
	}
}

// TestProofs shows that each rule finds what it is for, and nothing else.
func TestProofs(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			var clean, broken bool
			for _, p := range r.proofs {
				clean = clean || len(p.want) == 0
				broken = broken || len(p.want) > 0
				t.Run(p.name, func(t *testing.T) { prove(t, r, p) })
			}
			if !clean || !broken {
				t.Error("want at least one proof that the rule passes and one that it fails")
			}
		})
	}
}

func prove(t *testing.T, r rule, p proof) {
	t.Helper()
	tree := fstest.MapFS{}
	for name, body := range p.files {
		tree[name] = &fstest.MapFile{Data: []byte(body)}
	}
	h, err := load(tree)
	if err != nil {
		t.Fatal(err)
	}
	var got findings
	r.check(h, &got)
	if len(got) != len(p.want) {
		t.Fatalf("findings = %q, want %d of them: %q", got, len(p.want), p.want)
	}
	for i := range got {
		if !strings.Contains(got[i], p.want[i]) {
			t.Errorf("finding %d = %q, want it to hold %q", i, got[i], p.want[i])
		}
	}
}
