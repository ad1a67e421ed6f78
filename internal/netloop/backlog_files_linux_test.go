package netloop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// backlogMode is the environment variable that makes TestBacklogFiles_Child a server that has no
// descriptor left when it stops.
const backlogMode = "NETLOOP_BACKLOG_MODE"

// TestBacklogFiles_Child is no test of its own: others run it in another process. It accepts
// nobody, stops when it is told so, and says how many it had no descriptor for.
func TestBacklogFiles_Child(t *testing.T) {
	mode := os.Getenv(backlogMode)
	if mode == "" {
		t.Skip("runs in a process of its own")
	}
	h := &stuck{entered: make(chan struct{}), leave: make(chan struct{})}
	o := options(h)
	o.Mode, o.Loops = modes()[mode], 1
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.Mode == ModeGoroutine {
		if err := l.(*net.TCPListener).SetDeadline(longAgo); err != nil {
			t.Fatal(err)
		}
	}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	fmt.Println(l.Addr())
	if o.Mode == ModeGoroutine {
		until(t, "the server tries to accept", func() bool {
			s.unable.mu.Lock()
			defer s.unable.mu.Unlock()
			return !s.unable.mu.told.IsZero()
		})
	} else {
		<-h.entered
	}
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	useUpFiles(t)
	s.Stop()
	if o.Mode == ModeEpoll {
		h.leave <- struct{}{}
	}
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Errorf("Wait = %v", err)
	}
	fmt.Println("starved", s.Stats().Starved)
	_, _ = io.Copy(io.Discard, in)
}

// useUpFiles leaves no descriptor to this process.
func useUpFiles(t *testing.T) {
	t.Helper()
	const few = 64
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: few, Max: few}); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EMFILE) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// waitWithoutFiles has n clients wait to be accepted by a server that then stops, and has no
// descriptor for them.
func waitWithoutFiles(t *testing.T, mode string, n int) (*child, []*netlooptest.Client) {
	t.Helper()
	c := startChild(t, "TestBacklogFiles_Child", backlogMode+"="+mode)
	if modes()[mode] == ModeEpoll {
		first, status := tryUpgrade(t, c.addr)
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("the first one is answered by %d", status)
		}
		first.Text("x")
		defer first.Conn.Close()
	}
	c.says("ready")
	var clients []*netlooptest.Client
	for range n {
		clients = append(clients, askWithoutAnswer(t, c.addr))
	}
	c.tell("stop\n")
	return c, clients
}

// TestStop_AnswersWithoutFiles where no descriptor is free for those who wait to be accepted.
func TestStop_AnswersWithoutFiles(t *testing.T) {
	for mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			c, clients := waitWithoutFiles(t, mode, 10)
			for _, client := range clients {
				if r := client.ReadResponse(); r.StatusCode != http.StatusServiceUnavailable ||
					r.Header.Get("Retry-After") == "" {
					t.Errorf("who waited is answered by %s, %v", r.Status, r.Header)
				}
				client.Want("eof")
				_ = client.Conn.Close()
			}
			if line := c.says("starved "); strings.TrimSpace(line) == "starved 0" {
				t.Error("there was a descriptor for everybody")
			}
		})
	}
}

// TestStop_IsNotHeldUpWithoutFiles by those who do not go when they are refused.
func TestStop_IsNotHeldUpWithoutFiles(t *testing.T) {
	const mode, many = "mode=goroutine", 3 * staysMax
	c, _ := waitWithoutFiles(t, mode, many)
	var starved int
	if _, err := fmt.Sscanf(c.says("starved "), "starved %d", &starved); err != nil {
		t.Fatal(err)
	}
	if starved == 0 || starved > staysMax {
		t.Errorf("it waited for %d of %d, want at most %d", starved, many, staysMax)
	}
}
