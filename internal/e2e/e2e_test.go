//go:build e2e

// Package e2e drives the daemon as its users do: the built program as a process, and WebSocket
// clients that are not ours. `make e2e-tools` installs what is not Go and `make e2e` runs this.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const (
	// timeout is the idle timeout that the daemon is given.
	timeout = 2 * time.Second
	// patience is how long anything may take that must come.
	patience = 60 * time.Second
)

// modes are the ways in which the daemon serves connections; a client cannot tell them apart.
var modes = []string{"epoll", "goroutine"}

var curfewd, curfew string // the built programs

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
	curfewd, curfew = filepath.Join(dir, "curfewd"), filepath.Join(dir, "curfew")
	build := exec.Command("go", "build", "-o", dir, "../../cmd/curfewd", "../../cmd/curfew")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "go build:", err)
		return 1
	}
	if err := certify(dir); err != nil { // after the build, which trusts others
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// daemon starts curfewd in a mode, as it would be started for clients of the old daemon, and gives
// the address that it listens on.
func daemon(t *testing.T, mode string, args ...string) (d *program, address string) {
	t.Helper()
	d, listening := listen(t, mode, args...)
	return d, listening.Address
}

// listen starts curfewd and gives what its log says of where it listens.
func listen(t *testing.T, mode string, args ...string) (d *program, listening line) {
	t.Helper()
	d = start(t, stderr, slices.Concat([]string{
		curfewd, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--path", "/",
		"--log-format", "json",
		"--idle-timeout", timeout.String(), "--summary-interval", "100ms", "--mode", mode,
	}, args)...)
	listening = d.logged("listening")
	if listening.Mode != mode {
		t.Fatalf("the daemon serves in mode %q, want %q", listening.Mode, mode)
	}
	return d, listening
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
