package result

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// fixedNames are the names of DESIGN section 8, and what each must be.
var fixedNames = map[string]any{
	"profile": "", "intended_rate": 0.0, "sent": 0.0, "received": 0.0, "lost": 0.0, "wrong": 0.0,
	"duplicated": 0.0,
	"connect": map[string]any{
		"ok": 0.0, "failed": 0.0, "p50_us": 0.0, "p99_us": 0.0, "max_us": 0.0,
	},
	"latency":             fixedLatency,
	"latency_uncorrected": fixedLatency,
	"expiry": map[string]any{
		"expected": 0.0, "observed": 0.0, "early": 0.0, "missing": 0.0, "p50_ms": 0.0,
		"p99_ms": 0.0, "max_ms": 0.0,
	},
	"closes": map[string]any{}, "errors": map[string]any{},
	"server": map[string]any{
		"cpu_us_per_message": 0.0, "cpu_us_per_connect": 0.0, "rss_bytes_per_connection": 0.0,
	},
	"timing_error": map[string]any{"p99_us": 0.0, "max_us": 0.0},
	"environment":  map[string]any{},
}

var fixedLatency = map[string]any{
	"count": 0.0, "p50_us": 0.0, "p90_us": 0.0, "p99_us": 0.0, "p999_us": 0.0, "max_us": 0.0,
}

// holds says what of want is not in got, or of another kind.
func holds(t *testing.T, path string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s is %v, want an object", path, got)
		}
		for name, inner := range want {
			holds(t, path+"."+name, m[name], inner)
		}
	case float64:
		if _, ok := got.(float64); !ok {
			t.Errorf("%s is %v, want a number", path, got)
		}
	case string:
		if _, ok := got.(string); !ok {
			t.Errorf("%s is %v, want a string", path, got)
		}
	}
}

func TestOf_HasEveryFixedName(t *testing.T) {
	var full Part
	full.Sent, full.CPU = 3, time.Second
	full.Latency.Record(time.Millisecond)
	full.Expiry.Lateness.Record(time.Second)
	full.Closes = map[string]uint64{"4200": 1}
	for name, p := range map[string]*Part{"empty": {}, "full": &full} {
		r := Of(p)
		r.Judge(0)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		holds(t, name, got, fixedNames)
	}
}

// TestOf_CarriesAll fills each number of a part with one of its own and looks for it in the report.
func TestOf_CarriesAll(t *testing.T) {
	p := Part{
		Sent: 101, Received: 102, Lost: 103, Wrong: 104, Duplicated: 105, Reordered: 106, Late: 107,
		Unsent: 108, Cut: 109, Interrupted: true,
		Connect: ConnectPart{OK: 110, Failed: 111},
		Expiry:  ExpiryPart{Expected: 112, Observed: 113, Early: 114, Missing: 115},
		Resume: ResumePart{
			Dropped: 116, Resumed: 117, Changed: 118, Refused: 119, Gaps: 120, Replayed: 121,
		},
		Fault:  FaultPart{Injected: 122, Cut: 123, Held: 124},
		Phases: []Phase{{PhaseRun, time.Second, 3 * time.Second}},
		Intervals: []Interval{{
			Phase: PhaseRun, Sent: 125, Received: 126, Bad: 127, Opened: 260, Closed: 129,
			Expired: 130, End: 132 * time.Millisecond,
		}},
		Closes: map[string]uint64{"4200": 133}, Errors: map[string]uint64{"eof": 134},
	}
	b, err := json.Marshal(Of(&p))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"sent":101`, `"received":102`, `"lost":103`, `"wrong":104`, `"duplicated":105`,
		`"reordered":106`, `"late":107`, `"unsent":108`, `"cut":109`, `"interrupted":true`,
		`"ok":110`, `"failed":111`, `"expected":112`, `"observed":113`, `"early":114`,
		`"missing":115`, `"dropped":116`, `"resumed":117`, `"changed":118`, `"refused":119`,
		`"gaps":120`, `"replayed":121`, `"injected":122`, `"cut":123`, `"held":124`, `"sent":125`,
		`"received":126`, `"bad":127`, `"opened":260`, `"closed":129`, `"expired":130`,
		`"open":131`, // opened less closed
		`"end_ms":132`, `"4200":133`, `"eof":134`, `"seconds":2`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
}

func TestOf_Units(t *testing.T) {
	var p Part
	for h, d := range map[*Histogram]time.Duration{
		&p.Latency: 2 * time.Millisecond, &p.Uncorrected: 3 * time.Millisecond,
		&p.Connect.Latency: 4 * time.Millisecond, &p.Expiry.Lateness: 5 * time.Millisecond,
		&p.TimingError: 6 * time.Millisecond, &p.Resume.Latency: 7 * time.Millisecond,
		&p.Fault.After: 8 * time.Millisecond, &p.Connect.TCP: 9 * time.Millisecond,
		&p.Connect.Upgrade: 10 * time.Millisecond,
	} {
		h.Record(d)
	}
	p.Fairness.Record(11 * time.Millisecond)
	r := Of(&p)
	for name, c := range map[string][2]float64{
		"latency p50": {r.Latency.P50, 2000}, "latency max": {r.Latency.Max, 2000},
		"uncorrected p999": {r.Uncorrected.P999, 3000}, "connect p99": {r.Connect.P99, 4000},
		"expiry p99": {r.Expiry.P99, 5}, "timing p99": {r.TimingError.P99, 6000},
		"resume max": {r.Resume.Max, 7}, "fault p50": {r.Fault.AfterP50, 8},
		"tcp": {r.Connect.TCPP99, 9000}, "upgrade": {r.Connect.UpgradeP99, 10000},
		"fairness": {r.Fairness.MeanMax, 11000}, "jain": {r.Fairness.Jain, 1},
	} {
		if c[0] < c[1] || c[0] > c[1]*1.001 {
			t.Errorf("%s = %v, want %v", name, c[0], c[1])
		}
	}
	if r.Histograms.Latency.Count() != 1 || r.Histograms.Lateness.Count() != 1 {
		t.Error("the report lacks its histograms")
	}
	p.Latency.Record(time.Second)
	if r.Histograms.Latency.Count() != 1 {
		t.Error("the report shares histograms with the part")
	}
}
