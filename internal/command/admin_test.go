package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/goldentest"
)

// fakeAPI is the admin API with fixed answers: what a daemon at one moment would say.
type fakeAPI struct {
	*httptest.Server
	status string
	mu     struct {
		sync.Mutex
		asked []string // method, path, body
		agent string
	}
}

const (
	hostileID = "\x1b]0;x\x07\u202e\u009b2J"
	pageOne   = `{"sessions":[
{"session_id":"AK0bXY7Hqpm1X3aRQ2KzqvV3zJ0uH4nT","state":"live","user":"ada",
"created_at":"2026-05-04T03:00:00.000Z","last_activity":"2026-05-05T05:10:10.000Z",
"deadline":"2026-05-05T06:10:10.000Z","idle_s":3600,"remote":"192.0.2.1:50000",
"protocol":"curfew.v1","resumable":true,"epoch":2,"seq":1234,"in_flight":1,"queued_bytes":5,
"replay_bytes":2048},
{"session_id":"\u001b]0;x\u0007` + "\u202e" + `\u009b2J","state":"detached",
"user":"\u001b[31mmallory\u001b[0m",
"created_at":"2026-05-05T05:00:00.000Z","last_activity":"2026-05-05T05:00:00.000Z","idle_s":0.5,
"protocol":"curfew.raw","resumable":false,"in_flight":0}],"next_cursor":"MORE"}`
	pageTwo = `{"sessions":[{"session_id":"third","state":"grace",
"created_at":"2026-05-05T05:10:00.000Z","last_activity":"2026-05-05T05:10:00.000Z",
"deadline":"2026-05-05T05:10:00.000Z","idle_s":1,"protocol":"curfew.v1","resumable":false,
"in_flight":0}],"next_cursor":""}`
	none = `{"error":{"code":"not_found","message":"there is no such session"}}`
)

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	status, err := os.ReadFile("testdata/status.json")
	if err != nil {
		t.Fatal(err)
	}
	a := &fakeAPI{status: string(status)}
	a.Server = httptest.NewServer(http.HandlerFunc(a.answer))
	t.Cleanup(a.Close)
	return a
}

