package metrics

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/curfew-go/curfew/internal/goldentest"
)

const (
	goldenFile = "testdata/scrape.txt"
	pageFile   = "../../docs/metrics.md"
)

// gather is what a collector of a source gives, checked by the library.
func gather(t *testing.T, s Source) []*dto.MetricFamily {
	t.Helper()
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ownText is that as text.
func ownText(t *testing.T, s Source) string {
	t.Helper()
	var b bytes.Buffer
	e := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range gather(t, s) {
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestScrape_IsGolden(t *testing.T) { goldentest.Check(t, goldenFile, ownText(t, fixed(t))) }

// All series are there before anything has happened, so that nothing is missed of their rates.
func TestScrape_HasAllSeriesFromTheFirstOn(t *testing.T) {
	first := series(ownText(t, idle(t)))
	for s := range series(ownText(t, fixed(t))) {
		bucket := strings.HasPrefix(s, "curfew_application_request_duration_seconds_bucket")
		if !first[s] && !bucket {
			t.Errorf("%s is not there at first", s)
		}
	}
}

// series are the names and labels of a text.
func series(text string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			all[line[:strings.LastIndexByte(line, ' ')]] = true
		}
	}
	return all
}

func TestScrape_PassesPromlint(t *testing.T) {
	r := scrape(t, handle(t, fixed(t)), formats["text"])
	defer r.Body.Close()
	problems, err := promlint.New(r.Body).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", err, problems)
	}
}

// What no set has is shown as other, and makes no series.
func TestScrape_HidesNothingAndNamesNothingUnknown(t *testing.T) {
	text := ownText(t, fixed(t))
	for _, want := range []string{
		`curfew_handshakes_total{status="other"} 4012`, // 0 and 599
		`curfew_sessions_ended_total{reason="other"} 3006`,
		`curfew_connections_closed_total{code="other",side="client"} 4053`, // 3000 and 4999
		`curfew_application_requests_total{event="call",outcome="other"} 4003`,
		`curfew_application_requests_total{event="other",outcome="other"} 4004`,
		`curfew_wheel_entries{level="7"} 3324`, // 7 and above
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("a scrape lacks %s", want)
		}
	}
	for _, never := range []string{"boredom", "599", "4999", "eaten", "party"} {
		if strings.Contains(text, `"`+never+`"`) {
			t.Errorf("a scrape has a label %q", never)
		}
	}
}

// The page lists every metric with what it means.
func TestPage_ListsAllMetrics(t *testing.T) { goldentest.Check(t, pageFile, page(t)) }

func page(t *testing.T) string {
	t.Helper()
	values := map[string][]string{} // of labels, by family and label
	for _, f := range gather(t, fixed(t)) {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				key := f.GetName() + " " + l.GetName()
				if !slices.Contains(values[key], l.GetValue()) {
					values[key] = append(values[key], l.GetValue())
				}
			}
		}
	}
	var b strings.Builder
	old, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(old), "\n## ") // by hand
	b.WriteString(head)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | kind | |\n|---|---|---|\n", g.title)
		for _, f := range g.families {
			name, help := namespace+f.name, f.help
			for _, l := range f.labels {
				help += " `" + l + "`"
				switch {
				case name == "curfew_build_info":
				case l == "loop":
					help += ": its number, from 0."
				default:
					help += ": " + strings.Join(values[name+" "+l], ", ") + "."
				}
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, f.kind, help)
		}
	}
	return b.String()
}

func TestSource_SaysAllThatIsMissing(t *testing.T) {
	_, err := Handler(Source{}, quiet)
	for _, name := range []string{
		"Table", "Wheel", "Network", "Gateway", "Backend", "Audit", "Reload", "Certificate",
		"Drain", "Limits", "Started",
	} {
		if err == nil || !strings.Contains(err.Error(), "Source."+name+" is not given") {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
}

// Each format is served, compressed where that is asked for, with Go's and the process's metrics.
func TestHandler_ServesEachFormat(t *testing.T) {
	h := handle(t, fixed(t))
	for name, accept := range formats {
		r := scrape(t, h, accept)
		if name == "openmetrics" {
			body, err := io.ReadAll(r.Body)
			if err != nil || !bytes.HasSuffix(body, []byte("# EOF\n")) {
				t.Errorf("openmetrics does not end in EOF: %v", err)
			}
			continue
		}
		all := decode(t, r)
		for _, want := range []string{
			"curfew_sessions", "go_goroutines", "process_resident_memory_bytes", "process_max_fds",
			"promhttp_metric_handler_errors_total",
		} {
			if all[want] == nil {
				t.Errorf("%s: no %s", name, want)
			}
		}
	}
}
