package metrics

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	rulesFile     = "../../deploy/prometheus/curfew-alerts.yml"
	rulesTestFile = "../../deploy/prometheus/curfew-alerts_test.yml"
	dashboardFile = "../../deploy/grafana/curfew.json"
	runbookFile   = "../../docs/operations.md"
	runbookURL    = "https://github.com/curfew-go/curfew/blob/main/docs/operations.md#"
)

// rules is a file of rules, as far as a test looks at it.
type rules struct {
	Groups []struct {
		Rules []struct {
			Record, Alert, Expr string
			Labels, Annotations map[string]string
		}
	}
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Each alert says how bad it is, what happened, and what to do, and the runbook has all of them and
// no other.
func TestAlerts_HaveARunbook(t *testing.T) {
	var all rules
	readYAML(t, rulesFile, &all)
	text, err := os.ReadFile(runbookFile)
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]string{}
	for _, section := range strings.Split(string(text), "\n### Alert: ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		entries[name] = body
	}
	for _, r := range all.Groups[0].Rules {
		if r.Alert == "" {
			continue
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks a summary or a description", r.Alert)
		}
		want := runbookURL + "alert-" + strings.ToLower(r.Alert)
		if got := r.Annotations["runbook_url"]; got != want {
			t.Errorf("%s has the runbook %q, want %q", r.Alert, got, want)
		}
		for _, part := range []string{"- **Means**: ", "- **Look at**: ", "- **Do**: "} {
			if !strings.Contains(entries[r.Alert], part) {
				t.Errorf("%s: the entry %q lacks %q", runbookFile, r.Alert, part)
			}
		}
		delete(entries, r.Alert)
	}
	for name := range entries {
		t.Errorf("%s: there is no alert %q", runbookFile, name)
	}
}

// Each alert is shown to fire and to stay quiet. That it does is for promtool to say.
func TestAlerts_AreTested(t *testing.T) {
	var all rules
	readYAML(t, rulesFile, &all)
	var shown struct {
		Tests []struct {
			Rules []struct {
				Alertname string
				Expected  []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, rulesTestFile, &shown)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range shown.Tests {
		for _, r := range test.Rules {
			if len(r.Expected) > 0 {
				fires[r.Alertname] = true
			} else {
				quiet[r.Alertname] = true
			}
		}
	}
	for _, r := range all.Groups[0].Rules {
		if r.Alert != "" && (!fires[r.Alert] || !quiet[r.Alert]) {
			t.Errorf("%s: %s is shown to fire: %v, to stay quiet: %v",
				rulesTestFile, r.Alert, fires[r.Alert], quiet[r.Alert])
		}
	}
}

// Whatever rules and dashboard ask for is there, and whatever is there is asked for.
func TestDeployment_AsksForWhatIsThere(t *testing.T) {
	known := served(t)
	var all rules
	readYAML(t, rulesFile, &all)
	used := map[string]bool{}
	check := func(where, expr string) {
		for _, problem := range known.check(expr, used) {
			t.Errorf("%s: %s: %s", where, expr, problem)
		}
	}
	for _, r := range all.Groups[0].Rules {
		if r.Record != "" {
			known[r.Record] = known["up"] // the labels of all targets
		}
	}
	for _, r := range all.Groups[0].Rules {
		check(r.Record+r.Alert, r.Expr)
	}
	for title, exprs := range dashboard(t) {
		for _, e := range exprs {
			check(title, e)
		}
	}
	for _, f := range families() {
		name := namespace + f.name
		if !used[name] && !used[name+"_bucket"] {
			t.Errorf("neither an alert nor the dashboard shows %s", name)
		}
	}
}

// The check above finds what is wrong.
func TestDeployment_CheckFindsMistakes(t *testing.T) {
	known := served(t)
	for expr, want := range map[string]string{
		`rate(curfew_nothing_total[5m])`:                       "no metric curfew_nothing_total",
		`sum by (reason) (curfew_sessions{job=~"$job"})`:       `label "reason"`,
		`curfew_sessions{status="live"}`:                       `label "status"`,
		`curfew_sessions{state="alive"}`:                       `"alive"`,
		`curfew_sessions{state=~"live|asleep"}`:                `"asleep"`,
		`curfew_users / ignoring(part) curfew_memory`:          "no metric curfew_memory",
		`curfew_users and on (instance) 5 > curfew_user * 1e3`: "no metric curfew_user",
	} {
		got := strings.Join(known.check(expr, map[string]bool{}), "; ")
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
	if got := known.check(
		`sum without (le) (rate(curfew_expiry_lateness_seconds_bucket{le="0.01"}[5m] offset 5m))`,
		map[string]bool{}); len(got) > 0 {
		t.Errorf("a good expression is said to have %q", got)
	}
}

// dashboard is what Grafana asks for, by the panel's title, with its variables replaced.
func dashboard(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Name, Expr string } }
		Templating  struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	add := func(title, expr string) {
		if expr != "" {
			all[title] = append(all[title], strings.ReplaceAll(expr, "$__rate_interval", "5m"))
		}
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			add(p.Title, q.Expr)
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q asks for nothing", p.Title)
		}
	}
	for _, a := range d.Annotations.List {
		add(a.Name, a.Expr)
	}
	for _, v := range d.Templating.List {
		asked := variable.FindStringSubmatch(v.Definition)
		if asked != nil {
			add(v.Name, asked[1])
		} else if v.Definition != "" {
			t.Errorf("the variable %s is asked for by %q", v.Name, v.Definition)
		}
	}
	if len(all) < 20 {
		t.Errorf("the dashboard has only %d panels", len(all))
	}
	return all
}

