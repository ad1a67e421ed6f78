package main

import "testing"

func TestShort(t *testing.T) {
	cases := map[float64]string{
		0: "0", 1: "1", 0.00163: "0.00163", 3.0651: "3.065", 313.64: "313.6", 999.96: "1,000",
		1012.4: "1,012", 1234567: "1,234,567", -2.348: "-2.348", -1234: "-1,234", 100: "100",
		0.00001234: "1.234e-05", 12.5: "12.5",
	}
	for v, want := range cases {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestCell(t *testing.T) {
	cases := []struct {
		values []float64
		want   string
	}{
		{[]float64{5}, "5"},
		{[]float64{5, 5, 5}, "5"},
		{[]float64{9, 1, 2}, "2 (1 to 9)"},
		{[]float64{4, 1, 2, 9}, "3 (1 to 9)"},
	}
	for _, c := range cases {
		if got := (&cell{c.values}).String(); got != c.want {
			t.Errorf("%v = %s, want %s", c.values, got, c.want)
		}
	}
	if a, b := (&cell{[]float64{1, 3}}), (&cell{[]float64{3, 4}}); !a.overlap(b) || !b.overlap(a) {
		t.Error("1 to 3 and 3 to 4 do not overlap")
	}
	if a, b := (&cell{[]float64{1, 2}}), (&cell{[]float64{3, 4}}); a.overlap(b) || b.overlap(a) {
		t.Error("1 to 2 and 3 to 4 overlap")
	}
}

// TestGoal_Bounds holds each way of asking to one answer that is met and one that is not.
func TestGoal_Bounds(t *testing.T) {
	f := &file{set: "touch-again"}
	row := func(subject, n string, v float64) sample {
		return sample{"Touch", subject, []dim{{"n", n}}, []value{{"ns/op", v}}}
	}
	f.samples = []sample{row("hash", "10", 100), row("curfew", "10", 150), row("curfew", "20", 450)}
	base := engineGoal("?", "touch", "Touch", "ns/op", "here")
	grown := base.at("n=20")
	grown.by = &ref{"curfew", []dim{{"n", "10"}}}
	grown.way, grown.bound = more, 3
	cases := []struct {
		name string
		goal goal
		want []bool
		v    float64
	}{
		{"a bound, each place", base.atMost(150, ""), []bool{true, false}, 150},
		{"a place", base.at("n=20").atMost(449, ""), []bool{false}, 450},
		{"beside another, where there is one", base.beat("hash", 1.5), []bool{true}, 1.5},
		{"beside another place, at least", grown, []bool{true}, 3},
		{"another set", engineGoal("?", "tou", "Touch", "ns/op", "").atMost(1, ""), nil, 0},
		{"another figure", engineGoal("?", "touch", "Touch", "B/op", "").atMost(1, ""), nil, 0},
	}
	for _, c := range cases {
		all := c.goal.answers(f, f.tables())
		if len(all) != len(c.want) {
			t.Errorf("%s: %d answers, want %d", c.name, len(all), len(c.want))
			continue
		}
		for i, a := range all {
			if a.met != c.want[i] || i == 0 && a.value != c.v {
				t.Errorf("%s: answer %d is %v of %v", c.name, i, a.met, a.value)
			}
		}
	}
}

// TestGoals_AreAskedOfWhatIsMeasured holds the goals to figures that are known and to sets that
// have a section, so that none is asked in vain.
func TestGoals_AreAskedOfWhatIsMeasured(t *testing.T) {
	sets := map[string]bool{}
	for _, s := range sections() {
		sets[s.set] = true
	}
	for _, g := range goals() {
		if !sets[g.set] {
			t.Errorf("%s: no section for the set %s", g.question, g.set)
		}
		if _, ok := measures[g.unit]; !ok {
			t.Errorf("%s: the figure %s is not known", g.question, g.unit)
		}
		if g.question == "" || g.source == "" || g.way == neither {
			t.Errorf("%+v: says not what was asked, or by whom", g)
		}
	}
}
