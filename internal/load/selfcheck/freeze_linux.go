package selfcheck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// freezeWorker stops a process of the harness for a while, once it has run for a moment: the first
// worker that the command started, or the command itself where it started none.
func freezeWorker(ctx context.Context, pid int, after, freeze time.Duration) error {
	if err := pause(ctx, after); err != nil {
		return err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return err
	}
	if len(children) > 0 {
		pid = children[0]
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop a worker: %w", err)
	}
	waited := pause(ctx, freeze)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		return fmt.Errorf("continue a worker: %w", err)
	}
	return waited
}

// childrenOf are the processes that any thread of a process started and that still run.
func childrenOf(pid int) (children []int, err error) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err == nil && len(lists) == 0 {
		err = errors.New("the harness was over before it could be stopped")
	}
	for _, list := range lists {
		b, _ := os.ReadFile(list) // a thread may be gone
		for field := range strings.FieldsSeq(string(b)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			children = append(children, child)
		}
	}
	return children, err
}
