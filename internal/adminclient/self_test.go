package adminclient_test

import (
	"os"
	"os/exec"
	"testing"
)

// runSelf runs one test of this package in a process of its own, with more in its environment.
func runSelf(t *testing.T, name string, env ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$", "-test.v")
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
