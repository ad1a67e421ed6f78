package notify

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// manager is a socket that a service manager listens at.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func listen(t *testing.T, name string) *manager {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &manager{t, c}
}

// next is the next datagram.
func (m *manager) next() string {
	m.t.Helper()
	b := make([]byte, 4096)
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		m.t.Fatal(err)
	}
	n, err := m.conn.Read(b)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

func (m *manager) want(text string) {
	m.t.Helper()
	if got := m.next(); got != text {
		m.t.Errorf("the manager hears %q, want %q", got, text)
	}
}

// sockets are one of each kind that there is.
func sockets(t *testing.T) []string {
	t.Helper()
	names := []string{filepath.Join(t.TempDir(), "notify")}
	if runtime.GOOS == "linux" {
		names = append(names, "@curfew-notify-test-"+strconv.Itoa(os.Getpid()))
	}
	return names
}

func TestNotifier_Datagrams(t *testing.T) {
	for _, name := range sockets(t) {
		m := listen(t, name)
		n, err := FromEnvironment([]string{"NOTIFY_SOCKET=" + name}, 1)
		if err != nil || n == nil || n.Watchdog() != 0 {
			t.Fatalf("FromEnvironment(%s) = %v, %v", name, n, err)
		}
		for _, c := range []struct {
			err  error
			want string
		}{
			{n.Ready("serving"), "READY=1\nSTATUS=serving"},
			{n.Status("two\nlines"), "STATUS=two lines"},
			{n.Stopping("draining"), "STOPPING=1\nSTATUS=draining"},
			{
				n.ExtendTimeout(1500*time.Millisecond, "x"),
				"EXTEND_TIMEOUT_USEC=1500000\nSTATUS=x",
			},
			{n.Alive(), "WATCHDOG=1"},
		} {
			if c.err != nil {
				t.Error(c.err)
			}
			m.want(c.want)
		}
		if err := n.Reloading(); err != nil {
			t.Error(err)
		}
		line, usec, _ := strings.Cut(m.next(), "\nMONOTONIC_USEC=")
		if v, err := strconv.ParseInt(usec, 10, 64); line != "RELOADING=1" || err != nil ||
			runtime.GOOS == "linux" && v <= 0 {
			t.Errorf("the manager hears %q and %q", line, usec)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	const socket = "NOTIFY_SOCKET=/run/x"
	for _, c := range []struct {
		env      []string
		none     bool
		watchdog time.Duration
		problem  string
	}{
		{none: true},
		{env: []string{"NOTIFY_SOCKET="}, none: true},
		{env: []string{"WATCHDOG_USEC=1000000"}, none: true},
		{env: []string{"NOTIFY_SOCKET=vsock:2:1"}, none: true, problem: "NOTIFY_SOCKET"},
		{env: []string{"NOTIFY_SOCKET=x"}, none: true, problem: "NOTIFY_SOCKET"},
		{env: []string{socket, "WATCHDOG_USEC=30000000"}, watchdog: 30 * time.Second},
		{env: []string{socket, "WATCHDOG_USEC=1", "WATCHDOG_PID=7"}, watchdog: time.Microsecond},
		{env: []string{socket, "WATCHDOG_USEC=1", "WATCHDOG_PID=8"}},
		{env: []string{socket, "WATCHDOG_USEC=0"}, problem: "WATCHDOG_USEC"},
		{env: []string{socket, "WATCHDOG_USEC=-1"}, problem: "WATCHDOG_USEC"},
		{env: []string{socket, "WATCHDOG_USEC=soon"}, problem: "WATCHDOG_USEC"},
		{env: []string{socket, "WATCHDOG_USEC=9223372036854775807"}, problem: "WATCHDOG_USEC"},
	} {
		n, err := FromEnvironment(c.env, 7)
		problem := ""
		if err != nil {
			problem, _, _ = strings.Cut(err.Error(), ":")
		}
		if (n == nil) != c.none || n.Watchdog() != c.watchdog || problem != c.problem {
			t.Errorf("FromEnvironment(%q) = %+v, %v", c.env, n, err)
		}
	}
}

func TestNotifier_NilTellsNobody(t *testing.T) {
	var n *Notifier
	for _, err := range []error{
		n.Ready(""), n.Reloading(), n.Stopping(""), n.Status(""), n.ExtendTimeout(1, ""), n.Alive(),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	Watch(t.Context(), n, nil, nil) // returns at once
}

func TestNotifier_NobodyListens(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	n, err := FromEnvironment([]string{"NOTIFY_SOCKET=" + name}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Ready("x"); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("Ready = %v, want the name of the socket", err)
	}
}

// TestWatch_FeedsOnlyWhileAllGoesOn has something stand still between two signs of life.
func TestWatch_FeedsOnlyWhileAllGoesOn(t *testing.T) {
	const interval = 40 * time.Millisecond
	name := sockets(t)[0]
	m := listen(t, name)
	n, err := FromEnvironment([]string{
		"NOTIFY_SOCKET=" + name, fmt.Sprintf("WATCHDOG_USEC=%d", interval.Microseconds()),
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	var still atomic.Bool
	looks := make(chan time.Duration)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Watch(ctx, n, slog.New(slog.NewTextHandler(&log, nil)), func(limit time.Duration) string {
			looks <- limit
			if still.Load() {
				return "it stands still"
			}
			return ""
		})
	}()
	look := func() {
		t.Helper()
		select {
		case limit := <-looks:
			if limit != interval/2 {
				t.Errorf("what stands still for %v is found, want half of %v", limit, interval)
			}
		case <-time.After(patience):
			t.Fatal("nobody looks")
		}
	}
	look()
	m.want("WATCHDOG=1")
	look()
	m.want("WATCHDOG=1")
	still.Store(true)
	for range 5 {
		look()
	}
	if err := n.Status("five looks"); err != nil {
		t.Error(err)
	}
	m.want("STATUS=five looks") // and no sign of life before
	still.Store(false)
	look()
	m.want("WATCHDOG=1")
	cancel()
	go func() {
		for range looks {
		}
	}()
	<-done
	close(looks)
	for _, want := range []string{"it stands still", "is fed again"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log says %q, want once %q", log.String(), want)
		}
	}
}
