package netloop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// filesMode is the environment variable that makes TestFiles_Child a server with few descriptors.
const filesMode = "NETLOOP_FILES_MODE"

// TestFiles_Child is no test of its own: TestFiles runs it in another process.
func TestFiles_Child(t *testing.T) {
	mode := os.Getenv(filesMode)
	if mode == "" {
		t.Skip("runs in a process of its own")
	}
	const few = 64
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: few, Max: few}); err != nil {
		t.Fatal(err)
	}
	o := options(&echo{})
	o.Mode, o.Loops = modes()[mode], 2
	_, addr := serve(t, o)
	fmt.Println(addr)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is done
}

// TestFiles_NewcomersAreToldAndOthersServed where no descriptor is free.
func TestFiles_NewcomersAreToldAndOthersServed(t *testing.T) {
	for mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			addr := startChild(t, "TestFiles_Child", filesMode+"="+mode).addr
			var open []*netlooptest.Client
			refused := 0
			for refused < 3 && len(open) < 100 {
				c, status := tryUpgrade(t, addr)
				switch status {
				case 101:
					open = append(open, c)
					continue
				case 503:
					if got := c.Response.Header.Get("Retry-After"); got == "" {
						t.Error("refused without Retry-After")
					}
					c.Want("eof")
				default:
					t.Fatalf("answered with %d", status)
				}
				refused++
				for _, c := range open {
					c.Text("still here")
					c.Want("text still here")
				}
			}
			if refused < 3 || len(open) < 10 {
				t.Fatalf("%d are open, %d were refused", len(open), refused)
			}
			for _, c := range open[:5] {
				c.Close(1000)
				c.Want("close 1000", "eof")
			}
			until(t, "there is room again", func() bool {
				_, status := tryUpgrade(t, addr)
				return status == 101
			})
		})
	}
}

func tryUpgrade(t *testing.T, addr string) (c *netlooptest.Client, status int) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	c = netlooptest.New(t, nc)
	c.Patience = patience
	return c, c.Upgrade("/ws").StatusCode
}

// child is a server in another process.
type child struct {
	t     *testing.T
	addr  string
	in    io.WriteCloser
	lines *bufio.Reader
}

// startChild runs the server that a test is, in another process.
func startChild(t *testing.T, test, env string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), env)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, in: in, lines: bufio.NewReader(out)}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, c.lines)
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("the server: %v", err)
		}
	})
	c.addr = c.says("127.0.0.1:")
	return c
}

// says waits for a line that begins like that.
func (c *child) says(prefix string) string {
	c.t.Helper()
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			c.t.Fatalf("the server did not say %q: %v", prefix, err)
		}
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSuffix(line, "\n")
		}
	}
}

// tell writes to the server's standard input.
func (c *child) tell(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line); err != nil {
		c.t.Fatal(err)
	}
}
