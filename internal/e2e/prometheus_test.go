//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.yaml.in/yaml/v3"
)

const (
	prometheusDir = "../../deploy/prometheus"
	dashboardFile = "../../deploy/grafana/curfew.json"

	// scrapeToken is what the operator's API asks for in these tests.
	scrapeToken = "night-watch"

	acceptText     = "text/plain;version=0.0.4"
	acceptProtobuf = "application/vnd.google.protobuf;" +
		"proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// watched is a daemon whose metrics are read.
type watched struct {
	t       *testing.T
	address string // for clients
	admin   string // for operators
	tokens  string // the file with the token
}

func watch(t *testing.T, mode string) *watched {
	t.Helper()
	w := &watched{t: t, admin: freeAddress(t), tokens: filepath.Join(t.TempDir(), "token")}
	if err := os.WriteFile(w.tokens, []byte(scrapeToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, w.address = daemon(t, mode, "--admin", w.admin, "--admin-token-file", w.tokens,
		"--idle-timeout", "1h")
	return w
}

// scrape is one answer of /metrics.
func (w *watched) scrape(accept string) []byte {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet,
		"http://"+w.admin+"/metrics", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Authorization", "Bearer "+scrapeToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatalf("a scrape is answered with %s, %v: %s", answer.Status, err, body)
	}
	return body
}

// families are those of one scrape in protobuf, by name.
func (w *watched) families() map[string]*dto.MetricFamily {
	w.t.Helper()
	all := map[string]*dto.MetricFamily{}
	d := expfmt.NewDecoder(bytes.NewReader(w.scrape(acceptProtobuf)),
		expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		var f dto.MetricFamily
		err := d.Decode(&f)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			w.t.Fatal(err)
		}
		all[f.GetName()] = &f
	}
}

// value is that of the series of a metric whose labels have those values, in the order of their
// names; of a histogram the count.
func value(all map[string]*dto.MetricFamily, name, labels string) float64 {
	for _, m := range all[name].GetMetric() {
		var values []string
		for _, l := range m.GetLabel() {
			values = append(values, l.GetValue())
		}
		if strings.Join(values, " ") == labels {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() +
				float64(m.GetHistogram().GetSampleCount())
		}
	}
	return -1
}

// populate gives the daemon a session that lives and one that has expired.
func (w *watched) populate() {
	w.t.Helper()
	live, brief := dialGuest(w.t, w.address), dialGuest(w.t, w.address)
	for _, g := range []*guest{{t: w.t, Conn: live}, {t: w.t, Conn: brief}} {
		hello := `{"op":"hello"}`
		if g.Conn == brief {
			hello = `{"op":"hello","want":{"idle_s":1}}`
		}
		g.say(hello)
		g.hears("hello_ack", `{"ok":true}`)
	}
	(&guest{t: w.t, Conn: brief}).hears("session_expired", `{"reason":"idle"}`)
	if _, _, err := brief.ReadMessage(); err == nil {
		w.t.Error("a client goes on after its session has expired")
	}
}

// promtool runs it on what it reads from stdin and gives what it says; it must find nothing wrong.
func promtool(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v (make e2e-tools installs it)\n%s",
			strings.Join(args, " "), err, out)
	}
	return string(out)
}

// changes are what populate does to a daemon that has done nothing.
var changes = []struct {
	name, labels  string
	before, after float64
}{
	{"curfew_sessions", "live", 0, 1},
	{"curfew_sessions_created_total", "", 0, 2},
	{"curfew_sessions_ended_total", "idle", 0, 1},
	{"curfew_sessions_ended_total", "lost", 0, 0},
	{"curfew_expiry_lateness_seconds", "", 0, 1},
	{"curfew_sessions_expired_early_total", "", 0, 0},
	{"curfew_handshakes_total", "101", 0, 2},
	{"curfew_connections_accepted_total", "", 0, 2},
	{"curfew_connections", "", 0, 1},
	{"curfew_connections_closed_total", "4200 server", 0, 1},
	{"curfew_connections_ended_total", "closed", 0, 1},
	{"curfew_messages_total", "in", 0, 2},
	{"curfew_messages_total", "out", 0, 3},
	{"curfew_tick_seconds", "", 0.01, 0.01},
	{"curfew_sessions_limit", "", 1e6, 1e6},
}

