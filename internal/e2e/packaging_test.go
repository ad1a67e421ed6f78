//go:build e2e && linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// checked is what `curfewd config check` says of a file that has that text.
func checked(t *testing.T, text string) (said string, ok bool) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "curfewd.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(curfewd, "config", "check", "--config", file).CombinedOutput()
	return string(out), err == nil
}

// TestConfiguration_IsGood: the example that is shipped is, and so is each line that it holds as a
// comment, but for files that are not there.
func TestConfiguration_IsGood(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../deploy/systemd/curfewd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if said, ok := checked(t, string(example)); !ok {
		t.Errorf("of the example config check says:\n%s", said)
	}
	lines := regexp.MustCompile(`(?m)^# ([a-z-]+: .*)$`).FindAllStringSubmatch(string(example), -1)
	if len(lines) < 10 {
		t.Errorf("the example has %d settings as comments, want some 20", len(lines))
	}
	for _, line := range lines {
		said, ok := checked(t, line[1])
		missing := strings.Contains(line[1], "/etc/curfew/") &&
			strings.Contains(said, "no such file or directory") &&
			!strings.Contains(said, "unknown")
		if pair := strings.HasPrefix(line[1], "tls-"); !ok && !missing && !pair {
			t.Errorf("of %q config check says:\n%s", line[1], said)
		}
	}
}

// TestSysctls_AreThisKernels: each that is set exists, and takes as many numbers.
func TestSysctls_AreThisKernels(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../deploy/systemd/60-curfew.conf")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^([a-z0-9_.]+) = (.*)$`)
	settings := line.FindAllStringSubmatch(string(file), -1)
	if len(settings) == 0 {
		t.Error("60-curfew.conf sets nothing")
	}
	for _, s := range settings {
		path := "/proc/sys/" + strings.ReplaceAll(s[1], ".", "/")
		is, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%s: %v", s[1], err)
			continue
		}
		list := s[1] == "net.ipv4.ip_local_reserved_ports" // empty where nobody reserves any
		given, takes := len(strings.Fields(s[2])), len(strings.Fields(string(is)))
		if given != takes && !list {
			t.Errorf("%s takes %d numbers and is given %d", s[1], takes, given)
		}
	}
}
