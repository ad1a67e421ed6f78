package fleet

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func TestProcessesFor(t *testing.T) {
	cores := runtime.NumCPU()
	for _, c := range []struct {
		asked, connections int
		least              int
		files              uint64
		want               int
		refused            string
	}{
		{asked: 0, connections: 1, files: 20000, want: 1},
		{asked: 0, connections: 1000, files: 20000, want: cores},
		{asked: 0, connections: 19_000 * 70, files: 1 << 20, want: max(cores, 70)},
		{asked: 0, connections: 1000, files: 74, want: max(cores, 100)},
		{asked: 5, connections: 3, files: 20000, want: 3},
		{asked: 5, connections: 7, least: 2, files: 20000, want: 3},
		{asked: 5, connections: 1, least: 2, files: 20000, want: 1},
		{asked: 5, connections: 100, files: 20000, want: 5},
		{asked: 1, connections: 19_000, files: 20000, want: 1},
		{
			asked: 1, connections: 19_001, files: 20000,
			refused: "do not fit into --processes 1 of 19000 connections each: give at least 2",
		},
		{asked: 0, connections: 10, files: 64, refused: "`ulimit -n 20000`"},
		{asked: 0, connections: 10, files: 3, refused: "may open only 3 files"},
		{
			asked: 0, connections: 200_000, files: 164,
			refused: "or raise the limit of 164 files a process",
		},
		{asked: -1, connections: 10, files: 20000, refused: "--processes -1: 1 to 1024"},
		{asked: 1025, connections: 1 << 20, files: 20000, refused: "--processes 1025: 1 to 1024"},
	} {
		got, err := processesFor(c.asked, c.connections, max(c.least, 1), c.files)
		at := fmt.Sprintf("%d processes for %d connections, %d files", c.asked, c.connections,
			c.files)
		switch {
		case c.refused == "" && (err != nil || got != c.want):
			t.Errorf("%s: %d, %v; want %d", at, got, err, c.want)
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: %d, %v; want ... %s", at, got, err, c.refused)
		}
	}
}
