package server

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// The application is shown the new token, with the next event.
func TestReload_BackendToken(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		t.Helper()
		var shown atomic.Value
		app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			shown.Store(r.Header.Get("Authorization"))
		}))
		t.Cleanup(app.Close)
		file := filepath.Join(t.TempDir(), "token")
		writeFile(t, file, "hunter2\n")
		r := startWithFile(t, mode, "", "--backend", app.URL, "--backend-token-file", file,
			"--drain-window=0")
		r.hello("")
		if got := shown.Load(); got != "Bearer hunter2" {
			t.Errorf("the application is shown %q", got)
		}
		writeFile(t, file, "hunter3\n")
		r.signals <- syscall.SIGHUP
		r.logged("reloaded")
		r.hello("")
		if got := shown.Load(); got != "Bearer hunter3" {
			t.Errorf("after the reload the application is shown %q", got)
		}
		writeFile(t, file, "one\ntwo\n")
		r.signals <- syscall.SIGHUP
		line := r.logged("the old settings stay")
		if text, _ := line["error"].(string); !strings.Contains(text, "holds more than one token") {
			t.Errorf("two tokens are answered by %v", line)
		}
	})
}

func TestReload_SessionsOfAUser(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	args := []string{"--backend", app.URL, "--drain-window=0"}
	inModes(t, "", args, func(t *testing.T, r *reloading) {
		t.Helper()
		ann := `,"token":"ann-` + strings.ReplaceAll(t.Name(), "/", "-") + `"`
		one, _ := r.hello(ann)
		r.reload("max-sessions-per-user: 1\n")
		r.hello(ann) // the one that is idle longest goes
		one.Want("close 4302 session limit")
		r.reload("max-sessions-per-user: 1\non-user-limit: reject\n")
		r.refused(ann, "session_limit")
		r.reload("max-sessions-per-user: 2\non-user-limit: reject\n")
		r.hello(ann)
	})
}

// Who may be put out while an application decides is settled at the start.
func TestReload_OnSessionLimitWithAnApplication(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	args := []string{"--backend", app.URL, "--drain-window=0", "--max-sessions=1"}
	inModes(t, "", args, func(t *testing.T, r *reloading) {
		t.Helper()
		if line := r.reload("on-session-limit: evict-idle\n"); line["need_restart"] != 1.0 {
			t.Errorf("logged %v", line)
		}
		r.hello("")
		r.refused("", "session_limit")
	})
	inModes(t, "on-session-limit: evict-idle\n", args, func(t *testing.T, r *reloading) {
		t.Helper()
		one, _ := r.hello("")
		two, _ := r.hello("")
		one.Want("close 4302 session limit")
		if line := r.reload("on-session-limit: reject\n"); line["changed"] != 1.0 {
			t.Errorf("logged %v", line)
		}
		r.refused("", "session_limit")
		two.Text(`{"op":"ping"}`)
		if got := two.Next(); !strings.Contains(got, "pong") {
			t.Errorf("who was not put out gets %s", got)
		}
	})
}
