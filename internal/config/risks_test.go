package config

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// many is a machine on which files are no bound.
var many = machine{"linux", 1 << 40, false}

// each risk, with arguments that make it and with ones that just do not. A want that is "" is for
// arguments that are fine.
var riskCases = []struct {
	want string // what one warning begins with, and none may where it is the near miss
	args []string
	near []string
}{
	{
		"--listen: others can reach :9 and nobody is asked for a token",
		[]string{"--listen", ":9"},
		[]string{"--listen", "127.0.0.1:9"},
	}, {
		"--listen: others can reach 0.0.0.0:9 and nobody is asked",
		[]string{"--listen", "0.0.0.0:9"},
		[]string{"--listen", "0.0.0.0:9", "--backend", "https://app.example"},
	}, {
		"--listen: tokens of clients cross the network in clear",
		[]string{"--listen", ":9", "--token-file", "TOKENS"},
		[]string{"--listen", ":9", "--token-file", "TOKENS", "--tls-cert=c", "--tls-key=k"},
	}, {
		"--listen: tokens of clients cross the network in clear",
		[]string{"--listen", ":9", "--token-file", "TOKENS"},
		[]string{"--listen", ":9", "--token-file", "TOKENS", "--trusted-proxies", "10.0.0.1"},
	}, {
		"--admin: tokens of operators cross the network in clear to :9",
		[]string{"--admin", ":9", "--admin-token-file", "TOKENS"},
		[]string{"--admin", "[::1]:9", "--admin-token-file", "TOKENS"},
	}, {
		"--origin: * lets every page",
		[]string{"--origin", "https://a.example", "--origin", "*"},
		[]string{"--origin", "https://a.example"},
	}, {
		"--origin: null is the origin",
		[]string{"--origin", "null"},
		[]string{"--origin", "https://null"},
	}, {
		"--trusted-proxies: everybody may claim",
		[]string{"--trusted-proxies", "10.0.0.1,::/0"},
		[]string{"--trusted-proxies", "0.0.0.0/1"},
	}, {
		"--proxy-protocol: everybody may claim",
		[]string{"--proxy-protocol", "0.0.0.0/0"},
		[]string{"--proxy-protocol", "10.0.0.0/8"},
	}, {
		"--ping-interval: without pings proxies cut off",
		[]string{"--ping-interval=0", "--proxy-protocol", "10.0.0.0/8"},
		[]string{"--ping-interval=0"},
	}, {
		"--ping-interval: without pings proxies cut off",
		[]string{"--ping-interval=0", "--trusted-proxies", "10.0.0.0/8"},
		[]string{"--ping-interval=1s", "--trusted-proxies", "10.0.0.0/8"},
	}, {
		"--token: other users of this machine can see",
		[]string{"--token", "a"},
		[]string{"--token-file", "TOKENS"},
	}, {
		"--admin-token: other users of this machine can see",
		[]string{"--admin-token", "a"},
		[]string{"--admin-token-file", "TOKENS"},
	}, {
		"--admin-token-file: a token of clients is one of operators too",
		[]string{"--admin-token-file", "TOKENS", "--token-file", "TOKENS"},
		[]string{"--admin-token-file", "TOKENS", "--token-file", "OTHERS"},
	}, {
		"--backend: the secret for the application crosses the network in clear to app.example",
		[]string{"--backend", "http://app.example", "--backend-token-file", "TOKEN"},
		[]string{"--backend", "http://localhost:9", "--backend-token-file", "TOKEN"},
	}, {
		"--backend: the secret for the application crosses the network in clear to app.example",
		[]string{"--backend", "http://app.example/x?key=hunter2"},
		[]string{"--backend", "https://app.example/x?key=hunter2"},
	}, {
		"--backend: the secret for the application crosses",
		[]string{"--backend", "http://a.example/?k=v"},
		[]string{"--backend", "http://a.example/"},
	}, {
		"--touch-on: pongs to the pings of each 30s keep",
		[]string{"--touch-on=any", "--idle-timeout=40s"},
		[]string{"--touch-on=any", "--idle-timeout=39s"},
	}, {
		"--touch-on: pongs to the pings of each 30s keep",
		[]string{"--touch-on=any"},
		[]string{"--touch-on=any", "--ping-interval=0"},
	}, {
		"--touch-on: a pong may come 40s after",
		[]string{"--touch-on=any", "--idle-timeout=39s"},
		[]string{"--touch-on=message", "--idle-timeout=39s"},
	}, {
		"--grace: 1h0m1s of grace is longer", []string{"--grace=3601s"}, []string{"--grace=1h"},
	}, {
		"--resume-window: a detached session is ended by --idle-timeout 1m0s before 1m1s",
		[]string{"--resume-window=61s", "--idle-timeout=1m"},
		[]string{"--resume-window=61s", "--idle-timeout=1m", "--grace=1s"},
	}, {
		"--max-lifetime: a lifetime of 59m59s",
		[]string{"--max-lifetime=3599s"},
		[]string{"--max-lifetime=1h"},
	}, {
		"--tick: a tick of 101ms is coarse",
		[]string{"--tick=101ms", "--idle-timeout=1s"},
		[]string{"--tick=100ms", "--idle-timeout=1s"},
	}, {
		"--idle-timeout: a tick of 10ms is coarse",
		[]string{"--idle-timeout=99ms"},
		[]string{"--idle-timeout=100ms"},
	}, {
		"--wheel: russellluo is there to compare",
		[]string{"--wheel=russellluo"},
		[]string{"--wheel=native"},
	}, {
		"EXAI_WS_MAX_BYTES: 9 messages of --max-message-bytes 33554432 at once",
		[]string{"EXAI_WS_MAX_BYTES=33554432"},
		[]string{"EXAI_WS_MAX_BYTES=16777216"},
	}, {
		"--compression: a few bytes of a client can inflate to --max-message-bytes 1048577",
		[]string{"--compression=on", "--max-message-bytes=1048577"},
		[]string{"--compression=on", "--max-message-bytes=1048576"},
	}, {
		"--mode: a goroutine for each connection",
		[]string{"--mode=goroutine", "--max-sessions=100001"},
		[]string{"--mode=goroutine", "--max-sessions=100000"},
	}, {
		"--max-sessions: a goroutine for each connection takes many times the memory of a loop: " +
			"have a proxy",
		[]string{"--tls-cert=c", "--tls-key=k", "--max-sessions=0"},
		[]string{"--tls-cert=c", "--tls-key=k"},
	}, {
		"--session-max-inflight: one session may run 9 calls, but all together only 8",
		[]string{"--session-max-inflight=9", "--global-max-inflight=8"},
		[]string{"--session-max-inflight=8", "--global-max-inflight=8"},
	},
}

