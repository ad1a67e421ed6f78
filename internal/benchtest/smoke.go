package benchtest

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// Smoke runs each benchmark of the running test program once, on few sessions and for a moment,
// and fails if one does or if none is there.
func Smoke(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self,
		"-test.run=^$", "-test.bench=.", "-test.benchtime=1x", "-test.cpu=2",
		"-test.timeout=2m")
	cmd.Env = append(os.Environ(), "CURFEW_BENCH_N=100,2000", "CURFEW_BENCH_SECONDS=0.05")
	out, err := cmd.CombinedOutput()
	if err != nil || !regexp.MustCompile(`(?m)^Benchmark\S+\s+1\t`).Match(out) {
		t.Fatalf("the benchmarks failed: %v\n%s", err, out)
	}
}
