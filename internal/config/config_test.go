package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// each says how a setting can be given and what must come of it.
var each = []struct {
	setting string
	flag    string // as given by flag, CURFEW_ variable and file
	want    string // as shown
	old     string // OLD=value, "" where there is no old name
	oldWant string
	bad     string // a value that is refused
	oldBad  string
}{
	{"listen", ":9000", ":9000", "EXAI_WS_PORT=9001", "127.0.0.1:9001", "nowhere", "x"},
	{"path", "/a", "/a", "", "", "a", ""},
	{"admin", "[::1]:1", "[::1]:1", "MONITORING_PORT=8000", "127.0.0.1:8000", "here", "x"},
	{"admin-token", "s3cret", "(set, not shown)", "", "", " ", ""},
	{"admin-token-file", "TOKENS", "TOKENS", "", "", "/does/not/exist", ""},
	{"admin-read-only", "on", "on", "", "", "2", ""},
	{"idle-timeout", "90s", "1m30s", "SESSION_TIMEOUT_SECS=3", "3s", "0", "3x"},
	{"grace", "5s", "5s", "", "", "-1s", ""},
	{"max-lifetime", "0", "0s", "", "", "long", ""},
	{"max-sessions", "0", "0", "SESSION_MAX_CONCURRENT=100", "100", "-1", "many"},
	{"resume-window", "0", "0s", "", "", "-1s", ""},
	{"on-session-limit", "evict-idle", "evict-idle", "", "", "evict", ""},
	{"max-sessions-per-user", "3", "3", "", "", "-1", ""},
	{"on-user-limit", "reject", "reject", "", "", "", ""},
	{"max-connections-per-ip", "7", "7", "MAX_CONNECTIONS_PER_IP=9", "9", "-1", "lots"},
	{"max-refused-hellos", "1", "1", "", "", "0", ""},
	{"summary-interval", "1m", "1m0s", "SESSION_CLEANUP_INTERVAL=300", "5m0s", "0s", "-1"},
	{"tick", "1ms", "1ms", "", "", "2m", ""},
	{"wheel", "russellluo", "russellluo", "", "", "wooden", ""},
	{"token", "s3cret", "(set, not shown)", "EXAI_WS_TOKEN=0ldS3cr", "(set, not shown)", " ", " "},
	{"token-file", "TOKENS", "TOKENS", "", "", "/does/not/exist", ""},
	{"origin", "https://a.example", "https://a.example", "", "", "a.example", ""},
	{"hello-timeout", "1s", "1s", "EXAI_WS_HELLO_TIMEOUT=2.5", "2.5s", "0", "0"},
	{"ping-interval", "0", "0s", "EXAI_WS_PING_INTERVAL=0", "0s", "5", "-2"},
	{"ping-timeout", "3s", "3s", "EXAI_WS_PING_TIMEOUT=4", "4s", "0", "nan"},
	{"max-message-bytes", "1024", "1024", "EXAI_WS_MAX_BYTES=33554432", "33554432", "0", "1e9"},
	{"session-max-inflight", "1", "1", "EXAI_WS_SESSION_MAX_INFLIGHT=3", "3", "0", "0"},
	{"global-max-inflight", "99", "99", "EXAI_WS_GLOBAL_MAX_INFLIGHT=4", "4", "0", "none"},
	{"write-buffer-bytes", "1", "1", "", "", "0", ""},
	{"on-slow", "drop-oldest", "drop-oldest", "", "", "drop", ""},
	{"buffer-total-bytes", "5000000000", "5000000000", "", "", "0", ""},
	{"compression", "on", "on", "", "", "true", ""},
	{"mode", "goroutine", "goroutine", "", "", "threads", ""},
	{"loops", "255", "255", "", "", "256", ""},
	{"tls-cert", "cert.pem", "cert.pem", "", "", " ", ""},
	{"tls-key", "key.pem", "key.pem", "", "", " ", ""},
	{"proxy-protocol", "10.0.0.0/8, ::1", "10.0.0.0/8,::1", "", "", "10.0.0.0/33", ""},
	{"trusted-proxies", "192.0.2.1", "192.0.2.1", "", "", "lan", ""},
	{"backend", "https://a.example/x", "https://a.example/x", "", "", "a.example", ""},
	{"backend-timeout", "1s", "1s", "", "", "0", ""},
	{"backend-token-file", "TOKEN", "TOKEN", "", "", "/does/not/exist", ""},
	{"touch-on", "any", "any", "", "", "none", ""},
	{"drain-window", "0", "0s", "", "", "-30s", ""},
	{"log-level", "Debug", "debug", "LOG_LEVEL=WARNING", "warn", "loud", "loud"},
	{"log-format", "json", "json", "", "", "xml", ""},
	{"audit-log", "/var/log/a.jsonl", "/var/log/a.jsonl", "", "", " ", ""},
}

