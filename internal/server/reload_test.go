package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// reloading is a daemon with a configuration file.
type reloading struct {
	*running
	file string
}

// inModes runs f with a daemon in each mode, with a configuration file.
func inModes(t *testing.T, content string, args []string, f func(t *testing.T, r *reloading)) {
	t.Helper()
	inBothModes(t, func(t *testing.T, mode string) {
		t.Helper()
		f(t, startWithFile(t, mode, content, args...))
	})
}

func startWithFile(t *testing.T, mode, content string, args ...string) *reloading {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	writeFile(t, file, content)
	args = append([]string{"--mode", mode, "--config", file}, args...)
	return &reloading{start(t, args, nil), file}
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload has the daemon read other settings, and gives the last line about that.
func (r *reloading) reload(content string) map[string]any {
	r.t.Helper()
	writeFile(r.t, r.file, content)
	r.signals <- syscall.SIGHUP
	return r.logged("reloaded")
}

// refused wants the hello of a new connection to be refused like that.
func (r *running) refused(fields, problem string) {
	r.t.Helper()
	c := netlooptest.Dial(r.t, r.addr, "/ws")
	c.Text(`{"op":"hello"` + fields + `}`)
	if got := c.Next(); !strings.Contains(got, `"error":"`+problem+`"`) {
		r.t.Errorf("a hello with %s is answered by %s, want %s", fields, got, problem)
	}
}

// upgraded is the status that a handshake is answered with.
func (r *running) upgraded(header ...string) int {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { nc.Close() })
	c := netlooptest.New(r.t, nc)
	c.Patience = patience
	return c.Upgrade("/ws", header...).StatusCode
}

func TestReload_Tokens(t *testing.T) {
	t.Parallel()
	const before = "token: hunter2\nadmin-token: hunter3\n"
	inModes(t, before, nil, func(t *testing.T, r *reloading) {
		t.Helper()
		old, _ := r.hello(`,"token":"hunter2"`)
		line := r.reload("token: hunter4\nadmin-token: hunter5\n")
		if line["changed"] != 2.0 || line["need_restart"] != 0.0 {
			t.Errorf("logged %v", line)
		}
		r.refused(`,"token":"hunter2"`, "unauthorized")
		r.hello(`,"token":"hunter4"`)
		old.Text(`{"op":"ping"}`) // who is in stays in
		if got := old.Next(); !strings.Contains(got, "pong") {
			t.Errorf("a ping is answered by %s", got)
		}
		for token, want := range map[string]int{"hunter3": 401, "hunter5": 200, "": 401} {
			got, _ := r.operate("GET", "/v1/sessions", "", "Authorization: Bearer "+token)
			if got != want {
				t.Errorf("an operator with token %q gets %d, want %d", token, got, want)
			}
		}
		r.log.mu.Lock()
		defer r.log.mu.Unlock()
		if text := r.log.text.String(); strings.Contains(text, "hunter") {
			t.Errorf("a secret is in the log:\n%s", text)
		}
	})
}

func TestReload_Origins(t *testing.T) {
	t.Parallel()
	const a, b = "Origin: https://a.example", "Origin: https://b.example"
	inModes(t, "origin: https://a.example\n", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		for _, c := range []struct {
			content      string
			wantA, wantB int
		}{
			{"origin: [https://b.example]\n", 403, 101},
			{"", 403, 403},
			{"origin: '*'\n", 101, 101},
		} {
			r.reload(c.content)
			if gotA, gotB := r.upgraded(a), r.upgraded(b); gotA != c.wantA || gotB != c.wantB {
				t.Errorf("with %q: %d and %d, want %d and %d", c.content, gotA, gotB, c.wantA,
					c.wantB)
			}
		}
	})
}

func TestReload_MaxConnectionsPerIP(t *testing.T) {
	t.Parallel()
	inModes(t, "", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		r.hello("") // before anybody is counted
		r.reload("max-connections-per-ip: 2\n")
		for i, want := range []int{101, 101, 429} {
			if got := r.upgraded(); got != want {
				t.Errorf("connection %d is answered with %d, want %d", i+1, got, want)
			}
		}
		r.reload("max-connections-per-ip: 3\n")
		for i, want := range []int{101, 429} {
			if got := r.upgraded(); got != want {
				t.Errorf("with room for one more, connection %d: %d, want %d", i+1, got, want)
			}
		}
		r.reload("")
		if got := r.upgraded(); got != 101 {
			t.Errorf("without a limit a connection is answered with %d", got)
		}
	})
}

