package selfcheck

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/load/selfcheck/faulty"
)

// serverEnv has the test's binary be a server, since servers are processes of their own.
const serverEnv = "CURFEW_SELFCHECK_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		if err := faulty.Serve(os.Args[len(os.Args)-1], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// build builds the command, and gives a bench for it.
func build(t *testing.T) *Bench {
	t.Helper()
	curfew := filepath.Join(t.TempDir(), "curfew")
	const command = "github.com/curfew-go/curfew/cmd/curfew"
	if out, err := exec.Command("go", "build", "-o", curfew, command).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Bench{
		Curfew: curfew, Server: []string{self}, Env: []string{serverEnv + "=1"}, Busy: true,
		Beside: 8,
	}
}

// TestSelfCheck runs the quick cases against the command, and compares counts and no times; `make
// load-selfcheck` runs all of them.
func TestSelfCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command and runs it for some seconds")
	}
	rows := build(t).RunAll(t.Context(), QuickCases(), nil)
	for i := range rows {
		r := &rows[i]
		for _, wrong := range r.Wrong {
			t.Errorf("%s: %s (found %s)", r.Case.Name, wrong, strings.Join(r.Found, ", "))
		}
	}
}

// TestMissed proves that the self-check itself can fail: a case that asks for what is not there is
// missed, and so is a command that does not run.
func TestMissed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command and runs it for some seconds")
	}
	b := build(t)
	rows := b.RunAll(t.Context(), []Case{
		{Name: "one is withheld, none is said to be", Counts: counts{"duplicated": exactly(1)}},
		{Name: "a fault that never strikes", Server: faulty.Options{Fault: faulty.Twice, At: 1e9}},
	}, nil)
	b.Curfew = filepath.Join(t.TempDir(), "nothing")
	rows = append(rows, b.RunAll(t.Context(), []Case{{Name: "no command"}}, nil)...)
	for i := range rows {
		if rows[i].OK() {
			t.Errorf("%s: not missed, found %q", rows[i].Case.Name, rows[i].Found)
		}
	}
}