// beside are variables without which a setting cannot stand.
var beside = map[string][]string{
	"tls-cert": {"CURFEW_TLS_KEY=key.pem"},
	"tls-key":  {"CURFEW_TLS_CERT=cert.pem"},
}

// TestLoad_EachSettingFromEachPlace gives every setting by flag, variable, file and old name, good
// and bad, and looks at the value and at where it is said to come from.
func TestLoad_EachSettingFromEachPlace(t *testing.T) {
	files := map[string]string{
		"TOKENS": write(t, "tokens", "one\n\n  two  \n"), "TOKEN": write(t, "token", "one\n"),
	}
	var names []string
	for _, e := range each {
		names = append(names, e.setting)
		good, want := e.flag, e.want
		if path, ok := files[good]; ok {
			good, want = path, path
		}
		flag := "--" + e.setting
		variable := "CURFEW_" + strings.ToUpper(strings.ReplaceAll(e.setting, "-", "_"))
		file := write(t, "curfewd.yaml", e.setting+": '"+good+"'\n")
		badFile := write(t, "bad.yaml", e.setting+": '"+e.bad+"'\n")

		if !findSetting(e.setting).bare {
			accept(t, e.setting, want, flag, []string{flag, good}, nil)
		}
		accept(t, e.setting, want, flag, []string{flag + "=" + good}, nil)
		accept(t, e.setting, want, variable, nil, []string{variable + "=" + good})
		accept(t, e.setting, want, file+": "+e.setting, []string{"--config", file}, nil)
		refuse(t, flag+": ", []string{flag + "=" + e.bad}, nil)
		refuse(t, variable+": ", nil, []string{variable + "=" + e.bad})
		refuse(t, badFile+": "+e.setting+": ", nil, []string{"CURFEW_CONFIG=" + badFile})
		if name, _, ok := strings.Cut(e.old, "="); ok {
			accept(t, e.setting, e.oldWant, name, nil, []string{e.old})
			accept(t, e.setting, want, variable, nil, []string{e.old, variable + "=" + good})
			refuse(t, name+": ", nil, []string{name + "=" + e.oldBad})
		}
	}
	for i := range settings {
		if s := &settings[i]; !s.flagOnly && !slices.Contains(names, s.name) {
			t.Errorf("setting %s is not in the table of this test", s.name)
		}
	}
}

func accept(t *testing.T, name, want, origin string, args, env []string) {
	t.Helper()
	env = append(env, beside[name]...)
	l, err := Load(args, env)
	if err != nil {
		t.Errorf("Load(%q, %q): %v", args, env, err)
		return
	}
	s := findSetting(name)
	got := s.field.show(&l.Config)
	if s.secret {
		var b strings.Builder
		if err := l.Explain(&b); err != nil {
			t.Fatal(err)
		}
		secret := slices.Concat(l.Tokens, l.AdminTokens)[0]
		if !strings.Contains(b.String(), want) || strings.Contains(b.String(), secret) {
			t.Errorf("Load(%q, %q) explains the secret as %q", args, env, b.String())
		}
	} else if got != want {
		t.Errorf("Load(%q, %q): %s = %q, want %q", args, env, name, got, want)
	}
	if l.origins[name] != origin {
		t.Errorf("Load(%q, %q): %s is from %q, want %q", args, env, name, l.origins[name], origin)
	}
	if len(l.unread) > 0 {
		t.Errorf("Load(%q, %q) warns %q", args, env, l.unread)
	}
}