func TestReload_MaxRefusedHellos(t *testing.T) {
	t.Parallel()
	inModes(t, "token: right\n", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		r.refused(`,"token":"wrong"`, "unauthorized")
		r.refused(`,"token":"wrong"`, "unauthorized")
		r.reload("token: right\nmax-refused-hellos: 2\n")
		if got := r.upgraded(); got != 429 {
			t.Errorf("after two refused hellos, of which two are too many: %d, want 429", got)
		}
		r.reload("token: right\n")
		r.hello(`,"token":"right"`)
	})
}

func TestReload_OnSessionLimit(t *testing.T) {
	t.Parallel()
	args := []string{"--max-sessions", "2"}
	inModes(t, "", args, func(t *testing.T, r *reloading) {
		t.Helper()
		one, _ := r.hello("")
		two, _ := r.hello("")
		r.refused("", "session_limit")
		one.Quiet(50 * time.Millisecond) // some ticks, so that the touch is the later one
		one.Text(`{"op":"ping"}`)
		one.Next()
		r.reload("on-session-limit: evict-idle\n")
		three, _ := r.hello("") // and the one that was not touched goes
		two.Want("close 4302 session limit")
		r.reload("on-session-limit: reject\n")
		r.refused("", "session_limit")
		for _, c := range []*netlooptest.Client{one, three} {
			c.Text(`{"op":"ping"}`)
			if got := c.Next(); !strings.Contains(got, "pong") {
				t.Errorf("who was not evicted gets %s", got)
			}
		}
	})
}

func TestReload_Inflight(t *testing.T) {
	t.Parallel()
	const call = `{"op":"call_tool","name":"sleep","arguments":{"ms":600000},"request_id":`
	inModes(t, "", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		ask := func(c *netlooptest.Client, id, want string) {
			t.Helper()
			c.Text(call + id + "}")
			for {
				got := c.Next()
				if strings.Contains(got, `"op":"progress"`) {
					continue
				}
				if !strings.Contains(got, want) {
					t.Errorf("call %s is answered by %s, want %s", id, got, want)
				}
				return
			}
		}
		r.reload("session-max-inflight: 1\n")
		one, _ := r.hello("")
		ask(one, "1", "call_tool_ack")
		ask(one, "2", "of this session")
		r.reload("global-max-inflight: 1\n")
		two, _ := r.hello("")
		ask(two, "1", "too many calls are in flight")
		r.reload("global-max-inflight: 2\n")
		ask(two, "2", "call_tool_ack")
		ask(one, "3", "too many calls are in flight") // the session's limit is the default again
	})
}

func TestReload_AdminReadOnly(t *testing.T) {
	t.Parallel()
	inModes(t, "", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		for _, c := range []struct {
			content string
			want    int
		}{{"admin-read-only: true\n", 403}, {"", 404}} {
			r.reload(c.content)
			if got, _ := r.operate("DELETE", "/v1/sessions/none", ""); got != c.want {
				t.Errorf("with %q an operator who ends a session gets %d, want %d", c.content, got,
					c.want)
			}
		}
	})
}

func TestReload_LogLevel(t *testing.T) {
	t.Parallel()
	inModes(t, "log-level: info\n", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		r.reload("log-level: debug\n")
		r.hello("")
		r.logged("session began")
	})
}

// A level that an operator has set stays until the file's own changes.
func TestReload_LogLevelOfAnOperator(t *testing.T) {
	t.Parallel()
	inModes(t, "log-level: info\n", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		level := func(want string) {
			t.Helper()
			if _, got := r.operate("GET", "/v1/log-level", ""); !strings.Contains(got, want) {
				t.Errorf("the level is %s, want %s", got, want)
			}
			value := `{"name":"log-level","value":` + want
			if _, got := r.operate("GET", "/v1/settings", ""); !strings.Contains(got, value) {
				t.Errorf("%s is not among the settings: %s", value, got)
			}
		}
		status, answer := r.operate("PUT", "/v1/log-level", `{"level":"debug"}`,
			"Content-Type: application/json")
		if status != 200 {
			t.Fatalf("PUT is answered with %d %s", status, answer)
		}
		r.reload("log-level: info\ndrain-window: 1s\n")
		level(`"debug"`)
		r.reload("log-level: warn\n")
		level(`"warn"`)
	})
}

