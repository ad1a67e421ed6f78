//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// builder is buildah with a storage of its own, which needs neither a daemon nor a network.
type builder struct {
	t   *testing.T
	env []string
}

// newBuilder gives one that can run a static program.
func newBuilder(t *testing.T, program string) *builder {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("buildah changes the root of what it runs, which only root can")
	}
	if _, err := exec.LookPath("buildah"); err != nil {
		t.Fatalf("%v (make e2e-tools installs it)", err)
	}
	dir := t.TempDir()
	storage := filepath.Join(dir, "storage.conf")
	text := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n",
		filepath.Join(dir, "graph"), filepath.Join(dir, "run"))
	if err := os.WriteFile(storage, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &builder{t, append(os.Environ(), "CONTAINERS_STORAGE_CONF="+storage,
		"BUILDAH_ISOLATION=chroot", "BUILDER=buildah")}
	b.tryOut(program)
	return b
}

// tryOut skips the test where buildah cannot run programs on this machine, whichever.
func (b *builder) tryOut(program string) {
	b.t.Helper()
	for _, args := range [][]string{
		{"from", "--name", "tried", "scratch"},
		{"copy", "--quiet", "tried", program, "/program"},
		{"run", "tried", "--", "/program", "--version"},
	} {
		out, err := b.command(slices.Concat([]string{"buildah"}, args)...).CombinedOutput()
		if err != nil {
			b.t.Skipf("buildah cannot %s here, which it needs mounts and namespaces for: %v\n%s",
				args[0], err, out)
		}
	}
}

func (b *builder) command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = b.env
	return cmd
}

// run runs a command, which must succeed, and gives what it prints.
func (b *builder) run(args ...string) string {
	b.t.Helper()
	var said strings.Builder
	cmd := b.command(args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("%s: %v\n%s%s", args, err, out, &said)
	}
	return strings.TrimSpace(string(out))
}

// TestImage_RunsAsNobody: the image of the release, built as users build it, holds the release's
// bytes and nothing else that runs, and the daemon serves from it without being anybody.
func TestImage_RunsAsNobody(t *testing.T) {
	t.Parallel()
	path := release(t)
	b := newBuilder(t, filepath.Join(path, "curfew"))
	b.run("../../deploy/image.sh", path, "curfew:e2e")
	configured(t, b.run("buildah", "inspect", "--type", "image", "curfew:e2e"))

	name := b.run("buildah", "from", "--pull-never", "curfew:e2e")
	root := b.run("buildah", "mount", name)
	found := map[string]bool{}
	for file := range strings.FieldsSeq(b.run("find", root, "-type", "f", "-perm", "/111")) {
		found[strings.TrimPrefix(file, root)] = true
		shipped, err := os.ReadFile(filepath.Join(path, filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		if held, err := os.ReadFile(file); err != nil || !slices.Equal(held, shipped) {
			t.Errorf("%s is not that of the release (%v)", file, err)
		}
	}
	if len(found) != 2 || !found["/usr/local/bin/curfewd"] || !found["/usr/local/bin/curfew"] {
		t.Errorf("the image holds the programs %v, want curfewd and curfew", found)
	}
	if _, err := os.Stat(root + "/usr/share/doc/curfew/licenses/go/LICENSE"); err != nil {
		t.Error(err)
	}

	d := startCommand(t, stderr, b.command("buildah", "run", "--env", "CURFEW_LISTEN=127.0.0.1:0",
		"--env", "CURFEW_ADMIN=127.0.0.1:0", "--env", "CURFEW_LOG_FORMAT=json",
		"--env", "CURFEW_DRAIN_WINDOW=0", name, "--", "/usr/local/bin/curfewd"))
	listening := d.logged("listening")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", listening.PID))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Uid:\t65532\t65532", "Gid:\t65532\t65532", "CapEff:\t0000000000000000",
	} {
		if !strings.Contains(string(status), want) {
			t.Errorf("/proc/PID/status does not say %q:\n%s", want, status)
		}
	}
	conn, response := dialFrom(t, "127.0.0.1", "ws://"+listening.Address+"/ws", nil)
	if conn == nil {
		t.Fatalf("a client is answered %s", response.Status)
	}
	if code, ok := (&member{conn: conn}).talks(); !ok {
		t.Errorf("a client is closed with %d", code)
	}
	// What the health check of the image runs, beside where this container's API is.
	b.run("buildah", "run", "--env", "CURFEW_ADMIN="+listening.Admin, name, "--",
		"/usr/local/bin/curfew", "status")

	if err := syscall.Kill(listening.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := (&member{conn: conn}).left(nil); code != 4100 {
		t.Errorf("a client is closed with %d, want 4100", code)
	}
	if code := d.exit(); code != 0 {
		t.Errorf("after a drain the container exits with %d, want 0", code)
	}
}

// configured says how a container of the image starts.
func configured(t *testing.T, inspected string) {
	t.Helper()
	var image struct {
		Docker struct {
			Config struct {
				User         string
				Entrypoint   []string
				Env          []string
				ExposedPorts map[string]struct{}
				Labels       map[string]string
				Healthcheck  struct{ Test []string }
			} `json:"config"`
		}
	}
	if err := json.Unmarshal([]byte(inspected), &image); err != nil {
		t.Fatal(err)
	}
	c := image.Docker.Config
	_, exposed := c.ExposedPorts["8079/tcp"]
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/local/bin/curfewd"}) ||
		!slices.Equal(c.Env, []string{"PATH=/usr/local/bin", "CURFEW_LISTEN=:8079"}) ||
		!exposed || len(c.ExposedPorts) != 1 ||
		c.Labels["org.opencontainers.image.version"] != releaseVersion {
		t.Errorf("the image is configured as %+v", c)
	}
	want := []string{"CMD", "/usr/local/bin/curfew", "status"}
	if !slices.Equal(c.Healthcheck.Test, want) {
		t.Errorf("the image's health check is %q, want %q", c.Healthcheck.Test, want)
	}
}