func refuse(t *testing.T, prefix string, args, env []string) {
	t.Helper()
	_, err := Load(args, env)
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("Load(%q, %q) = %v, want a problem that begins with %q", args, env, err, prefix)
		return
	}
	if len(e.Problems) != 1 || !strings.HasPrefix(e.Problems[0], prefix) {
		t.Errorf("Load(%q, %q): problems %q, want one that begins with %q",
			args, env, e.Problems, prefix)
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_Defaults(t *testing.T) {
	l, err := Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.Listen != "127.0.0.1:8079" || !slices.Equal(c.Paths, []string{"/ws"}) ||
		c.IdleTimeout != time.Hour || c.Grace != 0 || c.MaxLifetime != 0 ||
		c.MaxSessions != 1_000_000 || c.OnSessionLimit != "reject" ||
		c.SummaryInterval != 5*time.Minute || c.Tick != 10*time.Millisecond ||
		c.Wheel != "native" || c.Tokens != nil || c.Origins != nil ||
		c.HelloTimeout != 15*time.Second || c.PingInterval != 30*time.Second ||
		c.PingTimeout != 10*time.Second || c.MaxMessageBytes != 65536 ||
		c.TouchOn != "message" || c.DrainWindow != 30*time.Second ||
		c.MaxConnectionsPerIP != 0 || c.MaxRefusedHellos != 20 || c.WriteBufferBytes != 262144 ||
		c.OnSlow != "close" || c.BufferTotalBytes != 268435456 || c.Compression ||
		c.Mode != defaultMode(runtime.GOOS) || c.Loops != 0 || c.TLSCert != "" || c.TLSKey != "" ||
		c.Admin != "127.0.0.1:8080" || c.AdminTokens != nil || c.AdminTokenFile != "" ||
		c.AdminReadOnly || c.ResumeWindow != 2*time.Minute || c.MaxSessionsPerUser != 0 ||
		c.OnUserLimit != "evict-idle" || c.SessionMaxInflight != 8 || c.GlobalMaxInflight != 24 ||
		c.Backend != "echo" || c.BackendTimeout != 30*time.Second || c.BackendToken != "" ||
		c.BackendTokenFile != "" ||
		c.ProxyProtocol != nil || c.TrustedProxies != nil ||
		c.LogLevel != slog.LevelInfo || c.LogFormat != "text" {
		t.Errorf("Load(nothing) = %+v", c)
	}
}

// TestLoad_StrongerPlaceWins walks down the order with one setting given everywhere.
func TestLoad_StrongerPlaceWins(t *testing.T) {
	file := write(t, "c.yaml", "idle-timeout: 4s\ntick: 20ms\n")
	args := []string{"--idle-timeout", "1s", "--idle-timeout", "2s"}
	env := []string{"SESSION_TIMEOUT_SECS=30", "CURFEW_IDLE_TIMEOUT=3s", "CURFEW_CONFIG=" + file}
	for _, step := range []struct {
		args, env []string
		want      time.Duration
	}{
		{args, env, 2 * time.Second},
		{nil, env, 3 * time.Second},
		{nil, []string{env[0], env[2]}, 30 * time.Second},
		{nil, env[2:], 4 * time.Second},
		{nil, nil, time.Hour},
	} {
		l, err := Load(step.args, step.env)
		if err != nil || l.IdleTimeout != step.want {
			t.Errorf("Load(%q, %q): %v, %v, want %v",
				step.args, step.env, l.IdleTimeout, err, step.want)
		}
	}
}

func TestLoad_AllProblemsAtOnce(t *testing.T) {
	file := write(t, "c.yaml",
		"tick: 1h\nwheeel: native\ngrace: 1s\ngrace: 2s\nconfig: x\npath: {}\n")
	_, err := Load(
		[]string{
			"--tick=0", "--frobnicate", "hard", "--froth", "--config", file, "-tick",
			"--path", "x", "--path", "y", "start", "--wheel",
		},
		[]string{"CURFEW_MAX_SESSIONS=many", "SESSION_TIMEOUT_SECS=soon", "EXAI_WS_PORT=http"},
	)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("Load = %v, want *Error", err)
	}
	want := []string{
		"--frobnicate: unknown flag: curfewd --help lists them",
		"--froth: unknown flag: curfewd --help lists them",
		"-tick: unknown flag: write --tick",
		"--wheel: needs a value",
		`"start": unknown command: there are version, help, config check, config explain`,
		file + ": wheeel: unknown key (line 2): keys are the flags' names",
		file + ": grace: given twice (line 4)",
		file + ": config: unknown key (line 5): a file names no other file",
		file + ": tick: 1h is not between 1ms and 1m0s",
		file + ": path: must be one plain value (line 6)",
		`EXAI_WS_PORT: port "http" is not between 0 and 65535`,
		`SESSION_TIMEOUT_SECS: "soon" is not a number of seconds`,
		`CURFEW_MAX_SESSIONS: "many" is not a whole number`,
		"--tick: must be above 0",
		`--path: "x" is not a path such as /ws; "y" is not a path such as /ws`,
	}
	if !slices.Equal(e.Problems, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", e, strings.Join(want, "\n"))
	}
}

