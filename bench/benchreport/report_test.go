package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// houses are where a page stands: a small one with fixed files, and the real one.
var houses = []string{"testdata/house", "../.."}

// TestPage_IsMadeFromItsFiles holds each page, its plots and the guide to what the raw files say
// that the page names. Where it fails: make bench-report, or for the small one
// `go run . -root testdata/house`.
func TestPage_IsMadeFromItsFiles(t *testing.T) {
	for _, root := range houses {
		old, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		names := namedFiles(old)
		if len(names) == 0 {
			t.Fatalf("%s/%s names no files", root, page)
		}
		made, err := makeAll(root, names)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range made {
			got, err := os.ReadFile(filepath.Join(root, name))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s/%s is not what the files make: run make bench-report (%v)",
					root, name, err)
			}
		}
		plots, err := filepath.Glob(filepath.Join(root, plotsDir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, plot := range plots {
			if made[plotsDir+"/"+filepath.Base(plot)] == nil {
				t.Errorf("%s is made of no file", plot)
			}
		}
	}
}

func TestPage_SameFilesGiveTheSameBytes(t *testing.T) {
	root := houses[0]
	names, err := newest(filepath.Join(root, resultsDir))
	if err != nil {
		t.Fatal(err)
	}
	first, err := makeAll(root, names)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		slices.Reverse(names)
		again, err := makeAll(root, names)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range first {
			if !bytes.Equal(again[name], want) {
				t.Errorf("%s differs", name)
			}
		}
	}
}

// TestPlots_AreXML holds the plots to being readable, with the style for dark pages in them.
func TestPlots_AreXML(t *testing.T) {
	made, err := makeAll(houses[0], []string{"2026-01-02-touch.txt", "2026-01-02-growth.txt"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"touch.svg", "growth.svg"} {
		svg := made[plotsDir+"/"+name]
		d := xml.NewDecoder(bytes.NewReader(svg))
		elements := map[string]int{}
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if start, ok := token.(xml.StartElement); ok {
				elements[start.Name.Local]++
			}
		}
		if elements["style"] != 1 || elements["script"] != 0 || elements["text"] < 5 {
			t.Errorf("%s has elements %v", name, elements)
		}
		if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("#-")) {
			t.Errorf("%s has numbers that are none", name)
		}
	}
}

