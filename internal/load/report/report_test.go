package report

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

func write(t testing.TB, r *result.Result) string {
	t.Helper()
	var out strings.Builder
	if err := Write(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// pageParts takes a page apart: what is said, the numbers to draw, the script.
func pageParts(t testing.TB, html string) (said, numbers, code string) {
	t.Helper()
	m := regexp.MustCompile(`(?s)^(.*)<script type="application/json" id="data">(.*)</script>\s*` +
		`<script>(.*)</script>\s*</body>\s*</html>\s*$`).FindStringSubmatch(html)
	if m == nil {
		t.Fatalf("the page does not end in its numbers and its script: ...%s",
			html[max(0, len(html)-300):])
	}
	return m[1], m[2], m[3]
}

// drawn are the numbers of a page.
func drawn(t testing.TB, html string) (p plotsRead) {
	t.Helper()
	_, numbers, _ := pageParts(t, html)
	if err := json.Unmarshal([]byte(numbers), &p); err != nil {
		t.Fatalf("the page's numbers: %v", err)
	}
	return p
}

// plotsRead is what the page's script reads.
type plotsRead struct {
	Percentiles *struct{ X, Corrected, Uncorrected, Harness []*float64 }
	Timeline    *struct {
		T, Sent, Received, P50, P99, Max, Open, Opened, Closed, Expired, Bad []*float64
		Phases                                                               []struct {
			Name       string
			Start, End float64
		}
	}
	Lateness, Connect *struct {
		Log    bool
		Edges  []float64
		Counts []uint64
		Total  uint64
	}
}

func has(t *testing.T, html string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(html, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func hasNot(t *testing.T, html string, all ...string) {
	t.Helper()
	for _, unwanted := range all {
		if strings.Contains(html, unwanted) {
			t.Errorf("the page has %q", unwanted)
		}
	}
}

func TestWrite_Echo(t *testing.T) {
	r := reported(recorded(2000, 20), "echo")
	html := write(t, r)
	said, _, _ := pageParts(t, html)
	has(t, said, "<h1>curfew load: echo</h1>", "ws://127.0.0.1:8079/ws",
		`class="verdict good"`, "The server kept its promises",
		"2,000 sent, 2,000 came back right", "500 opened, 0 failed",
		`data-plot="percentiles"`, `data-plot="rate"`, `data-plot="latency"`, `data-plot="open"`,
		`data-plot="connect"`, "Jain", "Some CPU @ 2.5 GHz", "net.core.somaxconn",
		micros(r.Latency.P99), micros(r.Uncorrected.P99), micros(r.TimingError.P99))
	hasNot(t, said, `id="expiry"`, `id="resume"`, `id="faults"`, `id="closes"`, `id="errors"`,
		`id="server"`, `id="runs"`, `data-plot="lateness"`, `data-plot="bad"`,
		`data-plot="expired"`, "No session ends", "interrupted", `class="broken"`)
	p := drawn(t, html)
	if p.Lateness != nil || p.Connect.Total != 500 || p.Connect.Log {
		t.Errorf("distributions: %+v, %+v", p.Lateness, p.Connect)
	}
	last := len(p.Percentiles.X) - 1
	longest := p.Percentiles.Corrected[last]
	if longest == nil || math.Abs(*longest-r.Latency.Max) > r.Latency.Max/1000 {
		t.Errorf("the rarest of 2,000 is %v, want the max, %v", longest, r.Latency.Max)
	}
	if *p.Percentiles.X[last] != 3.301 || p.Percentiles.Harness[last] != nil {
		t.Errorf("the curves end at %v, with the harness's %v", *p.Percentiles.X[last],
			p.Percentiles.Harness[last])
	}
	for i, x := range p.Percentiles.X {
		if *x == 2 && math.Abs(*p.Percentiles.Corrected[i]-r.Latency.P99) > r.Latency.P99/1000 {
			t.Errorf("at 99 %% %v, want %v", *p.Percentiles.Corrected[i], r.Latency.P99)
		}
	}
}

func TestWrite_Timeline(t *testing.T) {
	p := drawn(t, write(t, reported(recorded(2000, 20), "echo"))).Timeline
	if len(p.T) != 25 || *p.T[0] != -0.45 || *p.T[5] != 0.05 || *p.T[24] != 1.95 {
		t.Fatalf("%d points of time, want 25 from -0.45 to 1.95", len(p.T))
	}
	if p.P99[0] != nil || *p.Sent[0] != 0 || *p.Opened[0] != 1000 || *p.Open[4] != 500 {
		t.Error("connecting: latency, or other numbers than were recorded")
	}
	if p.P99[5] == nil || *p.Sent[5] != 1000 || *p.Received[24] != 1000 || *p.Bad[24] != 0 {
		t.Error("the run: other numbers than were recorded")
	}
	if len(p.Phases) != 4 || p.Phases[0].Start != -0.5 || p.Phases[0].End != 0 ||
		p.Phases[2].Name != result.PhaseRun || p.Phases[3].End != 2 {
		t.Errorf("phases %+v", p.Phases)
	}
}

func TestWrite_EverythingBroken(t *testing.T) {
	r := reported(faulty(), "chatty")
	r.Server = result.Server{CPUPerMessage: 4.25, BytesPerConn: 631, Descriptors: 520}
	r.Environment.Settings["max_p99"] = "10ms"
	r.Judge(10 * time.Millisecond)
	html := write(t, r)
	said, _, _ := pageParts(t, html)
	has(t, said, `class="verdict bad"`, "The server broke 13 promises",
		"20 lost, 3 wrong, 1 came twice, 2 out of order", "7 were due and could not be sent",
		"3 were cut", "40 messages sent, 6 lost",
		"500 opened, 4 failed", "1,000 expected, 999 ended, 1 missing", "1 ended early",
		"100 dropped, 96 resumed, 3 refused, 1 became another session, 2 with a gap",
		"The p99 of the latency is at most 10ms.", `id="expiry"`, `id="resume"`, `id="faults"`,
		`id="closes"`, "4200 session expired", `id="errors"`, "econnrefused", `id="server"`,
		"4.25\u202fµs", "631\u202fB", `data-plot="lateness"`, `data-plot="bad"`,
		`data-plot="expired"`, `data-plot="turnover"`)
	for _, reason := range r.Broken {
		has(t, said, "<li>"+reason+"</li>")
	}
	if n := strings.Count(said, `<tr class="broken">`); n != 9 {
		t.Errorf("%d promises are shown as broken, want 9", n)
	}
	b := drawn(t, html).Lateness
	var sum uint64
	for _, n := range b.Counts {
		sum += n
	}
	if sum != 998 || b.Total != 998 || b.Log || len(b.Edges) != len(b.Counts)+1 ||
		b.Edges[0] != 0 || b.Edges[len(b.Edges)-1] < 21000 {
		t.Errorf("lateness %+v", b)
	}
}

func TestWrite_Verdicts(t *testing.T) {
	late := recorded(200, 5)
	late.TimingError.Record(time.Second)
	interrupted := recorded(200, 5)
	interrupted.Interrupted = true
	nobody := &result.Part{}
	nobody.Connect.Failed = 3
	for _, c := range []struct {
		name, class, headline string
		r                     *result.Result
	}{
		{
			"late", "doubt", "The harness fell short: these numbers prove nothing",
			reported(late, "echo"),
		},
		{
			"interrupted", "doubt", "The server kept its promises, as far as the run went",
			reported(interrupted, "echo"),
		},
		{"nobody there", "bad", "Nothing could be connected", reported(nobody, "echo")},
		{"empty", "doubt", "Nothing was measured", &result.Result{}},
		{"unknown", "doubt", "The run ended with exit code 9", &result.Result{ExitCode: 9}},
	} {
		html := write(t, c.r)
		if !strings.Contains(html, `class="verdict `+c.class+`"`) ||
			!strings.Contains(html, ">"+c.headline+"</h2>") {
			t.Errorf("%s: no verdict %q in %s", c.name, c.headline, c.class)
		}
	}
	has(t, write(t, reported(late, "echo")), `<tr class="late">`)
	has(t, write(t, reported(interrupted, "echo")), "The run was interrupted before its end")
}

func TestWrite_Empty(t *testing.T) {
	html := write(t, &result.Result{})
	said, numbers, _ := pageParts(t, html)
	hasNot(t, said, "<figure", "<section id=\"latency\"", "NaN", "Inf", "%!", "{{")
	if strings.TrimSpace(numbers) != "{}" {
		t.Errorf("numbers of an empty result: %s", numbers)
	}
}

func TestWrite_Repeated(t *testing.T) {
	r := reported(recorded(600, 10), "echo")
	for i := range 3 {
		run := *reported(recorded(200, 5), "echo")
		run.Intervals, run.Histograms = nil, result.Histograms{}
		if i == 2 {
			run.ExitCode = result.ExitSchedule
		}
		r.Runs = append(r.Runs, run)
	}
	said, _, _ := pageParts(t, write(t, r))
	has(t, said, "3 runs, figures of all together", `id="runs"`, "proves nothing",
		"<tr class=\"bad\"><th scope=\"row\">3")
	has(t, said, "It is that of the last run.")
}

// TestWrite_Hostile has markup, script and quotes wherever text comes from outside.
func TestWrite_Hostile(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(2)>` +
		"`${alert(3)}`</style></title></script><!--<script>{{.Title}}javascript:alert(4)"
	r := reported(faulty(), "echo")
	r.Profile, r.Started, r.Flags, r.Broken = evil, evil, []string{evil, evil}, []string{evil}
	r.ExitCode = result.ExitBroken
	e := &r.Environment
	e.Server, e.Protocol, e.Version, e.Go, e.Kernel, e.CPU = evil, evil, evil, evil, evil, evil
	e.Settings = map[string]string{evil: evil, "max_p99": evil}
	e.Sysctls = map[string]string{evil: evil}
	r.Errors, r.Closes = map[string]uint64{evil: 1}, map[string]uint64{evil: 2}
	r.Phases = append(r.Phases, result.PhaseMillis{Name: evil})
	for i := range r.Intervals {
		r.Intervals[i].Phase = evil
	}
	r.Runs = []result.Result{*r}
	html := write(t, r)
	said, numbers, code := pageParts(t, html)
	hasNot(t, said, "<script", "<img", "</style></title>", "<!--")
	hasNot(t, numbers, "<", "-->")
	if code != script {
		t.Error("the script is not the one whose hash the page's policy names")
	}
	if n := strings.Count(said, "<title>"); n != 1 {
		t.Errorf("%d titles", n)
	}
	has(t, said, "&lt;script&gt;alert(1)&lt;/script&gt;")
	p := drawn(t, html)
	if got := p.Timeline.Phases[len(p.Timeline.Phases)-1].Name; got != evil {
		t.Errorf("a name among the numbers became %q", got)
	}
}

// loads matches whatever would make a browser ask for something elsewhere.
var loads = regexp.MustCompile(`(?i)(<(link|script|img|iframe|object|embed|audio|video|source)\b` +
	`[^>]*\b(src|href|data)\s*=\s*["']?[^"' >]*)|@import|url\(|fetch\(|XMLHttpRequest|import\(`)

func TestWrite_LoadsNothing(t *testing.T) {
	html := write(t, reported(faulty(), "echo"))
	for _, found := range loads.FindAllString(html, -1) {
		if !strings.HasSuffix(found, `href="data:,`) {
			t.Errorf("the page loads something: %s", found)
		}
	}
	has(t, html, `content="default-src 'none'; script-src 'sha256-`)
	for _, address := range regexp.MustCompile(`https?://[^\s"'<)]*`).FindAllString(html, -1) {
		if address != "https://github.com/leeoniya/uPlot" { // in a comment
			t.Errorf("the page names %s", address)
		}
	}
	if strings.Contains(strings.ToLower(script), "</script") || strings.Contains(script, "<!--") {
		t.Error("the script would end its own element")
	}
}

// TestWrite_StaysSmall where samples and intervals are many, and merges these exactly.
func TestWrite_StaysSmall(t *testing.T) {
	few := len(write(t, reported(recorded(20_000, 1000), "echo")))
	many := len(write(t, reported(recorded(1_000_000, 1000), "echo")))
	if many > few+few/10 || many > 400<<10 {
		t.Errorf("%d bytes for a million samples, %d for 20,000", many, few)
	}
}

// TestMerged joins intervals until they are few enough, exactly, and those of connecting apart.
func TestMerged(t *testing.T) {
	r := reported(recorded(240, 120), "echo")
	r.Intervals[9].Max += 1000 // which no histogram knows
	got := merged(r.Intervals, 32)
	if len(got) != 32 || got[0].Phase != result.PhaseConnect || got[2].Phase != result.PhaseRun {
		t.Fatalf("%d spans of 125 intervals, want 2 and 30", len(got))
	}
	var all result.Histogram
	for i := 9; i < 13; i++ {
		all.Merge(&r.Intervals[i].Latency)
	}
	v := &got[3]
	if want := float64(all.Quantile(0.99)) / 1e3; v.P99 != want || v.Max < r.Intervals[9].Max {
		t.Errorf("p99 and max of four intervals %v and %v, want %v and at least %v",
			v.P99, v.Max, want, r.Intervals[9].Max)
	}
	if v.Sent != 8 || v.Start != 400 || v.End != 800 || got[0].Open != 400 || got[1].Open != 500 {
		t.Errorf("four intervals became %+v", v.IntervalTimes)
	}
	if n := r.Intervals[9].Latency.Count(); n != 2 {
		t.Errorf("merging changed the result: %d samples, were 2", n)
	}
}

// TestWrite_ManyIntervals of an hour, without histograms, as a reader may have left them out.
func TestWrite_ManyIntervals(t *testing.T) {
	r := &result.Result{Sent: 36000}
	for i := range 36000 {
		r.Intervals = append(r.Intervals, result.IntervalTimes{
			Phase: result.PhaseRun, Start: float64(i) * 100, End: float64(i+1) * 100, Sent: 1,
			Received: 1, P50: float64(i), P99: float64(2 * i), Max: float64(3*i + 1),
		})
	}
	html := write(t, r)
	got := drawn(t, html).Timeline
	if len(got.T) != pointsMax || *got.T[0] != 1.5 || *got.T[pointsMax-1] != 3598.5 {
		t.Errorf("%d points of an hour", len(got.T))
	}
	// The worst of 30 stands for them.
	if *got.P50[1] != 59 || *got.P99[1] != 118 || *got.Max[1] != 178 || *got.Sent[1] != 10 {
		t.Errorf("30 intervals became p50 %v, p99 %v, max %v",
			*got.P50[1], *got.P99[1], *got.Max[1])
	}
	if len(html) > 400<<10 {
		t.Errorf("%d bytes", len(html))
	}
}

func TestBins_Log(t *testing.T) {
	var h result.Histogram
	for i := range 1000 {
		h.Record(time.Duration(100+i) * time.Microsecond)
	}
	h.Record(2 * time.Second)
	b := binsOf(&h)
	last := len(b.Counts) - 1
	if !b.Log || b.Counts[last] != 1 || float64(b.Edges[last]) > 2.01e6 ||
		float64(b.Edges[last+1]) < 1.99e6 || float64(b.Edges[0]) > 101 {
		t.Errorf("bins of a long tail: %+v", b)
	}
	var sum uint64
	for _, n := range b.Counts {
		sum += n
	}
	if sum != 1001 {
		t.Errorf("%d are in bins, want 1,001", sum)
	}
	var one result.Histogram
	one.Record(0)
	if b := binsOf(&one); b == nil || b.Total != 1 || len(b.Counts) == 0 {
		t.Errorf("bins of one that took no time: %+v", b)
	}
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWrite_FailsWithItsWriter(t *testing.T) {
	if err := Write(fullDisk{}, &result.Result{}); !errors.Is(err, errFull) {
		t.Errorf("Write to a full disk = %v", err)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{micros(0), "0"},
		{micros(0.4567), "0.457µs"},
		{micros(12.345), "12.3µs"},
		{micros(999), "999µs"},
		{micros(1234), "1.23ms"},
		{micros(200319), "200ms"},
		{micros(2.5e6), "2.5s"},
		{micros(3.6e9), "3600s"},
		{millis(12), "12ms"},
		{bytes(631), "631B"},
		{bytes(17203), "16.8KiB"},
		{bytes(8 << 30), "8GiB"},
		{count(0), "0"},
		{count(999), "999"},
		{count(1000), "1,000"},
		{count(1234567), "1,234,567"},
		{number(19999.7), "20,000"},
		{number(2.25), "2.25"},
		{share(1, 3), "33.3%"},
		{share(1, 0), ""},
		{percent(0.999999), "99.9999%"},
		{percent(0.5), "50%"},
		{percent(1), "100%"},
		{plural(1, "run", "runs"), "1 run"},
		{plural(2000, "run", "runs"), "2,000 runs"},
	} {
		if got := strings.ReplaceAll(c.got, thin, ""); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	r := reported(recorded(1_000_000, 1000), "echo")
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(write(b, r))))
	}
}
