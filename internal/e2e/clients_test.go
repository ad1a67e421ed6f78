//go:build e2e

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// clients are the programs in testdata, which all behave the same.
var clients = map[string][]string{
	"npm ws":             {"node", "testdata/client.js"},
	"python3-websockets": {"python3", "testdata/client.py"},
}

// client starts one of the clients in a scenario; more is what its usage says.
func client(t *testing.T, name, scenario, url string, more ...string) *program {
	t.Helper()
	seconds := strconv.FormatFloat(timeout.Seconds(), 'f', -1, 64)
	return start(t, stdout, slices.Concat(clients[name], []string{scenario, url, seconds}, more)...)
}

// caller is a client of a daemon in a mode.
type caller struct{ mode, client string }

func (c caller) String() string { return c.mode + "/" + c.client }

// callers are all clients in all modes.
func callers() []caller {
	var all []caller
	for _, mode := range modes {
		for name := range clients {
			all = append(all, caller{mode, name})
		}
	}
	return all
}

// TestTalker_KeepsItsSession past three timeouts.
func TestTalker_KeepsItsSession(t *testing.T) {
	t.Parallel()
	for _, who := range callers() {
		t.Run(who.String(), func(t *testing.T) {
			t.Parallel()
			_, address := daemon(t, who.mode)
			c := client(t, who.client, "talk", "ws://"+address)
			session := c.event("hello_ack").Frame.SessionID
			if len(session) != 32 {
				t.Errorf("session %q, want 32 characters", session)
			}
			l := c.next()
			for ; l.Event == "message_res"; l = c.next() {
			}
			if l.Event != "session_info_res" || l.MS < 3*ms(timeout) {
				t.Errorf("after three timeouts the talker is told %+v", l)
			}
			if l := c.event("close"); l.Code != 1000 {
				t.Errorf("after bye the close code is %d, want 1000", l.Code)
			}
			if code := c.exit(); code != 0 {
				t.Errorf("the client ended with %d", code)
			}
		})
	}
}

// TestSilent_IsToldAtItsTimeoutAndNotBefore, and the log counts it.
func TestSilent_IsToldAtItsTimeoutAndNotBefore(t *testing.T) {
	t.Parallel()
	for _, who := range callers() {
		t.Run(who.String(), func(t *testing.T) {
			t.Parallel()
			d, address := daemon(t, who.mode)
			c := client(t, who.client, "silent", "ws://"+address)
			session := c.event("hello_ack").Frame.SessionID
			told := c.event("session_expired")
			if f := told.Frame; f.SessionID != session || f.Reason != "idle" ||
				told.MS < ms(timeout) {
				t.Errorf("the silent client is told %+v, want session %s after %v or later",
					told, session, timeout)
			}
			if l := c.event("close"); l.Code != 4200 {
				t.Errorf("the close code is %d, want 4200", l.Code)
			}
			if code := c.exit(); code != 0 {
				t.Errorf("the client ended with %d", code)
			}
			if l := d.logged("sessions expired"); l.Expired != 1 {
				t.Errorf("the log counts %d, want 1", l.Expired)
			}
		})
	}
}

func TestRaw_EchoesTextAndBinary(t *testing.T) {
	t.Parallel()
	for _, who := range callers() {
		t.Run(who.String(), func(t *testing.T) {
			t.Parallel()
			_, address := daemon(t, who.mode)
			c := client(t, who.client, "raw", "ws://"+address)
			if l := c.event("text"); l.Data != "zwölf €" {
				t.Errorf("text comes back as %q", l.Data)
			}
			if l := c.event("binary"); l.Data != "0001ff" {
				t.Errorf("binary comes back as %s", l.Data)
			}
			if l := c.event("close"); l.Code != 1000 {
				t.Errorf("the close code is %d, want 1000", l.Code)
			}
		})
	}
}

// TestDrain_SaysGoodbye to both clients at SIGTERM, and the daemon exits with 0.
func TestDrain_SaysGoodbye(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d, address := daemon(t, mode, "--drain-window", "200ms", "--idle-timeout", "1h")
			var connected []*program
			for name := range clients {
				c := client(t, name, "silent", "ws://"+address)
				c.event("hello_ack")
				connected = append(connected, c)
			}
			if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for _, c := range connected {
				if l := c.event("goodbye"); l.Frame.RetryAfterMS < 0 {
					t.Errorf("%s: goodbye with %+v", c.name, l)
				}
				if l := c.event("close"); l.Code != 4100 {
					t.Errorf("%s: the close code is %d, want 4100", c.name, l.Code)
				}
			}
			if code := d.exit(); code != 0 {
				t.Errorf("the drained daemon exits with %d, want 0", code)
			}
		})
	}
}

// TestSecondSignal_ExitsWith1 in the middle of a long drain.
func TestSecondSignal_ExitsWith1(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d, address := daemon(t, mode, "--drain-window", "1h", "--idle-timeout", "1h")
			var connected []*program
			for name := range clients {
				c := client(t, name, "silent", "ws://"+address)
				c.event("hello_ack")
				connected = append(connected, c)
			}
			for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
				if err := d.cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				if s == syscall.SIGINT {
					d.logged("draining")
				}
			}
			codes := map[int]int{}
			for _, c := range connected {
				l := c.next()
				if l.Event == "goodbye" {
					l = c.next()
				}
				codes[l.Code]++
			}
			if codes[1001] == 0 || codes[1001]+codes[4100] != len(connected) {
				t.Errorf("the close codes are %v, want 1001 for whoever was not let go", codes)
			}
			d.logged("stopped")
			d.logged("curfewd: interrupted before the drain was over")
			if code := d.exit(); code != 1 {
				t.Errorf("after a second signal the daemon exits with %d, want 1", code)
			}
		})
	}
}

func TestBadConfiguration_ExitsWith2(t *testing.T) {
	for _, args := range [][]string{
		{"--tick", "0"}, {"config", "check", "--listen", "x"}, {"--frobnicate"},
	} {
		out, err := exec.Command(curfewd, args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("curfewd %q: %v, want exit code 2", args, err)
		}
		if !strings.HasPrefix(string(out), "curfewd: --") {
			t.Errorf("curfewd %q says %q, want the flag's name", args, out)
		}
	}
}
