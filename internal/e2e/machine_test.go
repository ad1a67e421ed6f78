//go:build e2e && linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// targets are what a unit may name and this machine need not have: nothing but the service starts.
var targets = []string{"sysinit", "basic", "shutdown", "multi-user", "network-online"}

// machine is a systemd that is the first process of a machine of its own; see machine.sh. The
// network is that of the test.
type machine struct {
	t    *testing.T
	root string // its file system, as far as it is not the test's
	pid  int
}

// machines counts them.
var machines atomic.Int64

// cannot is what machine.sh exits with where this machine does not let it.
const cannot = 77

// newMachine boots one, where this one allows it.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("systemd wants to be the first process of a machine, and only root can make one")
	}
	m := &machine{t: t, root: t.TempDir()}
	if err := os.Chmod(filepath.Dir(m.root), 0o755); err != nil { // the service's user comes by
		t.Fatal(err)
	}
	if err := os.Chmod(m.root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range targets {
		m.write("/etc/systemd/system/"+name+".target",
			"[Unit]\nDescription="+name+"\nDefaultDependencies=no\n")
	}
	m.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n")
	m.write("/etc/machine-id", "")
	if err := os.MkdirAll(m.root+"/local/bin", 0o755); err != nil {
		t.Fatal(err)
	}

	group := fmt.Sprintf("curfew-e2e-%d-%d", os.Getpid(), machines.Add(1))
	cmd := exec.Command("sh", "testdata/machine.sh", "boot", m.root, group)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWIPC,
		Pdeathsig: syscall.SIGKILL,
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	switch err := cmd.Start(); {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS),
		errors.Is(err, syscall.EINVAL):
		t.Skipf("this machine makes no namespaces, which a systemd of its own needs: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	m.pid = cmd.Process.Pid
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // and with the first process all others
		<-ended
		clean := exec.Command("sh", "testdata/machine.sh", "clean", group)
		clean.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if out, err := clean.CombinedOutput(); err != nil && !t.Skipped() {
			t.Errorf("what is left of the machine: %v: %s", err, out)
		}
	})
	eventually(t, "systemd runs", func() bool {
		select {
		case err := <-ended:
			ended <- err
			if cmd.ProcessState.ExitCode() == cannot {
				t.Skipf("no systemd of its own can run on this machine: %s", &said)
			}
			t.Fatalf("systemd ended: %v\n%s", err, &said)
		default:
		}
		out, err := m.try("systemctl is-system-running")
		return err == nil && strings.TrimSpace(out) == "running"
	})
	return m
}

// write writes a file that the machine has at a path of its /etc, or of its /usr/local as /local.
func (m *machine) write(path, text string) {
	m.t.Helper()
	file := filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// try runs commands on the machine, as root.
func (m *machine) try(script string) (out string, err error) {
	cmd := exec.Command("nsenter", "--target", strconv.Itoa(m.pid), "--mount", "--pid", "--uts",
		"--ipc", "--cgroup", "--root", "--wd", "sh", "-euc", script)
	cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/usr/sbin", "LC_ALL=C", "SYSTEMD_PAGER=",
		"SYSTEMD_UNIT_PATH=/etc/systemd/system",
	}
	both, err := cmd.CombinedOutput()
	return string(both), err
}

// run runs commands on the machine, which must succeed.
func (m *machine) run(script string) (out string) {
	m.t.Helper()
	out, err := m.try(script)
	if err != nil {
		log, _ := m.try("systemctl --no-pager --full status curfewd; cat /var/log/curfewd.log")
		m.t.Fatalf("%s: %v\n%s\n%s", script, err, out, log)
	}
	return strings.TrimSpace(out)
}

// show is a property of the service.
func (m *machine) show(property string) string {
	m.t.Helper()
	return m.run("systemctl show --value --property " + property + " curfewd")
}

// copy copies a file into the machine's /opt.
func (m *machine) copy(file string) {
	m.t.Helper()
	if out, err := exec.Command("cp", file, m.root+"/opt").CombinedOutput(); err != nil {
		m.t.Fatalf("cp: %v\n%s", err, out)
	}
}

// follow gives the log of the service, from its beginning on, as a program's.
func (m *machine) follow() *program {
	m.t.Helper()
	return start(m.t, func(c *exec.Cmd) (io.ReadCloser, error) { return c.StdoutPipe() },
		"tail", "--follow=name", "--retry", "--lines=+1", "--sleep-interval=0.05",
		m.root+"/var/log/curfewd.log")
}
