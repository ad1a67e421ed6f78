package config

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T, args ...string) *Loaded {
	t.Helper()
	l, err := Load(args, nil)
	if err != nil {
		t.Fatalf("Load(%q): %v", args, err)
	}
	return l
}

// TestChanges_OfEachSetting goes from each setting's default to another value and back. What is
// live is taken over, what is not stays, and nothing else moves.
func TestChanges_OfEachSetting(t *testing.T) {
	tokens, token := write(t, "tokens", "one\n"), write(t, "token", "one\n")
	for _, e := range each {
		s := findSetting(e.setting)
		value := e.flag
		switch e.setting {
		case "token-file", "admin-token-file":
			value = tokens
		case "backend-token-file":
			value = token
		case "on-user-limit":
			value = "reject"
		case "max-lifetime":
			value = "2h"
		case "tls-cert", "tls-key":
			continue // see TestTake_Certificate
		}
		before, after := load(t), load(t, "--"+e.setting+"="+value)
		for _, step := range []struct{ from, to *Loaded }{{before, after}, {after, before}} {
			changes := step.from.Changes(step.to)
			if len(changes) != 1 || changes[0].Name != e.setting || changes[0].Live != s.live {
				t.Errorf("%s: changes %+v, want that one, live: %v", e.setting, changes, s.live)
				continue
			}
			taken, err := step.from.Take(step.to)
			if err != nil {
				t.Errorf("%s: %v", e.setting, err)
				continue
			}
			want := step.from
			if s.live {
				want = step.to
			}
			if got := taken.Changes(want); len(got) > 0 {
				t.Errorf("%s: after it was taken there is still to change %+v", e.setting, got)
			}
			if taken.origins[e.setting] != want.origins[e.setting] {
				t.Errorf("%s: taken from %q, want %q", e.setting, taken.origins[e.setting],
					want.origins[e.setting])
			}
		}
	}
	if changes := load(t).Changes(load(t)); len(changes) > 0 {
		t.Errorf("nothing changed, and yet %+v", changes)
	}
}

func TestTake_SecretsByTheirContent(t *testing.T) {
	before, after := load(t, "--token", "hunter2"), load(t, "--token", "hunter3")
	changes := before.Changes(after)
	if len(changes) != 1 || changes[0].Old != hidden || changes[0].New != hidden {
		t.Errorf("another token is the change %+v", changes)
	}
	taken, err := before.Take(after)
	if err != nil || !slices.Equal(taken.Tokens, []string{"hunter3"}) {
		t.Errorf("taken tokens %q, %v", taken.Tokens, err)
	}
}

// A secret for one application is not shown to another.
func TestTake_ApplicationsTokenGoesWithItsURL(t *testing.T) {
	one, two := write(t, "one", "one\n"), write(t, "two", "two\n")
	const url = "https://a.example/"
	before := load(t, "--backend", url, "--backend-token-file", one)
	for _, c := range []struct {
		url, file, want string
		live            bool
	}{{url, two, "two", true}, {"https://b.example/", two, "one", false}} {
		next := load(t, "--backend", c.url, "--backend-token-file", c.file)
		taken, err := before.Take(next)
		if err != nil || taken.BackendToken != c.want || taken.Backend != url {
			t.Errorf("taken %q for %s, %v, want %q", taken.BackendToken, taken.Backend, err, c.want)
		}
		for _, change := range before.Changes(next) {
			if change.Name == "backend-token-file" && change.Live != c.live {
				t.Errorf("with %s: %+v", c.url, change)
			}
		}
	}
}

func TestTake_Certificate(t *testing.T) {
	none := load(t)
	one, two := load(t, "--tls-cert=a", "--tls-key=b"), load(t, "--tls-cert=c", "--tls-key=d")
	for _, c := range []struct {
		from, to *Loaded
		want     string
	}{{one, two, "c"}, {one, none, "a"}, {none, one, ""}} {
		taken, err := c.from.Take(c.to)
		if err != nil || taken.TLSCert != c.want || (taken.TLSKey == "") != (c.want == "") ||
			taken.Mode != c.from.Mode {
			t.Errorf("from %q to %q: taken %q and %q in mode %s, %v, want %q", c.from.TLSCert,
				c.to.TLSCert, taken.TLSCert, taken.TLSKey, taken.Mode, err, c.want)
		}
	}
}

func TestTake_OnSessionLimit(t *testing.T) {
	app := []string{"--backend", "https://a.example"}
	reject, evict := load(t, app...), load(t, append(app, "--on-session-limit=evict-idle")...)
	for _, c := range []struct {
		from, to *Loaded
		live     bool
	}{
		{reject, evict, false},
		{evict, reject, true},
		{load(t), load(t, "--on-session-limit=evict-idle"), true},
	} {
		if got := c.from.Changes(c.to); len(got) != 1 || got[0].Live != c.live {
			t.Errorf("to %s: %+v, want live: %v", c.to.OnSessionLimit, got, c.live)
		}
	}
}

// What each of two configurations allows may not go together.
func TestTake_RefusesWhatAStartWouldRefuse(t *testing.T) {
	before := load(t, "--admin", ":9", "--admin-token", "x")
	_, err := before.Take(load(t, "--admin", "127.0.0.1:9"))
	var bad *Error
	if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "--admin: others can reach :9") {
		t.Errorf("Take without the token = %v", err)
	}
}

func TestTake_Warnings(t *testing.T) {
	l, err := load(t, "--origin", "*").Take(load(t, "--wheel", "russellluo"))
	if err != nil || len(l.Warnings) > 0 {
		t.Errorf("neither risk is there now: %q, %v", l.Warnings, err)
	}
	l, err = load(t).Take(load(t, "--origin", "*"))
	if err != nil || len(l.Warnings) != 1 {
		t.Errorf("the risk that was taken: %q, %v", l.Warnings, err)
	}
}

// A file that is empty is half written, and does not let everybody in.
func TestTake_NoEmptyFile(t *testing.T) {
	file := write(t, "c.yaml", "token: one\n")
	reload := func(old *Loaded, text string) (*Loaded, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return old.Take(load(t, "--config", file))
	}
	old := load(t, "--config", file)
	if _, err := reload(old, ""); err == nil ||
		!strings.HasPrefix(err.Error(), "--config: "+file+": is empty") {
		t.Errorf("an empty file in place of a token: %v", err)
	}
	next, err := reload(old, "# nobody is asked for a token\n")
	if err != nil || len(next.Tokens) > 0 {
		t.Errorf("a comment in place of a token: %v", err)
	}
	old = load(t, "--config", write(t, "d.yaml", "origin: '*'\n"))
	if next, err = reload(old, ""); err != nil || len(next.Origins) > 0 {
		t.Errorf("an empty file in place of one without secrets: %v", err)
	}
}
