package result

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fill gives every field of a struct a value that was drawn, so that none is forgotten that is
// added later.
func fill(t *rapid.T, v reflect.Value, label string) {
	switch x := v.Addr().Interface().(type) {
	case *Histogram:
		if rapid.IntRange(0, 11).Draw(t, label) == 11 { // they are large
			*x, _ = drawHistogram(t, label)
		}
	case *map[string]uint64:
		*x = rapid.MapOfN(rapid.SampledFrom([]string{"4200", "eof", "1001"}),
			rapid.Uint64Range(1, 9), 1, 3).Draw(t, label)
	case *[]Phase:
		for _, name := range []string{PhaseConnect, PhaseWarmup, PhaseRun, PhaseDrain} {
			if rapid.Bool().Draw(t, name) {
				start := time.Duration(rapid.IntRange(0, 99).Draw(t, "start"))
				*x = append(*x, Phase{name, start, start + 9})
			}
		}
	case *[]Interval:
		for number := range 3 {
			if rapid.Bool().Draw(t, "interval") {
				var i Interval
				fill(t, reflect.ValueOf(&i).Elem(), label)
				i.Phase, i.Number = PhaseRun, number
				*x = append(*x, i)
			}
		}
	default:
		fillPlain(t, v, label)
	}
}

func fillPlain(t *rapid.T, v reflect.Value, label string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 1<<40).Draw(t, label))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(0, 1<<40).Draw(t, label))
	case reflect.Float64: // whole ones, whose sum has one value in any order
		v.SetFloat(float64(rapid.IntRange(0, 1<<20).Draw(t, label)))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, label))
	case reflect.String:
		v.SetString(label)
	default:
		t.Fatalf("nobody fills a %v (%s)", v.Type(), label)
	}
}

func drawPart(t *rapid.T) *Part {
	p := new(Part)
	fill(t, reflect.ValueOf(p).Elem(), "part")
	return p
}

// plainOf is a part as JSON has it, with phases and intervals in their order.
func plainOf(t *rapid.T, p *Part) string {
	slices.SortFunc(p.Phases, func(a, b Phase) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(p.Intervals, func(a, b Interval) int { return cmp.Compare(a.Number, b.Number) })
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// copyOf is a part that shares nothing with another.
func copyOf(t *rapid.T, p *Part) *Part {
	var c Part
	if err := json.Unmarshal([]byte(plainOf(t, p)), &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestPart_MergeCommutes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPart(t), drawPart(t)
		ab, ba := copyOf(t, a), copyOf(t, b)
		ab.Merge(b)
		ba.Merge(a)
		if x, y := plainOf(t, ab), plainOf(t, ba); x != y {
			t.Fatalf("a + b = %s\nb + a = %s", x, y)
		}
	})
}

func TestPart_MergeAssociates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawPart(t), drawPart(t), drawPart(t)
		left, right := copyOf(t, a), copyOf(t, b)
		left.Merge(b)
		left.Merge(c)
		right.Merge(c)
		first := copyOf(t, a)
		first.Merge(right)
		if x, y := plainOf(t, left), plainOf(t, first); x != y {
			t.Fatalf("(a + b) + c = %s\na + (b + c) = %s", x, y)
		}
	})
}

// TestPart_MergeOfNothing holds that a part that is merged into an empty one is what it was, which
// also shows that no field is left out, and that neither shares anything with the other.
func TestPart_MergeOfNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := drawPart(t)
		var sum Part
		sum.Merge(a)
		want := plainOf(t, a)
		if got := plainOf(t, &sum); got != want {
			t.Fatalf("0 + a = %s\nwant    %s", got, want)
		}
		sum.Merge(drawPart(t))
		if got := plainOf(t, a); got != want {
			t.Fatalf("a changed to %s\nfrom %s", got, want)
		}
	})
}

func TestPart_IntervalsMergeByNumber(t *testing.T) {
	interval := func(phase string, number int, sent uint64) Interval {
		i := Interval{Phase: phase, Number: number, Sent: sent, Open: 1}
		i.Latency.Record(time.Millisecond)
		i.Start = time.Duration(number) * time.Second
		i.End = i.Start + time.Second
		return i
	}
	var p Part
	for _, i := range []Interval{
		interval(PhaseRun, 1, 1), interval(PhaseConnect, 0, 100), interval(PhaseRun, 0, 10),
		interval(PhaseRun, 1, 1000), interval(PhaseRun, 0, 10000),
	} {
		p.MergeInterval(&i)
		i.Latency.Record(time.Hour) // what was given may be used for something else
	}
	got := map[uint64]int{}
	for _, i := range p.Intervals {
		got[i.Sent] = i.Number
		if want := i.Open; i.Latency.Count() != want {
			t.Errorf("%s %d: %d latencies of %d", i.Phase, i.Number, i.Latency.Count(), want)
		}
	}
	if want := map[uint64]int{1001: 1, 100: 0, 10010: 0}; !maps.Equal(got, want) {
		t.Errorf("merged: %v, want %v", got, want)
	}
	r := Of(&p)
	order := []uint64{100, 10010, 1001}
	for i, v := range r.Intervals {
		if v.Sent != order[i] {
			t.Errorf("interval %d sent %d, want %d", i, v.Sent, order[i])
		}
	}
}

func TestFairness_Jain(t *testing.T) {
	for _, c := range []struct {
		means []time.Duration
		want  float64
	}{
		{nil, 0},
		{[]time.Duration{0, 0}, 0},
		{[]time.Duration{time.Millisecond}, 1},
		{[]time.Duration{5 * time.Second, 5 * time.Second, 5 * time.Second}, 1},
		{[]time.Duration{time.Second, 0, 0, 0}, 0.25},
		{[]time.Duration{1 * time.Second, 3 * time.Second}, 0.8},
	} {
		var f, a, b Fairness
		for i, m := range c.means {
			f.Record(m)
			[]*Fairness{&a, &b}[i%2].Record(m)
		}
		a.merge(&b)
		if got, merged := f.Jain(), a.Jain(); math.Abs(got-c.want) > 1e-9 || got != merged {
			t.Errorf("Jain(%v) = %v, merged %v, want %v", c.means, got, merged, c.want)
		}
	}
}

func TestFairness_JainIsBetween(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var f Fairness
		for _, us := range rapid.SliceOfN(rapid.IntRange(1, 5e6), 1, 50).Draw(t, "us") {
			f.Record(time.Duration(us) * time.Microsecond)
		}
		if j := f.Jain(); j < 1/float64(f.N)-1e-9 || j > 1+1e-9 {
			t.Fatalf("Jain() = %v over %d", j, f.N)
		}
	})
}
