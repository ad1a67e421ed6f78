//go:build e2e && linux

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// exposureMax is what `systemd-analyze security` may find, in tenths: of what it counts, a server
// needs IP and Unix sockets, /proc/sys, and no list of addresses.
const exposureMax = 15

// commands are the lines of the first block of code below a heading of docs/operations.md.
func commands(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("docs/operations.md has no %q", heading)
	}
	block := regexp.MustCompile(`(?m)(^    .*\n)+`).FindString(text)
	if block == "" {
		t.Fatalf("docs/operations.md has no commands below %q", heading)
	}
	return regexp.MustCompile(`(?m)^    `).ReplaceAllString(block, "")
}

// newService follows the page on operations on a machine of its own: the release is unpacked, its
// service installed and started, which waits until the daemon says that it is ready.
func newService(t *testing.T) (m *machine, log *program) {
	t.Helper()
	path := release(t)
	m = newMachine(t)
	m.copy(path + ".tar.gz")
	// A port that is free, a log that can be read here, and a watchdog that tests can wait for.
	m.write("/etc/curfew/curfewd.env", "CURFEW_LISTEN=127.0.0.1:0\nCURFEW_LOG_FORMAT=json\n"+
		"CURFEW_DRAIN_WINDOW=0\n")
	m.write("/etc/systemd/system/curfewd.service.d/e2e.conf", "[Service]\nWatchdogSec=3s\n"+
		"StandardError=append:/var/log/curfewd.log\n")
	script := strings.ReplaceAll(commands(t, "## Quick start"), "VERSION", releaseVersion)
	m.run("cd /opt\n" + strings.ReplaceAll(script, "linux-amd64",
		strings.TrimPrefix(filepath.Base(path), "curfew-"+releaseVersion+"-")))
	return m, m.follow()
}

// TestService_RunsSealed: the unit as it is shipped, under a real systemd, in its sandbox.
func TestService_RunsSealed(t *testing.T) {
	t.Parallel()
	m, log := newService(t)
	listening := log.logged("listening")

	if state, text := m.show("ActiveState"), m.show("StatusText"); state != "active" || text == "" {
		t.Errorf("the service is %s (%q), want active with a status", state, text)
	}
	if out := m.run("systemd-analyze verify curfewd.service 2>&1"); out != "" {
		t.Errorf("systemd-analyze verify says:\n%s", out)
	}
	out, err := m.try(fmt.Sprint("systemd-analyze security --no-pager --offline=true --threshold=",
		exposureMax, " curfewd.service"))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if t.Log(lines[len(lines)-1]); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
	sealed(t, m)

	conn, response := dialFrom(t, "127.0.0.1", "ws://"+listening.Address+"/ws", nil)
	if conn == nil {
		t.Fatalf("a client is answered %s", response.Status)
	}
	if code, ok := (&member{conn: conn}).talks(); !ok {
		t.Errorf("a client is closed with %d", code)
	}
	out = m.run("curfew status --admin unix:/run/curfew/admin.sock")
	if !strings.Contains(out, releaseVersion) {
		t.Errorf("curfew status says:\n%s", out)
	}
	want := "/run/curfew/admin.sock curfew 600\n/var/log/curfew/audit.jsonl curfew 600"
	if got := m.run("stat -c '%n %U %a' /run/curfew/* /var/log/curfew/*"); got != want {
		t.Errorf("the service made\n%s\nwant\n%s", got, want)
	}
	_, port, _ := net.SplitHostPort(listening.Address)
	most := m.run("cat /proc/sys/net/core/somaxconn")
	for l := range strings.Lines(m.run("ss -Hltn sport = :" + port)) {
		if got := strings.Fields(l)[2]; got != most {
			t.Errorf("%s may wait to be accepted, want net.core.somaxconn, %s", got, most)
		}
	}
}

