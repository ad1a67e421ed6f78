//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// TestLoad_CtrlC ends a run in the middle as a terminal does, opens the page that it leaves, and
// holds it side by side with another one.
func TestLoad_CtrlC(t *testing.T) {
	t.Parallel()
	_, address := daemon(t, "epoll", "--idle-timeout", "1h")
	dir := t.TempDir()
	file, log := filepath.Join(dir, "load.json"), filepath.Join(dir, "load.hlog")
	page := filepath.Join(dir, "load.html")
	args := []string{
		"load", "--connections", "52", "--rate", "200", "--duration", "10m", "--processes", "2",
		"--json", file, "--hdr", log, "--report", page, "ws://" + address + "/",
	}
	undisturbed(t, func() loaded { return interrupt(t, file, args) }, func(l loaded) string {
		if got := countsOf(l.Result); got != (counts{}) || !l.Interrupted || l.Sent == 0 {
			return fmt.Sprintf("interrupted %v, %d sent, %+v", l.Interrupted, l.Sent, got)
		}
		return ""
	})
	if b, err := os.ReadFile(log); err != nil ||
		!strings.HasPrefix(string(b), "#[") || !strings.Contains(string(b), "\nTag=latency,") {
		t.Errorf("%v, the log is\n%s", err, b)
	}
	t.Run("page", func(t *testing.T) {
		i := inspect(t)
		i.show("light", 1200)
		i.open("file://" + page)
		names := drawn(t, i, "interrupted")
		for _, plot := range []string{"percentiles", "rate", "latency", "open", "connect"} {
			if !slices.Contains(names, plot) {
				t.Errorf("plots %q, and no %s", names, plot)
			}
		}
		var said string
		i.eval("document.body.innerText", &said)
		if !strings.Contains(strings.ToLower(said), "interrupted") {
			t.Error("the page does not say that the run was interrupted")
		}
		checkQuiet(t, i, page)
	})
	t.Run("diff", func(t *testing.T) { compares(t, address, file) })
}

// interrupt starts curfew load, waits until messages flow, and sends SIGINT to all its processes.
func interrupt(t *testing.T, file string, args []string) (l loaded) {
	t.Helper()
	cmd := command(args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	var all strings.Builder
	for s, told := bufio.NewScanner(said), false; s.Scan(); {
		all.WriteString(s.Text() + "\n")
		if !told && strings.HasPrefix(s.Text(), "run ") {
			told = true
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		}
	}
	_ = cmd.Wait() // the code says what went wrong
	l.said = all.String()
	l.Result = readLoad(t, file, l.said)
	if code := cmd.ProcessState.ExitCode(); code != l.ExitCode {
		t.Errorf("exit code %d, and %d in the file: %s", code, l.ExitCode, l.said)
	}
	return l
}

// compares holds a file side by side with that of another run.
func compares(t *testing.T, address, file string) {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other.json")
	args := slices.Concat([]string{"load", "--json", other, "--quiet"}, quickly,
		[]string{"--rate", "200", "--processes", "2", "ws://" + address + "/"})
	if code, said := runCurfew(t, args...); code != result.ExitFine && code != result.ExitSchedule {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	code, said := runCurfew(t, "load", "diff", file, other)
	for _, want := range []string{
		"A: 1 run, echo, ws://" + address, "latency p99 ", "rate answered ",
		"warning: not comparable: duration is 10m0s in A and 1s in B",
		"no significance can be told; use --repeat",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if code != 0 || t.Failed() {
		t.Errorf("exit code %d, and it says\n%s", code, said)
	}
}

// TestLoad_TLS trusts the daemon's certificate where it is told to, and does not else.
func TestLoad_TLS(t *testing.T) {
	t.Parallel()
	_, address := daemon(t, "goroutine", "--idle-timeout", "1h",
		"--tls-cert", certificate.cert, "--tls-key", certificate.key)
	for name, c := range map[string]loadCase{
		"the certificate": {
			profile: "echo", opened: 52, sent: 150, flags: []string{"--ca", certificate.cert},
		},
		"any certificate": {
			profile: "churn", sent: 300, also: replaces,
			flags: []string{"--rate", "300", "--insecure", "--protocol", "raw"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, "wss://"+address+"/")
		})
	}
	refused(t, "wss://"+address+"/", "tls_certificate: the server's certificate is not one that "+
		"is trusted: give --ca FILE, or --insecure to accept any")
}

// refused holds that nothing can be connected, and that the command says why and what to do.
func refused(t *testing.T, url, why string, flags ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "load.json")
	args := slices.Concat([]string{
		"load", "--connections", "4", "--duration", "1s", "--json",
		file, "--quiet",
	}, flags, []string{url})
	code, said := runCurfew(t, args...)
	r := readLoad(t, file, said)
	if code != result.ExitUsage || r.ExitCode != code || r.Connect.OK != 0 ||
		r.Connect.Failed != 4 || r.Sent != 0 {
		t.Errorf("%q: exit code %d, and %d in the file; %d connected, %d failed, %d sent", args,
			code, r.ExitCode, r.Connect.OK, r.Connect.Failed, r.Sent)
	}
	if !strings.HasPrefix(said, "curfew: nothing could be connected\n") ||
		!strings.Contains(said, "\ncurfew: 4 "+why) {
		t.Errorf("%q says\n%s\nwant %q", args, said, why)
	}
}

// TestLoad_Refused is told why nothing can be connected, and what to do.
func TestLoad_Refused(t *testing.T) {
	t.Parallel()
	_, free := daemon(t, "epoll")
	_, guarded := daemon(t, "epoll", "--token", "sesame")
	for name, c := range map[string]struct {
		url, why string
		flags    []string
	}{
		"nobody there": {
			"ws://" + freeAddress(t) + "/", "econnrefused: nothing listens at the server's address",
			nil,
		},
		"path": {
			"ws://" + free + "/elsewhere", "upgrade_404: the server knows no WebSocket at this",
			nil,
		},
		"subprotocol that the server refuses": {
			"ws://" + free + "/", "upgrade_400: the server did not understand the upgrade",
			[]string{"--protocol", "plain", "--subprotocol", "chat"},
		},
		"no token, json": {
			"ws://" + guarded + "/", "hello_unauthorized: the server wants its shared secret",
			[]string{"--protocol", "json"},
		},
		"wrong token, raw": {
			"ws://" + guarded + "/", "upgrade_401: the server wants to know who connects",
			[]string{"--protocol", "raw", "--token", "wrong"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, c.url, c.why, c.flags...)
		})
	}
	t.Run("subprotocol that the server ignores", func(t *testing.T) {
		t.Parallel()
		url := "ws://" + listening(start(t, stdout, "python3", "testdata/echo.py")) + "/"
		refused(t, url, "wrong_subprotocol: the server did not agree on the subprotocol",
			"--subprotocol", "chat")
	})
	t.Run("right token", func(t *testing.T) {
		t.Parallel()
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("sesame\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := loadCase{profile: "echo", opened: 52, sent: 150}
		c.run(t, "ws://"+guarded+"/", "--token-file", secret)
	})
}
