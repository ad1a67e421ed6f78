package command

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/curfew-go/curfew/internal/load/result"
)

// brief are flags of a run that is over in a moment.
var brief = []string{
	"load", "--protocol", "plain", "--connections", "8", "--rate", "200/s", "--duration", "500ms",
	"--processes", "2",
}

func with(flags []string, more ...string) []string { return append(slices.Clip(flags), more...) }

// wellKept says whether a run on a machine that may be busy went as it should: the harness may have
// been late.
func wellKept(code int) bool { return code == result.ExitFine || code == result.ExitSchedule }

func readReport(t *testing.T, name string) *result.Result {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r := new(result.Result)
	if err := json.Unmarshal(b, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLoad(t *testing.T) {
	s := serve(t, faithful)
	dir := t.TempDir()
	file, log := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.hlog")
	got := curfew(t, with(brief, "--json", file, "--hdr", log, "--pid", strconv.Itoa(os.Getpid()),
		s.url("/ws"))...)
	r := readReport(t, file)
	if !wellKept(got.code) || got.code != r.ExitCode {
		t.Errorf("exit code %d, in the file %d; want 0\n%s%s", got.code, r.ExitCode, got.stdout,
			got.stderr)
	}
	if r.Sent != 100 || r.Received != 100 || r.Connect.OK != 8 || r.Environment.Processes != 2 {
		t.Errorf("sent %d, received %d over %d connections by %d processes; want 100, 100, 8, 2",
			r.Sent, r.Received, r.Connect.OK, r.Environment.Processes)
	}
	if r.Environment.Version != "v1.2.3" || r.Server.RSSBytes == 0 || r.Server.CPUPerMessage == 0 {
		t.Errorf("version %q, server %+v", r.Environment.Version, r.Server)
	}
	want := []string{"--connections=8", "--duration=500ms", "--rate=200/s", s.url("/ws")}
	for _, flag := range want {
		if !slices.Contains(r.Flags, flag) {
			t.Errorf("flags %q, want %q among them", r.Flags, flag)
		}
	}
	for _, line := range []string{
		"rate", "200/s intended", "connections      8 opened, 0 failed", "latency", "uncorrected",
		"timing error", "messages         100 sent, 100 answered, 0 lost", "server", "verdict",
		"exit code",
	} {
		if !strings.Contains(got.stdout, line) {
			t.Errorf("the table has no %q:\n%s", line, got.stdout)
		}
	}
	checkLog(t, log, r)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%d files are left (%v), want the two that were asked for", len(left), err)
	}
}

// checkLog reads an HdrHistogram log back: its intervals amount to the whole.
func checkLog(t *testing.T, name string, r *result.Result) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	log := hdrhistogram.NewHistogramLogReader(bytes.NewReader(b))
	sums := map[string]*hdrhistogram.Histogram{}
	for {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			break
		}
		if have := sums[h.Tag()]; have != nil {
			have.Merge(h)
		} else {
			sums[h.Tag()] = h
		}
	}
	for tag, want := range map[string]*result.Histogram{
		tagLatency: &r.Histograms.Latency, tagUncorrected: &r.Histograms.Uncorrected,
	} {
		h := sums[tag]
		if h == nil || uint64(h.TotalCount()) != want.Count() {
			t.Errorf("the log has not the %d values of %s that the report has", want.Count(), tag)
			continue
		}
		// Intervals keep two significant digits.
		got, exact := float64(h.ValueAtQuantile(99)), float64(want.Quantile(0.99))
		if math.Abs(got-exact) > exact/50 {
			t.Errorf("the log's p99 of %s is %v ns, and the report's %v", tag, got, exact)
		}
	}
	if sums[tagExpiry] != nil {
		t.Errorf("the log has a lateness of expiry where nothing expired")
	}
}

