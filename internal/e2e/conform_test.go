//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestConform runs the built curfew conform against the daemon and against the WebSocket servers of
// others that docs/conformance.md tells of, and holds which cases they fail. Of what moves many
// bytes there is a sample.
func TestConform(t *testing.T) {
	type server struct {
		start  func(t *testing.T) (address string)
		flags  []string
		failed []string
	}
	echo := func(args ...string) func(*testing.T) string {
		return func(t *testing.T) string {
			t.Helper()
			return start(t, stdout, args...).event("listening").Address
		}
	}
	servers := map[string]server{
		// Neither minds HTTP/1.0 or a missing Host, where Node.js and Python do not.
		"npm ws": {start: echo("node", "testdata/echo.js"), failed: []string{"14.4.2", "14.4.3"}},
		"websockets": {
			start: echo("python3", "testdata/echo.py"),
			// Of a version that it does not speak it does not say which one it does.
			failed: []string{"14.4.11", "14.4.3"},
		},
	}
	for _, mode := range modes {
		for _, compression := range []string{"off", "on"} {
			servers["curfewd "+mode+", compression "+compression] = server{
				start: func(t *testing.T) string {
					t.Helper()
					_, address := daemon(t, mode, "--compression", compression,
						"--idle-timeout", "1h", "--max-message-bytes", "16777216")
					return address
				},
				flags: []string{"--subprotocol", "curfew.raw"},
			}
		}
	}
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := "ws://" + s.start(t) + "/"
			failed := map[string]bool{}
			for _, only := range []string{"[1-7].*", "9.[1-8].[12]", "1[023].*.[17]", "14.*"} {
				for id := range conform(t, url, append(s.flags, "--only", only)) {
					failed[id] = true
				}
			}
			got := slices.Sorted(maps.Keys(failed))
			if !slices.Equal(got, s.failed) {
				t.Errorf("%v failed, want %v", got, s.failed)
			}
		})
	}
	t.Run("without a subprotocol", func(t *testing.T) {
		t.Parallel()
		_, address := daemon(t, "epoll")
		out, err := exec.Command(curfew, "conform", "ws://"+address+"/").CombinedOutput()
		var exit *exec.ExitError
		want := "use --subprotocol curfew.raw\n"
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.HasSuffix(string(out), want) {
			t.Errorf("%v, output %q, want exit code 2 and %q at the end", err, out, want)
		}
	})
}

// conform runs the command and gives the IDs of the cases that failed. The file and the exit code
// must agree on them.
func conform(t *testing.T, url string, flags []string) map[string]bool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	args := slices.Concat([]string{"conform", "--timeout", "10s", "--json", file}, flags,
		[]string{url})
	out, err := exec.Command(curfew, args...).CombinedOutput()
	var exit *exec.ExitError
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: exit code %d\n%s", err, code, out)
	}
	var report struct {
		Cases          []struct{ ID, Result, Detail string }
		Passed, Failed int
	}
	if err := json.Unmarshal(b, &report); err != nil {
		t.Fatal(err)
	}
	failed := map[string]bool{}
	for _, c := range report.Cases {
		if c.Result == "fail" {
			failed[c.ID] = true
			t.Logf("%s: %s", c.ID, c.Detail)
		}
	}
	want := 0
	if len(failed) > 0 {
		want = 1
	}
	if code != want || report.Failed != len(failed) || len(report.Cases) == 0 {
		t.Errorf("exit code %d, %d failed, %d cases of which %d failed\n%s", code, report.Failed,
			len(report.Cases), len(failed), out)
	}
	return failed
}
