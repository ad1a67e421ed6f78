package config

import (
	"slices"
	"strings"
	"testing"
)

func TestLoad_AdminAddress(t *testing.T) {
	long := strings.Repeat("x", unixPathMax)
	for _, good := range []string{
		"", "127.0.0.1:0", "localhost:1", "[::1]:9", "127.9.9.9:9", "unix:/run/curfew.sock",
		"unix:a", "unix:" + long,
	} {
		l, err := Load([]string{"--admin", good}, nil)
		if err != nil || l.Admin != good {
			t.Errorf("--admin %q is %q, %v", good, l.Admin, err)
		}
	}
	for _, bad := range []string{
		"8080", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:65536", "unix:", "unix:@curfew",
		"unix:a\x00b", "unix:x" + long, "unix", "off",
	} {
		refuse(t, "--admin: ", []string{"--admin", bad}, nil)
	}
	for _, bad := range []string{"", "-1", "65536", "127.0.0.1:8080"} {
		refuse(t, "MONITORING_PORT: ", nil, []string{"MONITORING_PORT=" + bad})
	}
	file := write(t, "c.yaml", "admin: ''\n")
	for _, give := range []struct{ args, env []string }{
		{[]string{"--admin="}, []string{"MONITORING_PORT=8000"}},
		{nil, []string{"CURFEW_ADMIN=", "MONITORING_PORT=8000"}},
		{[]string{"--config", file}, nil},
	} {
		if l, err := Load(give.args, give.env); err != nil || l.Admin != "" {
			t.Errorf("Load(%q, %q): admin %q, %v, want it off", give.args, give.env, l.Admin, err)
		}
	}
}

// Whoever can be reached from elsewhere must ask for a secret.
func TestLoad_AdminOffLoopbackNeedsToken(t *testing.T) {
	const problem = "--admin: others can reach "
	tokens := write(t, "tokens", "one\ntwo\n")
	for _, open := range []string{
		":9", "0.0.0.0:9", "[::]:9", "192.0.2.1:9", "[2001:db8::1]:9", "host:9",
		"localhost.example:9", "[::ffff:10.0.0.1]:9",
	} {
		refuse(t, problem+open, []string{"--admin", open}, nil)
		for _, token := range [][]string{
			{"--admin-token", "x"}, {"--admin-token-file", tokens},
		} {
			if _, err := Load(append(token, "--admin", open), nil); err != nil {
				t.Errorf("Load(%q, --admin %s): %v", token, open, err)
			}
		}
		refuse(t, problem, []string{"--admin", open, "--token", "of-clients"}, nil)
	}
	file := write(t, "c.yaml", "admin: :9\n")
	refuse(t, file+": admin: others can reach :9", []string{"--config", file}, nil)
	refuse(t, "CURFEW_ADMIN: others", nil, []string{"CURFEW_ADMIN=:9", "MONITORING_PORT=1"})
}

func TestLoad_AdminTokens(t *testing.T) {
	file := write(t, "tokens", "one\n\n two\n")
	l, err := Load([]string{"--admin-token-file", file, "--token", "three"}, nil)
	if err != nil || !slices.Equal(l.AdminTokens, []string{"one", "two"}) ||
		!slices.Equal(l.Tokens, []string{"three"}) {
		t.Errorf("tokens of operators %q and of clients %q, %v", l.AdminTokens, l.Tokens, err)
	}
	refuse(t, "CURFEW_ADMIN_TOKEN: cannot stand beside --admin-token-file",
		[]string{"--admin-token-file", file}, []string{"CURFEW_ADMIN_TOKEN=x"})
	empty := write(t, "none", "\n")
	refuse(t, "--admin-token-file: "+empty+": holds no token",
		[]string{"--admin-token-file", empty, "--admin", ":9"}, nil)
}

func TestLoad_AdminAndListenersPort(t *testing.T) {
	for _, c := range []struct{ admin, listen, who string }{
		{"127.0.0.1:9", "127.0.0.1:9", "--admin"},
		{"127.0.0.1:9", ":9", "--admin"},
		{"127.0.0.1:9", "0.0.0.0:09", "--admin"},
		{"127.0.0.1:9", "[::]:9", "--admin"},
		{"127.0.0.1:9", "[::ffff:127.0.0.1]:9", "--admin"},
		{"localhost:9", "127.0.0.1:9", "--admin"},
		{"127.0.0.1:9", "host:9", "--admin"},
		{"", "127.0.0.1:8080", ""}, // off
		{"127.0.0.1:9", "192.0.2.1:9", ""},
		{"127.0.0.1:9", "127.0.0.1:10", ""},
		{"127.0.0.1:0", "127.0.0.1:0", ""},
		{"unix:/9", "127.0.0.1:9", ""},
	} {
		args := []string{"--admin", c.admin, "--listen", c.listen}
		if c.who != "" {
			refuse(t, c.who+": --admin "+c.admin+" and --listen "+c.listen, args, nil)
		} else if _, err := Load(args, nil); err != nil {
			t.Errorf("Load(%q): %v", args, err)
		}
	}
	refuse(t, "--listen: --admin 127.0.0.1:8080 and --listen :8080 want the same port: give "+
		"--admin another address than this default, or --admin= for none",
		[]string{"--listen=:8080"}, nil)
	refuse(t, "MONITORING_PORT: --admin 127.0.0.1:8079", nil, []string{"MONITORING_PORT=8079"})
}

// A flag that is on or off takes no word that follows it.
func TestLoad_BareFlag(t *testing.T) {
	on, off := write(t, "on.yaml", "admin-read-only: true\n"), write(t, "off.yaml",
		"admin-read-only: off\n")
	for _, c := range []struct {
		args, env []string
		want      bool
	}{
		{[]string{"--admin-read-only"}, nil, true},
		{[]string{"--admin-read-only", "config", "check"}, nil, true},
		{[]string{"--admin-read-only", "--tick", "20ms"}, nil, true},
		{[]string{"--admin-read-only=true"}, nil, true},
		{[]string{"--admin-read-only=off"}, []string{"CURFEW_ADMIN_READ_ONLY=on"}, false},
		{[]string{"--admin-read-only", "--admin-read-only=false"}, nil, false},
		{nil, []string{"CURFEW_ADMIN_READ_ONLY=true"}, true},
		{nil, []string{"CURFEW_ADMIN_READ_ONLY=True"}, true},
		{nil, []string{"CURFEW_ADMIN_READ_ONLY=1"}, true},
		{[]string{"--admin-read-only=NO"}, []string{"CURFEW_ADMIN_READ_ONLY=yes"}, false},
		{[]string{"--admin-read-only=0"}, []string{"CURFEW_CONFIG=" + on}, false},
		{nil, []string{"CURFEW_ADMIN_READ_ONLY=false", "CURFEW_CONFIG=" + on}, false},
		{[]string{"--config", on}, nil, true},
		{[]string{"--config", off}, nil, false},
	} {
		l, err := Load(c.args, c.env)
		if err != nil || l.AdminReadOnly != c.want {
			t.Errorf("Load(%q, %q): read-only %v, %v", c.args, c.env, l.AdminReadOnly, err)
		}
	}
	refuse(t, `"false": unknown command`, []string{"--admin-read-only", "false"}, nil)
	refuse(t, "CURFEW_ADMIN_READ_ONLY: ", nil, []string{"CURFEW_ADMIN_READ_ONLY="})
	refuse(t, "CURFEW_ADMIN_READ_ONLY: ", nil, []string{"CURFEW_ADMIN_READ_ONLY=2"})
}
