package compare

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/curfew-go/curfew/internal/load/result"
)

// run is a report of a run whose messages all took as long.
func run(p99 time.Duration) *result.Result {
	var p result.Part
	p.Sent, p.Received, p.Connect.OK = 100, 100, 10
	p.Phases = []result.Phase{{Name: result.PhaseRun, End: 2 * time.Second}}
	for range 100 {
		p.Latency.Record(p99)
		p.Uncorrected.Record(p99 / 2)
	}
	p.TimingError.Record(30 * time.Microsecond)
	r := result.Of(&p)
	r.Profile, r.IntendedRate = "echo", 50
	r.Environment = result.Environment{
		Version: "v1", Kernel: "6.1", CPU: "cpu", Cores: 2, Processes: 2,
		Server: "ws://127.0.0.1:8079/ws", Protocol: "plain",
		Settings: map[string]string{"connections": "10", "size": "32", "duration": "2s"},
	}
	r.Judge(0)
	// Exactly, which the histogram has only within its precision.
	us := float64(p99) / float64(time.Microsecond)
	r.Latency = result.Latency{Count: 100, P50: us, P90: us, P99: us, P999: us, Max: us}
	return r
}

func runsOf(p99s ...time.Duration) (all []*result.Result) {
	for _, p99 := range p99s {
		all = append(all, run(p99))
	}
	return all
}

// micros are durations in microseconds.
func micros(all ...int) (ds []time.Duration) {
	for _, us := range all {
		ds = append(ds, time.Duration(us)*time.Microsecond)
	}
	return ds
}

func (c *comparison) figure(t *testing.T, name string) *change {
	t.Helper()
	for i := range c.Figures {
		if c.Figures[i].Name == name {
			return &c.Figures[i]
		}
	}
	t.Fatalf("no figure %q", name)
	return nil
}

// TestCompare_Significance by samples whose p-value follows from counting orders.
func TestCompare_Significance(t *testing.T) {
	for _, c := range []struct {
		name      string
		a, b      []time.Duration
		p         float64
		judgement string
		delta     string
	}{
		{
			"apart, 4 and 4", micros(100, 101, 102, 103), micros(200, 201, 202, 203),
			2.0 / 70, worse, "+98.5%",
		},
		{
			"the other way", micros(200, 201, 202, 203), micros(100, 101, 102, 103),
			2.0 / 70, better, "-49.6%",
		},
		{
			"apart, 5 and 5", micros(1, 2, 3, 4, 5), micros(10, 20, 30, 40, 50),
			2.0 / 252, worse, "+900.0%",
		},
		{
			"apart, 3 and 5", micros(10, 11, 12), micros(20, 21, 22, 23, 24),
			2.0 / 56, worse, "+100.0%",
		},
		{"mixed", micros(100, 102, 104, 106), micros(101, 103, 105, 107), 48.0 / 70, same, "~"},
		{"all equal", micros(100, 100, 100, 100), micros(100, 100, 100, 100), 1, same, "~"},
		{"apart, 3 and 3", micros(100, 101, 102), micros(200, 201, 202), 0.1, untold, "+99.0% ?"},
		{"one a side", micros(100), micros(200), 1, untold, "+100.0% ?"},
	} {
		f := compareSides(runsOf(c.a...), runsOf(c.b...)).figure(t, "latency_p99_us")
		if f.P == nil || math.Abs(*f.P-c.p) > 1e-9 || f.Judgement != c.judgement ||
			f.delta() != c.delta || f.Significant != (c.p < Alpha) {
			t.Errorf("%s: %s, change %s, %+v, want p=%v, %s, %s",
				c.name, f.Judgement, f.delta(), f, c.p, c.judgement, c.delta)
		}
	}
}