func TestRisks(t *testing.T) {
	files := map[string]string{
		"TOKENS": write(t, "tokens", "one\ntwo\n"), "OTHERS": write(t, "others", "three\n"),
		"TOKEN": write(t, "token", "hunter2\n"),
	}
	load := func(arguments []string) []string {
		t.Helper()
		var args, env []string
		for _, a := range arguments {
			switch path := files[a]; {
			case path != "":
				args = append(args, path)
			case strings.HasPrefix(a, oldPrefix):
				env = append(env, a)
			default:
				args = append(args, a)
			}
		}
		l, err := Load(args, env)
		if err != nil {
			t.Fatalf("Load(%q, %q): %v", args, env, err)
		}
		return l.risks(many)
	}
	count := func(warnings []string, want string) (n int) {
		for _, w := range warnings {
			if strings.HasPrefix(w, want) {
				n++
			}
			if strings.Contains(w, "hunter2") || strings.Contains(w, "\n") {
				t.Errorf("the warning %q holds a secret, or more than a line", w)
			}
		}
		return n
	}
	for _, c := range riskCases {
		if w := load(c.args); count(w, c.want) != 1 {
			t.Errorf("%q warns %q, want once %q", c.args, w, c.want)
		}
		if w := load(c.near); count(w, c.want) != 0 {
			t.Errorf("%q warns %q, want not %q", c.near, w, c.want)
		}
	}
}