func (a *fakeAPI) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	asked := r.Method + " " + r.URL.RequestURI()
	if len(body) > 0 {
		asked += " " + r.Header.Get("Content-Type") + " " + string(body)
	}
	a.mu.asked, a.mu.agent = append(a.mu.asked, asked), r.Header.Get("User-Agent")
	a.mu.Unlock()
	w.Header().Set("Date", "Tue, 05 May 2026 05:10:11 GMT")
	w.Header().Set("Content-Type", "application/json")
	switch path := r.URL.EscapedPath(); {
	case path == "/v1/status":
		_, _ = io.WriteString(w, a.status)
	case path == "/v1/sessions" && r.URL.Query().Get("cursor") == "MORE":
		_, _ = io.WriteString(w, pageTwo)
	case path == "/v1/sessions" && r.URL.Query().Get("state") == "grace":
		_, _ = io.WriteString(w, `{"sessions":[],"next_cursor":""}`)
	case path == "/v1/sessions":
		_, _ = io.WriteString(w, pageOne)
	case strings.Contains(path, "none"):
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, none)
	case strings.Contains(path, "broken"):
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"error":{"code":"internal","message":"it broke"}}`)
	case strings.HasSuffix(path, "/messages"):
		_, _ = io.WriteString(w, `{"refused":0,"sent":1}`)
	case r.Method == http.MethodDelete && strings.HasPrefix(path, "/v1/users/"):
		_, _ = io.WriteString(w, `{"ended":1234}`)
	case r.Method == http.MethodGet && strings.HasPrefix(path, "/v1/sessions/"):
		_, _ = io.WriteString(w, strings.SplitN(strings.TrimPrefix(pageOne, `{"sessions":[`),
			",\n{", 2)[0])
	case path == "/v1/drain":
		_, _ = io.WriteString(w, `{"draining":true}`)
	case path == "/v1/log-level":
		_, _ = io.WriteString(w, `{"level":"debug"}`)
	case path == "/v1/events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": alive\n\nevent: expire\nid: 7\ndata: {\"at\":"+
			"\"2026-05-05T05:10:11.5Z\",\"session_id\":\"\\u001b[2J\",\"user\":\"ada\","+
			"\"reason\":\"idle\"}\n\nevent: lost\ndata: {\"lost\":2}\n\n")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// run runs a command against it.
func (a *fakeAPI) run(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), Process{
		Args: args, Env: []string{"CURFEW_ADMIN=" + strings.TrimPrefix(a.URL, "http://")},
		Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Version: "v1.2.3",
	})
	for _, r := range stdout.String() + stderr.String() {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
			t.Errorf("%q prints %q", args, r)
		}
	}
	return outcome{
		code, strings.ReplaceAll(stdout.String(), a.URL, "URL"),
		strings.ReplaceAll(stderr.String(), a.URL, "URL"),
	}
}

func (a *fakeAPI) requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.mu.asked)
}

// Tables are as they are; no control character of strangers gets through.
func TestAdmin_Tables(t *testing.T) {
	a := newFakeAPI(t)
	var all strings.Builder
	for _, args := range [][]string{
		{"status"},
		{"sessions", "ls"},
		{"sessions", "ls", "--all"},
		{"sessions", "ls", "--limit", "1"},
		{"sessions", "ls", "--state", "grace"},
		{"sessions", "show", "a"},
		{"sessions", "touch", "a", hostileID},
		{"sessions", "kick", "a", "none", "b"},
		{"sessions", "send", "a", "hello"},
		{"users", "kick", "ada"},
		{"drain"},
		{"log-level"},
		{"log-level", "DEBUG"},
	} {
		got := a.run(t, "", args...)
		fmt.Fprintf(&all, "$ curfew %s\n%s", strings.Join(args, " "), got.stdout)
		if got.stderr != "" {
			fmt.Fprintf(&all, "stderr: %s", got.stderr)
		}
		fmt.Fprintf(&all, "exit code %d\n\n", got.code)
	}
	goldentest.Check(t, "testdata/tables.golden",
		strings.ReplaceAll(all.String(), hostileID, "HOSTILE"))
	if a.mu.agent != "curfew/v1.2.3" {
		t.Errorf("User-Agent %q", a.mu.agent)
	}
}

func TestAdmin_JSON(t *testing.T) {
	a := newFakeAPI(t)
	var status any
	got := a.run(t, "", "status", "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &status); err != nil {
		t.Errorf("status: %v", err)
	}
	var list []map[string]any
	got = a.run(t, "", "sessions", "ls", "-o", "json", "--limit", "1001")
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || len(list) != 3 ||
		list[1]["session_id"] != hostileID || got.code != 0 || got.stderr != "" {
		t.Errorf("ls: %v: %+v", err, got)
	}
	got = a.run(t, "", "sessions", "ls", "-o", "json", "--all")
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	for _, line := range lines {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil || one["session_id"] == "" {
			t.Errorf("ls --all prints the line %q: %v", line, err)
		}
	}
	if len(lines) != 3 {
		t.Errorf("ls --all prints %d lines, want one for each session", len(lines))
	}
	got = a.run(t, "", "sessions", "ls", "-o", "json", "--state", "grace")
	if got.stdout != "[]\n" {
		t.Errorf("of no sessions: %q", got.stdout)
	}
	got = a.run(t, " a \n\nnone\n", "sessions", "kick", "-o", "json", "-")
	const want = "[\n" + `  {"session_id":"a","done":true},` + "\n" +
		`  {"session_id":"none","done":false,"error":{"code":"not_found",` +
		`"message":"there is no such session"}}` + "\n]\n"
	if got.stdout != want || got.code != 1 {
		t.Errorf("kick: %+v, want %s", got, want)
	}
	ids := "a\n" + strings.Repeat("x", 256) + "\nb\nbroken\n"
	got = a.run(t, ids, "sessions", "touch", "-o", "json", "-")
	var touched []done
	if err := json.Unmarshal([]byte(got.stdout), &touched); err != nil || len(touched) != 3 ||
		got.code != 1 || !strings.Contains(got.stderr, "failed (500 it broke)") {
		t.Errorf("touch that ends early: %v: %+v", err, got)
	}
	for _, args := range [][]string{
		{"sessions", "show", "a"},
		{"sessions", "send", "a", "x"},
		{"users", "kick", "a"},
		{"drain"},
		{"log-level"},
		{"top"},
		{"top", "--once"},
	} {
		got := a.run(t, "", append(args, "-o", "json")...)
		var v map[string]any
		if err := json.Unmarshal([]byte(got.stdout), &v); err != nil || got.code != 0 {
			t.Errorf("%q: %v: %+v", args, err, got)
		}
	}
}

func TestAdmin_Events(t *testing.T) {
	a := newFakeAPI(t)
	got := a.run(t, "", "events", "--type", "expire,create", "--user", "ada", "-o", "json")
	const want = `{"type":"expire","id":7,"at":"2026-05-05T05:10:11.5Z",` +
		`"session_id":"\u001b[2J","user":"ada","reason":"idle"}` + "\n" +
		`{"type":"lost","lost":2}` + "\n"
	if got.stdout != want || got.code != exitUsage ||
		!strings.Contains(got.stderr, "URL ended the stream: curfewd has ended") {
		t.Errorf("events: %+v, want %s", got, want)
	}
	if asked := a.requests(); !slices.Equal(asked, []string{
		"GET /v1/events?type=expire%2Ccreate&user=ada",
	}) {
		t.Errorf("asked %q", asked)
	}
	got = a.run(t, "", "events")
	if !strings.Contains(got.stdout, `  expire      \x1b[2J  reason=idle  user=ada`+"\n") ||
		!strings.Contains(got.stderr, "2 events are missing") {
		t.Errorf("events: %+v", got)
	}
}

// An object has no member twice, and is one whatever came.
func TestEventJSON(t *testing.T) {
	for _, tt := range []struct{ id, kind, raw, want string }{
		{"7", "expire", `{"at":"x"}`, `{"type":"expire","id":7,"at":"x"}`},
		{"7", "expire", `{"type":"expire","at":"x"}`, `{"id":7,"type":"expire","at":"x"}`},
		{"7", "expire", `{"id":7,"type":"expire"}`, `{"id":7,"type":"expire"}`},
		{"", "lost", ` { "lost": 2 } `, `{"type":"lost","lost":2}`},
		{"", "lost", `{}`, `{"type":"lost"}`},
		{"1", "é\u202e\\", `{"a":1}`, `{"type":"é\u202e\\","id":1,"a":1}`},
	} {
		e := adminclient.Event{ID: tt.id, Type: tt.kind, Raw: json.RawMessage(tt.raw)}
		if got := eventJSON(&e); got != tt.want || !json.Valid([]byte(got)) {
			t.Errorf("%s of %s is %s, want %s", tt.raw, tt.kind, got, tt.want)
		}
	}
}

func TestAdmin_Send(t *testing.T) {
	const plainText = "POST /v1/sessions/a/messages text/plain; charset=utf-8"
	a := newFakeAPI(t)
	for _, tt := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{[]string{"a", "hello"}, "", plainText + " hello"},
		{[]string{"a", "-"}, "in", plainText + " in"},
		{
			[]string{"a", "-t", "binary"},
			"\x00\xff",
			"POST /v1/sessions/a/messages application/octet-stream \x00\xff",
		},
		{
			[]string{"--user", "u/v", "--type", "json", `{"a":1}`},
			"",
			`POST /v1/users/u%2Fv/messages application/json {"a":1}`,
		},
		{
			[]string{"--everyone", "--state", "live", "x"},
			"",
			"POST /v1/messages?state=live text/plain; charset=utf-8 x",
		},
	} {
		got := a.run(t, tt.stdin, append([]string{"sessions", "send"}, tt.args...)...)
		asked := a.requests()
		if last := asked[len(asked)-1]; last != tt.want || got.code != 0 {
			t.Errorf("%q asks %q, want %q: %+v", tt.args, last, tt.want, got)
		}
	}
}

// An ID may begin with dashes, and is none the less an ID.
func TestAdmin_DashedIDs(t *testing.T) {
	a := newFakeAPI(t)
	const one, two = "-jvnsodfI9DXXQSy_n70g8ymMYIXNUFo", "--vnsodfI9DXXQSy_n70g8ymMYIXNUFo"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"sessions", "show", one, "-o", "json"}, "GET /v1/sessions/" + one},
		{[]string{"sessions", "kick", "--yes", two}, "DELETE /v1/sessions/" + two},
		{[]string{"sessions", "touch", "--", one}, "POST /v1/sessions/" + one + "/touch"},
		{
			[]string{"sessions", "send", one, "hi", "-t", "text"},
			"POST /v1/sessions/" + one + "/messages text/plain; charset=utf-8 hi",
		},
		{
			[]string{"sessions", "send", "--user", one, "hi"},
			"POST /v1/users/" + one + "/messages text/plain; charset=utf-8 hi",
		},
		{[]string{"events", "--session", one}, "GET /v1/events?session=" + one},
		{
			[]string{"--timeout", "5s", "sessions", "show", one, "-o", "json"},
			"GET /v1/sessions/" + one,
		},
		{[]string{"__complete", "sessions", "kick", one, ""}, "GET /v1/sessions?limit=200"},
	} {
		a.run(t, "", tt.args...)
		asked := a.requests()
		if len(asked) == 0 || asked[len(asked)-1] != tt.want {
			t.Errorf("%q asks %q, want %q last", tt.args, asked, tt.want)
		}
	}
	got := a.run(t, "", "sessions", "show", "-x")
	if got.code != exitUsage || !strings.Contains(got.stderr, "unknown shorthand flag") {
		t.Errorf("%+v", got)
	}
}

// What is wrong is said at once, with what would be right, and nobody is asked.
func TestAdmin_Usage(t *testing.T) {
	a := newFakeAPI(t)
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spaced := filepath.Join(dir, "spaced")
	if err := os.WriteFile(spaced, []byte("two words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, "long")
	if err := os.WriteFile(long, bytes.Repeat([]byte("x"), 1<<17), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"status x", "takes no argument, not \"x\": see `curfew status --help`"},
		{"status --what", "see `curfew status --help`"},
		{"status -o yaml", "--output is \"yaml\": must be table or json"},
		{"status --timeout 0s", "--timeout is 0s"},
		{"status --admin nowhere", "--admin: nowhere: must be a URL, HOST:PORT or unix:PATH"},
		{"status --admin-token a --admin-token-file b", "leave one out"},
		{"status --admin-token-file " + dir + "/none", "none cannot be read: no such file"},
		{"status --admin-token-file " + empty, "holds no token"},
		{"status --admin-token é", "--admin-token: a token is visible ASCII"},
		{"status --admin-token-file " + long, "a line of it is too long for one"},
		{"status --admin-token-file " + spaced, "--admin-token-file: a token is visible ASCII"},
		{"status --admin-ca " + empty, "--admin-ca: " + empty + " holds no certificate"},
		{"sessions", "wants one of kick, ls, send, show, touch"},
		{"sessions what", "has no command \"what\": see `curfew sessions --help`"},
		{"sessions lst", "has no command \"lst\": did you mean ls? See `curfew sessions --help`"},
		{"users", "wants one of kick"},
		{"sessions ls x", "takes no argument"},
		{"sessions ls --limit 0", "--all lists all"},
		{"sessions ls --limit 5 --all", "leave one out"},
		{"sessions ls --state dead", "must be one of live, detached, grace"},
		{"sessions ls --sort size", "--sort is \"size\""},
		{"sessions show", "which session?"},
		{"sessions show a b", "give one ID, not 2"},
		{"sessions touch", "which sessions?"},
		{"sessions kick", "which sessions?"},
		{"sessions kick -", "standard input was empty"},
		{"sessions send", "to which session?"},
		{"sessions send a b c", "quote what belongs together"},
		{"sessions send --user u --everyone x", "say twice to whom"},
		{"sessions send --state live a x", "--state belongs to --everyone"},
		{"sessions send a x --type xml", "must be json, text or binary"},
		{"sessions send a x --type json", "not one JSON value"},
		{"users kick", "which user?"},
		{"drain now", "takes no argument"},
		{"stats", "there is no command \"stats\": did you mean status? See `curfew --help`"},
		{"frobnicate", "there is no command \"frobnicate\": see `curfew --help`"},
		{"--what", "unknown flag: --what: see `curfew --help`"},
		{"help nosuch", "there is no command \"nosuch\": see `curfew --help`"},
		{"help sessions kik", "`curfew sessions` has no command \"kik\": did you mean kick? See"},
		{"help load diff x", "has no command \"x\": see `curfew load diff --help`"},
		{"completion", "`curfew completion` wants one of bash, fish, powershell, zsh: see"},
		{"completion bsh", "has no command \"bsh\": did you mean bash or zsh? See"},
		{"load diff --what", "see `curfew load diff --help`"},
		{"conform --what", "see `curfew conform --help`"},
		{"events --type end", "must be one of create, resume, detach, expire, disconnect"},
		{"log-level loud", "the level is \"loud\": must be one of debug, info, warn, error"},
		{"log-level a b", "one LEVEL at a time, not 2"},
		{"top --interval 1ms", "must be 100ms to 1m"},
		{"top -o yaml", "--output is \"yaml\""},
	} {
		got := a.run(t, "", strings.Fields(tt.args)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, tt.want) || got.stdout != "" {
			t.Errorf("curfew %s: %+v, want %q and 2", tt.args, got, tt.want)
		}
	}
	if asked := a.requests(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
	got := a.run(t, strings.Repeat("x", 1<<17), "sessions", "kick", "-")
	if got.code != exitUsage || !strings.Contains(got.stderr, "is too long for an ID") {
		t.Errorf("a long line: %+v", got)
	}
	got = curfew(t, "status", "--admin", closedAddress(t))
	if got.code != exitUsage || !strings.Contains(got.stderr, "nobody listens at") {
		t.Errorf("nobody there: %+v", got)
	}
}

// The token comes from where it was said, and a flag beats the environment.
func TestAdmin_Token(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	tokens := []byte("\ufeff# of ops\n\n  #\n  first \nsecond\n")
	if err := os.WriteFile(file, tokens, 0o600); err != nil {
		t.Fatal(err)
	}
	var shown string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{"level":"info"}`)
	}))
	t.Cleanup(s.Close)
	for _, tt := range []struct {
		env, args []string
		want      string
	}{
		{nil, nil, ""},
		{[]string{"CURFEW_ADMIN_TOKEN=env"}, nil, "Bearer env"},
		{[]string{"CURFEW_ADMIN_TOKEN=env"}, []string{"--admin-token", "flag"}, "Bearer flag"},
		{[]string{"CURFEW_ADMIN_TOKEN_FILE=" + file}, nil, "Bearer first"},
		{[]string{"CURFEW_ADMIN_TOKEN=env"}, []string{"--admin-token-file", file}, "Bearer first"},
	} {
		shown = "none"
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), Process{
			Args: append([]string{"log-level", "--admin", s.URL}, tt.args...), Env: tt.env,
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		})
		if code != 0 || shown != tt.want {
			t.Errorf("%q %q shows %q (%d, %s), want %q", tt.env, tt.args, shown, code, &stderr,
				tt.want)
		}
	}
}