// TestMetrics_ShowSessions that live and that have expired, and counters only grow.
func TestMetrics_ShowSessions(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := watch(t, mode)
			before := w.families()
			w.populate()
			after := before
			var wrong []string
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
				after, wrong = w.families(), nil
				for _, want := range changes {
					b := value(before, want.name, want.labels)
					a := value(after, want.name, want.labels)
					if b != want.before || a != want.after {
						wrong = append(wrong, fmt.Sprintf("%s %s went from %v to %v, want %v to %v",
							want.name, want.labels, b, a, want.before, want.after))
					}
				}
				if wrong == nil {
					break
				}
			}
			if wrong != nil {
				t.Error(strings.Join(wrong, "\n"))
			}
			onlyGrow(t, before, after)
			h := after["curfew_expiry_lateness_seconds"].GetMetric()[0].GetHistogram()
			if h.Schema == nil || len(h.GetPositiveDelta()) != 1 || len(h.GetBucket()) < 10 {
				t.Errorf("one session has expired, and its lateness is %v", h)
			}
		})
	}
}

// onlyGrow checks the counters of two scrapes, and that no series came or went.
func onlyGrow(t *testing.T, before, after map[string]*dto.MetricFamily) {
	t.Helper()
	for name, f := range before {
		if !strings.HasPrefix(name, "curfew_") {
			continue
		}
		if was, is := len(f.GetMetric()), len(after[name].GetMetric()); was != is {
			t.Errorf("%s went from %d series to %d", name, was, is)
			continue
		}
		for i, m := range f.GetMetric() {
			now := after[name].GetMetric()[i]
			if now.GetCounter().GetValue() < m.GetCounter().GetValue() ||
				now.GetHistogram().GetSampleCount() < m.GetHistogram().GetSampleCount() ||
				now.GetHistogram().GetSampleSum() < m.GetHistogram().GetSampleSum() {
				t.Errorf("%s went from %v to %v", name, m, now)
			}
		}
	}
}

// TestPromtool_FindsNothingWrong with a scrape, the rules, their tests, the configuration and what
// the dashboard asks for.
func TestPromtool_FindsNothingWrong(t *testing.T) {
	t.Parallel()
	w := watch(t, "epoll")
	w.populate()
	if out := promtool(t, w.scrape(acceptText), "check", "metrics"); out != "" {
		t.Errorf("promtool check metrics: %s", out)
	}
	promtool(t, nil, "check", "rules", filepath.Join(prometheusDir, "curfew-alerts.yml"))
	promtool(t, nil, "test", "rules", filepath.Join(prometheusDir, "curfew-alerts_test.yml"))
	promtool(t, nil, "check", "config", w.configuration(w.admin))

	asked := map[string]any{"name": "dashboard"}
	var rules []map[string]string
	for i, expr := range dashboardExprs(t) {
		rules = append(rules, map[string]string{"record": fmt.Sprint("panel:", i), "expr": expr})
	}
	asked["rules"] = rules
	file := writeYAML(t, map[string]any{"groups": []any{asked}})
	if out := promtool(t, nil, "check", "rules", file); !strings.Contains(out,
		fmt.Sprintf("%d rules found", len(rules))) {
		t.Errorf("promtool check rules, of %d: %s", len(rules), out)
	}
}

