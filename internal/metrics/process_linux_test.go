package metrics

import (
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// What is shown where files cannot be counted has the names, the kinds and the help that it has
// elsewhere.
func TestFrugal_IsAsTheLibrary(t *testing.T) {
	library := described(t, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ours := described(t, newFrugal())
	if len(ours) < 5 {
		t.Fatalf("there are only %v", ours)
	}
	for name, help := range ours {
		if library[name] != help {
			t.Errorf("%s is %q, of the library %q", name, help, library[name])
		}
	}
	if ours["process_open_fds"] != "" {
		t.Error("open files are counted")
	}
}

// described are the metrics of a collector, with kind and help.
func described(t *testing.T, c prometheus.Collector) map[string]string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{}
	for _, f := range all {
		by[f.GetName()] = f.GetType().String() + " " + f.GetHelp()
	}
	return by
}

func TestCountsFiles_NotWhereNothingIsThere(t *testing.T) {
	if countsFiles(filepath.Join(t.TempDir(), "missing")) {
		t.Error("files are counted in a directory that is not there")
	}
}