// A drain that is waited for ends when the process is gone, or another has its place.
func TestAdmin_DrainWait(t *testing.T) {
	a := newFakeAPI(t)
	looks := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/drain" {
			_, _ = io.WriteString(w, `{"draining":true}`)
			return
		}
		switch looks++; looks {
		case 1:
			_, _ = io.WriteString(w, a.status)
		case 2:
			_, _ = io.WriteString(w, `{"pid":4242,"state":"draining","now":"2026-05-05T05:10:20Z",
"started_at":"2026-05-04T03:00:00Z","drain":{"started_at":"2026-05-05T05:10:12Z","window_s":30,
"connections":100,"remaining":40}}`)
		default:
			_, _ = io.WriteString(w, strings.Replace(a.status, "4242", "4243", 1))
		}
	}))
	t.Cleanup(s.Close)
	got := curfew(t, "drain", "--wait", "--admin", s.URL)
	const replaced = "process 4242 is gone, and process 4243 serves in its place\n"
	if got.code != 0 || got.stdout != replaced ||
		got.stderr != "draining: 60 of 100 connections gone, for 8s of 30s\n" {
		t.Errorf("%+v", got)
	}
	looks = 0
	var gone *httptest.Server
	gone = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/drain" {
			_, _ = io.WriteString(w, `{"draining":true}`)
			go gone.Close()
			return
		}
		_, _ = io.WriteString(w, a.status)
	}))
	got = curfew(t, "drain", "--wait", "--admin", gone.URL)
	if got.code != 0 || got.stdout != "process 4242 is gone\n" {
		t.Errorf("%+v", got)
	}
}

