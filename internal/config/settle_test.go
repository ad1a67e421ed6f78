package config

import (
	"strings"
	"testing"
)

func TestLoad_TLSNeedsBothFiles(t *testing.T) {
	refuse(t, "--tls-cert: needs --tls-key", []string{"--tls-cert", "c"}, nil)
	refuse(t, "CURFEW_TLS_KEY: needs --tls-cert", nil, []string{"CURFEW_TLS_KEY=k"})
}

func TestSettleMode(t *testing.T) {
	const given, file = "--mode", "c.yaml: tls-cert"
	for _, c := range []struct {
		goos, mode, origin, tls string
		want, wantOrigin        string // the mode, or what the problem begins with
	}{
		{"linux", modeEpoll, byDefault, "", modeEpoll, byDefault},
		{"linux", modeEpoll, given, "", modeEpoll, given},
		{"linux", modeGoroutine, given, file, modeGoroutine, given},
		{"linux", modeEpoll, byDefault, file, modeGoroutine, "default beside " + file},
		{"linux", modeEpoll, given, file, "--mode: epoll does not serve TLS, which " + file, ""},
		{"darwin", modeEpoll, given, "", "--mode: epoll exists on Linux only", ""},
		{"darwin", modeEpoll, given, file, "--mode: epoll exists on Linux only", ""},
		{"darwin", modeGoroutine, byDefault, file, modeGoroutine, byDefault},
	} {
		l := &Loaded{origins: map[string]string{"mode": c.origin}}
		l.Mode = c.mode
		if c.tls != "" {
			l.origins["tls-cert"] = c.tls
		}
		problems := l.settleMode(c.goos)
		switch {
		case c.wantOrigin == "":
			if len(problems) != 1 || !strings.HasPrefix(problems[0], c.want) {
				t.Errorf("%+v: problems %q", c, problems)
			}
		case len(problems) > 0 || l.Mode != c.want || l.origins["mode"] != c.wantOrigin:
			t.Errorf("%+v: %s from %s, problems %q", c, l.Mode, l.origins["mode"], problems)
		}
	}
	for goos, want := range map[string]string{
		"linux": modeEpoll, "darwin": modeGoroutine, "windows": modeGoroutine,
	} {
		if got := defaultMode(goos); got != want {
			t.Errorf("defaultMode(%s) = %s, want %s", goos, got, want)
		}
	}
}

// With TLS the mode that nobody gave is the one that serves it, and explain says why.
func TestLoad_ModeWithTLS(t *testing.T) {
	l, err := Load([]string{"--tls-cert", "c", "--tls-key", "k"}, nil)
	if err != nil || l.Mode != modeGoroutine {
		t.Fatalf("with TLS the mode is %s, %v", l.Mode, err)
	}
}

func TestLoad_BuffersFitTheirTotal(t *testing.T) {
	for _, give := range [][]string{
		{"--buffer-total-bytes", "262144"},
		{
			"--buffer-total-bytes", "10", "--max-message-bytes", "10",
			"--write-buffer-bytes", "10",
		},
	} {
		if _, err := Load(give, nil); err != nil {
			t.Errorf("Load(%q): %v", give, err)
		}
	}
	refuse(t, "--buffer-total-bytes: 262143 is less than --write-buffer-bytes, 262144",
		[]string{"--buffer-total-bytes", "262143"}, nil)
	refuse(t, "--buffer-total-bytes: 99 is less than --max-message-bytes, 100", []string{
		"--buffer-total-bytes=99", "--max-message-bytes=100", "--write-buffer-bytes=1",
	}, nil)
	refuse(t, "EXAI_WS_MAX_BYTES: 268435457 is more than --buffer-total-bytes, 268435456",
		nil, []string{"EXAI_WS_MAX_BYTES=268435457"})
}

func TestLoad_NetworksAsLists(t *testing.T) {
	file := write(t, "c.yaml", "trusted-proxies: [10.0.0.0/8, '192.0.2.1,::1']\n")
	const want = "10.0.0.0/8,192.0.2.1,::1"
	for _, give := range []struct{ args, env []string }{
		{[]string{"--trusted-proxies", "10.0.0.0/8", "--trusted-proxies=192.0.2.1,::1"}, nil},
		{nil, []string{"CURFEW_TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.1,::1"}},
		{[]string{"--config", file}, nil},
	} {
		l, err := Load(give.args, give.env)
		if err != nil || l.TrustedProxies.String() != want {
			t.Errorf("Load(%q, %q): %v, %v, want %s", give.args, give.env, l.TrustedProxies, err,
				want)
		}
	}
	refuse(t, `--proxy-protocol: "a" is not a network such as 10.0.0.0/8 or an address; "b" is`,
		[]string{"--proxy-protocol", "a,::1", "--proxy-protocol", "b"}, nil)
}
