//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestReaderOfTheLogGoes: whoever reads the log or the audit log may end, as a collector that is
// restarted does. The daemon loses lines by that, and nothing else.
func TestReaderOfTheLogGoes(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"log", "audit log"} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(curfewd, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
				"--log-format", "json", "--audit-log", "-")
			audit, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = audit.Close() })
			cmd.Stdout = out
			var log io.Closer
			d := startCommand(t, func(c *exec.Cmd) (io.ReadCloser, error) {
				r, err := stderr(c)
				log = r
				return r, err
			}, cmd)
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
			listening := d.logged("listening")

			gone := log
			if which == "audit log" {
				gone = audit
			}
			if err := gone.Close(); err != nil {
				t.Fatal(err)
			}
			for range 3 { // each is a line of both
				kickNobody(t, "http://"+listening.Admin+"/v1/sessions/none")
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code := d.exit(); code != 0 {
				t.Errorf("the drained daemon exits with %d, want 0: %v", code, cmd.ProcessState)
			}
		})
	}
}

// TestReaderOfACommandGoes: `curfewd config explain | head` ends without a word, as other programs
// do.
func TestReaderOfACommandGoes(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(curfewd, "config", "explain")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	defer w.Close()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = w, &said
	if err := cmd.Run(); err == nil || said.Len() > 0 {
		t.Errorf("it ends with %v, and says %q", err, said.String())
	}
}

// kickNobody asks for an end that cannot be.
func kickNobody(t *testing.T, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("the daemon does not answer any more: %v", err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("%s is answered with %s", url, answer.Status)
	}
}