// TestCompare_Ties where the values of both sides meet.
func TestCompare_Ties(t *testing.T) {
	f := compareSides(runsOf(micros(10, 10, 10, 11, 11)...), runsOf(micros(11, 12, 12, 12, 12)...)).
		figure(t, "latency_p50_us")
	if f.Judgement != worse || *f.P >= Alpha || *f.P < 2.0/252 {
		t.Errorf("few ties: %+v, p %v", f, *f.P)
	}
	f = compareSides(runsOf(micros(10, 10, 10, 11, 11)...), runsOf(micros(10, 10, 11, 11, 11)...)).
		figure(t, "latency_p50_us")
	if f.Judgement != same || f.delta() != "~" {
		t.Errorf("many ties: %+v, p %v", f, *f.P)
	}
}

func TestCompare_Zeros(t *testing.T) {
	a, b := runsOf(micros(1, 2, 3, 4)...), runsOf(micros(1, 2, 3, 4)...)
	c := compareSides(a, b)
	if f := c.figure(t, "lost"); f.delta() != "~" || f.Percent != nil || f.A.N != 4 {
		t.Errorf("nothing lost: %+v", f)
	}
	for i, r := range b {
		r.Lost = uint64(10 + i)
	}
	c = compareSides(a, b)
	if f := c.figure(t, "lost"); f.delta() != "from 0" || f.Judgement != worse || f.Percent != nil {
		t.Errorf("something lost: %+v", f)
	}
	c = compareSides(b, a)
	if f := c.figure(t, "lost"); f.delta() != "-100.0%" || f.Judgement != better {
		t.Errorf("nothing lost any more: %+v", f)
	}
	for _, f := range c.Figures {
		if strings.HasPrefix(f.Name, "server_") || strings.HasPrefix(f.Name, "expiry_") {
			t.Errorf("%s is shown, and no run has it", f.Name)
		}
	}
	a[0].Server.CPUPerMessage, a[1].Server.CPUPerMessage = 4, 5
	c = compareSides(a, b)
	if f := c.figure(t, "server_rss_bytes_per_connection"); f.A.N != 2 || f.A.Median != 0 {
		t.Errorf("a server whose memory did not grow: %+v", f)
	}
	f := c.figure(t, "server_cpu_us_per_message")
	if f.Judgement != oneSided || f.A.N != 2 || f.B.N != 0 || f.P != nil || f.delta() != "-" {
		t.Errorf("known of one side: %+v", f)
	}
}

func TestCompare_Repeated(t *testing.T) {
	r := run(time.Second)
	for _, one := range runsOf(micros(1, 2, 3, 4, 5)...) {
		one.Profile, one.Environment = "", result.Environment{}
		r.Runs = append(r.Runs, *one)
	}
	c := compareSides([]*result.Result{r}, append(runsOf(micros(3)...), r))
	if c.A.Runs != 5 || c.B.Runs != 6 || len(c.Warnings) > 0 || len(c.Remarks) > 0 {
		t.Errorf("%d and %d runs, %q, %q", c.A.Runs, c.B.Runs, c.Warnings, c.Remarks)
	}
	f := c.figure(t, "latency_p99_us")
	if f.A.Median < 2.9 || f.A.Median > 3.1 || f.A.Min > 1.1 || f.A.Max > 5.1 || f.A.off() < 1.9 {
		t.Errorf("the figures of the report and not of its runs: %+v", f.A)
	}
}

func TestCompare_Warnings(t *testing.T) {
	base := func() []*result.Result { return runsOf(micros(1, 2, 3, 4)...) }
	for _, c := range []struct {
		want   string
		change func(r *result.Result)
	}{
		{"profile is echo in A and churn in B", func(r *result.Result) { r.Profile = "churn" }},
		{"rate is 50/s in A and 60/s in B", func(r *result.Result) { r.IntendedRate = 60 }},
		{"size is 32 in A and not said in B", func(r *result.Result) {
			r.Environment.Settings = map[string]string{"connections": "10", "duration": "2s"}
		}},
		{"connections is 10 in A and 11 in B", func(r *result.Result) {
			r.Environment.Settings = map[string]string{
				"connections": "11", "size": "32", "duration": "2s",
			}
		}},
		{"protocol is plain in A and json in B", func(r *result.Result) {
			r.Environment.Protocol = "json"
		}},
		{"machine is cpu, 2 cores, Linux 6.1 in A and cpu, 4 cores", func(r *result.Result) {
			r.Environment.Cores = 4
		}},
		{"processes is 2 in A and 1 in B", func(r *result.Result) { r.Environment.Processes = 1 }},
	} {
		b := base()
		for _, r := range b {
			c.change(r)
		}
		got := compareSides(base(), b).Warnings
		if len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%q, want %q and nothing else", got, c.want)
		}
	}
	a, b := base(), base()
	a[1].Profile, b[1].Profile = "idle", "idle"
	a[2].ExitCode, b[0].ExitCode, b[3].Interrupted = result.ExitSchedule, result.ExitUsage, true
	got := strings.Join(compareSides(a, b).Warnings, "\n")
	for _, want := range []string{
		"profile differs from run to run (echo, idle)",
		"run 3 of A: the harness fell short (exit code 3)",
		"run 1 of B: nothing could be connected", "run 4 of B was interrupted",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among\n%s", want, got)
		}
	}
}