// TestLosses_AreComputed looks for what the fixed files were made to say.
func TestLosses_AreComputed(t *testing.T) {
	made, err := makeAll(houses[0], []string{
		"2026-01-02-touch.txt", "2026-01-02-lateness.txt", "2026-01-03-net.txt",
	})
	if err != nil {
		t.Fatal(err)
	}
	body := string(made[page])
	_, losses, _ := strings.Cut(body, "## Where Curfew loses")
	losses, _, _ = strings.Cut(losses, "\n## ")
	for _, want := range []string{
		"beside hashing the ID? | <= 2x hash, hoped for 1.75 | 2.478x | 24 % | gc=off",
		"<= 0.92x gnet at conns=100 | 1.049x | 14 %",
		"curfewd-epoll 6.45 (6.4 to 6.5) | gnet 6.15 (6.1 to 6.2), 0.95x | 0.33",
		"curfewd-epoll 41.5 (41 to 42) | *other 40.5 (40 to 41), 0.98x*", // a peer nobody listed
		"Lateness: late p50, ms | n=100000 processors=2 | curfew 20 | stdtimer 0.5, 0.03x |  |",
	} {
		if !strings.Contains(losses, want) {
			t.Errorf("the losses do not say %q:\n%s", want, losses)
		}
	}
	for _, not := range []string{"luo", "hash 1", "otter"} {
		if strings.Contains(losses, "| "+not) || strings.Contains(losses, "; "+not) {
			t.Errorf("the losses speak of %s, which ends early, is the floor, or is slower", not)
		}
	}
	for _, want := range []string{
		"**Failed:** server=gobwas round=2: conns=100 size=32: 1 lost",
		"- pinned: server on processor 0, client on processor 1",
		"gc=on: 1.493x; gc=off: **missed: 2.478x** | 2 |",
		"not measured in these files",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestNewest(t *testing.T) {
	names, err := newest(filepath.Join(houses[0], resultsDir))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"2026-01-02-fuzz.txt", "2026-01-02-growth.txt", "2026-01-02-lateness.txt",
		"2026-01-02-netsoak.txt", "2026-01-02-soak-2.txt", "2026-01-02-soak.txt",
		"2026-01-02-touch.txt", "2026-01-03-net.txt", "2026-01-04-pgo.txt",
	}
	if !slices.Equal(names, want) {
		t.Errorf("newest() = %q, want %q", names, want)
	}
	if _, err := newest(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make bench") {
		t.Errorf("newest() of nothing: error %v, want one that says how to make a file", err)
	}
}

func TestNewest_RunOfTheDay(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"2026-01-02-touch-2.txt", "2026-01-02-touch-10.txt", "2026-01-02-touch.txt",
		"2026-01-01-touch-11.txt", "2026-01-01-touch-unpinned.txt", "README.md",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := newest(dir)
	want := []string{"2026-01-01-touch-unpinned.txt", "2026-01-02-touch-10.txt"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("newest() = %q, %v, want %q", names, err, want)
	}
}

// TestChosen_SaysWhatItHides takes a newest file that has fewer servers than an older one.
func TestChosen_SaysWhatItHides(t *testing.T) {
	dir := t.TempDir()
	line := func(server string) string { return "server=" + server + " round=1 cpu_us_msg=5\n" }
	for name, body := range map[string]string{
		"2026-01-01-net.txt": line("gnet") + line("nbio") + line("gws") + line("gws"),
		"2026-01-02-net.txt": line("gnet") + line("gws"),
		"2026-01-03-net.txt": line("gnet"),
	} {
		raw := []byte(sampleHead + body)
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := chosen(dir, "")
	if want := []string{"2026-01-03-net.txt"}; err != nil || !slices.Equal(names, want) {
		t.Fatalf("chosen() = %q, %v, want %q", names, err, want)
	}
	hidden, err := hiddenBy(dir, names)
	want := []string{
		"2026-01-02-net.txt has gws, and the files chosen of its set have not: " +
			"add -also 2026-01-02-net.txt",
		"2026-01-01-net.txt has nbio, and the files chosen of its set have not: " +
			"add -also 2026-01-01-net.txt",
	}
	if err != nil || !slices.Equal(hidden, want) {
		t.Errorf("hiddenBy() = %q, %v, want %q", hidden, err, want)
	}
	names, err = chosen(dir, "2026-01-01-net.txt,2026-01-03-net.txt")
	want = []string{"2026-01-01-net.txt", "2026-01-03-net.txt"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("chosen() with another = %q, %v, want %q", names, err, want)
	}
	if hidden, err := hiddenBy(dir, names); err != nil || len(hidden) > 0 {
		t.Errorf("hiddenBy() with all servers = %q, %v", hidden, err)
	}
}

// TestPage_TwoFilesOfASet holds both to having sections and plots of their own.
func TestPage_TwoFilesOfASet(t *testing.T) {
	made, err := makeAll(houses[0], []string{"2026-01-02-net.txt", "2026-01-03-net.txt"})
	if err != nil {
		t.Fatal(err)
	}
	for _, date := range []string{"2026-01-02", "2026-01-03"} {
		if made[plotsDir+"/net-accept-"+date+".svg"] == nil {
			t.Errorf("no plot of %s", date)
		}
		title := "## Connections and echoes beside other servers, " + date + "\n"
		if !strings.Contains(string(made[page]), title) {
			t.Errorf("the page has no %q", title)
		}
	}
}

func TestWrite_RemovesPlotsThatAreNoMore(t *testing.T) {
	root := t.TempDir()
	old := filepath.Join(root, plotsDir, "old.svg")
	if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	made := map[string][]byte{page: []byte("page"), plotsDir + "/new.svg": []byte("plot")}
	if err := write(root, made); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Stat(old.svg) = %v, want it gone", err)
	}
	if b, err := os.ReadFile(filepath.Join(root, plotsDir, "new.svg")); string(b) != "plot" {
		t.Errorf("new.svg holds %q, %v", b, err)
	}
}

func TestGuide(t *testing.T) {
	mark := string(guideMark)
	got, err := fillGuide([]byte("a\n"+mark+"old\n"+mark+"b\n"), "new")
	if want := "a\n" + mark + "new\n" + mark + "b\n"; err != nil || string(got) != want {
		t.Errorf("fillGuide() = %q, %v, want %q", got, err, want)
	}
	if _, err := fillGuide([]byte("a\n"+mark), "new"); err == nil {
		t.Error("fillGuide() with one mark gave no error")
	}
	r, err := newReport(filepath.Join(houses[0], resultsDir), []string{"2026-01-02-touch.txt"})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.pgoSentence(); !strings.HasPrefix(got, "It is not measured yet") {
		t.Errorf("pgoSentence() without a file = %q", got)
	}
}