// What the pages on operations and the proxies' configurations show, and what containers are given,
// is no reason to warn.
func TestRisks_NoneInOrdinarySetups(t *testing.T) {
	secret := write(t, "secret", "one\n")
	admin := write(t, "admin", "two\n")
	for _, m := range []machine{many, {"linux", 1 << 20, true}} {
		for _, args := range [][]string{
			{"--listen", "10.0.1.5:8079", "--proxy-protocol", "10.0.0.7", "--token-file", secret},
			{"--listen", "10.0.1.5:8079", "--trusted-proxies", "10.0.0.7", "--token-file", secret},
			{"--listen", "10.0.1.5:8079", "--token-file", secret},
			{"--listen", "[fd00::5]:8079", "--token-file", secret},
			{"--admin", "10.0.1.5:8080", "--admin-token-file", admin},
			{"--listen", ":443", "--tls-cert=c", "--tls-key=k", "--token-file", secret},
			{"--admin", "unix:/run/curfew/admin.sock"},
			{
				"--listen", "0.0.0.0:8079", "--backend", "http://app:9000/events",
				"--backend-token-file", secret,
			},
			{"--listen", ":8079", "--backend", "http://10.1.2.3/events?key=v"},
			{"--listen", ":8079", "--trusted-proxies", "10.0.0.0/8", "--token-file", secret},
		} {
			if w := load(t, args...).risks(m); len(w) > 0 {
				t.Errorf("%q warns %q", args, w)
			}
		}
	}
	// Where this is the only process nobody else reads files.
	if err := os.Chmod(secret, 0o444); err != nil {
		t.Fatal(err)
	}
	l := load(t, "--token-file", secret)
	if w := l.risks(machine{"linux", 1 << 20, true}); len(w) > 0 {
		t.Errorf("in a container %q", w)
	}
	if w := l.risks(many); len(w) != 1 {
		t.Errorf("on a machine of many a token that all may read warns %q", w)
	}
}

// Nobody is warned about what nobody gave.
func TestRisks_NoneByDefault(t *testing.T) {
	l, err := Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range []uint64{0, 1024, 1 << 40} {
		if w := l.risks(machine{"linux", files, false}); len(w) > 0 {
			t.Errorf("with %d files the defaults warn %q", files, w)
		}
	}
	if len(l.Warnings) > 0 {
		t.Errorf("the defaults warn %q", l.Warnings)
	}
}

func TestRisks_OpenFiles(t *testing.T) {
	const want = "SESSION_MAX_CONCURRENT: 1000 sessions may live, but this process may open only " +
		"1063 files"
	l, err := Load(nil, []string{"SESSION_MAX_CONCURRENT=1000"})
	if err != nil {
		t.Fatal(err)
	}
	if w := l.risks(machine{"linux", 1063, false}); len(w) != 1 || !strings.HasPrefix(w[0], want) {
		t.Errorf("with 1063 files: %q, want %q", w, want)
	}
	for _, files := range []uint64{0, 1064} {
		if w := l.risks(machine{"linux", files, false}); len(w) > 0 {
			t.Errorf("with %d files: %q", files, w)
		}
	}
	if l, err = Load([]string{"--max-sessions=0"}, nil); err != nil {
		t.Fatal(err)
	}
	if w := l.risks(many); len(w) != 1 || !strings.Contains(w[0], "any number of sessions") {
		t.Errorf("without a limit: %q", w)
	}
}

func TestRisks_FilesThatOthersMayRead(t *testing.T) {
	for _, c := range []struct{ flag, content string }{
		{"--token-file", "one"},
		{"--admin-token-file", "one"},
		{"--backend-token-file", "one"},
		{"--tls-key", "k"},
		{"--config", "token: one"},
		{"--config", "admin-token: one"},
	} {
		file := write(t, "secret", c.content+"\n")
		args := []string{c.flag, file}
		if c.flag == "--tls-key" {
			args = append(args, "--tls-cert=c")
		}
		for mode, want := range map[os.FileMode]int{
			0o600: 0, 0o640: 0, 0o644: 1, 0o602: 1, 0o000: 0,
		} {
			l, err := Load(args, nil)
			if err != nil {
				t.Fatalf("Load(%q): %v", args, err)
			}
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			w := slices.DeleteFunc(l.risks(many), func(s string) bool {
				return !strings.Contains(s, "others can read or change")
			})
			if len(w) != want {
				t.Errorf("%s of mode %o (%s) warns %q, want %d", c.flag, mode, c.content, w, want)
			}
			if err := os.Chmod(file, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A token that stands elsewhere makes no secret of the configuration file.
	file := write(t, "open.yaml", "tick: 20ms\n")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Load([]string{"--config", file}, []string{"CURFEW_TOKEN=x"})
	if err != nil || len(l.risks(many)) > 0 {
		t.Errorf("an open file without secrets warns %q, %v", l.risks(many), err)
	}
}

// The configuration that the package ships gives no reason to warn, under the limits of its unit.
func TestRisks_NoneInWhatIsShipped(t *testing.T) {
	l := load(t, "--config", "../../deploy/systemd/curfewd.yaml")
	if w := l.risks(machine{"linux", 1 << 20, false}); len(w) > 0 {
		t.Errorf("the shipped configuration warns %q", w)
	}
}
