package config

import (
	"strings"
	"testing"
)

func TestLoad_Backend(t *testing.T) {
	for _, good := range []string{
		"echo", "http://127.0.0.1:9000", "https://app.example/events?v=1", "HTTP://[::1]:1/a%2Fb",
	} {
		l, err := Load([]string{"--backend", good}, nil)
		if err != nil || l.Backend != good {
			t.Errorf("--backend %s is %q, %v", good, l.Backend, err)
		}
	}
	for _, bad := range []string{
		"", "Echo", "app.example", "//app.example", "ftp://app.example", "http:app", "http://",
		"http://:80", "http:///x", "http://a:0", "http://a:65536", "http://a:b", "http://a/#b",
		"http://a/#", "http://a b/", "unix:/run/app.sock", "http://user@a", "http://user:pw@a",
	} {
		refuse(t, "--backend: ", []string{"--backend", bad}, nil)
	}
}

func TestLoad_BackendSecretsAreNotShown(t *testing.T) {
	file := write(t, "token", "hunter2\n")
	l, err := Load([]string{
		"--backend", "https://a.example/x?key=hunter2", "--backend-token-file", file,
	}, nil)
	if err != nil || l.BackendToken != "hunter2" {
		t.Fatalf("the token is %q, %v", l.BackendToken, err)
	}
	var b strings.Builder
	if err := l.Explain(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter2") ||
		!strings.Contains(b.String(), "  https://a.example/x?(not shown)  ") {
		t.Errorf("explained as\n%s", b.String())
	}
	for _, bad := range []string{"http://u:hunter2@a", "ftp://a/hunter2", "http://a:hunter2@b:c"} {
		_, err := Load([]string{"--backend", bad}, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("--backend %s: %v, want an error without the secret", bad, err)
		}
	}
}

func TestLoad_BackendToken(t *testing.T) {
	for content, problem := range map[string]string{
		"":           "holds no token",
		"one\ntwo\n": "holds more than one token",
		"o ne\n":     "holds a token that is not visible ASCII",
		"hütte\n":    "holds a token that is not visible ASCII",
	} {
		file := write(t, "token", content)
		refuse(t, "--backend-token-file: "+file+": "+problem,
			[]string{"--backend-token-file", file}, nil)
	}
}
