//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// operated is a daemon for operators: where it listens, and where its admin API is.
type operated struct {
	*program
	address, admin string
}

func operate(t *testing.T, admin string, args ...string) operated {
	t.Helper()
	d := start(t, stderr, append([]string{
		curfewd, "--listen", "127.0.0.1:0", "--admin", admin, "--log-format", "json",
		"--idle-timeout", "5m", "--drain-window", "1s",
	}, args...)...)
	l := d.logged("listening")
	if !strings.HasPrefix(admin, "unix:") {
		admin = l.Admin
	}
	return operated{d, l.Address, admin}
}

// connect connects a client and gives the ID of its session.
func (d *operated) connect(t *testing.T) (*websocket.Conn, string) {
	t.Helper()
	dialer := websocket.Dialer{HandshakeTimeout: patience, Subprotocols: []string{"curfew.raw"}}
	c, resp, err := dialer.DialContext(t.Context(), "ws://"+d.address+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c, resp.Header.Get("Curfew-Session")
}

// outcome is what came of a command.
type outcome struct {
	code           int
	stdout, stderr string
}

// operator runs curfew against a daemon.
func (d *operated) operator(t *testing.T, env []string, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, complaints bytes.Buffer
	c := exec.CommandContext(ctx, curfew, args...)
	c.Env = append(append(os.Environ(), "CURFEW_ADMIN="+d.admin), env...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &complaints
	if err := c.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return outcome{c.ProcessState.ExitCode(), out.String(), complaints.String()}
}

// want runs a command and checks what came of it.
func (d *operated) want(t *testing.T, env []string, code int, part string, args ...string) {
	t.Helper()
	r := d.operator(t, env, "", args...)
	if r.code != code || !strings.Contains(r.stdout+r.stderr, part) {
		t.Errorf("curfew %s: %+v, want %q in it and exit code %d", strings.Join(args, " "), r, part,
			code)
	}
}

// Each command does what it says, by TCP with a token and by a unix socket.
func TestOperator_Commands(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, admin string
		daemon, env []string
	}{
		{"unix", "unix:" + filepath.Join(t.TempDir(), "a.sock"), nil, nil},
		{
			"token", "127.0.0.1:0",
			[]string{"--admin-token-file", token},
			[]string{"CURFEW_ADMIN_TOKEN_FILE=" + token},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := operate(t, tt.admin, tt.daemon...)
			env := tt.env
			if env != nil {
				d.want(t, nil, 2, "asks for a token", "status")
				d.want(t, nil, 2, "does not take this token", "status", "--admin-token", "wrong")
			}
			c, id := d.connect(t)
			_, other := d.connect(t)
			d.want(t, env, 0, "serving, up", "status")
			d.want(t, env, 0, "2 of 1,000,000: 2 live", "status")
			d.want(t, env, 0, id, "sessions", "ls", "--state", "live", "--sort", "-created_at")
			d.want(t, env, 0, "no such sessions", "sessions", "ls", "--state", "grace")
			d.want(t, env, 0, `"session_id": "`+id+`"`, "sessions", "show", id, "-o", "json")
			d.want(t, env, 0, "state         live", "sessions", "show", id)
			d.want(t, env, 1, "no such session", "sessions", "show", "none")
			d.want(t, env, 0, "touched "+id, "sessions", "touch", id, other)
			d.want(t, env, 0, "sent to 1 session", "sessions", "send", id, "hello you")
			if _, data, err := c.ReadMessage(); err != nil || string(data) != "hello you" {
				t.Errorf("the client got %q, %v", data, err)
			}
			d.want(t, env, 0, `"sent": 2`, "sessions", "send", "--everyone", "x", "-o", "json")
			d.want(t, env, 1, "ended 0 sessions of ada", "users", "kick", "ada")
			d.want(t, env, 0, "info", "log-level")
			d.want(t, env, 0, "debug", "log-level", "debug")
			d.want(t, env, 0, id, "__complete", "sessions", "show", "")
			d.want(t, env, 0, "sessions  2 of", "top", "--interval", "100ms")
			d.kick(t, env, c, id, other)
			d.want(t, env, 0, "is gone", "drain", "--wait")
			if code := d.exit(); code != 0 {
				t.Errorf("the daemon exits with %d", code)
			}
			what := "there is no socket"
			if env != nil {
				what = "nobody listens"
			}
			d.want(t, env, 2, what, "status")
			d.want(t, env, 2, what, "drain", "--yes")
		})
	}
}

