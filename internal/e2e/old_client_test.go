//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// oldSecret is what clients of the old daemon show.
const oldSecret = "an-0ld-shared-secret"

// oldDaemon starts curfewd as those who ran the old daemon do: with its environment, and --path /
// beside it. What the daemon logs, at its lowest level, is in the buffer when it has ended.
func oldDaemon(t *testing.T, mode string, env ...string) (url string, stop func() string) {
	t.Helper()
	cmd := exec.Command(curfewd,
		"--path", "/", "--mode", mode, "--admin", "", "--log-format", "json")
	cmd.Env = append([]string{
		"EXAI_WS_HOST=127.0.0.1", "EXAI_WS_PORT=0", "EXAI_WS_TOKEN=" + oldSecret,
		"EXAI_WS_MAX_BYTES=33554432", "EXAI_WS_HELLO_TIMEOUT=15", "EXAI_WS_PING_INTERVAL=45",
		"EXAI_WS_PING_TIMEOUT=30", "EXAI_WS_SESSION_MAX_INFLIGHT=8",
		"EXAI_WS_GLOBAL_MAX_INFLIGHT=24", "SESSION_CLEANUP_INTERVAL=300",
		"SESSION_MAX_CONCURRENT=100", "LOG_LEVEL=DEBUG",
	}, env...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	var listening struct{ Msg, Address string }
	lines := bufio.NewScanner(out)
	for listening.Msg != "listening" && lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if err := json.Unmarshal(lines.Bytes(), &listening); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines.Scan() {
			log.WriteString(lines.Text() + "\n")
		}
	}()
	stopped := false
	stop = func() string {
		if !stopped {
			stopped = true
			_ = cmd.Process.Kill()
			<-read
			_ = cmd.Wait() // it was killed
		}
		return log.String()
	}
	t.Cleanup(func() { stop() })
	return "ws://" + listening.Address, stop
}

// told is one line of the old client.
type told struct {
	Event string
	Code  int
	MS    float64
	Frame struct {
		Op        string
		OK        bool
		Error     json.RawMessage
		SessionID string `json:"session_id"`
		RequestID string `json:"request_id"`
		Name      string
		Text      string
		Outputs   []struct{ Type, Text string }
		Accepted  bool
		Timeout   float64
		Reason    string
		T         float64
		Tools     []struct {
			Name, Description string
			InputSchema       map[string]any
		}
		Health struct {
			T              float64
			UptimeHuman    string `json:"uptime_human"`
			Sessions       int
			GlobalCapacity int `json:"global_capacity"`
			ToolCount      int `json:"tool_count"`
		}
	}
}

// code is that of an error frame.
func (l *told) code() string {
	var e struct{ Code string }
	if json.Unmarshal(l.Frame.Error, &e) != nil {
		return ""
	}
	return e.Code
}

// oldClient runs the old client to its end and gives what it was told.
func oldClient(t *testing.T, args ...string) (all []told) {
	t.Helper()
	cmd := exec.Command("python3", slices.Concat([]string{"testdata/old_client.py"}, args)...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the old client: %v\n%s%s", err, out, problems.String())
	}
	for line := range strings.Lines(string(out)) {
		var l told
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, l)
	}
	return all
}

// eachOldMode runs a test against a daemon in each mode.
func eachOldMode(t *testing.T, test func(t *testing.T, mode string)) {
	t.Helper()
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			test(t, mode)
		})
	}
}

// TestOldClient_WorksAsItIs takes the tour that a client of the old daemon takes.
func TestOldClient_WorksAsItIs(t *testing.T) {
	eachOldMode(t, func(t *testing.T, mode string) {
		t.Helper()
		url, stop := oldDaemon(t, mode)
		all := oldClient(t, "tour", url, oldSecret)
		if f := all[0].Frame; !f.OK || f.Op != "hello_ack" || len(f.SessionID) != 32 {
			t.Errorf("the hello is answered by %+v", f)
		}
		if f := all[1].Frame; f.Op != "list_tools_res" || len(f.Tools) != 2 ||
			f.Tools[0].InputSchema["type"] != "object" || f.Tools[0].Description == "" {
			t.Errorf("the tools are %+v", f)
		}
		calls := all[2:]
		if f := calls[0].Frame; f.Op != "call_tool_ack" || !f.Accepted || f.Timeout != 30 ||
			f.Name != "sleep" {
			t.Errorf("the first call is acknowledged by %+v", f)
		}
		wantOldResults(t, calls)
		if last := all[len(all)-1]; last.Event != "close" || last.Code != 1000 {
			t.Errorf("at the end comes %+v", last)
		}
		log := stop()
		if strings.Contains(log, oldSecret) || !strings.Contains(log, "session began") {
			t.Errorf("the log:\n%s", log)
		}
	})
}