// Completion knows what there is, where a daemon answers, and says nothing where none does.
func TestAdmin_Completion(t *testing.T) {
	a := newFakeAPI(t)
	for _, tt := range []struct{ args, want string }{
		{"sessions show", "AK0bXY7Hqpm1X3aRQ2KzqvV3zJ0uH4nT\tlive ada"},
		{"sessions kick AK0bXY7Hqpm1X3aRQ2KzqvV3zJ0uH4nT", ""},
		{"sessions show AK0bXY7Hqpm1X3aRQ2KzqvV3zJ0uH4nT", ""},
		{"users kick", "ada"},
		{"sessions ls --state", "live\ndetached\ngrace"},
		{"sessions ls --sort", "created_at\n-created_at\nlast_activity"},
		{"events --type", "create\nresume\ndetach\nexpire\ndisconnect"},
		{"log-level", "debug\ninfo\nwarn\nerror"},
		{"status --output", "table\njson"},
		{"status --admin", ":4\n"},
		{"status --admin-ca", ":0\n"}, // by the shell: files
		{"sessions ls --limit", ":4\n"},
		{"log-level debug", ":4\n"},
		{"load", "diff\t"},
		{"load --profile", "echo\nidle\nchatty"},
		{"load --protocol", "json\nraw\nplain\n:4"},
		{"load --rate", ":4\n"},
		{"load --report", ":0\n"},
		{"load diff -o", "table\njson\n:4"},
		{"load diff", ":0\n"},
		{"conform", ":4\n"},
		{"conform --case", "1.1.1\t"},
		{"conform --only", ":4\n"},
		{"conform --json", ":0\n"},
	} {
		got := a.run(t, "", slices.Concat([]string{"__complete"}, strings.Fields(tt.args),
			[]string{""})...)
		if !strings.HasPrefix(got.stdout, tt.want) || got.code != 0 ||
			strings.Contains(got.stdout, "mallory") || tt.want == "" && got.stdout[0] != ':' {
			t.Errorf("%s completes to %q, want %q", tt.args, got.stdout, tt.want)
		}
	}
	for args, want := range map[string]string{ // a dash may begin an ID, and two a flag
		"sessions show -ba":       "AK0bXY7Hqpm1X3aRQ2KzqvV3zJ0uH4nT\t",
		"sessions ls --sort -cr":  "created_at\n-created_at\n",
		"sessions show --admin-c": "--admin-ca\t",
		"sessions show -o":        "-o\t",
	} {
		got := a.run(t, "", append([]string{"__complete"}, strings.Fields(args)...)...)
		if !strings.HasPrefix(got.stdout, want) || got.code != 0 {
			t.Errorf("%s completes to %q, want %q", args, got.stdout, want)
		}
	}
	got := curfew(t, "__complete", "sessions", "show", "--admin", closedAddress(t), "")
	if got.code != 0 || got.stdout[0] != ':' {
		t.Errorf("without a daemon: %+v", got)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := curfew(t, "completion", shell); got.code != 0 || len(got.stdout) < 1000 {
			t.Errorf("completion %s: %d, %d bytes", shell, got.code, len(got.stdout))
		}
	}
}