// sealed says what the kernel knows of the service's process.
func sealed(t *testing.T, m *machine) {
	t.Helper()
	status := m.run("cat /proc/" + m.show("MainPID") + "/status")
	for _, want := range []string{
		`CapEff:\s0+\n`, `CapBnd:\s0+\n`, `CapAmb:\s0+\n`, `NoNewPrivs:\s1\n`, `Seccomp:\s2\n`,
		`Uid:\s[1-9]`, `Gid:\s[1-9]`,
	} {
		if !regexp.MustCompile(want).MatchString(status) {
			t.Errorf("/proc/PID/status is not as %q:\n%s", want, status)
		}
	}
	// Where the machine gives no more than it does, systemd takes that.
	files := m.run("prlimit --nofile=1048576:1048576 echo 1048576 2>/dev/null || ulimit -H -n")
	limits := m.run("cat /proc/" + m.show("MainPID") + "/limits")
	if !regexp.MustCompile(`Max open files\s+` + files + `\s+` + files).MatchString(limits) {
		t.Errorf("%s open files may be, the limits are:\n%s", files, limits)
	}
	// What the process itself would see and could do.
	inside := "nsenter --target " + m.show("MainPID") + " --mount --root --wd=/ sh -c "
	for _, script := range []string{
		"! touch /etc/x /usr/x /var/x", "! test -e /dev/kmsg", "test -z \"$(ls -A /root)\"",
		"! touch /proc/sys/net/core/somaxconn",
	} {
		if out, err := m.try(inside + "'" + script + "' 2>&1"); err != nil {
			t.Errorf("in the sandbox %s: %v %s", script, err, out)
		}
	}
}

// TestService_ListensOnLowPorts with the drop-in that is shipped, and has no other capability.
func TestService_ListensOnLowPorts(t *testing.T) {
	t.Parallel()
	m, log := newService(t)
	log.logged("listening")
	address := fmt.Sprintf("127.%d.%d.9:443", 1+os.Getpid()/256%254, os.Getpid()%256)
	m.run("cd /etc/systemd/system/curfewd.service.d\n" +
		"cp /opt/curfew-*/deploy/systemd/low-ports.conf .\n" +
		"sed -i 's/^CURFEW_LISTEN=.*/CURFEW_LISTEN=" + address + "/' /etc/curfew/curfewd.env\n" +
		"systemctl daemon-reload\nsystemctl restart curfewd")
	if l := log.logged("listening"); l.Address != address {
		t.Errorf("the service listens on %s, want %s", l.Address, address)
	}
	status := m.run("cat /proc/" + m.show("MainPID") + "/status")
	const bind = "0000000000000400" // CAP_NET_BIND_SERVICE alone
	for _, set := range []string{"CapEff", "CapBnd"} {
		if !strings.Contains(status, set+":\t"+bind) {
			t.Errorf("of %s it has not %s:\n%s", set, bind, status)
		}
	}
}

// TestService_ReloadsWhatIsGood, and fails a reload of what is bad without the daemon noticing.
func TestService_ReloadsWhatIsGood(t *testing.T) {
	t.Parallel()
	m, log := newService(t)
	listening := log.logged("listening")
	pid := m.show("MainPID")
	connect := func(token string) int {
		header := http.Header{}
		if token != "" {
			header.Set("Authorization", "Bearer "+token)
		}
		_, response := dialFrom(t, "127.0.0.1", "ws://"+listening.Address+"/ws", header)
		return response.StatusCode
	}
	if status := connect(""); status != http.StatusSwitchingProtocols {
		t.Fatalf("without a token set a client is answered %d", status)
	}

	m.run(`echo one > /etc/curfew/tokens
		chown root:curfew /etc/curfew/tokens
		chmod 0640 /etc/curfew/tokens
		echo 'token-file: /etc/curfew/tokens' >> /etc/curfew/curfewd.yaml
		systemctl reload curfewd`)
	eventually(t, "a token is asked for", func() bool { return connect("") == 401 })
	if status := connect("one"); status != http.StatusSwitchingProtocols {
		t.Errorf("with the token a client is answered %d", status)
	}

	m.run("echo 'no-such-key: 1' >> /etc/curfew/curfewd.yaml")
	if out, err := m.try("systemctl reload curfewd"); err == nil {
		t.Errorf("a bad configuration is reloaded: %s", out)
	}
	if state := m.show("ActiveState"); state != "active" || m.show("MainPID") != pid {
		t.Errorf("after a reload that failed the service is %s, want as it was", state)
	}
	if status := connect("one"); status != http.StatusSwitchingProtocols {
		t.Errorf("after a reload that failed a client is answered %d", status)
	}
}