func TestLoad_Lists(t *testing.T) {
	want := []string{"/", "/ws"}
	file := write(t, "c.yaml", "path: [/, &w /ws]\n")
	for _, give := range []struct{ args, env []string }{
		{[]string{"--path", "/", "--path=/ws"}, nil},
		{nil, []string{"CURFEW_PATH=/, /ws"}},
		{[]string{"--config", file}, nil},
	} {
		l, err := Load(give.args, give.env)
		if err != nil || !slices.Equal(l.Paths, want) {
			t.Errorf("Load(%q, %q): %q, %v, want %q", give.args, give.env, l.Paths, err, want)
		}
	}
}

func TestLoad_OldListenAddress(t *testing.T) {
	for _, c := range []struct {
		env          []string
		want, origin string
	}{
		{[]string{"EXAI_WS_HOST=0.0.0.0"}, "0.0.0.0:8079", "EXAI_WS_HOST"},
		{[]string{"EXAI_WS_HOST=::1", "EXAI_WS_PORT=1"}, "[::1]:1", "EXAI_WS_HOST, EXAI_WS_PORT"},
		{[]string{"EXAI_WS_PORT=1", "CURFEW_LISTEN=:2"}, ":2", "CURFEW_LISTEN"},
	} {
		l, err := Load(nil, c.env)
		if err != nil || l.Listen != c.want || l.origins["listen"] != c.origin {
			t.Errorf("Load(%q): %q from %q, %v, want %q from %q",
				c.env, l.Listen, l.origins["listen"], err, c.want, c.origin)
		}
	}
}