// fixedNames are those of the JSON that other programs read.
const fixedNames = `{"profile":"","intended_rate":0,"sent":0,"received":0,"lost":0,"wrong":0,
"duplicated":0,"connect":{"ok":0,"failed":0,"p50_us":0,"p99_us":0,"max_us":0},
"latency":{"count":0,"p50_us":0,"p90_us":0,"p99_us":0,"p999_us":0,"max_us":0},
"latency_uncorrected":{"count":0,"p50_us":0,"p90_us":0,"p99_us":0,"p999_us":0,"max_us":0},
"expiry":{"expected":0,"observed":0,"early":0,"missing":0,"p50_ms":0,"p99_ms":0,"max_ms":0},
"closes":{},"errors":{},"server":{"cpu_us_per_message":0,"cpu_us_per_connect":0,
"rss_bytes_per_connection":0},"timing_error":{"p99_us":0,"max_us":0},"environment":{}}`

// Each fixed name is there, and of its type, also where it does not apply.
func TestLoad_JSONNames(t *testing.T) {
	s := serve(t, faithful)
	var want map[string]any
	if err := json.Unmarshal([]byte(fixedNames), &want); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"an echo":         with(brief, "--json", "-", s.url("/")),
		"nobody there":    with(brief, "--json", "-", "ws://"+closedAddress(t)+"/"),
		"several at once": with(brief, "--json", "-", "--repeat", "2", s.url("/")),
	} {
		got := curfew(t, args...)
		var have map[string]any
		if err := json.Unmarshal([]byte(got.stdout), &have); err != nil {
			t.Fatalf("%s: %v in %s", name, err, got.stdout)
		}
		sameNames(t, name, have, want)
		if strings.Contains(got.stdout, "null") {
			t.Errorf("%s: the JSON has a null: %s", name, got.stdout)
		}
		if !strings.Contains(got.stderr, "verdict") {
			t.Errorf("%s: no table beside the JSON: %s", name, got.stderr)
		}
	}
}

func sameNames(t *testing.T, where string, have, want map[string]any) {
	t.Helper()
	for name, w := range want {
		h, ok := have[name]
		if !ok || reflect.TypeOf(h) != reflect.TypeOf(w) {
			t.Errorf("%s: %s is %v, want a %T", where, name, h, w)
			continue
		}
		if inner, ok := w.(map[string]any); ok {
			sameNames(t, where+"."+name, h.(map[string]any), inner)
		}
	}
}

func TestLoad_Quiet(t *testing.T) {
	s := serve(t, faithful)
	if got := curfew(t, with(brief, "--quiet", s.url("/"))...); got.stdout != "" ||
		got.code == result.ExitFine && got.stderr != "" {
		t.Errorf("it says %q and %q, want nothing", got.stdout, got.stderr)
	}
	got := curfew(t, with(brief, "--quiet", "ws://"+closedAddress(t)+"/")...)
	if got.stdout != "" || !strings.Contains(got.stderr, "curfew: nothing could be connected\n") {
		t.Errorf("it says %q and %q, want only that nothing could be connected", got.stdout,
			got.stderr)
	}
}

func TestLoad_BrokenPromises(t *testing.T) {
	for name, c := range map[string]struct {
		answer echo
		flags  []string
		want   string
	}{
		"a corrupted answer": {func(n int64, message []byte) []byte {
			if n == 10 {
				message[len(message)-1] ^= 1
			}
			return message
		}, nil, " wrong"},
		"slower than allowed": {faithful, []string{"--max-p99", "1ns"}, "p99 is "},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.answer)
			got := curfew(t, with(brief, with(c.flags, s.url("/"))...)...)
			if got.code != result.ExitBroken && got.code != result.ExitSchedule ||
				!strings.Contains(got.stdout, c.want) {
				t.Errorf("exit code %d, want 1 and %q in\n%s", got.code, c.want, got.stdout)
			}
		})
	}
}