// TestService_IsStartedAgainWhenItHangs: a process that stands still gives no signs of life.
func TestService_IsStartedAgainWhenItHangs(t *testing.T) {
	t.Parallel()
	m, log := newService(t)
	log.logged("listening")
	m.run("kill -STOP " + m.show("MainPID"))
	address := log.logged("listening").Address
	m.run("grep -q '^SIGABRT' /var/log/curfewd.log && grep -q '^goroutine ' /var/log/curfewd.log")
	if n, err := strconv.Atoi(m.show("NRestarts")); err != nil || n != 1 {
		t.Errorf("the service was started again %d times (%v), want once", n, err)
	}
	if conn, response := dialFrom(t, "127.0.0.1", "ws://"+address+"/ws", nil); conn == nil {
		t.Errorf("the new process answers %s", response.Status)
	}
}

// TestService_DrainsWhenItIsStopped, and leaves nothing but its log.
func TestService_DrainsWhenItIsStopped(t *testing.T) {
	t.Parallel()
	m, log := newService(t)
	conn, response := dialFrom(t, "127.0.0.1", "ws://"+log.logged("listening").Address+"/ws", nil)
	if conn == nil {
		t.Fatalf("a client is answered %s", response.Status)
	}
	m.run("systemctl stop curfewd")
	if code := (&member{conn: conn}).left(nil); code != 4100 {
		t.Errorf("a client is closed with %d, want 4100", code)
	}
	if state, result := m.show("ActiveState"), m.show("Result"); state != "inactive" ||
		result != "success" {
		t.Errorf("stopped, the service is %s with %s", state, result)
	}
	if out, err := m.try("ls -d /run/curfew"); err == nil {
		t.Errorf("stopped, the service leaves %s", out)
	}
	log.logged("stopped")
}

// TestService_GivesUpOnABadConfiguration soon, since a restart cures none.
func TestService_GivesUpOnABadConfiguration(t *testing.T) {
	t.Parallel()
	m, log := newService(t)
	log.logged("listening")
	m.run("systemctl stop curfewd; echo 'no-such-key: 1' >> /etc/curfew/curfewd.yaml")
	if out, err := m.try("systemctl start curfewd"); err == nil {
		t.Errorf("a bad configuration starts: %s", out)
	}
	eventually(t, "systemd gives up", func() bool { return m.show("ActiveState") == "failed" })
	if status := m.show("ExecMainStatus"); status != "2" {
		t.Errorf("a bad configuration ends with %s, want 2", status)
	}
}

// TestService_RotatesItsAuditLog as curfew.logrotate says.
func TestService_RotatesItsAuditLog(t *testing.T) {
	t.Parallel()
	m, log := newService(t)
	url := "ws://" + log.logged("listening").Address + "/ws"
	visit := func() {
		if conn, _ := dialFrom(t, "127.0.0.1", url, nil); conn != nil {
			_ = conn.WriteControl(gorilla.CloseMessage, nil, time.Now().Add(patience))
			(&member{conn: conn}).left(nil)
		}
	}
	count := func(file string) int {
		out, _ := m.try("grep -c session_end /var/log/curfew/" + file)
		n, _ := strconv.Atoi(strings.TrimSpace(out))
		return n
	}
	visit()
	eventually(t, "an end is written down", func() bool { return count("audit.jsonl") == 1 })
	m.run("logrotate --force --state /tmp/logrotate.state /etc/logrotate.d/curfew 2>&1")
	eventually(t, "the log is opened again", func() bool {
		_, err := m.try("test -e /var/log/curfew/audit.jsonl")
		return err == nil
	})
	visit()
	eventually(t, "the next is in the new file", func() bool { return count("audit.jsonl") == 1 })
	if n := count("audit.jsonl.1"); n != 1 {
		t.Errorf("the old file has %d ends, want 1", n)
	}
}
