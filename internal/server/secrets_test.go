package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// output is what a daemon prints.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// TestLog_NeverHoldsASecret leads a busy life at the most talkative level, good and bad, and looks
// for every secret of it in the log and in the audit log.
func TestLog_NeverHoldsASecret(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		t.Helper()
		app := newApplication(t)
		dir := t.TempDir()
		file, appToken := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "app")
		writeFile(t, file, "token: hunter-file\n")
		writeFile(t, appToken, "hunter-app\n")
		r := start(t, []string{
			"--mode", mode, "--log-level", "debug", "--config", file, "--admin-token=hunter-flag",
			"--backend", app.URL + "/events?key=hunter-query", "--backend-token-file", appToken,
			"--audit-log", filepath.Join(dir, "audit"), "--drain-window", "0",
			"--max-sessions-per-user", "1",
		}, []string{"CURFEW_BACKEND_TIMEOUT=2s"})
		secrets := r.lead(app)

		// A list where there can be none is an error about a secret.
		writeFile(t, file, "token: [hunter-list, hunter-list2]\n")
		r.signals <- syscall.SIGHUP
		r.logged("the old settings stay")
		writeFile(t, file, "token: *hunter-star\n") // and so is a name that nobody gave
		r.signals <- syscall.SIGHUP
		r.logged("the old settings stay")
		writeFile(t, file, "token: hunter-next\nadmin-token: hunter-other\n")
		writeFile(t, appToken, "hunter-app2\n")
		r.signals <- syscall.SIGHUP
		r.logged("reloaded")
		app.CloseClientConnections()
		app.Close() // and now it cannot be reached
		r.refused(`,"token":"hunter-next"`, "unavailable")
		r.signals <- syscall.SIGTERM
		r.logged("draining")
		r.signals <- syscall.SIGTERM // the application will not hear of ends
		if err := r.wait(); err != nil && !errors.Is(err, ErrInterrupted) {
			t.Errorf("Run = %v", err)
		}

		r.log.mu.Lock()
		log := r.log.text.String()
		r.log.mu.Unlock()
		audit := readFile(t, filepath.Join(dir, "audit"))
		for _, secret := range append(secrets, "hunter") {
			for where, text := range map[string]string{"log": log, "audit log": audit} {
				for line := range strings.Lines(text) {
					if strings.Contains(line, secret) {
						t.Errorf("%q is in the %s: %s", secret, where, line)
					}
				}
			}
		}
		for _, want := range []string{"session began", "session ended", "hello refused"} {
			if !strings.Contains(log, want) {
				t.Errorf("the life was not busy enough: no line %q", want)
			}
		}
	})
}

// lead shows secrets in all places where clients and operators do, and gives those that the daemon
// has made.
func (r *running) lead(app *application) (made []string) {
	r.t.Helper()
	hello := func(fields string) string {
		c := netlooptest.Dial(r.t, r.addr, "/ws?token=hunter-url", "Cookie: id=hunter-cookie")
		c.Text(`{"op":"hello"` + fields + `}`)
		got := strings.TrimPrefix(c.Next(), "text ")
		var ack struct {
			Token string `json:"resume_token"`
		}
		if err := json.Unmarshal([]byte(got), &ack); err != nil {
			r.t.Fatalf("a hello is answered by %s", got)
		}
		if ack.Token != "" {
			made = append(made, ack.Token)
		}
		c.Text(`{"op":"message","data":"hunter-data"}`)
		c.Text(`{"op":"hunter-op"}`)
		return ack.Token
	}
	token := hello(`,"token":"hunter-file","want":{"resume":true}`)
	hello(`,"token":"hunter-file","resume":{"token":"` + token + `","seq":0}`)
	hello(`,"token":"hunter-file","resume":{"token":"hunter-resume","seq":0}`)
	hello(`,"token":"hunter-wrong"`)
	hello(`,"token":{"hunter-object":1}`)
	const raw, bearer = "Sec-WebSocket-Protocol: curfew.raw", "Authorization: Bearer hunter-"
	for _, handshake := range [][]string{
		{raw, bearer + "file"},
		{raw, bearer + "wrong"},
		{raw, "Authorization: Basic hunter-basic"},
		{"Origin: https://hunter.example"},
		{"Sec-WebSocket-Version: 12", bearer + "x"},
	} {
		r.upgraded(handshake...)
	}
	c := r.dial()
	c.Write([]byte("GET /hunter-path?token=hunter-q HTTP/1.1\r\nHost: hunter-host\r\n\r\n"))
	if got, err := io.ReadAll(c.Conn); err != nil || !strings.Contains(string(got), "HTTP/1.1 4") {
		r.t.Errorf("a request for another path is answered by %q, %v", got, err)
	}
	for _, path := range []string{
		"/v1/sessions", "/v1/sessions?user=hunter-user", "/v1/sessions/none?key=hunter-key",
	} {
		for _, shown := range []string{"flag", "wrong"} {
			r.operate(http.MethodGet, path, "", bearer+shown)
			r.operate(http.MethodPost, path, "hunter-body", bearer+shown)
			r.operate(http.MethodDelete, path, "", bearer+shown)
		}
	}
	eventually(r.t, "the application was asked", func() bool {
		app.mu.Lock()
		defer app.mu.Unlock()
		return len(app.heard) > 0
	})
	return made
}
