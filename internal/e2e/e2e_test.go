//go:build e2e

// Package e2e drives the daemon as its users do: the built program as a process, and WebSocket
// clients that are not ours, npm's ws and python3-websockets. `make e2e-tools` installs them and
// `make e2e` runs this.
package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// timeout is the idle timeout that the daemon is given.
	timeout = 2 * time.Second
	// patience is how long anything may take that must come.
	patience = 60 * time.Second
)

// clients are the programs in testdata, which all behave the same.
var clients = map[string][]string{
	"npm ws":             {"node", "testdata/client.js"},
	"python3-websockets": {"python3", "testdata/client.py"},
}

var curfewd string // the built program

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "curfew-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	curfewd = filepath.Join(dir, "curfewd")
	build := exec.Command("go", "build", "-o", curfewd, "../../cmd/curfewd")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "go build:", err)
		return 1
	}
	return m.Run()
}

// program is a process whose output is one JSON object a line.
type program struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	lines chan line // closed when the output ends
}

// line is what a client or the daemon's log says, as far as a test looks at it.
type line struct {
	Event   string
	Msg     string
	Address string
	Code    int
	MS      float64
	Data    string
	Expired int
	Frame   struct {
		SessionID    string `json:"session_id"`
		Reason       string
		RetryAfterMS int `json:"retry_after_ms"`
	}
}

// start starts a program and reads what it says on one of its outputs.
func start(t *testing.T, output func(*exec.Cmd) (io.ReadCloser, error), args ...string) *program {
	t.Helper()
	p := &program{
		t: t, name: strings.Join(args, " "), cmd: exec.Command(args[0], args[1:]...),
		lines: make(chan line, 10_000),
	}
	p.cmd.Stderr = os.Stderr
	out, err := output(p.cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%v (make e2e-tools installs the clients)", err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			var l line
			if json.Unmarshal(s.Bytes(), &l) != nil {
				l.Msg = s.Text() // what is said after the log
			}
			p.lines <- l
		}
	}()
	return p
}

// next is what the program says next.
func (p *program) next() line {
	p.t.Helper()
	select {
	case l, ok := <-p.lines:
		if !ok {
			p.t.Fatalf("%s ended: %v", p.name, p.cmd.Wait())
		}
		return l
	case <-time.After(patience):
		p.t.Fatalf("%s says nothing", p.name)
		return line{}
	}
}

// event is the next line, which must be about that event.
func (p *program) event(want string) line {
	p.t.Helper()
	l := p.next()
	if l.Event != want {
		p.t.Fatalf("%s says %+v, want %s", p.name, l, want)
	}
	return l
}

// logged is the next line of the log with that message.
func (p *program) logged(message string) line {
	p.t.Helper()
	for {
		if l := p.next(); l.Msg == message {
			return l
		}
	}
}

// exit waits for the end and gives the exit code.
func (p *program) exit() int {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	for range p.lines { // Wait closes the pipe, so all must be read before
	}
	_ = p.cmd.Wait() // the code says what went wrong
	return p.cmd.ProcessState.ExitCode()
}

// daemon starts curfewd as it would be started for clients of the old daemon.
func daemon(t *testing.T, args ...string) (d *program, url string) {
	t.Helper()
	args = append([]string{
		curfewd, "--listen", "127.0.0.1:0", "--path", "/", "--log-format", "json",
		"--idle-timeout", timeout.String(), "--summary-interval", "100ms",
	}, args...)
	d = start(t, stderr, args...)
	return d, "ws://" + d.logged("listening").Address + "/"
}

func stderr(c *exec.Cmd) (io.ReadCloser, error) {
	c.Stderr = nil
	return c.StderrPipe()
}

func stdout(c *exec.Cmd) (io.ReadCloser, error) { return c.StdoutPipe() }

// client starts one of the clients in a scenario.
func client(t *testing.T, name, scenario, url string) *program {
	t.Helper()
	seconds := strconv.FormatFloat(timeout.Seconds(), 'f', -1, 64)
	return start(t, stdout, append(slices.Clone(clients[name]), scenario, url, seconds)...)
}