func TestReload_IsShownByTheAPI(t *testing.T) {
	t.Parallel()
	inModes(t, "", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		r.reload("origin: '*'\nidle-timeout: 2h\nadmin-read-only: true\n")
		var got struct {
			Settings []struct {
				Name, Value, From string
				Live              bool
			}
			Warnings []string
		}
		_, answer := r.operate("GET", "/v1/settings", "")
		if err := json.Unmarshal([]byte(answer), &got); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "lets every page") {
			t.Errorf("the warnings are %q", got.Warnings)
		}
		for _, s := range got.Settings {
			switch s.Name {
			case "origin":
				if s.Value != "*" || !s.Live || !strings.HasPrefix(s.From, r.file) {
					t.Errorf("what was taken over is shown as %+v", s)
				}
			case "idle-timeout":
				if s.Value != "1h0m0s" || s.Live || s.From != "default" {
					t.Errorf("what needs a restart is shown as %+v", s)
				}
			}
		}
		if _, answer = r.operate("GET", "/v1/status", ""); !strings.Contains(answer,
			`"read_only":true`) {
			t.Errorf("the status does not say that the API is read-only: %s", answer)
		}
	})
}

func TestReload_DrainWindow(t *testing.T) {
	t.Parallel()
	inModes(t, "drain-window: 1h\n", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		c, _ := r.hello("")
		r.reload("drain-window: 0\n")
		r.signals <- syscall.SIGTERM
		if line := r.logged("draining"); line["window"] != "0s" {
			t.Errorf("drains over %v, want the new window", line["window"])
		}
		c.Next()
		c.Want("close 4100 draining")
		c.Close(1000)
		if err := r.wait(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// A manager that was told of the end is told of no reload any more.
func TestReload_NotInADrain(t *testing.T) {
	t.Parallel()
	m := newServiceManager(t)
	file := filepath.Join(t.TempDir(), "c.yaml")
	writeFile(t, file, "drain-window: 1h\n")
	r := start(t, []string{"--config", file}, []string{"NOTIFY_SOCKET=" + m.path})
	_, _ = r.hello("")
	_, _ = r.hello("")
	m.hear("READY=1")
	r.signals <- syscall.SIGTERM
	m.hear("STOPPING=1")
	writeFile(t, file, "drain-window: never\n")
	r.signals <- syscall.SIGHUP
	r.logged("nothing is read again in a drain")
	r.signals <- syscall.SIGTERM
	if err := r.wait(); !errors.Is(err, ErrInterrupted) {
		t.Errorf("Run = %v", err)
	}
	for _, said := range m.rest() {
		if strings.Contains(said, "RELOADING=1") || strings.Contains(said, "READY=1") {
			t.Errorf("the manager hears %q of a daemon that drains", said)
		}
	}
}

func TestReload_SummaryInterval(t *testing.T) {
	t.Parallel()
	args := []string{"--idle-timeout", "50ms"}
	inModes(t, "summary-interval: 1h\n", args, func(t *testing.T, r *reloading) {
		t.Helper()
		c, session := r.hello("")
		wantExpired(c, session)
		r.reload("summary-interval: 10ms\n")
		if line := r.logged("sessions expired"); line["expired"] != 1.0 {
			t.Errorf("logged %v", line)
		}
	})
}

// Nobody who comes or is there minds that limits move; the race detector looks on.
func TestReload_WhileClientsComeAndGo(t *testing.T) {
	t.Parallel()
	inModes(t, "", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		stop := make(chan struct{})
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					c, _ := r.hello(`,"token":"right"`)
					c.Text(`{"op":"call_tool","name":"echo","arguments":{"text":"x"}}`)
					for got := ""; !strings.Contains(got, "call_tool_res"); {
						got = c.Next()
					}
					c.Text(`{"op":"bye"}`)
					c.Want("close 1000")
					_ = c.Conn.Close()
				}
			})
		}
		for n := range 40 {
			r.reload(fmt.Sprintf("token: right\nmax-connections-per-ip: %d\non-session-limit: %s\n"+
				"session-max-inflight: %d\nmax-refused-hellos: %d\norigin: https://%d.example\n",
				n%2*1000, []string{"reject", "evict-idle"}[n%2], n%3+1, n+1, n))
		}
		close(stop)
		clients.Wait()
	})
}

