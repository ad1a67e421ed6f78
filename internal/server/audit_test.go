package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// auditLine is one of them, of any kind.
type auditLine struct {
	Event, Session, User, Reason string
	Late                         *float64 `json:"late_ms"`

	Method, Path, Remote, Error string
	Status                      int
}

func auditLines(t *testing.T, text string) (all []auditLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s is no line of JSON: %v", line, err)
		}
		all = append(all, l)
	}
	return all
}

// Each session's end and each action stand there once, also those of the drain; a file that was
// moved away is left.
func TestAudit_EndsAndActions(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "audit")
		r := start(t, []string{"--mode", mode, "--audit-log", file, "--drain-window=0"}, nil)
		idle, idleID := r.hello(`,"want":{"idle_s":0.05}`)
		wantExpired(idle, idleID)
		kicked, kickedID := r.hello("")
		if got, _ := r.operate(http.MethodDelete, "/v1/sessions/"+kickedID, ""); got >= 300 {
			t.Errorf("DELETE is answered with %d", got)
		}
		kicked.Want("close 4301 session revoked")
		r.operate(http.MethodDelete, "/v1/sessions/none", "")
		eventually(t, "all is written", func() bool {
			return strings.Count(readFile(t, file), "\n") == 4
		})
		if err := os.Rename(file, file+".1"); err != nil {
			t.Fatal(err)
		}
		r.signals <- syscall.SIGHUP
		eventually(t, "the file is there again", func() bool {
			_, err := os.Stat(file)
			return err == nil
		})
		drained, drainedID := r.hello("")
		r.signals <- syscall.SIGTERM
		drained.Next()
		drained.Want("close 4100 draining")
		drained.Close(1000)
		if err := r.wait(); err != nil {
			t.Errorf("Run = %v", err)
		}

		reasons := make(map[string]string)
		for _, l := range auditLines(t, readFile(t, file+".1")) {
			switch l.Event {
			case "session_end":
				reasons[l.Session] += l.Reason
				if !strings.HasPrefix(l.Remote, "127.0.0.1:") {
					t.Errorf("an end without the client's address: %+v", l)
				}
				if (l.Late != nil) != (l.Reason == "idle") || l.Late != nil && *l.Late < 0 {
					t.Errorf("late by %v: %+v", l.Late, l)
				}
			case "admin_action":
				reasons[l.Path] += l.Method + l.Error
				if l.Remote == "" || l.Status == 0 {
					t.Errorf("an action without its maker or outcome: %+v", l)
				}
			}
		}
		for what, want := range map[string]string{
			idleID: "idle", kickedID: "revoked", "/v1/sessions/" + kickedID: "DELETE",
			"/v1/sessions/none": "DELETEnot_found",
		} {
			if reasons[what] != want {
				t.Errorf("%s stands there as %q, want %q", what, reasons[what], want)
			}
		}
		rest := auditLines(t, readFile(t, file))
		if len(rest) != 1 || rest[0].Session != drainedID || rest[0].Reason != "drained" {
			t.Errorf("the new file holds %+v", rest)
		}
	})
}

func TestAudit_Stdout(t *testing.T) {
	t.Parallel()
	var out output
	ctx, cancel := context.WithCancel(t.Context())
	log := &logLines{lines: make(chan map[string]any, 1000)}
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Process{
			Args: []string{
				"--listen=127.0.0.1:0", "--admin=", "--log-format=json", "--audit-log=-",
			},
			Stdout: &out, Stderr: log, Version: "test",
		})
	}()
	r := &running{t: t, log: log, done: make(chan struct{})}
	r.addr = r.logged("listening")["address"].(string)
	c := netlooptest.Dial(t, r.addr, "/ws")
	c.Text(`{"op":"hello"}`)
	c.Next()
	c.Text(`{"op":"bye"}`)
	c.Want("close 1000")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	lines := auditLines(t, out.text.String())
	if len(lines) != 1 || lines[0].Reason != "bye" {
		t.Errorf("on standard output there is %q", out.text.String())
	}
	last, _ := r.logged("stopped")["audit"].(map[string]any)
	if last["written"] != 1.0 || last["lost"] != 0.0 || last["errors"] != 0.0 {
		t.Errorf("the last line of the log says of the audit log %v", last)
	}
}

func TestAudit_FileThatCannotBe(t *testing.T) {
	var log bytes.Buffer
	err := Run(t.Context(), Process{
		Args:   []string{"--listen=127.0.0.1:0", "--admin=", "--audit-log", t.TempDir()},
		Stdout: io.Discard, Stderr: &log,
	})
	if ExitCode(err) != 1 || !strings.HasPrefix(err.Error(), "audit log: open ") {
		t.Errorf("Run = %v", err)
	}
}