// kick ends the session of a client by IDs on standard input, of which one is of nobody.
func (d *operated) kick(t *testing.T, env []string, c *websocket.Conn, id, other string) {
	t.Helper()
	r := d.operator(t, env, id+"\nnone\n", "sessions", "kick", "-")
	if r.code != 1 || r.stdout != "kicked "+id+"\n" ||
		!strings.Contains(r.stderr, "none: there is") {
		t.Errorf("kick: %+v", r)
	}
	for {
		_, _, err := c.ReadMessage()
		if err == nil {
			continue // what was sent to everyone
		}
		if !websocket.IsCloseError(err, 4301) {
			t.Errorf("the client's connection ends with %v, want 4301", err)
		}
		break
	}
	r = d.operator(t, env, "", "sessions", "ls", "-o", "json")
	var left []struct {
		ID string `json:"session_id"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &left); err != nil || len(left) != 1 ||
		left[0].ID != other {
		t.Errorf("%v: sessions %+v are left, want %s", err, left, other)
	}
}

// Events are followed until the daemon ends: what a client does is told, and how its session ended.
func TestOperator_Events(t *testing.T) {
	t.Parallel()
	d := operate(t, "unix:"+filepath.Join(t.TempDir(), "a.sock"))
	follow := d.follow(t, nil)
	_, id := d.connect(t)
	if e := follow.next(); e["type"] != "create" || e["session_id"] != id {
		t.Errorf("event %v, want that %s was created", e, id)
	}
	d.want(t, nil, 0, "kicked", "sessions", "kick", id)
	if e := follow.next(); e["type"] != "disconnect" || e["session_id"] != id ||
		e["reason"] != "revoked" {
		t.Errorf("event %v, want that %s was ended", e, id)
	}
	d.want(t, nil, 0, "is gone", "drain", "--wait")
	if code := follow.exit(); code != 2 {
		t.Errorf("events exits with %d, want 2", code)
	}
}

// followed is curfew events as a process.
type followed struct {
	*program
	raw chan map[string]any
}

// follow runs curfew events until the daemon has heard of it.
func (d *operated) follow(t *testing.T, env []string) *followed {
	t.Helper()
	c := exec.Command(curfew, "events", "-o", "json")
	c.Env = append(append(os.Environ(), "CURFEW_ADMIN="+d.admin), env...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	f := &followed{raw: make(chan map[string]any, 1000)}
	f.program = &program{t: t, name: "curfew events", cmd: c, lines: make(chan line)}
	go func() {
		defer close(f.lines)
		defer close(f.raw)
		for dec := json.NewDecoder(out); ; {
			var e map[string]any
			if dec.Decode(&e) != nil {
				return
			}
			f.raw <- e
		}
	}()
	// What happens before it listens is not told, so a probe comes and goes until it was.
	for deadline := time.After(patience); ; {
		probe, _ := d.connect(t)
		_ = probe.Close()
		select {
		case <-deadline:
			t.Fatal("no event is told")
		case e := <-f.raw:
			for ; e["type"] != "disconnect"; e = f.next() {
			}
			return f
		case <-time.After(look):
		}
	}
}

// next is the next event.
func (f *followed) next() map[string]any {
	f.t.Helper()
	select {
	case e, ok := <-f.raw:
		if !ok {
			f.t.Fatal("no more events")
		}
		return e
	case <-time.After(patience):
		f.t.Fatal("no event")
		return nil
	}
}

func TestOperator_ReadOnly(t *testing.T) {
	t.Parallel()
	d := operate(t, "127.0.0.1:0", "--admin-read-only")
	_, id := d.connect(t)
	d.want(t, nil, 0, "admin API read-only", "status")
	d.want(t, nil, 0, id, "sessions", "ls")
	for _, args := range []string{
		"sessions kick " + id, "sessions touch " + id, "sessions send " + id + " x", "drain",
		"users kick ada", "log-level debug", "sessions send --everyone x",
	} {
		d.want(t, nil, 1, "--admin-read-only", strings.Fields(args)...)
	}
	d.want(t, nil, 0, id, "sessions", "show", id)
}

// topCommand runs curfew top in a shell that says how the terminal was before and after.
func topCommand(d operated, args string) string {
	return fmt.Sprintf(`before=$(stty -g); CURFEW_ADMIN=%s %s top %s; echo "exit code $?"; `+
		`[ "$before" = "$(stty -g)" ] && echo same; exec cat`, d.admin, curfew, args)
}

// The live view on a real terminal: it shows, resizes, touches and ends, says when the daemon is
// gone and when it is back, and leaves the terminal as it was.
func TestOperator_Top(t *testing.T) {
	t.Parallel()
	socket := "unix:" + filepath.Join(t.TempDir(), "a.sock")
	d := operate(t, socket)
	_, first := d.connect(t)
	_, second := d.connect(t)
	x := openTerminal(t, 120, 40, topCommand(d, "--interval 200ms"))
	x.shows("curfew top", "serving", "sessions  2 of 1,000,000", first, second, "127.0.0.1:",
		"wheel", "q quit  ? help")
	x.resize(60, 15)
	x.wait("a frame of 15 lines, none above 60", func(text string) bool {
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		return len(lines) == 15 && strings.HasPrefix(lines[14], "q quit") &&
			strings.Contains(text, first[:12]) && !strings.Contains(text, "127.0.0.1:")
	})
	x.resize(100, 30)
	x.keys("?")
	x.shows("the next order of the sessions")
	x.keys("?", "s")
	x.shows("newest first")
	x.keys("f", "f")
	x.shows("state detached", "none")
	x.keys("f", "f")
	x.wait("all sessions", func(text string) bool {
		return strings.Contains(text, second) && !strings.Contains(text, "state grace")
	})
	x.keys("Home", "t")
	x.shows("touched " + second)
	x.keys("Enter")
	x.shows("session "+second, "idle timeout", "5m00s")
	x.keys("Escape")
	x.shows("newest first")
	x.keys("k")
	x.shows("end session " + second + "? y/N")
	x.keys("n")
	x.shows("nothing was ended")
	x.keys("k")
	x.shows("end session " + second + "? y/N")
	x.keys("y")
	x.shows("ended "+second, "sessions  1 of 1,000,000")
	// It dies and comes back, as another process at the same place.
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	x.shows("still trying: nobody listens at unix:", first)
	again := operate(t, socket)
	x.shows("another process answers", "sessions  0 of 1,000,000")
	if text := x.text(); strings.Contains(text, "still trying") {
		t.Errorf("it does not see that the daemon is back:\n%s", text)
	}
	again.connect(t)
	x.shows("sessions  1 of 1,000,000")
	x.keys("q")
	x.shows("exit code 0")
	x.restored()
}

// A signal ends the view as a key does, and the terminal is as it was.
func TestOperator_TopSignals(t *testing.T) {
	t.Parallel()
	d := operate(t, "127.0.0.1:0")
	for _, sig := range []syscall.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
	} {
		t.Run(sig.String(), func(t *testing.T) {
			x := openTerminal(t, 80, 24, topCommand(d, ""))
			x.shows("curfew top", "sessions")
			shell := strings.TrimSpace(x.tmux("display-message", "-p", "#{pane_pid}"))
			out, err := exec.Command("pgrep", "-P", shell, "-x", "curfew").Output()
			if err != nil {
				t.Fatalf("no curfew below %s: %v", shell, err)
			}
			var pid int
			if _, err := fmt.Sscan(string(out), &pid); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
			x.shows("exit code 130")
			x.restored()
		})
	}
	x := openTerminal(t, 80, 24, topCommand(d, ""))
	x.shows("curfew top")
	x.keys("C-c")
	x.shows("exit code 0")
	x.restored()
}

// On a terminal it is asked before what cannot be undone.
func TestOperator_Asks(t *testing.T) {
	t.Parallel()
	d := operate(t, "127.0.0.1:0")
	_, a := d.connect(t)
	_, b := d.connect(t)
	ask := func(command, question, answer, want string) {
		t.Helper()
		x := openTerminal(t, 120, 24, fmt.Sprintf(
			`CURFEW_ADMIN=%s %s %s; echo "exit code $?"; exec cat`, d.admin, curfew, command))
		x.shows(question)
		x.keys(answer, "Enter")
		x.shows(want)
	}
	ask("sessions kick "+a+" "+b, "End 2 sessions? [y/N]", "n", "exit code 1")
	ask("drain --wait", "and end it? [y/N]", "", "exit code 1")
	d.want(t, nil, 0, "2 of 1,000,000: 2 live", "status")
	ask("sessions kick "+a+" "+b, "End 2 sessions? [y/N]", "y", "exit code 0")
	d.want(t, nil, 0, "0 of 1,000,000", "status")
	ask("drain --wait", "and end it? [y/N]", "yes", "is gone")
	if code := d.exit(); code != 0 {
		t.Errorf("the daemon exits with %d", code)
	}
}
