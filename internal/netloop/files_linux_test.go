package netloop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
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
			addr := startChild(t, mode)
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

// startChild runs a server in another process.
func startChild(t *testing.T, mode string) (addr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFiles_Child$", "-test.v")
	cmd.Env = append(os.Environ(), filesMode+"="+mode)
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
	lines := bufio.NewReader(out)
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("the server: %v", err)
		}
	})
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the server did not say where it listens: %v", err)
		}
		if _, err := fmt.Sscanf(line, "127.0.0.1:%d", new(int)); err == nil {
			return line[:len(line)-1]
		}
	}
}