// What a shell would expand is not offered to it.
func TestAdmin_CompletionIsNoOrder(t *testing.T) {
	var users, want []string
	for user, good := range map[string]bool{
		"$(reboot)": false, "`reboot`": false, "a;b": false, "~root": false, "a*": false,
		"a b": false, "'a": false, `"a`: false, `a\b`: false, "a|b": false, "a&b": false,
		"!!": false, "#a": false, "<a": false, "{a,b}": false, "[a]": false, "a=~": false,
		"é": false, "ada": true, "ada@example.com": true, "u-1_2.3:4/5+6": true,
	} {
		quoted, err := json.Marshal(user)
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, `{"session_id":"s","state":"live","user":`+string(quoted)+`}`)
		if good {
			want = append(want, user)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"sessions":[`+strings.Join(users, ",")+`],"next_cursor":""}`)
	}))
	t.Cleanup(s.Close)
	got := curfew(t, "__complete", "users", "kick", "--admin", s.URL, "")
	words := strings.Split(strings.TrimSpace(got.stdout), "\n")
	words = words[:len(words)-1] // the last one is about the others
	slices.Sort(words)
	slices.Sort(want)
	if !slices.Equal(words, want) {
		t.Errorf("it offers %q, want %q", words, want)
	}
}

// Where there is no terminal, top prints a frame.
func TestAdmin_TopOnce(t *testing.T) {
	a := newFakeAPI(t)
	got := a.run(t, "", "top", "--interval", "100ms")
	if got.code != 0 {
		t.Errorf("top: %+v", got)
	}
	goldentest.Check(t, "testdata/top.golden", got.stdout)
}