func TestWrite_Table(t *testing.T) {
	table := func(a, b []*result.Result) string {
		var out strings.Builder
		if err := Write(&out, a, b, false); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	got := table(runsOf(micros(100)...), runsOf(micros(200)...))
	if !strings.Contains(got, "one run a side: no significance can be told; use --repeat") {
		t.Errorf("one run a side, and no remark:\n%s", got)
	}
	got = table(runsOf(micros(100, 100)...), runsOf(micros(200, 200, 200)...))
	if !strings.Contains(got, "2 runs on side A and 3 runs on side B: no significance") ||
		!strings.Contains(got, "p=0.20") {
		t.Errorf("few runs a side, and no remark:\n%s", got)
	}
	got = table(runsOf(micros(100, 110, 120, 130)...), runsOf(micros(2000, 2100, 2200, 2300)...))
	_, columns, _ := strings.Cut(got, "\n\n")
	lines := strings.Split(columns, "\n")
	end := utf8.RuneCountInString(lines[0])
	for _, line := range lines[1:6] {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "  worse"), "  better")
		if n := utf8.RuneCountInString(line); n != end {
			t.Errorf("columns do not end alike, %d and %d:\n%s", end, n, got)
		}
	}
	if !strings.Contains(got, "0.029  worse") || !strings.Contains(got, "±13%") {
		t.Errorf("the table:\n%s", got)
	}
	if got := table(nil, nil); !strings.Contains(got, "no figure to compare") {
		t.Errorf("nothing beside nothing:\n%s", got)
	}
}

func TestWrite_JSON(t *testing.T) {
	for _, sides := range [][2][]*result.Result{
		{nil, nil},
		{{{}}, {{}}},
		{runsOf(micros(1, 2, 3, 4)...), runsOf(micros(1)...)},
	} {
		var out strings.Builder
		if err := Write(&out, sides[0], sides[1], true); err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"figures", "warnings", "remarks"} {
			if _, ok := got[name].([]any); !ok {
				t.Errorf("%s is %v, want a list", name, got[name])
			}
		}
	}
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWrite_FailsWithItsWriter(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		if err := Write(fullDisk{}, nil, nil, asJSON); !errors.Is(err, errFull) {
			t.Errorf("Write to a full disk = %v", err)
		}
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		unit string
		v    float64
		want string
	}{
		{unitMicros, 0, "0.00µs"},
		{unitMicros, 12.345, "12.35µs"},
		{unitMicros, 999.9, "999.9µs"},
		{unitMicros, 1234, "1.23ms"},
		{unitMicros, 2.5e6, "2.50s"},
		{unitMillis, 0.05, "50.00µs"},
		{unitMillis, 12, "12.00ms"},
		{unitBytes, 278, "278B"},
		{unitBytes, 17203.2, "16.80KiB"},
		{unitPerSec, 20000, "20000/s"},
		{unitPerSec, 19999.97, "20000/s"},
		{unitCount, 3, "3"},
		{unitCount, 2.5, "2.50"},
	} {
		if got := scaleOf(c.unit, c.v).format(c.v); got != c.want {
			t.Errorf("%v %s is %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}
