//go:build e2e

package e2e

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// releaseVersion and releaseDate are what the release that is tested is called and dated.
const (
	releaseVersion = "v0.0.0-e2e"
	releaseDate    = 1_000_000_000
)

// buildRelease builds a release for this machine from a tree of sources.
func buildRelease(tree, out string) error {
	cmd := exec.Command(filepath.Join(tree, "deploy/release.sh"), out)
	cmd.Env = append(os.Environ(), "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH,
		"VERSION="+releaseVersion, fmt.Sprint("SOURCE_DATE_EPOCH=", releaseDate))
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("release.sh: %w:\n%s", err, said)
	}
	return nil
}

var releaseOnce = sync.OnceValues(func() (dir string, err error) {
	tree, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(filepath.Dir(curfewd), "release")
	return dir, buildRelease(tree, dir)
})

// release builds a release of this tree, once for all tests, and gives the archive's name without
// its endings. Unpacked it lies beside the archive.
func release(t *testing.T) string {
	t.Helper()
	dir, err := releaseOnce()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir,
		"curfew-"+releaseVersion+"-"+runtime.GOOS+"-"+runtime.GOARCH)
}

// TestRelease_HoldsWhatItMust: static programs with their version, the licences of all that is in
// them, and nothing that depends on who built it.
func TestRelease_HoldsWhatItMust(t *testing.T) {
	t.Parallel()
	path := release(t)
	files := unpack(t, path+".tar.gz")
	prefix := filepath.Base(path) + "/"
	for _, name := range []string{
		"README.md", "LICENSE", "CHANGELOG.md", "docs/operations.md", "deploy/Dockerfile",
		"deploy/systemd/curfewd.service", "deploy/systemd/curfewd.yaml",
		"deploy/haproxy/terminate-tls.cfg", "completions/curfew.bash", "completions/curfew.zsh",
		"completions/curfew.fish", "licenses/go/LICENSE",
	} {
		if files[prefix+name] == 0 {
			t.Errorf("the archive has no %s, or nothing is in it", name)
		}
	}
	for _, program := range []string{"curfewd", "curfew"} {
		file := filepath.Join(path, program)
		static(t, file)
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, module := range info.Deps {
			found := false
			for name := range files {
				found = found || strings.HasPrefix(name, prefix+"licenses/"+module.Path+"/")
			}
			if !found {
				t.Errorf("%s holds %s, and its licence is not there", program, module.Path)
			}
		}
	}
	for _, args := range [][]string{{"curfewd", "version"}, {"curfew", "version"}} {
		out, err := exec.Command(filepath.Join(path, args[0]), args[1:]...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), releaseVersion) {
			t.Errorf("%s says %q (%v), want the version", args, out, err)
		}
	}

	said, err := os.ReadFile(filepath.Join(filepath.Dir(path), "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(path + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x  %s.tar.gz\n", sha256.Sum256(archive), filepath.Base(path))
	if string(said) != want {
		t.Errorf("SHA256SUMS says %q, want %q", said, want)
	}
}

var linkTarget = regexp.MustCompile(`\]\(([^)\s#]+)`)

// TestRelease_LinksLead: no text of the archive links to a file that was left out of it.
func TestRelease_LinksLead(t *testing.T) {
	t.Parallel()
	dir := release(t)
	links := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range linkTarget.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", strings.TrimPrefix(path, dir), m[1], err)
			}
		}
		return err
	})
	if err != nil || links == 0 {
		t.Errorf("%d links were followed: %v", links, err)
	}
}

// unpack gives the size of each file of an archive, all of which must be root's and of one date.
func unpack(t *testing.T, path string) (sizes map[string]int64) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if !zip.ModTime.IsZero() || zip.Name != "" {
		t.Errorf("gzip's header has a date, %v, or a name, %q", zip.ModTime, zip.Name)
	}
	sizes = map[string]int64{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return sizes
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" ||
			!h.ModTime.Equal(time.Unix(releaseDate, 0)) || h.Mode&0o7022 != 0 {
			t.Errorf("%s belongs to %d (%s), is of %v, and has mode %o", h.Name, h.Uid, h.Uname,
				h.ModTime, h.Mode)
		}
		sizes[h.Name] = h.Size
	}
}

// static says whether a program needs anything else to run.
func static(t *testing.T, path string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s needs an interpreter: it is not static", path)
		}
	}
}

// TestRelease_IsTheSameElsewhere: from sources that lie elsewhere, without git and with another
// umask, the same bytes come out.
func TestRelease_IsTheSameElsewhere(t *testing.T) {
	t.Parallel()
	first, err := os.ReadFile(filepath.Join(filepath.Dir(release(t)), "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(t.TempDir(), "a", "longer", "way")
	copied := exec.Command("sh", "-c", `umask 077 && mkdir -p "$1" && cd ../.. &&
		git -c safe.directory='*' ls-files -z | tar --null --files-from=- -cf - |
		tar --no-same-permissions -xf - -C "$1"`,
		"sh", tree)
	if said, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("copying the tree: %v:\n%s", err, said)
	}
	out := t.TempDir()
	if err := buildRelease(tree, out); err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Errorf("the sums are\n%sand elsewhere\n%s", first, second)
	}
}