// wantOldResults looks at the answers of a tour.
func wantOldResults(t *testing.T, calls []told) {
	t.Helper()
	var results, errors []told
	accepted, progressed := 0, 0
	for _, l := range calls {
		switch l.Event {
		case "call_tool_res":
			results = append(results, l)
		case "error":
			errors = append(errors, l)
		case "call_tool_ack":
			accepted++
		case "progress":
			progressed++
		case "health_res":
			if h := l.Frame.Health; !l.Frame.OK || h.Sessions != 1 || h.GlobalCapacity != 24 ||
				h.ToolCount != 2 || h.T < 1e9 || h.UptimeHuman == "" {
				t.Errorf("the health is %+v", l.Frame)
			}
		}
	}
	if len(results) != 11 || accepted != 11 || progressed < accepted {
		t.Fatalf("%d results, %d accepted, %d times progress, want 11 of each",
			len(results), accepted, progressed)
	}
	// The second call of two was the first to end.
	fast := results[0].Frame
	if !strings.HasPrefix(fast.Text, "zwölf €x") || len(fast.Text) < 100_000 ||
		len(fast.Outputs) != 1 || fast.Outputs[0].Text != fast.Text {
		t.Errorf("the fast call is answered by %.100s", fast.Text)
	}
	var said []string
	for _, l := range errors {
		said = append(said, l.Frame.RequestID+" "+l.code())
	}
	want := []string{"refused TOOL_NOT_FOUND", "rotate INVALID_REQUEST", "call 8 OVER_CAPACITY"}
	if !slices.Equal(said, want) {
		t.Errorf("the errors are %q, want %q", said, want)
	}
	// Eight of them ran side by side, and the ninth when it was sent again.
	side := results[2:10]
	if took := side[7].MS - side[0].MS; took > 4000 {
		t.Errorf("eight calls of 1 s ended within %v ms", took)
	}
	if again := results[10].Frame; again.RequestID != "call 8" || again.Text != "again" {
		t.Errorf("the refused call, sent again, is answered by %+v", again)
	}
}

// TestOldClient_IsToldWhyNot shows the wrong secret and none.
func TestOldClient_IsToldWhyNot(t *testing.T) {
	eachOldMode(t, func(t *testing.T, mode string) {
		t.Helper()
		url, stop := oldDaemon(t, mode)
		for _, secret := range []string{"a-wr0ng-secret", ""} {
			all := oldClient(t, "hello", url, secret)
			if len(all) != 2 || all[0].Frame.Op != "hello_ack" || all[0].Frame.OK ||
				string(all[0].Frame.Error) != `"unauthorized"` || all[1].Code != 4003 {
				t.Errorf("with the secret %q it is told %+v", secret, all)
			}
		}
		log := stop()
		if strings.Contains(log, "a-wr0ng-secret") || strings.Contains(log, oldSecret) {
			t.Errorf("a secret is in the log:\n%s", log)
		}
	})
}

// TestOldClient_IsToldThatItsSessionIsOver at SESSION_TIMEOUT_SECS, and makes room for another one.
func TestOldClient_IsToldThatItsSessionIsOver(t *testing.T) {
	eachOldMode(t, func(t *testing.T, mode string) {
		t.Helper()
		url, _ := oldDaemon(t, mode, "SESSION_TIMEOUT_SECS=2", "SESSION_MAX_CONCURRENT=1")
		for range 2 {
			all := oldClient(t, "silent", url, oldSecret)
			if len(all) != 3 || all[1].Event != "session_expired" ||
				all[1].Frame.Reason != "idle" ||
				all[1].Frame.SessionID != all[0].Frame.SessionID || all[1].MS < 2000 ||
				all[2].Code != 4200 {
				t.Errorf("the silent client is told %+v", all)
			}
		}
	})
}
