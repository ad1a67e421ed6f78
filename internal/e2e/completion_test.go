//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// prompt is what each shell shows before what is typed.
const prompt = "curfew>"

// bashCompletion is what the script for bash stands on.
const bashCompletion = "/usr/share/bash-completion/bash_completion"

// shells are those that complete: what they read at their start, and how they are started with it.
var shells = []struct{ name, file, text, start string }{
	{
		"bash", "bashrc", "unset HISTFILE\nPS1='" + prompt + " '\nsource " + bashCompletion +
			"\nsource <(curfew completion bash)\n",
		"bash --noprofile --rcfile bashrc -i",
	},
	{
		"zsh", ".zshrc", "unsetopt BEEP PROMPT_SP\nPS1='" + prompt + " '\nautoload -U compinit\n" +
			"compinit -u -D\nsource <(curfew completion zsh)\n",
		"zsh -d -i",
	},
	{
		"fish", "rc.fish", "set -g fish_greeting\nset -g fish_autosuggestion_enabled 0\n" +
			"function fish_prompt; echo -n '" + prompt + " '; end\n" +
			"curfew completion fish | source\n",
		"fish --no-config -C 'source rc.fish'",
	},
}

// named serves the application that lets users in, in the order in which they are named, and gives
// a daemon in front of it.
func named(t *testing.T, users []string) operated {
	t.Helper()
	next := make(chan string, len(users))
	for _, u := range users {
		next <- u
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Curfew-Event") == "connect" {
			w.Header().Set("Curfew-User", <-next)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(app.Close)
	return operate(t, "127.0.0.1:0", "--backend", app.URL)
}

// typing is a shell on a terminal.
type typing struct {
	*terminal
	name string
}

// completes types something and presses Tab, and waits until all parts are on the screen: whole
// lines where they begin with the prompt. What asks the daemon gives up soon, since somebody
// waits, so that a busy machine may need it to be typed again.
func (s typing) completes(typed string, tabs int, parts ...string) {
	s.t.Helper()
	shown := func(text string) bool {
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		return !slices.ContainsFunc(parts, func(part string) bool {
			if strings.HasPrefix(part, prompt) {
				return !slices.Contains(lines, part)
			}
			return !strings.Contains(text, part)
		})
	}
	var text string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		s.keys("C-u", "C-l") // and not C-c, with which the terminal drops what follows
		s.wait("an empty line", func(text string) bool { return strings.TrimSpace(text) == prompt })
		s.keys("-l", typed)
		s.shows(prompt + " " + strings.TrimRight(typed, " "))
		for range tabs {
			s.keys("Tab")
		}
		var ok bool
		if text, ok = s.within(5*time.Second, shown); ok {
			return
		}
	}
	s.t.Errorf("%s: %q and Tab never show %q, but\n%s", s.name, typed, parts, text)
}

// Each shell completes commands, flags, values, and the IDs and users of a daemon that runs. Names
// of users that a shell would run are not offered, and are text where they describe a session.
func TestCompletion(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(bashCompletion); err != nil {
		t.Fatalf("%v (make e2e-tools installs it)", err)
	}
	hostile := []string{"$(>ran1)", "`>ran2`", "ada;>ran3;", "'>ran4;'", `">ran5;"`, "\\$(>ran6)"}
	d := named(t, append(slices.Clone(hostile), "ada"))
	var ids []string
	for range len(hostile) + 1 {
		c, id := d.connect(t)
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() { // answers pings
			for _, _, err := c.NextReader(); err == nil; _, _, err = c.NextReader() {
			}
		}()
		ids = append(ids, id)
	}
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			if _, err := exec.LookPath(shell.name); err != nil {
				t.Fatalf("%v (make e2e-tools installs it)", err)
			}
			dir := t.TempDir()
			rc := filepath.Join(dir, shell.file)
			if err := os.WriteFile(rc, []byte(shell.text), 0o600); err != nil {
				t.Fatal(err)
			}
			x := openTerminal(t, 150, 50, fmt.Sprintf("cd %s && exec env HOME=%[1]s "+
				"ZDOTDIR=%[1]s XDG_CONFIG_HOME=%[1]s XDG_DATA_HOME=%[1]s LANG=C.UTF-8 "+
				"PATH=%s:$PATH CURFEW_ADMIN=%s %s", dir, filepath.Dir(curfew), d.admin,
				shell.start))
			s := typing{x, shell.name}
			s.shows(prompt)
			s.offers(ids)
			if ran, err := filepath.Glob(filepath.Join(dir, "*ran*")); err != nil || len(ran) > 0 {
				t.Errorf("names of users were run: %v, %v", ran, err)
			}
		})
	}
}

// offers checks what is offered while these sessions are there, of which the last is ada's.
func (s typing) offers(ids []string) {
	s.t.Helper()
	s.completes("curfew sessi", 1, prompt+" curfew sessions")
	s.completes("curfew help dra", 1, prompt+" curfew help drain")
	s.completes("curfew status --admin-c", 1, prompt+" curfew status --admin-ca")
	s.completes("curfew sessions ls --state de", 1, prompt+" curfew sessions ls --state detached")
	s.completes("curfew events --type=ex", 1, prompt+" curfew events --type=expire")
	s.completes("curfew log-level de", 1, prompt+" curfew log-level debug")
	s.completes("curfew sessions touch ", 2, append(slices.Clone(ids), "live ada")...)
	id := ids[slices.IndexFunc(ids, func(id string) bool { return !strings.HasPrefix(id, "--") })]
	s.completes("curfew sessions show "+id[:8], 1, prompt+" curfew sessions show "+id)
	// The keys that follow would expand what a shell expands on its line.
	s.completes("curfew users kick ", 3, prompt+" curfew users kick ada")
	s.completes("curfew sessions ls --user ", 3, prompt+" curfew sessions ls --user ada")
}
