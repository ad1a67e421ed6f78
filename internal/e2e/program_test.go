//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

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
	Admin   string
	PID     int
	Mode    string
	Remote  string
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
	return startCommand(t, output, exec.Command(args[0], args[1:]...))
}

// startCommand does so with a command.
func startCommand(
	t *testing.T, output func(*exec.Cmd) (io.ReadCloser, error), cmd *exec.Cmd,
) *program {
	t.Helper()
	p := &program{
		t: t, name: strings.Join(cmd.Args, " "), cmd: cmd, lines: make(chan line, 10_000),
	}
	p.cmd.Stderr = os.Stderr
	out, err := output(p.cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%v (make e2e-tools installs what is not ours)", err)
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

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !so(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it never comes that %s", what)
		}
	}
}

func stderr(c *exec.Cmd) (io.ReadCloser, error) {
	c.Stderr = nil
	return c.StderrPipe()
}

func stdout(c *exec.Cmd) (io.ReadCloser, error) { return c.StdoutPipe() }
