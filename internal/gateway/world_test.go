package gateway

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// ledger counts how often each session ended, and for what reason the last one did.
type ledger struct {
	mu   sync.Mutex
	ends map[string]int
	last Reason
}

func (l *ledger) end(e End) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends == nil {
		l.ends = make(map[string]int)
	}
	l.ends[e.Session]++
	l.last = e.Reason
}

// want says that n sessions ended so far, each once, the last one for that reason.
func (l *ledger) want(t *testing.T, n int, last Reason) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ends) != n || l.last != last {
		t.Errorf("%d sessions ended, the last for %q, want %d and %q", len(l.ends), l.last, n, last)
	}
	for id, times := range l.ends {
		if times != 1 || len(id) != 32 {
			t.Errorf("session %q ended %d times", id, times)
		}
	}
}

// world is a gateway in a bubble, or one that listens.
type world struct {
	*Gateway
	ledger
	t    *testing.T
	addr string // of one that listens
}

// newWorld makes a gateway that is closed when the test ends.
func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = idle
	}
	o.Net.Paths = []string{"/ws"}
	o.Net.HelloTimeout = 15 * time.Second
	o.Net.PingTimeout = 10 * time.Second
	o.Net.MaxMessageBytes, o.Net.WriteBufferBytes = 64<<10, 256<<10
	o.OnEnd = w.ledger.end
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Gateway = g
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// bubble runs f with a gateway in fake time; all goroutines must be gone at the end.
func bubble(t *testing.T, o Options, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t, o)) })
}

// overSockets runs f with a gateway that listens.
func overSockets(t *testing.T, o Options, f func(w *world)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	t.Cleanup(func() {
		// Where a test was short, Serve may not have begun.
		if err := <-served; err != nil && !errors.Is(err, netloop.ErrStopped) {
			t.Errorf("Serve = %v", err)
		}
	})
	w := newWorld(t, o)
	w.addr = l.Addr().String()
	go func() { served <- w.Serve(l) }()
	f(w)
}

// modes are the modes that there are here.
func modes() map[string]netloop.Mode {
	m := map[string]netloop.Mode{"mode=goroutine": netloop.ModeGoroutine}
	if runtime.GOOS == "linux" {
		m["mode=epoll"] = netloop.ModeEpoll
	}
	return m
}

// patience is how long anything may take over sockets.
const patience = 20 * time.Second

// dial connects without an upgrade.
func (w *world) dial() *netlooptest.Client {
	w.t.Helper()
	if w.addr == "" {
		server, client := net.Pipe()
		go w.ServeConn(server)
		w.t.Cleanup(func() { _ = client.Close() })
		return netlooptest.New(w.t, client)
	}
	client, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = client.Close() })
	c := netlooptest.New(w.t, client)
	c.Patience = patience
	return c
}

// upgrade connects and upgrades.
func (w *world) upgrade(headers ...string) *netlooptest.Client {
	w.t.Helper()
	c := w.dial()
	if r := c.Upgrade("/ws", headers...); r.StatusCode != http.StatusSwitchingProtocols {
		w.t.Fatalf("upgrade: %s", r.Status)
	}
	return c
}

// hello connects and says hello with the given fields.
func (w *world) hello(fields string) (c *netlooptest.Client, session string) {
	w.t.Helper()
	c = w.upgrade()
	c.Text(`{"op":"hello"` + fields + `}`)
	var ack struct {
		OK        bool   `json:"ok"`
		SessionID string `json:"session_id"`
	}
	text := strings.TrimPrefix(c.Next(), "text ")
	err := json.Unmarshal([]byte(text), &ack)
	if err != nil || !ack.OK || len(ack.SessionID) != 32 {
		w.t.Fatalf("hello is answered by %s", text)
	}
	return c, ack.SessionID
}
