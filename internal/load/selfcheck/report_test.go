package selfcheck

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/load/selfcheck/faulty"
)

// perfect is what an echo run of a case counts on a server without fault, and what that server did.
func perfect(c Case) (result.Part, faulty.Ledger) {
	var p result.Part
	p.Connect.OK = uint64(c.Connections)
	n := uint64(c.Rate * c.Duration.Seconds())
	p.Sent, p.Received = n, n
	for range n {
		p.Latency.Record(time.Millisecond)
		p.Uncorrected.Record(time.Millisecond)
	}
	return p, faulty.Ledger{Messages: n, Answered: n}
}

// reported makes the report of a run, by way of its JSON.
func reported(t *testing.T, p *result.Part, edit func(object map[string]any)) (*report, error) {
	t.Helper()
	r := result.Of(p)
	r.Judge(0)
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		var object map[string]any
		if err := json.Unmarshal(b, &object); err != nil {
			t.Fatal(err)
		}
		edit(object)
		if b, err = json.Marshal(object); err != nil {
			t.Fatal(err)
		}
	}
	return parse(b)
}

// TestCheck has reports of runs against a server that withholds one answer and gives another
// twice, one of them as it must be and the others wrong in one way each.
func TestCheck(t *testing.T) {
	c := Case{
		Server: faulty.Options{Fault: faulty.Withhold}, Exit: 1,
		Counts: counts{"lost": each(2), "duplicated": exactly(1), "closes.1000": upTo(1)},
	}.withDefaults()
	for _, of := range []struct {
		what string
		edit func(p *result.Part, l *faulty.Ledger)
		exit int
		want string // part of the only thing that is wrong; "": nothing
	}{
		{"as it must be", func(*result.Part, *faulty.Ledger) {}, 1, ""},
		{"with what may be besides", func(p *result.Part, _ *faulty.Ledger) {
			p.Closes = map[string]uint64{"1000": 1}
		}, 1, ""},
		{"with more than may be", func(p *result.Part, _ *faulty.Ledger) {
			p.Closes = map[string]uint64{"1000": 2}
		}, 1, "closes.1000 is 2 and not at most 1"},
		{"too few of what is as often", func(_ *result.Part, l *faulty.Ledger) {
			l.Struck = 2
		}, 1, "lost is 2 and not 4"},
		{"too few", func(p *result.Part, _ *faulty.Ledger) {
			p.Duplicated = 0
		}, 1, "duplicated is 0 and not 1"},
		{"too many", func(p *result.Part, _ *faulty.Ledger) {
			p.Duplicated = 2
		}, 1, "duplicated is 2 and not 1"},
		{"something else too", func(p *result.Part, _ *faulty.Ledger) {
			p.Expiry.Early = 3
		}, 1, "expiry.early is 3 and not 0"},
		{"an error that nobody has heard of", func(p *result.Part, _ *faulty.Ledger) {
			p.Errors = map[string]uint64{"strange": 1}
		}, 1, "errors.strange is 1 and not 0"},
		{
			"an exit code that is not in the report", func(*result.Part, *faulty.Ledger) {}, 0,
			"the report says exit 1",
		},
		{"latencies of messages that were not answered", func(p *result.Part, _ *faulty.Ledger) {
			p.Latency.Record(time.Second)
		}, 1, "latencies, for answers: 299 and not 298"},
		{"messages that the server never got", func(_ *result.Part, l *faulty.Ledger) {
			l.Messages--
		}, 1, "sent, for those that the server got: 300 and not 299"},
		{"answers that the server never gave", func(_ *result.Part, l *faulty.Ledger) {
			l.Answered--
		}, 1, "answers got, for those that the server gave: 298 and not 297"},
		{"messages that were due and forgotten", func(p *result.Part, l *faulty.Ledger) {
			p.Sent, l.Messages = p.Sent-1, l.Messages-1
		}, 1, "sent or left, for due: 299 and not 300"},
	} {
		t.Run(of.what, func(t *testing.T) {
			p, l := perfect(c)
			p.Lost, p.Duplicated, l.Struck = 2, 1, 1
			p.Received, l.Answered = p.Received-2, l.Answered-2
			p.Latency, p.Uncorrected = result.Histogram{}, result.Histogram{}
			for range p.Received {
				p.Latency.Record(time.Millisecond)
				p.Uncorrected.Record(time.Millisecond)
			}
			of.edit(&p, &l)
			r, err := reported(t, &p, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, wrong := c.check(r, of.exit, l)
			switch all := strings.Join(wrong, "\n"); {
			case of.want == "" && len(wrong) > 0:
				t.Errorf("wrong: %q", wrong)
			case of.want != "" && !strings.Contains(all, of.want):
				t.Errorf("wrong: %q, want %q", wrong, of.want)
			}
		})
	}
}

// TestCheckNothing takes no case for proven whose fault was never there.
func TestCheckNothing(t *testing.T) {
	c := Case{
		Server: faulty.Options{Fault: faulty.Withhold}, Counts: counts{"lost": each(1)},
	}.withDefaults()
	p, l := perfect(c)
	r, err := reported(t, &p, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, wrong := c.check(r, 0, l)
	if len(wrong) != 1 || !strings.Contains(wrong[0], "never struck") {
		t.Errorf("wrong: %q", wrong)
	}
}

// TestParse refuses a report that lacks a number or is none.
func TestParse(t *testing.T) {
	p, _ := perfect(Case{}.withDefaults())
	for _, path := range []string{
		"lost", "expiry.early", "timing_error.max_us", "latency.p999_us",
	} {
		_, err := reported(t, &p, func(object map[string]any) {
			if outer, inner, ok := strings.Cut(path, "."); ok {
				object = object[outer].(map[string]any)
				delete(object, inner)
				return
			}
			delete(object, path)
		})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a report without %s: %v", path, err)
		}
	}
	if _, err := parse([]byte("{")); err == nil {
		t.Error("half an object passes for a report")
	}
}

func TestCompareTimes(t *testing.T) {
	c := Case{Times: []Time{{"expiry.p50_ms", 300, 320}}}.withDefaults()
	p, _ := perfect(c)
	for late, ok := range map[time.Duration]bool{
		310 * time.Millisecond: true, 10 * time.Millisecond: false, time.Second: false,
	} {
		p.Expiry.Lateness = result.Histogram{}
		p.Expiry.Lateness.Record(late)
		r, err := reported(t, &p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if lines, wrong := c.compare(r, 0); len(lines) != 1 || (len(wrong) == 0) != ok {
			t.Errorf("%v late: %q, %q", late, lines, wrong)
		}
	}
}

// TestCost finds the cost of an answer in what a flood came to.
func TestCost(t *testing.T) {
	var p result.Part
	// 1,000 messages due within 100 ms, of which the last waited for 400 ms more.
	p.Received = 1000
	p.Latency.Record(400 * time.Millisecond)
	p.Phases = []result.Phase{{Name: result.PhaseRun, End: 100 * time.Millisecond}}
	if got := cost(result.Of(&p)).Round(10 * time.Microsecond); got != 500*time.Microsecond {
		t.Errorf("cost %v, want 500µs", got)
	}
}

func TestTable(t *testing.T) {
	rows := []Row{
		{
			Case:  Case{Name: "withhold", Exit: 1, Counts: counts{"lost": each(1)}},
			Found: []string{"exit 1", "lost 3"},
		},
		{
			Case:  Case{Name: "twice", Exit: 1, Counts: counts{"duplicated": exactly(1)}},
			Found: []string{"exit 0"}, Wrong: []string{"duplicated is 0 and not 1"},
		},
	}
	var b strings.Builder
	if err := WriteTable(&b, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"withhold", "exit 1, lost as often as it struck", "exit 1, lost 3", "ok",
		"twice", "exit 1, duplicated 1", "MISSED", "duplicated is 0 and not 1",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	var raw strings.Builder
	if err := WriteRaw(&raw, &rows[1]); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(raw.String()) {
		if !strings.HasPrefix(line, "server=none protocol=plain ") {
			t.Errorf("a raw line without its server: %q", line)
		}
	}
}

// TestCases holds the list against what every case needs.
func TestCases(t *testing.T) {
	names, faults := map[string]bool{}, map[faulty.Fault]bool{}
	for _, c := range Cases() {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name], faults[c.Server.Fault] = true, true
		s, err := faulty.Start("127.0.0.1:0", c.Server)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		s.Close()
	}
	for _, f := range faulty.Faults() {
		if !faults[f] {
			t.Errorf("no case has the fault %q", f)
		}
	}
	if n := len(QuickCases()); n < 10 {
		t.Errorf("%d quick cases, want 10 or more", n)
	}
}
