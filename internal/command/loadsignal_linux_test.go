package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// running is the command as a process of its own, which runs for long unless it is interrupted.
type running struct {
	*exec.Cmd
	stdout bytes.Buffer
	stderr listened
	server *server
	came   chan struct{} // closed with the first message
}

// listened is what a command says, and tells when that it was interrupted.
type listened struct {
	text        bytes.Buffer
	interrupted chan struct{}
}

// String is what was written.
func (l *listened) String() string { return l.text.String() }

// Write keeps what is written.
func (l *listened) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("curfew: interrupted: ")) {
		close(l.interrupted)
	}
	return l.text.Write(b)
}

// startLong starts the command in a process group of its own, as a shell does, and waits until
// messages flow.
func startLong(t *testing.T, args ...string) *running {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{came: make(chan struct{})}
	r.stderr.interrupted = make(chan struct{})
	r.server = serve(t, func(n int64, message []byte) []byte {
		if n == 1 {
			close(r.came)
		}
		return message
	})
	args = with([]string{
		"load", "--protocol", "plain", "--connections", "8", "--rate", "200", "--duration", "10m",
		"--processes", "2",
	}, with(args, r.server.url("/"))...)
	r.Cmd = exec.Command(self, args...)
	r.Stdout, r.Stderr = &r.stdout, &r.stderr
	r.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Process.Kill() })
	<-r.came
	return r
}

// interrupt does what Ctrl-C does: all processes of the group get SIGINT.
func (r *running) interrupt(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(-r.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

func (r *running) exitCode(t *testing.T) int {
	t.Helper()
	err := r.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return r.ProcessState.ExitCode()
}

func TestLoad_CtrlC(t *testing.T) {
	dir := t.TempDir()
	file, log := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.hlog")
	for _, c := range []struct {
		name string
		stop func(r *running) error
	}{
		{"SIGINT to all", func(r *running) error {
			return syscall.Kill(-r.Process.Pid, syscall.SIGINT)
		}},
		{"SIGTERM to the command", func(r *running) error {
			return r.Process.Signal(syscall.SIGTERM)
		}},
	} {
		r := startLong(t, "--json", file, "--hdr", log)
		if err := c.stop(r); err != nil {
			t.Fatal(err)
		}
		if code := r.exitCode(t); !wellKept(code) {
			t.Errorf("%s: exit code %d, want 0:\n%s%s", c.name, code, &r.stdout, &r.stderr)
		}
		if !strings.Contains(r.stdout.String(), "interrupted") {
			t.Errorf("%s: the table does not say interrupted:\n%s", c.name, &r.stdout)
		}
		report := readReport(t, file)
		if !report.Interrupted || report.Sent == 0 || report.Received != report.Sent ||
			report.Connect.OK != 8 || report.Lost+report.Unsent > 0 {
			t.Errorf("%s: interrupted %v, %d sent, %d received, %d lost, %d unsent, %d open; "+
				"want true, all, 0, 0, 8", c.name, report.Interrupted, report.Sent, report.Received,
				report.Lost, report.Unsent, report.Connect.OK)
		}
		checkLog(t, log, report)
	}
}

func TestLoad_CtrlCTwice(t *testing.T) {
	dir := t.TempDir()
	r := startLong(t, "--json", filepath.Join(dir, "r.json"))
	// A worker that is stopped cannot hand over anything, so that the first signal ends nothing.
	worker := child(t, r.Process.Pid)
	if err := syscall.Kill(worker, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.interrupt(t)
	<-r.stderr.interrupted // two signals that nobody has seen yet are one
	r.interrupt(t)
	if code := r.exitCode(t); code != exitKilled {
		t.Errorf("exit code %d, want %d:\n%s%s", code, exitKilled, &r.stdout, &r.stderr)
	}
	if want := "curfew: interrupted twice: nothing was kept\n"; !strings.HasSuffix(
		r.stderr.String(), want) {
		t.Errorf("it says %q, want %q", &r.stderr, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files are left (%v), want none", len(left), err)
	}
}

// child is a process that another one started.
func child(t *testing.T, of int) int {
	t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range names {
		all = append(all, strings.Fields(contents(t, name))...)
	}
	if len(all) == 0 {
		t.Skipf("process %d has no children to be seen in /proc", of)
	}
	pid, err := strconv.Atoi(all[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