// TestTalker_KeepsItsSession past three timeouts.
func TestTalker_KeepsItsSession(t *testing.T) {
	_, url := daemon(t)
	for name := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, name, "talk", url)
			session := c.event("hello_ack").Frame.SessionID
			if len(session) != 32 {
				t.Errorf("session %q, want 32 characters", session)
			}
			l := c.next()
			for ; l.Event == "message_res"; l = c.next() {
			}
			if l.Event != "session_info_res" || l.MS < 3*ms(timeout) {
				t.Errorf("after three timeouts the talker is told %+v", l)
			}
			if l := c.event("close"); l.Code != 1000 {
				t.Errorf("after bye the close code is %d, want 1000", l.Code)
			}
			if code := c.exit(); code != 0 {
				t.Errorf("the client ended with %d", code)
			}
		})
	}
}

// TestSilent_IsToldAtItsTimeoutAndNotBefore, and the log counts it.
func TestSilent_IsToldAtItsTimeoutAndNotBefore(t *testing.T) {
	for name := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, url := daemon(t)
			c := client(t, name, "silent", url)
			session := c.event("hello_ack").Frame.SessionID
			told := c.event("session_expired")
			if f := told.Frame; f.SessionID != session || f.Reason != "idle" ||
				told.MS < ms(timeout) {
				t.Errorf("the silent client is told %+v, want session %s after %v or later",
					told, session, timeout)
			}
			if l := c.event("close"); l.Code != 4200 {
				t.Errorf("the close code is %d, want 4200", l.Code)
			}
			if code := c.exit(); code != 0 {
				t.Errorf("the client ended with %d", code)
			}
			if l := d.logged("sessions expired"); l.Expired != 1 {
				t.Errorf("the log counts %d, want 1", l.Expired)
			}
		})
	}
}

func TestRaw_EchoesTextAndBinary(t *testing.T) {
	_, url := daemon(t)
	for name := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, name, "raw", url)
			if l := c.event("text"); l.Data != "zwölf €" {
				t.Errorf("text comes back as %q", l.Data)
			}
			if l := c.event("binary"); l.Data != "0001ff" {
				t.Errorf("binary comes back as %s", l.Data)
			}
			if l := c.event("close"); l.Code != 1000 {
				t.Errorf("the close code is %d, want 1000", l.Code)
			}
		})
	}
}

// TestDrain_SaysGoodbye to both clients at SIGTERM, and the daemon exits with 0.
func TestDrain_SaysGoodbye(t *testing.T) {
	d, url := daemon(t, "--drain-window", "200ms", "--idle-timeout", "1h")
	var connected []*program
	for name := range clients {
		c := client(t, name, "silent", url)
		c.event("hello_ack")
		connected = append(connected, c)
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for _, c := range connected {
		if l := c.event("goodbye"); l.Frame.RetryAfterMS < 0 {
			t.Errorf("%s: goodbye with %+v", c.name, l)
		}
		if l := c.event("close"); l.Code != 4100 {
			t.Errorf("%s: the close code is %d, want 4100", c.name, l.Code)
		}
	}
	if code := d.exit(); code != 0 {
		t.Errorf("the drained daemon exits with %d, want 0", code)
	}
}

// TestSecondSignal_ExitsWith1 in the middle of a long drain.
func TestSecondSignal_ExitsWith1(t *testing.T) {
	d, url := daemon(t, "--drain-window", "1h", "--idle-timeout", "1h")
	var connected []*program
	for name := range clients {
		c := client(t, name, "silent", url)
		c.event("hello_ack")
		connected = append(connected, c)
	}
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := d.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if s == syscall.SIGINT {
			d.logged("draining")
		}
	}
	codes := map[int]int{}
	for _, c := range connected {
		l := c.next()
		if l.Event == "goodbye" {
			l = c.next()
		}
		codes[l.Code]++
	}
	if codes[1001] == 0 || codes[1001]+codes[4100] != len(connected) {
		t.Errorf("the close codes are %v, want 1001 for whoever was not let go", codes)
	}
	d.logged("stopped")
	d.logged("curfewd: interrupted before the drain was over")
	if code := d.exit(); code != 1 {
		t.Errorf("after a second signal the daemon exits with %d, want 1", code)
	}
}

func TestBadConfiguration_ExitsWith2(t *testing.T) {
	for _, args := range [][]string{
		{"--tick", "0"}, {"config", "check", "--listen", "x"}, {"--frobnicate"},
	} {
		out, err := exec.Command(curfewd, args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("curfewd %q: %v, want exit code 2", args, err)
		}
		if !strings.HasPrefix(string(out), "curfewd: --") {
			t.Errorf("curfewd %q says %q, want the flag's name", args, out)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
