package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
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
	told map[string]End // the last of each session
	last Reason
}

func (l *ledger) end(e End) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends == nil {
		l.ends, l.told = make(map[string]int), make(map[string]End)
	}
	l.ends[e.Session]++
	l.told[e.Session], l.last = e, e.Reason
}

// reason is why a session ended, "" where it has not.
func (l *ledger) reason(id string) Reason {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told[id].Reason
}

// reasonsLocked are the reasons of all ends.
func (l *ledger) reasonsLocked() map[string]Reason {
	reasons := make(map[string]Reason, len(l.told))
	for id, e := range l.told {
		reasons[id] = e.Reason
	}
	return reasons
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

// journal is a log that only counts its lines by their message, and lets a test wait for one. It
// must be made in the bubble that it is used in.
type journal struct {
	mu      sync.Mutex
	lines   map[string]int
	changed chan struct{} // closed at the next line
}

func newJournal() *journal {
	return &journal{lines: make(map[string]int), changed: make(chan struct{})}
}

// Enabled is true: the journal wants every line.
func (j *journal) Enabled(context.Context, slog.Level) bool { return true }

// Handle counts a line.
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines[r.Message]++
	j.pokeLocked()
	return nil
}

// poke wakes who waits for something that is not in the log.
func (j *journal) poke() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pokeLocked()
}

func (j *journal) pokeLocked() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// WithAttrs counts in the same journal.
func (j *journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup counts in the same journal.
func (j *journal) WithGroup(string) slog.Handler { return j }

// count is how many lines there are with one of these messages.
func (j *journal) count(messages ...string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, m := range messages {
		n += j.lines[m]
	}
	return n
}

// next is closed when there is another line.
func (j *journal) next() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// world is a gateway in a bubble, or one that listens.
type world struct {
	*Gateway
	ledger
	journal *journal
	events  diary
	t       *testing.T
	addr    string // of one that listens
}

// await waits until something holds; when it begins to, the log or the ledger gets an entry.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	limit := patience
	if w.addr == "" {
		limit = 1000 * time.Hour // in fake time
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		next := w.journal.next()
		if holds() {
			return
		}
		select {
		case <-next:
		case <-timeout.C:
			w.t.Fatalf("%s: this did not come", what)
		}
	}
}

// cut breaks a connection off and waits until the gateway has let go of its session.
func (w *world) cut(c *netlooptest.Client) {
	w.t.Helper()
	const detached, ended = "session detached", "session ended"
	before := w.journal.count(detached, ended)
	_ = c.Conn.Close()
	w.await("the loss of a connection", func() bool {
		return w.journal.count(detached, ended) > before
	})
}

// wantNothingLeft closes the gateway, after which each session that began has ended once, and all
// that was counted for sessions is given back.
func (w *world) wantNothingLeft() {
	t := w.t
	t.Helper()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	w.mu.Lock()
	for id, times := range w.ends {
		if times != 1 || len(id) != sessionIDBytes {
			t.Errorf("session %q ended %d times", id, times)
		}
	}
	if began := w.journal.count("session began"); len(w.ends) != began {
		t.Errorf("%d sessions ended of %d that began", len(w.ends), began)
	}
	if p, ok := w.o.Backend.(*patient); ok {
		p.wantEnds(t, w.reasonsLocked())
	}
	w.events.check(t, w.reasonsLocked())
	w.checkCounts(t)
	w.mu.Unlock()
	for what, n := range map[string]int64{
		"bytes of replay":   w.replays.used.Load(),
		"bytes of messages": w.waits.used.Load(),
		"calls":             w.calls.running.Load(),
		"live sessions":     int64(w.Stats().Live),
		"users":             int64(len(w.users.mu.byName)),
		"arrivals":          int64(len(w.arrivals.mu.byConn)),
		"running workers":   int64(w.workers.mu.running),
		"open connections":  int64(w.NetStats().Open),
	} {
		if n != 0 {
			t.Errorf("%d %s are left", n, what)
		}
	}
}

// newWorld makes a gateway that is closed when the test ends.
func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, journal: newJournal()}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = idle
	}
	o.Net.Paths = []string{"/ws"}
	if o.Net.HelloTimeout == 0 {
		o.Net.HelloTimeout = 15 * time.Second
	}
	o.Net.PingTimeout = 10 * time.Second
	o.Net.MaxMessageBytes, o.Net.WriteBufferBytes = 64<<10, 256<<10
	further := o.OnEnd
	o.OnEnd = func(e End) {
		w.ledger.end(e)
		if further != nil {
			further(e)
		}
		w.journal.poke()
	}
	if o.OnEvent == nil {
		o.OnEvent = w.events.add
	}
	if o.Logger == nil {
		o.Logger = slog.New(w.journal)
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

// helloAck is what a hello is answered by.
type helloAck struct {
	OK          bool   `json:"ok"`
	Error       string `json:"error"`
	SessionID   string `json:"session_id"`
	ResumeToken string `json:"resume_token"`
	Resumed     bool   `json:"resumed"`
	Gap         bool   `json:"gap"`
	Seq         uint64 `json:"seq"`
	Epoch       uint32 `json:"epoch"`
}

// greeted connects and says something first.
func (w *world) greeted(first string) (c *netlooptest.Client, ack helloAck) {
	w.t.Helper()
	c = w.upgrade()
	c.Text(first)
	text := strings.TrimPrefix(c.Next(), "text ")
	if err := json.Unmarshal([]byte(text), &ack); err != nil {
		w.t.Fatalf("hello is answered by %s: %v", text, err)
	}
	return c, ack
}

// hello connects and says hello with the given fields.
func (w *world) hello(fields string) (c *netlooptest.Client, session string) {
	w.t.Helper()
	c, ack := w.greeted(`{"op":"hello"` + fields + `}`)
	if !ack.OK || len(ack.SessionID) != sessionIDBytes {
		w.t.Fatalf("hello is answered by %+v", ack)
	}
	return c, ack.SessionID
}

// Sessions describes all sessions, as At does with each outline.
func (g *Gateway) Sessions() iter.Seq[Description] {
	return func(yield func(Description) bool) {
		for s := range g.table.All() {
			if d, ok := g.describe(s); ok && !yield(d) {
				return
			}
		}
	}
}