// series that can be asked for: by name the values of each label.
type known map[string]map[string][]string

// served is what a scrape has, and what Prometheus adds.
func served(t *testing.T) known {
	t.Helper()
	all := known{"up": {}}
	for name, f := range decode(t, scrape(t, handle(t, fixed(t)), formats["protobuf"])) {
		labels := map[string][]string{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
			for _, b := range m.GetHistogram().GetBucket() {
				labels["le"] = append(labels["le"], fmt.Sprint(b.GetUpperBound()))
			}
		}
		all[name] = labels
		if f.GetMetric()[0].GetHistogram() != nil {
			all[name+"_bucket"], all[name+"_sum"], all[name+"_count"] = labels, labels, labels
		}
	}
	return all
}

var (
	variable = regexp.MustCompile(`^label_values\((.*), \w+\)$`)
	ranges   = regexp.MustCompile(`\[[^\]]*\]`)
	grouping = regexp.MustCompile(
		`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	selector = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	word     = regexp.MustCompile(`[a-zA-Z_:][\w:]*(\s*\()?|[\d.]+\w*`)
)

// keywords are words that are neither metrics nor functions.
var keywords = []string{"and", "or", "unless", "offset", "bool", "inf", "nan", "atan2"}

// check says which metrics, labels and values an expression asks for that are not there, and notes
// the metrics. It is no parser: that an expression is one at all is for promtool to say.
func (k known) check(expr string, used map[string]bool) []string {
	var problems []string
	missing := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf(format, args...))
	}
	bare := ranges.ReplaceAllString(expr, "")
	for _, s := range selector.FindAllStringSubmatch(bare, -1) {
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			values, ok := k[s[1]][m[1]]
			switch {
			case m[1] == "job" || m[1] == "instance":
			case !ok:
				missing("%s has no label %q", s[1], m[1])
			default:
				for v := range strings.SplitSeq(m[3], "|") {
					if !slices.Contains(values, v) {
						missing("no %s of %s is %q", m[1], s[1], v)
					}
				}
			}
		}
	}
	bare = selector.ReplaceAllString(bare, "$1 ")
	var groups []string
	for _, g := range grouping.FindAllStringSubmatch(bare, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			groups = append(groups, strings.TrimSpace(l))
		}
	}
	labels := map[string]bool{"job": true, "instance": true}
	for _, w := range word.FindAllString(grouping.ReplaceAllString(bare, " "), -1) {
		switch {
		case strings.HasSuffix(w, "("), slices.Contains(keywords, strings.ToLower(w)):
		case w[0] >= '0' && w[0] <= '9' || w[0] == '.':
		case k[w] == nil:
			missing("there is no metric %s", w)
		default:
			used[w] = true
			for l := range maps.Keys(k[w]) {
				labels[l] = true
			}
		}
	}
	for _, g := range groups {
		if g != "" && !labels[g] {
			missing("no metric there has the label %q", g)
		}
	}
	return problems
}
