//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// look is how far apart the looks at a terminal are.
const look = 50 * time.Millisecond

// terminal is a real terminal emulator, tmux, in which a command runs.
type terminal struct {
	t      *testing.T
	socket string
}

// openTerminal runs a shell's command in a terminal of a size.
func openTerminal(t *testing.T, width, height int, command string) *terminal {
	t.Helper()
	x := &terminal{t, filepath.Join(t.TempDir(), "tmux")}
	x.tmux("-u", "-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(width), "-y",
		fmt.Sprint(height), command)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

// tmux asks the terminal.
func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	out, err := exec.CommandContext(x.t.Context(), "tmux", append([]string{"-S", x.socket},
		args...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %q: %v: %s (make e2e-tools installs it)", args, err, out)
	}
	return string(out)
}

// keys presses keys by tmux's names.
func (x *terminal) keys(names ...string) {
	x.t.Helper()
	x.tmux(append([]string{"send-keys"}, names...)...)
}

func (x *terminal) resize(width, height int) {
	x.t.Helper()
	x.tmux("resize-window", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height))
}

// text is what is on the screen.
func (x *terminal) text() string {
	x.t.Helper()
	return x.tmux("capture-pane", "-p")
}

// wait waits until something holds of what is on the screen.
func (x *terminal) wait(what string, holds func(text string) bool) {
	x.t.Helper()
	if text, ok := x.within(patience, holds); !ok {
		x.t.Fatalf("the terminal never shows %s, but\n%s", what, text)
	}
}

// within waits as long at most, and gives what was on the screen last.
func (x *terminal) within(d time.Duration, holds func(text string) bool) (text string, ok bool) {
	x.t.Helper()
	for late := time.After(d); ; {
		if text = x.text(); holds(text) {
			return text, true
		}
		select {
		case <-time.After(look):
		case <-late:
			return text, false
		}
	}
}

// shows waits until each part is on the screen.
func (x *terminal) shows(parts ...string) {
	x.t.Helper()
	x.wait(fmt.Sprintf("%q", parts), func(text string) bool {
		for _, p := range parts {
			if !strings.Contains(text, p) {
				return false
			}
		}
		return true
	})
}

// restored checks that the terminal is as a shell wants it: the lines that a command left behind
// say what it was before and after, and the screen that was there is back.
func (x *terminal) restored() {
	x.t.Helper()
	x.shows("same")
	if on := strings.TrimSpace(x.tmux("display-message", "-p",
		"#{alternate_on} #{cursor_flag} #{mouse_any_flag}")); on != "0 1 0" {
		x.t.Errorf("alternate screen, cursor, mouse are %s after the end, want 0 1 0", on)
	}
}
