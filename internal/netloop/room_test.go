package netloop

import (
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// room is a server with whom clients talk: in a bubble, or over sockets.
type room struct {
	*Server
	echo *echo
	t    *testing.T
	addr string // of a room with sockets
}

// dial connects without an upgrade.
func (r *room) dial() *netlooptest.Client {
	r.t.Helper()
	if r.addr == "" {
		server, client := net.Pipe()
		go r.ServeConn(server)
		r.t.Cleanup(func() { _ = client.Close() })
		return netlooptest.New(r.t, client)
	}
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	c := netlooptest.New(r.t, nc)
	c.Patience = patience
	return c
}

// upgrade connects and upgrades.
func (r *room) upgrade(headers ...string) *netlooptest.Client {
	r.t.Helper()
	c := r.dial()
	if a := c.Upgrade("/ws", headers...); a.StatusCode != http.StatusSwitchingProtocols {
		r.t.Fatalf("upgrade: %s", a.Status)
	}
	return c
}

// patience is how long anything may take over sockets.
const patience = 20 * time.Second

// until waits for something that the server does by itself.
func (r *room) until(what string, done func() bool) {
	r.t.Helper()
	if r.addr == "" {
		synctest.Wait()
		if !done() {
			r.t.Fatalf("it is not so that %s", what)
		}
		return
	}
	until(r.t, what, done)
}

// until is the same where there is no bubble.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for start := time.Now(); !done(); <-look.C {
		if time.Since(start) > patience {
			t.Fatalf("it does not come that %s", what)
		}
	}
}

// end is how the only connection ended.
func (r *room) end() End {
	r.t.Helper()
	r.until("one connection ended", func() bool { return r.echo.count() > 0 })
	r.echo.mu.Lock()
	defer r.echo.mu.Unlock()
	if n := len(r.echo.ends); n != 1 {
		r.t.Fatalf("%d connections ended, want 1", n)
	}
	return r.echo.ends[0]
}

// only is the only connection, as somebody sees it who is not called about it.
func (r *room) only() Conn {
	r.t.Helper()
	var found []Conn
	r.until("one connection is open", func() bool {
		found = found[:0]
		for c := range r.All() {
			found = append(found, c)
		}
		return len(found) == 1
	})
	return found[0]
}

// openNow is how many connections are open.
func (r *room) openNow() (n int) {
	for range r.All() {
		n++
	}
	return n
}

// close closes the server and looks whether anything is left.
func (r *room) close() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Error(err)
	}
	if n := r.Len(); n != 0 {
		r.t.Errorf("%d connections are left", n)
	}
	if n := r.holders.pool.Held(); n != 0 {
		r.t.Errorf("%d bytes of messages are held", n)
	}
	if n := r.heads.Held(); n != 0 {
		r.t.Errorf("%d bytes of unfinished heads are held", n)
	}
	r.echo.checkLedger(r.t)
	r.checkStats()
}

// checkStats looks whether the counts of a server that is closed add up.
func (r *room) checkStats() {
	r.t.Helper()
	st := r.Stats()
	var closed, connections uint64
	for how, n := range st.Closed {
		if (how.Side == SideNone) != (how.Code == 0) {
			r.t.Errorf("%d connections were closed as %+v", n, how)
		}
		closed += n
	}
	for _, l := range st.Loops {
		connections += uint64(l.Connections)
	}
	if closed != st.Upgraded || connections != 0 || st.Buffers != 0 || st.Queued != 0 {
		r.t.Errorf("%d of %d are counted as closed, %d are in loops, %d bytes are held, %d wait",
			closed, st.Upgraded, connections, st.Buffers, st.Queued)
	}
	if st.MessagesIn > st.FramesIn || st.MessagesOut > st.FramesOut ||
		2*st.FramesIn > st.BytesIn || 2*st.FramesOut > st.BytesOut {
		r.t.Errorf("messages, frames and bytes do not go together: %+v", st)
	}
}

// bubble runs f in a bubble with a server whose goroutines must all be gone at its end.
func bubble(t *testing.T, o Options, f func(r *room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		r := &room{Server: s, echo: echoOf(o.Handler), t: t}
		t.Cleanup(r.close)
		f(r)
	})
}

// one is bubble with one upgraded connection.
func one(t *testing.T, o Options, f func(r *room, c *netlooptest.Client)) {
	t.Helper()
	bubble(t, o, func(r *room) { f(r, r.upgrade()) })
}

// modes are the modes that there are here.
func modes() map[string]Mode {
	m := map[string]Mode{"mode=goroutine": ModeGoroutine}
	if loopsAvailable {
		m["mode=epoll"] = ModeEpoll
	}
	return m
}

// inModes runs f over sockets, in each mode.
func inModes(t *testing.T, o Options, f func(r *room)) {
	t.Helper()
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			o := afresh(o)
			o.Mode = mode
			overSockets(t, o, f)
		})
	}
}

// inLoops runs f over sockets, with loops only.
func inLoops(t *testing.T, o Options, f func(r *room)) {
	t.Helper()
	if !loopsAvailable {
		return
	}
	t.Run("mode=epoll", func(t *testing.T) {
		o := afresh(o)
		o.Mode = ModeEpoll
		overSockets(t, o, f)
	})
}

// everywhere runs f in a bubble, and over sockets in each mode. What it does may not depend on
// time.
func everywhere(t *testing.T, o Options, f func(r *room)) {
	t.Helper()
	t.Run("mode=goroutine/bubble", func(t *testing.T) { bubble(t, afresh(o), f) })
	inModes(t, o, f)
}

// oneEverywhere is everywhere with one upgraded connection.
func oneEverywhere(t *testing.T, o Options, f func(r *room, c *netlooptest.Client)) {
	t.Helper()
	everywhere(t, o, func(r *room) { f(r, r.upgrade()) })
}

// afresh gives each server a handler of its own.
func afresh(o Options) Options {
	if h, ok := o.Handler.(*echo); ok {
		o.Handler = &echo{silent: h.silent}
	}
	return o
}

// echoOf is the echo that a handler is or has.
func echoOf(h Handler) *echo {
	if e, ok := h.(*echo); ok {
		return e
	}
	return h.(interface{ inner() *echo }).inner()
}

// overSockets runs f with a server that listens, and looks at its end whether anything is left. Its
// handler is an echo, or has one.
func overSockets(t *testing.T, o Options, f func(r *room)) {
	t.Helper()
	s, addr := serve(t, o)
	r := &room{Server: s, echo: echoOf(o.Handler), t: t, addr: addr}
	t.Cleanup(r.close) // comes before that of serve, and after those of f
	f(r)
}