// Whatever keeps all connections from opening is a sentence with a remedy, and exit code 2.
func TestLoad_NothingConnects(t *testing.T) {
	status := func(code int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
		}))
		t.Cleanup(s.Close)
		return "ws" + strings.TrimPrefix(s.URL, "http") + "/"
	}
	plain := serve(t, faithful)
	secure := httptest.NewTLSServer((&server{}).handler(faithful))
	t.Cleanup(secure.Close)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"ws://" + closedAddress(t) + "/"}, "8 econnrefused: nothing listens"},
		{[]string{status(200)}, "8 upgrade_200: the server answered as a plain web server"},
		{[]string{status(401)}, "8 upgrade_401: the server wants to know who connects"},
		{[]string{status(403)}, "8 upgrade_403: the server refused"},
		{[]string{status(404)}, "8 upgrade_404: the server knows no WebSocket at this path"},
		{[]string{status(429)}, "8 upgrade_429: the server had too many connections"},
		{[]string{status(503)}, "8 upgrade_503: the server was full or draining"},
		{[]string{status(418)}, "8 upgrade_418: the server refused the upgrade with this status"},
		{
			[]string{"--subprotocol", "chat", plain.url("/")},
			"8 wrong_subprotocol: the server did not agree on the subprotocol",
		},
		{
			[]string{"wss" + strings.TrimPrefix(secure.URL, "https") + "/"},
			"8 tls_certificate: the server's certificate is not one that is trusted",
		},
		{
			[]string{"wss" + strings.TrimPrefix(plain.url("/"), "ws")},
			"8 tls_not_spoken: the server speaks no TLS on this port: write ws://",
		},
	} {
		got := curfew(t, with(brief, c.args...)...)
		if got.code != result.ExitUsage || !strings.Contains(got.stdout, c.want) ||
			!strings.Contains(got.stdout, "nothing could be connected") {
			t.Errorf("curfew %q: exit code %d, want 2 and %q in\n%s%s", c.args, got.code, c.want,
				got.stdout, got.stderr)
		}
	}
}

func TestLoad_TLS(t *testing.T) {
	s := httptest.NewTLSServer((&server{}).handler(faithful))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"--insecure"}, {"--ca", ca}} {
		args := with(flags, "wss"+strings.TrimPrefix(s.URL, "https")+"/")
		if got := curfew(t, with(brief, args...)...); !wellKept(got.code) ||
			!strings.Contains(got.stdout, "8 opened, 0 failed") {
			t.Errorf("curfew %q: exit code %d, want 0:\n%s%s", args, got.code, got.stdout,
				got.stderr)
		}
	}
}

// No secret stands in anything that is written or shown, whatever becomes of the run.
func TestLoad_TellsNoSecret(t *testing.T) {
	const secret = "tops3cret"
	s := serve(t, faithful)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	t.Cleanup(refuses.Close)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	credentials := func(address string) string {
		return "ws://user:" + secret + "@" + address + "/ws?token=" + secret
	}
	query := func(address string) string { return "ws://" + address + "/ws?token=" + secret }
	encoded := base64.StdEncoding.EncodeToString([]byte("user:" + secret))
	of := func(url string) string { return url[strings.Index(url, "://")+3:] }
	for n, args := range [][]string{
		{"--token", secret, query(of(s.URL))},
		{"--token-file", token, query(of(s.URL))},
		{
			"--header", "Cookie: id=" + secret, "--header", "X-Key: " + secret,
			credentials(of(s.URL)),
		},
		{"--token", secret, query(of(refuses.URL))},
		{credentials("curfew.invalid")},
		{credentials("127.0.0.1:99999")},
		{"--header", "Cookie " + secret, "http://user:" + secret + "@h/?" + secret},
		{"user:" + secret + "@h/?" + secret},
		{"ws://user:" + secret + "@h:port/"},
		{"ws://h/%zz?" + secret},
	} {
		file := filepath.Join(dir, strconv.Itoa(n))
		got := curfew(t, with(brief, with(args, "--json", file, "--hdr", file+".hlog")...)...)
		var all strings.Builder
		all.WriteString(got.stdout + got.stderr)
		for _, name := range []string{file, file + ".hlog"} {
			if b, err := os.ReadFile(name); err == nil {
				all.Write(b)
			}
		}
		told := all.String()
		if strings.Contains(told, secret) || strings.Contains(told, encoded) {
			t.Errorf("curfew %q tells the secret:\n%s", args, told)
		}
		if n < 4 && !strings.Contains(told, `"token"`) {
			t.Errorf("curfew %q wrote no report:\n%s", args, told)
		}
	}
}