// configuration is deploy/prometheus/prometheus.yml with what it says has to be changed, and
// quicker.
func (w *watched) configuration(target string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(prometheusDir, "prometheus.yml"))
	if err != nil {
		w.t.Fatal(err)
	}
	rules, err := filepath.Abs(filepath.Join(prometheusDir, "curfew-alerts.yml"))
	if err != nil {
		w.t.Fatal(err)
	}
	changed := string(text)
	for old, replacement := range map[string]string{
		"- curfew-alerts.yml":          "- " + rules,
		"/etc/prometheus/curfew.token": w.tokens,
		"127.0.0.1:8080":               target,
		"scrape_interval: 15s":         "scrape_interval: 250ms",
		"evaluation_interval: 15s":     "evaluation_interval: 250ms",
	} {
		if !strings.Contains(changed, old) {
			w.t.Fatalf("%s/prometheus.yml does not have %q", prometheusDir, old)
		}
		changed = strings.ReplaceAll(changed, old, replacement)
	}
	file := filepath.Join(w.t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

func writeYAML(t *testing.T, v any) string {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// dashboardExprs are what Grafana asks for, with its variables replaced as it does.
func dashboardExprs(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var exprs []string
	for _, m := range regexp.MustCompile(`"expr": ("(?:[^"\\]|\\.)*")`).FindAllSubmatch(text, -1) {
		var expr string
		if err := json.Unmarshal(m[1], &expr); err != nil {
			t.Fatal(err)
		}
		exprs = append(exprs, strings.NewReplacer(
			"$__rate_interval", "1m", "$job", ".*", "$instance", ".*").Replace(expr))
	}
	if len(exprs) < 40 {
		t.Fatalf("the dashboard asks for %d things only", len(exprs))
	}
	return exprs
}

// TestPrometheus_UnderstandsTheDaemon and all that is deployed with it: the server itself scrapes a
// daemon, evaluates the rules and answers the dashboard.
func TestPrometheus_UnderstandsTheDaemon(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"classic": nil,
		"native":  {"--enable-feature=native-histograms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, "epoll")
			w.populate()
			s := w.prometheus(flags...)
			s.until(`up{job="curfew"}`)
			s.until(`curfew_sessions{state="live"}`)
			if name == "native" {
				s.until(`histogram_count(curfew_expiry_lateness_seconds)`)
				s.until(`histogram_quantile(0.99, curfew_expiry_lateness_seconds) > bool 0`)
				return
			}
			s.until(`curfew_expiry_lateness_seconds_bucket{le="+Inf"}`)
			s.until(`curfew_messages_total{direction="in"} == bool 2`)
			for _, expr := range dashboardExprs(t) {
				s.ask(expr)
			}
			s.rulesAreHealthy()
		})
	}
}

// prometheusServer is a running Prometheus.
type prometheusServer struct {
	t   *testing.T
	url string
}

// prometheus starts one that scrapes the daemon.
func (w *watched) prometheus(flags ...string) *prometheusServer {
	w.t.Helper()
	p := start(w.t, stderr, append([]string{
		"prometheus", "--config.file=" + w.configuration(w.admin), "--log.format=json",
		"--storage.tsdb.path=" + filepath.Join(w.t.TempDir(), "data"),
		"--web.listen-address=127.0.0.1:0",
	}, flags...)...)
	return &prometheusServer{t: w.t, url: "http://" + p.logged("Listening on").Address}
}

// get asks its API.
func (s *prometheusServer) get(path string, into any) error {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, body)
	}
	return json.Unmarshal(body, into)
}

// query is the values that an expression has at the moment.
func (s *prometheusServer) query(expr string) ([]string, error) {
	var answer struct {
		Data struct{ Result []struct{ Value []any } }
	}
	err := s.get("/api/v1/query?query="+url.QueryEscape(expr), &answer)
	var values []string
	for _, r := range answer.Data.Result {
		values = append(values, fmt.Sprint(r.Value[1]))
	}
	return values, err
}

// ask asks for an expression, which must be one.
func (s *prometheusServer) ask(expr string) {
	s.t.Helper()
	if _, err := s.query(expr); err != nil {
		s.t.Errorf("%s: %v", expr, err)
	}
}

// until waits until an expression is 1, and nothing else.
func (s *prometheusServer) until(expr string) {
	s.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		got, err := s.query(expr)
		if err == nil && slices.Equal(got, []string{"1"}) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is %v, %v, want 1", expr, got, err)
		}
	}
}

// rulesAreHealthy waits until all rules were evaluated, which must go well, and no alert may ring.
func (s *prometheusServer) rulesAreHealthy() {
	s.t.Helper()
	type rule struct{ Name, Health, LastError, State string }
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		var answer struct {
			Data struct{ Groups []struct{ Rules []rule } }
		}
		if err := s.get("/api/v1/rules", &answer); err != nil {
			s.t.Fatal(err)
		}
		var unknown int
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				switch {
				case r.Health == "unknown":
					unknown++
				case r.Health != "ok" || r.State == "firing":
					s.t.Errorf("%+v", r)
				}
			}
		}
		if unknown == 0 && len(answer.Data.Groups) > 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d rules were not evaluated", unknown)
		}
	}
}