func TestLoad_Warnings(t *testing.T) {
	l, err := Load(nil, []string{
		"CURFEW_SERVICE_HOST=10.0.0.1", "EXAI_WS_CALL_TIMEOUT=90", "PATH=/bin",
		"EXAI_WS_TOKEN=", "broken",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CURFEW_SERVICE_HOST: unknown variable, not read",
		"EXAI_WS_CALL_TIMEOUT: has no meaning here, not read",
	}
	if !slices.Equal(l.Warnings, want) {
		t.Errorf("warnings %q, want %q", l.Warnings, want)
	}
	if l.Tokens != nil {
		t.Errorf("an empty EXAI_WS_TOKEN gave tokens %q, want none", l.Tokens)
	}
}

func TestLoad_Tokens(t *testing.T) {
	file := write(t, "tokens", "one\r\n\n  two \n")
	l, err := Load([]string{"--token-file", file}, nil)
	if err != nil || !slices.Equal(l.Tokens, []string{"one", "two"}) {
		t.Errorf("tokens %q, %v, want one and two", l.Tokens, err)
	}
	file = write(t, "editor", "\ufeffone\r\n# of ops\n  # two \nthree #4\n")
	l, err = Load([]string{"--token-file", file}, nil)
	if err != nil || !slices.Equal(l.Tokens, []string{"one", "three #4"}) {
		t.Errorf("tokens %q, %v, want those without mark and comments", l.Tokens, err)
	}
	for name, content := range map[string]string{
		"utf16": "\xff\xfeo\x00n\x00e\x00\n\x00", "zero": "o\x00ne\n", "latin1": "ma\xdf\n",
	} {
		file := write(t, name, content)
		refuse(t, "--token-file: "+file+": holds what is no text",
			[]string{"--token-file", file}, nil)
	}
	empty := write(t, "none", " \n\n# one\n")
	refuse(t, "--token-file: "+empty+": holds no token", []string{"--token-file", empty}, nil)
	refuse(t, "EXAI_WS_TOKEN: cannot stand beside --token-file",
		[]string{"--token-file", file}, []string{"EXAI_WS_TOKEN=x"})
}

// A secret that somebody wrote with more around it is one that nobody shows.
func TestLoad_SecretsAreOneLine(t *testing.T) {
	for _, value := range []string{
		"one\n", " one", "one\t", "o\x00ne", "one\ntwo", "ma\xdf", "\r",
	} {
		refuse(t, "--token: has blanks", []string{"--token", value}, nil)
		refuse(t, "CURFEW_ADMIN_TOKEN: has blanks", nil, []string{"CURFEW_ADMIN_TOKEN=" + value})
	}
	file := write(t, "c.yaml", "token: |\n  one\n")
	refuse(t, file+": token: has blanks", []string{"--config", file}, nil)
	if _, err := Load([]string{"--token", "of two words"}, nil); err != nil {
		t.Errorf("a token of several words: %v", err)
	}
}

// What cannot be a host is refused here, and not when the daemon looks for it.
func TestLoad_Hosts(t *testing.T) {
	for _, host := range []string{
		"", "0.0.0.0", "[::]", "[::1]", "[fe80::1%eth0]", "localhost", "Edge-1.example.com.", "a_b",
		"4you", "münchen.example",
	} {
		args := []string{"--listen", host + ":9000", "--admin="}
		if _, err := Load(args, nil); err != nil {
			t.Errorf("Load(%q): %v", args, err)
		}
	}
	for _, host := range []string{
		"256.1.1.1", "1.2.3", "1234", "a b", " 127.0.0.1", "127.0.0.1 ", "a/b", "u@h", "[::1%]",
		"a*", "[localhost:1]", "'h'",
	} {
		refuse(t, "--listen: ", []string{"--listen", host + ":9000", "--admin="}, nil)
		refuse(t, "--admin: ", []string{"--admin", host + ":9000", "--admin-token", "x"}, nil)
	}
	refuse(t, `EXAI_WS_HOST: "*:8079" is not host:port: for all addresses write :8079`, nil,
		[]string{"EXAI_WS_HOST=*"})
}

func TestLoad_Files(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "comments": "# nothing\n", "explicit": "---\n",
	} {
		if _, err := Load([]string{"--config", write(t, name, content)}, nil); err != nil {
			t.Errorf("%s file: %v", name, err)
		}
	}
	for name, content := range map[string]string{
		"syntax": "tick: [", "list": "- tick\n", "two": "tick: 1s\n---\ntick: 2s\n",
		"huge": strings.Repeat("#", fileBytesMax+1),
	} {
		refuse(t, "--config: ", []string{"--config", write(t, name, content)}, nil)
	}
	for content, want := range map[string]string{
		"idle_timeout: 1m\n": ": idle_timeout: unknown key (line 1): write idle-timeout",
		"\nIdle-Timeout: 1m": ": Idle-Timeout: unknown key (line 2): write idle-timeout",
		"? [tick]\n: 1s\n":   ": a key must be a plain word (line 1)",
	} {
		file := write(t, "c.yaml", content)
		refuse(t, file+want, []string{"--config", file}, nil)
	}
	for _, content := range []string{"tick:\n", "tick: [1s]\n", "path: []\n", "path: [[/a]]\n"} {
		file := write(t, "c.yaml", content)
		refuse(t, file+": ", []string{"--config", file}, nil)
	}
	refuse(t, "CURFEW_CONFIG: open /does/not/exist", nil, []string{"CURFEW_CONFIG=/does/not/exist"})
	refuse(t, "--config: must not be empty", []string{"--config="}, nil)
}