// What cannot change while the daemon runs is named, and stays.
func TestReload_WhatNeedsARestart(t *testing.T) {
	t.Parallel()
	inModes(t, "", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		writeFile(t, r.file, "idle-timeout: 2h\norigin: https://a.example\n")
		r.signals <- syscall.SIGHUP
		line := r.logged("setting needs a restart")
		if line["name"] != "idle-timeout" || line["runs_with"] != "1h0m0s" ||
			line["new"] != "2h0m0s" {
			t.Errorf("logged %v", line)
		}
		line = r.logged("setting changed")
		if line["name"] != "origin" || line["old"] != "-" || line["new"] != "https://a.example" {
			t.Errorf("logged %v", line)
		}
		line = r.logged("reloaded")
		if line["changed"] != 1.0 || line["need_restart"] != 1.0 {
			t.Errorf("logged %v", line)
		}
		if line = r.reload("idle-timeout: 2h\norigin: '*'\n"); line["need_restart"] != 1.0 {
			t.Errorf("the next time it logs %v, want it to be told again", line)
		}
	})
}

// Where anything is bad nothing changes, and one line says all that is.
func TestReload_AllOrNothing(t *testing.T) {
	t.Parallel()
	tokens := filepath.Join(t.TempDir(), "tokens")
	writeFile(t, tokens, "hunter2\n")
	args := []string{"--token-file", tokens}
	inModes(t, "origin: https://a.example\n", args, func(t *testing.T, r *reloading) {
		t.Helper()
		writeFile(t, r.file, "origin: https://b.example\ntick: 1h\nmax-refused-hellos: none\n")
		r.signals <- syscall.SIGHUP
		line := r.logged("the old settings stay")
		text, _ := line["error"].(string)
		for _, want := range []string{r.file + ": tick: ", r.file + ": max-refused-hellos: "} {
			if !strings.Contains(text, want) {
				t.Errorf("the error %q does not name %q", text, want)
			}
		}
		if got := r.upgraded("Origin: https://a.example"); got != 101 {
			t.Errorf("the old origin is answered with %d", got)
		}
		if got := r.upgraded("Origin: https://b.example"); got != 403 {
			t.Errorf("the new origin is answered with %d", got)
		}
		r.hello(`,"token":"hunter2"`)
		r.log.mu.Lock()
		defer r.log.mu.Unlock()
		if text := r.log.text.String(); strings.Count(text, `"level":"ERROR"`) != 1 {
			t.Errorf("the log has more than one error:\n%s", text)
		}
	})
}

// A risk that the new settings bring is told, once.
func TestReload_Warnings(t *testing.T) {
	t.Parallel()
	inModes(t, "", nil, func(t *testing.T, r *reloading) {
		t.Helper()
		r.reload("origin: '*'\n")
		r.reload("origin: '*'\ndrain-window: 1s\n")
		r.log.mu.Lock()
		defer r.log.mu.Unlock()
		if text := r.log.text.String(); strings.Count(text, "lets every page") != 1 {
			t.Errorf("the log does not warn once:\n%s", text)
		}
	})
}

func TestStart_LogsWhatIsInForce(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"--token", "hunter2", "--origin", "*"}, []string{"CURFEW_TICK=20ms"})
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	var line struct {
		Msg   string
		Given map[string]string
	}
	first, _, _ := strings.Cut(r.log.text.String(), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil || line.Msg != "settings" {
		t.Fatalf("the first line is %s, %v", first, err)
	}
	want := map[string]string{
		"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "log-format": "json",
		"token": "(set, not shown)", "origin": "*", "tick": "20ms",
	}
	if fmt.Sprint(line.Given) != fmt.Sprint(want) {
		t.Errorf("in force is %v, want %v", line.Given, want)
	}
	if text := r.log.text.String(); strings.Count(text, `"msg":"configuration"`) != 2 {
		t.Errorf("the log does not warn of both risks:\n%s", text)
	}
}
