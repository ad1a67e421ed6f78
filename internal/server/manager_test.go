package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/netloop"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// serviceManager is a socket as systemd has one.
type serviceManager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &serviceManager{t, path, c}
}

// hear waits for a datagram with a line.
func (m *serviceManager) hear(line string) string {
	m.t.Helper()
	b := make([]byte, 4096)
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		m.t.Fatal(err)
	}
	for {
		n, err := m.conn.Read(b)
		if err != nil {
			m.t.Fatalf("the manager does not hear %q: %v", line, err)
		}
		if got := string(b[:n]); strings.Contains("\n"+got+"\n", "\n"+line+"\n") {
			return got
		}
	}
}

// rest is all that a daemon that has ended has told and nobody has heard.
func (m *serviceManager) rest() (all []string) {
	m.t.Helper()
	const last = "that is all"
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err == nil {
		_, err = c.Write([]byte(last))
		err = errors.Join(err, c.Close(), m.conn.SetReadDeadline(time.Now().Add(patience)))
	}
	for b := make([]byte, 4096); err == nil; {
		var n int
		if n, err = m.conn.Read(b); string(b[:n]) == last {
			return all
		}
		all = append(all, string(b[:n]))
	}
	m.t.Fatal(err)
	return nil
}

func TestManager_HearsTheWholeLife(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		t.Helper()
		m := newServiceManager(t)
		file := filepath.Join(t.TempDir(), "c.yaml")
		writeFile(t, file, "")
		r := start(t, []string{"--mode", mode, "--config", file, "--drain-window=0"}, []string{
			"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=400000",
		})
		m.hear("READY=1")
		for range 3 {
			m.hear("WATCHDOG=1")
		}
		r.signals <- syscall.SIGHUP
		if got := m.hear("RELOADING=1"); !strings.Contains(got, "MONOTONIC_USEC=") {
			t.Errorf("RELOADING=1 comes with %q", got)
		}
		m.hear("READY=1")
		writeFile(t, file, "tick: never\n")
		r.signals <- syscall.SIGHUP
		m.hear("RELOADING=1")
		got := m.hear("READY=1")
		if !strings.Contains(got, "STATUS=serving with the old settings") {
			t.Errorf("after a reload that was refused the manager hears %q", got)
		}
		c, _ := r.hello("")
		r.signals <- syscall.SIGTERM
		m.hear("STOPPING=1")
		m.hear("EXTEND_TIMEOUT_USEC=30000000")
		c.Next()
		c.Want("close 4100 draining")
		c.Close(1000)
		if err := r.wait(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// newGateway is a gateway without a daemon around it.
func newGateway(t *testing.T, o gateway.Options) *gateway.Gateway {
	t.Helper()
	o.Net = netloop.Options{
		Paths: []string{"/ws"}, HelloTimeout: time.Minute, PingTimeout: time.Minute,
		MaxMessageBytes: 1 << 10, WriteBufferBytes: 1 << 10,
	}
	o.Logger = slog.New(slog.DiscardHandler)
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// That a reload was refused is still to be seen when the manager is next told how many there are.
func TestManager_HearsOfOldSettings(t *testing.T) {
	t.Parallel()
	g := newGateway(t, gateway.Options{})
	t.Cleanup(func() { g.Close() })
	d := &daemon{gateway: g}
	d.noteReload(nil)
	const serving = "serving: 0 sessions on 0 connections"
	if got := d.standing(); got != serving {
		t.Errorf("it is %q, want %q", got, serving)
	}
	d.noteReload(io.ErrUnexpectedEOF)
	if got := d.standing(); !strings.HasPrefix(got, serving+", with the old settings") {
		t.Errorf("after a reload that was refused it is %q", got)
	}
	d.noteReload(nil)
	if got := d.standing(); got != serving {
		t.Errorf("after one that was not it is %q, want %q", got, serving)
	}
	d.draining.Store(true)
	if got, want := d.standing(), "draining: 0 connections are left"; got != want {
		t.Errorf("in a drain it is %q, want %q", got, want)
	}
}

// A manager that is gone is a line of the log, and nothing else.
func TestManager_Gone(t *testing.T) {
	t.Parallel()
	m := newServiceManager(t)
	m.conn.Close()
	r := start(t, nil, []string{"NOTIFY_SOCKET=" + m.path})
	r.logged("the service manager was not told")
	r.hello("")
}

// A wheel whose owner is held up is found when the next session is due, and is well again once that
// has ended.
func TestProgress_OfAWheelThatIsHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = time.Minute
		heldUp := make(chan struct{})
		g := newGateway(t, gateway.Options{
			IdleTimeout: idle, OnEnd: func(gateway.End) { <-heldUp },
		})
		d := &daemon{gateway: g}
		p := d.progress()
		for range 2 {
			server, client := net.Pipe()
			go g.ServeConn(server)
			c := netlooptest.New(t, client)
			c.Upgrade("/ws")
			c.Text(`{"op":"hello"}`)
			c.Next()
			go func() { _, _ = io.Copy(io.Discard, client) }()
			time.Sleep(10 * time.Second)
		}
		const limit = 15 * time.Second
		time.Sleep(idle - 10*time.Second + limit - time.Second)
		if got := p.stalled(limit); got != "" {
			t.Errorf("not yet late for long, and yet: %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := p.stalled(limit); !strings.Contains(got, "the timing wheel stands still") {
			t.Errorf("a wheel that is held up for too long: %q", got)
		}
		close(heldUp)
		synctest.Wait()
		time.Sleep(time.Second)
		if got := p.stalled(limit); got != "" || g.Stats().Live != 0 {
			t.Errorf("after it went on: %q, with %d sessions", got, g.Stats().Live)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestProgress_Stalled has the wheel and the loops stand still for just so long, and a bit longer.
func TestProgress_Stalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Second
		var behind time.Duration
		turned := true
		p := &progress{
			behind:      func() time.Duration { return behind },
			loopsTurned: func() bool { return turned },
			now:         time.Now, turned: time.Now(),
		}
		want := func(part string) {
			t.Helper()
			got := p.stalled(limit)
			if (got == "") != (part == "") || !strings.Contains(got, part) {
				t.Errorf("stalled = %q, want %q", got, part)
			}
		}
		want("")
		behind = limit - 1
		want("")
		behind = limit
		want("sessions are ended 10s late")
		behind = 0
		want("")
		turned = false
		time.Sleep(limit - 1)
		want("")
		time.Sleep(time.Nanosecond)
		want("has not turned for 10s")
		time.Sleep(limit)
		want("has not turned for 20s")
		turned = true
		want("")
	})
}