func TestLoad_SecretsStayOutOfMessages(t *testing.T) {
	_, err := Load([]string{"--token", "hunter2", "--token-file", "/none", "--tokn=hunter2"},
		[]string{"EXAI_WS_TOKEN=hunter2"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Load = %v, want an error without the secret", err)
	}
}

func TestLoad_Commands(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"config", "check", "--tick", "20ms"}, "config check"},
		{[]string{"--tick", "20ms", "config", "explain"}, "config explain"},
		{[]string{"version"}, "version"},
		{[]string{"--tick", "bad", "-h"}, "help"},
		{[]string{"help"}, "help"},
	} {
		l, err := Load(c.args, nil)
		if err != nil || l.Command != c.want {
			t.Errorf("Load(%q): command %q, %v, want %q", c.args, l.Command, err, c.want)
		}
	}
	refuse(t, `"config": unknown command`, []string{"config"}, nil)
	refuse(t, `"": unknown command`, []string{""}, nil)
}

func TestExplain(t *testing.T) {
	l, err := Load([]string{"--tick", "20ms"},
		[]string{"SESSION_TIMEOUT_SECS=60", "EXAI_WS_TOKEN=hunter2", "CURFEW_X=1"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := l.Explain(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{
		{"SETTING", "VALUE", "FROM", "DEFAULT", "LIVE", "ALSO READ", "MEANING"},
		{
			"idle-timeout", "1m0s", "SESSION_TIMEOUT_SECS", "1h", "restart",
			"SESSION_TIMEOUT_SECS", "ends a session this long after its last message",
		},
		{"tick", "20ms", "--tick", "10ms", "restart", "-", "resolution of expiry"},
		{
			"listen", "127.0.0.1:8079", "default", "127.0.0.1:8079", "restart",
			"EXAI_WS_HOST, EXAI_WS_PORT", "address that clients dial",
		},
		{
			"token", "(set, not shown)", "EXAI_WS_TOKEN", "-", "live", "EXAI_WS_TOKEN",
			findSetting("token").help,
		},
		{
			"token-file", "-", "default", "-", "live", "-", findSetting("token-file").help,
		},
		{"warning: CURFEW_X: unknown variable, not read"},
	} {
		if !hasLine(b.String(), want) {
			t.Errorf("no line %q in:\n%s", want, b.String())
		}
	}
}

func TestUsage_NamesEachSetting(t *testing.T) {
	var b strings.Builder
	if err := Usage(&b); err != nil {
		t.Fatal(err)
	}
	for i := range settings {
		if !strings.Contains(b.String(), "  --"+settings[i].name+" ") {
			t.Errorf("the help text lacks --%s", settings[i].name)
		}
	}
}

func hasLine(s string, fields []string) bool {
	for line := range strings.Lines(s) {
		if strings.Join(strings.Fields(line), " ") == strings.Join(fields, " ") {
			return true
		}
	}
	return false
}
