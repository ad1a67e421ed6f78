package command

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/load/result"
)

func someText(w io.Writer, _ *result.Result) error {
	_, err := io.WriteString(w, "text")
	return err
}

func contents(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A file appears whole, under its own name and mode, and leaves nothing beside it.
func TestOutput_Finish(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "f"), filepath.Join(dir, "link")
	if err := os.WriteFile(name, []byte("something that is longer"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("f", link); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{name, link, filepath.Join(dir, "new")} {
		o, err := openOutput("json", at, someText)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.finish(nil); err != nil {
			t.Fatal(err)
		}
		o.discard()
		if got := contents(t, at); got != "text" {
			t.Errorf("%s holds %q, want text", at, got)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v (%v), want a link still", info, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file is %v (%v), want its mode kept", info, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
		t.Errorf("%d files (%v), want 3", len(left), err)
	}
}

// What fails, or is given up, leaves the old file as it was.
func TestOutput_KeepsWhatWas(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := openOutput("json", name, someText)
	if err != nil {
		t.Fatal(err)
	}
	o.discard()
	o, err = openOutput("json", name, func(io.Writer, *result.Result) error {
		return errors.New("no room")
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "--json: " + name + " cannot be written: no room"
	if err := o.finish(nil); err == nil || err.Error() != want {
		t.Errorf("finish() = %v, want that there is no room", err)
	}
	if got := contents(t, name); got != "old" {
		t.Errorf("the file holds %q, want old", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files (%v), want 1", len(left), err)
	}
}

// What is no regular file is written to, and not replaced by one.
func TestOutput_Device(t *testing.T) {
	o, err := openOutput("json", os.DevNull, someText)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.finish(nil); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s is %v (%v), want a device still", os.DevNull, info, err)
	}
	full := "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("no device that is always full")
	}
	if o, err = openOutput("json", full, someText); err != nil {
		t.Fatal(err)
	}
	if err := o.finish(nil); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("finish() = %v, want that no space is left", err)
	}
}

// A report that cannot be written is told of, and the others are written nevertheless.
func TestLoad_OutputFails(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no device that is always full")
	}
	s := serve(t, faithful)
	name := filepath.Join(t.TempDir(), "f")
	got := curfew(t, with(brief, "--json", "/dev/full", "--hdr", name, s.url("/"))...)
	want := "/dev/full cannot be written: no space"
	const late = 3 // what a harness on a busy machine says first
	if (got.code != exitUsage && got.code != late) || !strings.Contains(got.stderr, want) {
		t.Errorf("exit code %d and %q, want 2 and that no space is left", got.code, got.stderr)
	}
	if contents(t, name) == "" || !strings.Contains(got.stdout, "verdict") {
		t.Errorf("the log or the table is missing")
	}
}
