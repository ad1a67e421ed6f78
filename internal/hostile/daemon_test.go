//go:build linux

package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/config"
)

const (
	// patience is how long anything may take that must come. It is the only upper bound in time
	// that most tests have: what is slow on a busy machine is no fault.
	patience = 30 * time.Second
	// roleEnv tells a process of this binary what it is instead of a run of tests.
	roleEnv = "HOSTILE_ROLE"
	// filesEnv is how many files a daemon may open; unset: as many as this process.
	filesEnv = "HOSTILE_FILES"
)

// knows says whether the daemon has a setting with such a value.
func knows(flag, value string) bool {
	_, err := config.Load([]string{flag, value}, nil)
	return err == nil
}

// needs skips a test of a setting that the daemon does not have.
func needs(t *testing.T, flag, value string) {
	t.Helper()
	if !knows(flag, value) {
		t.Skipf("the daemon has no %s %s", flag, value)
	}
}

// modes are the ways in which the daemon can serve.
func modes() []string {
	if knows("--mode", "epoll") {
		return []string{"epoll", "goroutine"}
	}
	return []string{"goroutine"}
}

// setup is how a daemon is started.
type setup struct {
	args    []string
	files   int      // how many it may open; 0: as many as this process
	headers []string // of its neighbour
	app     bool     // behind it is an application of the test, and not the built-in one
	asks    bool     // its neighbour asks the daemon, and not what is behind it
}

// eachMode runs a test against a daemon in each mode, beside others.
func eachMode(t *testing.T, s setup, test func(d *daemon)) {
	t.Helper()
	t.Parallel()
	for _, mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			test(spawn(t, mode, s))
		})
	}
}

// daemon is a daemon in a process of its own.
type daemon struct {
	t      *testing.T
	mode   string
	addr   string
	admin  string       // where its operators ask, "": nowhere
	app    *application // nil: the built-in one
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	log    logBook
	base   measure // when only the neighbour was connected
	stay   []*peer // clients that are there until the daemon is not
}

// measure is what a daemon holds at a moment.
type measure struct {
	files int
	probe probe
	live  int // sessions
}

// spawn starts a daemon in a mode, and its neighbour.
func spawn(t *testing.T, mode string, s setup) *daemon {
	t.Helper()
	args := s.args
	if knows("--mode", mode) {
		args = append([]string{"--mode", mode}, args...)
	}
	args = append([]string{
		"--listen", "127.0.0.1:0", "--admin", "", "--log-format", "json", "--log-level", "debug",
		"--drain-window", "0",
	}, args...)
	d := &daemon{t: t, mode: mode}
	if s.app {
		d.app = newApplication(t)
		args = append(args, "--backend", d.app.url)
	}
	d.cmd = exec.Command(os.Args[0], args...)
	d.cmd.Env = append(os.Environ(), roleEnv+"=daemon")
	if s.files > 0 {
		d.cmd.Env = append(d.cmd.Env, filesEnv+"="+strconv.Itoa(s.files))
	}
	var stdout, stderr io.Reader
	var errs [3]error
	d.stdin, errs[0] = d.cmd.StdinPipe()
	stdout, errs[1] = d.cmd.StdoutPipe()
	stderr, errs[2] = d.cmd.StderrPipe()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	d.stdout = bufio.NewReader(stdout)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.log.done = make(chan struct{})
	go d.log.read(stderr)
	t.Cleanup(d.stop)
	eventually(t, "the daemon listens", func() bool {
		d.addr, d.admin = d.log.addresses()
		return d.addr != ""
	})
	if s.asks {
		welcomeAsking(t, d.addr)
	} else {
		welcome(t, d.addr, s.headers...)
	}
	eventually(t, "the neighbour has a session", func() bool { return d.log.live() == 1 })
	d.base = d.measure()
	return d
}

// stop stops the daemon and looks through its books.
func (d *daemon) stop() {
	_ = d.stdin.Close()
	stuck := time.AfterFunc(patience, func() {
		d.t.Error("the daemon does not stop")
		_ = d.cmd.Process.Kill()
	})
	<-d.log.done // Wait closes the pipe, so whoever reads it goes first
	err := d.cmd.Wait()
	stuck.Stop()
	if err != nil {
		d.t.Errorf("the daemon ended with %v", err)
	}
	d.log.audit(d.t)
	for _, p := range d.stay {
		_ = p.nc.Close()
	}
}

func (d *daemon) measure() measure {
	d.t.Helper()
	return measure{files: d.files(), probe: d.probe(), live: d.log.live()}
}

// probe is what a daemon says of its inside.
type probe struct {
	HeapBytes  uint64 // in use after a collection
	Goroutines int
}

func (d *daemon) probe() (p probe) {
	d.t.Helper()
	if _, err := io.WriteString(d.stdin, "probe\n"); err != nil {
		d.t.Fatalf("asking the daemon: %v", err)
	}
	line, err := d.stdout.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p)
	}
	if err != nil {
		d.t.Fatalf("the daemon answers the probe with %q: %v", line, err)
	}
	return p
}

// files is how many files the daemon has open.
func (d *daemon) files() int {
	d.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	return len(list)
}

// cpu is how much processor time the daemon has used.
func (d *daemon) cpu() time.Duration {
	d.t.Helper()
	const ticks = 100 // a second, on every Linux that Go runs on
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(d.cmd.Process.Pid), "stat"))
	if err != nil {
		d.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold spaces
	fields := strings.Fields(rest)
	var sum time.Duration
	for _, f := range fields[11:13] { // utime and stime, of which proc(5) counts from 1 and pid
		n, err := strconv.Atoi(f)
		if err != nil {
			d.t.Fatalf("%q: %v", b, err)
		}
		sum += time.Duration(n) * time.Second / ticks
	}
	return sum
}

// settle waits until the daemon holds no more than when only its neighbour was there.
func (d *daemon) settle() {
	d.t.Helper()
	const spare = 4 // goroutines of the runtime, and such as come and go
	var m measure
	defer func() {
		if d.t.Failed() {
			d.t.Logf("held at the end: %+v, at first: %+v", m, d.base)
		}
	}()
	eventually(d.t, "the daemon lets go of all files, goroutines and sessions", func() bool {
		m = d.measure()
		return m.files <= d.base.files && m.live == d.base.live &&
			m.probe.Goroutines <= d.base.probe.Goroutines+spare
	})
}

// grown is how much more heap the daemon uses than when only its neighbour was there.
func (d *daemon) grown() int {
	d.t.Helper()
	return int(d.probe().HeapBytes) - int(d.base.probe.HeapBytes)
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !so() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
