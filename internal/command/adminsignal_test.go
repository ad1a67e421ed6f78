package command

import (
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A signal ends a command that waits for its standard input, and says nothing of it.
func TestAdmin_InterruptedInput(t *testing.T) {
	a := newFakeAPI(t)
	for _, args := range []string{
		"sessions kick -", "sessions touch -", "sessions send a", "sessions send --everyone -",
	} {
		stdin, never := io.Pipe()
		t.Cleanup(func() { _ = never.Close() })
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGINT
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), Process{
			Args: strings.Fields(args), Env: []string{"CURFEW_ADMIN=" + a.URL}, Stdin: stdin,
			Stdout: &stdout, Stderr: &stderr, Signals: signals,
		})
		if code != exitInterrupted || stdout.Len() > 0 || stderr.Len() > 0 {
			t.Errorf("curfew %s: exit code %d, %q, %q", args, code, &stdout, &stderr)
		}
	}
	if asked := a.requests(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}

// An output that nobody reads keeps a command from heeding the first signal; the second ends it.
func TestAdmin_InterruptedTwice(t *testing.T) {
	a := newFakeAPI(t)
	unread, stdout := io.Pipe()
	t.Cleanup(func() { _ = unread.Close() })
	signals := make(chan os.Signal, 2)
	code := make(chan int)
	go func() {
		code <- Run(t.Context(), Process{
			Args: []string{"sessions", "ls"}, Env: []string{"CURFEW_ADMIN=" + a.URL},
			Stdin: strings.NewReader(""), Stdout: stdout, Stderr: io.Discard, Signals: signals,
		})
	}()
	if _, err := unread.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	signals <- syscall.SIGINT
	signals <- syscall.SIGINT
	if got := <-code; got != exitInterrupted {
		t.Errorf("exit code %d", got)
	}
}
