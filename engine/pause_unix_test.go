//go:build unix

package engine

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const pausedEnv = "CURFEW_TEST_PAUSED"

// A process that is stopped and goes on finds no session ended early. The test runs itself as
// the process, which checks itself.
func TestStall_PausedProcess(t *testing.T) {
	if os.Getenv(pausedEnv) != "" {
		pausedProcess(t)
		return
	}
	c := exec.CommandContext(t.Context(),
		os.Args[0], "-test.run=^TestStall_PausedProcess$", "-test.v")
	c.Env = append(os.Environ(), pausedEnv+"=1")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.HasSuffix(lines.Text(), "ready") {
	}
	for i := range 6 {
		for _, step := range []struct {
			signal syscall.Signal
			d      time.Duration
		}{
			{syscall.SIGSTOP, time.Duration(20+60*i) * time.Millisecond},
			{syscall.SIGCONT, 70 * time.Millisecond},
		} {
			if err := c.Process.Signal(step.signal); err != nil {
				t.Fatal(err)
			}
			after(t, step.d)
		}
	}
	_ = stdin.Close()
	var out strings.Builder
	for lines.Scan() {
		out.WriteString(lines.Text() + "\n")
	}
	if err := c.Wait(); err != nil || !strings.Contains(out.String(), "0 early") {
		t.Errorf("paused process: %v\n%s", err, &out)
	}
}

// pausedProcess creates and touches sessions until its input ends.
func pausedProcess(t *testing.T) {
	t.Helper()
	s := newStall(t, Options[*stalled]{IdleTimeout: 60 * time.Millisecond, Tick: time.Millisecond})
	defer s.tab.Close()
	var over atomic.Bool
	var created atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			var own []*stalled
			for !over.Load() {
				own = append(own, s.create())
				created.Add(1)
				for until := time.Now().Add(time.Millisecond); time.Now().Before(until); {
					for _, d := range own[max(0, len(own)-100):] {
						s.touch(d)
					}
				}
			}
		})
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	over.Store(true)
	all.Wait()
	waitFor(t, "all ended", func() bool { return s.ended.Load() == created.Load() })
	fmt.Printf("%d ended, %d early\n", s.ended.Load(), s.early.Load())
}
