package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// recorded is a report as a run makes one, with latencies around some value.
func recorded(around time.Duration) *result.Result {
	var p result.Part
	p.Sent, p.Received, p.Connect.OK = 1000, 1000, 10
	p.Phases = []result.Phase{{Name: result.PhaseRun, End: time.Second}}
	i := result.Interval{Phase: result.PhaseRun, End: time.Second}
	for n := range 1000 {
		p.Latency.Record(around + time.Duration(n)*time.Microsecond)
		i.Latency.Record(around)
	}
	p.Connect.Latency.Record(around)
	p.TimingError.Record(20 * time.Microsecond)
	p.Intervals = []result.Interval{i}
	r := result.Of(&p)
	r.Profile, r.IntendedRate = "echo", 1000
	r.Environment.Server = "ws://127.0.0.1:8079/ws"
	r.Judge(0)
	return r
}

// stored writes a report to a file.
func stored(t *testing.T, r *result.Result) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return written(t, string(b))
}

func written(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "run.json")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// loadDiff runs the command and gives what it prints, and what it says went wrong.
func loadDiff(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newLoadDiff(Process{Stdout: &out})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{}, args...)) // nil would be the arguments of the test itself
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestLoadDiff(t *testing.T) {
	repeated := func(around time.Duration) string {
		r := recorded(around)
		for n := range 5 {
			run := recorded(around + time.Duration(n)*time.Microsecond)
			run.Intervals, run.Histograms = nil, result.Histograms{}
			r.Runs = append(r.Runs, *run)
		}
		return stored(t, r)
	}
	a, b := repeated(time.Millisecond), repeated(2*time.Millisecond)
	out, err := loadDiff(t, a, b)
	if err != nil || !strings.Contains(out, "A: 5 runs, echo, ws://127.0.0.1:8079/ws") ||
		!strings.Contains(out, "worse") || strings.Contains(out, "warning") {
		t.Errorf("diff of 1 ms and 2 ms = %v\n%s", err, out)
	}
	single := stored(t, recorded(time.Millisecond))
	out, err = loadDiff(t, "-o", "json", single+","+a, b)
	var got struct {
		A, B    struct{ Runs int }
		Figures []struct {
			Name        string
			Significant bool
			Judgement   string
		}
	}
	if jsonErr := json.Unmarshal([]byte(out), &got); err != nil || jsonErr != nil {
		t.Fatalf("diff -o json = %v, %v\n%s", err, jsonErr, out)
	}
	if got.A.Runs != 6 || got.B.Runs != 5 {
		t.Errorf("%d and %d runs, want 6 and 5", got.A.Runs, got.B.Runs)
	}
	for _, f := range got.Figures {
		if f.Name == "latency_p99_us" && (!f.Significant || f.Judgement != "worse") {
			t.Errorf("p99 %+v, want a significant change for the worse", f)
		}
	}
}

func TestLoadDiff_BadInput(t *testing.T) {
	good := stored(t, recorded(time.Millisecond))
	text, list, other := written(t, "p99 12"), written(t, "[1]"), written(t, `{"cases":[]}`)
	broken := written(t, `{"profile":1,"latency":{},"connect":{},"timing_error":{}}`)
	cut := written(t, `{"profile":"echo","latency":{`)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "two sides, and 0 were given"},
		{[]string{good}, "two sides, and 1 were given"},
		{[]string{good, good, good}, "two sides, and 3 were given"},
		{[]string{"-o", "xml", good, good}, `no output "xml": table or json`},
		{[]string{good, "nowhere.json"}, "nowhere.json: no such file"},
		{[]string{good, t.TempDir()}, "is a directory"},
		{[]string{good + ",", good}, "a comma too many"},
		{[]string{good, text}, text + " is not a JSON object"},
		{[]string{good, list}, list + " is not a JSON object"},
		{[]string{good, cut}, cut + " is not a JSON object"},
		{[]string{other, good}, other + " is no report of curfew load: it has no \"profile\""},
		{[]string{broken, good}, broken + " is no report of curfew load: json"},
	} {
		out, err := loadDiff(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) || out != "" {
			t.Errorf("diff %q = %v, want %q; prints %q", c.args, err, c.want, out)
		}
	}
	// All files that are wrong are told of at once.
	_, err := loadDiff(t, text, other)
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two files that are wrong: %v, want two lines", err)
	}
}
