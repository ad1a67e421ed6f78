//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a way to a daemon that can break as networks do.
type wire struct {
	net.Listener

	mu struct {
		sync.Mutex
		daemon string         // where newcomers are led to
		links  map[*link]bool // those that stand
		torn   bool           // nobody gets through
		mute   int            // so many newcomers hear nothing after the upgrade
	}
}

// link is one connection through a wire.
type link struct {
	client, daemon *net.TCPConn

	mu struct {
		sync.Mutex
		starved bool
	}
	gone chan struct{} // closed when it is cut
	once sync.Once
}

func newWire(t *testing.T) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l}
	w.mu.links = map[*link]bool{}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.serve(c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.tear()
		all.Wait()
	})
	return w
}

// lead has newcomers led to a daemon.
func (w *wire) lead(daemon string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.daemon = daemon
}

// cut cuts all connections, and what is on its way is lost. The daemon hears of it first, so that
// who comes back at once does not seem to be a second one.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.mu.links {
		l.cut()
	}
}

// tear cuts all connections, and lets none through until mend.
func (w *wire) tear() {
	w.mu.Lock()
	w.mu.torn = true
	w.mu.Unlock()
	w.cut()
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.torn = false
}

// mute has the next connection hear nothing after the upgrade.
func (w *wire) mute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.mute++
}

// starve lets nothing more through the connections that stand, in either direction, for ever.
func (w *wire) starve() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.mu.links {
		l.mu.Lock()
		l.mu.starved = true
		l.mu.Unlock()
	}
}

// serve is one connection, from its beginning to its end.
func (w *wire) serve(client *net.TCPConn) {
	w.mu.Lock()
	daemon, torn := w.mu.daemon, w.mu.torn
	w.mu.Unlock()
	conn, err := net.Dial("tcp", daemon)
	if torn || err != nil {
		if err == nil {
			_ = conn.Close()
		}
		_ = client.Close()
		return
	}
	l := &link{client: client, daemon: conn.(*net.TCPConn), gone: make(chan struct{})}
	w.mu.Lock()
	w.mu.links[l] = true
	if w.mu.torn { // meanwhile
		l.cut()
	}
	down := io.Writer(client)
	if w.mu.mute > 0 {
		w.mu.mute--
		down = &upgradeOnly{to: client}
	}
	w.mu.Unlock()

	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(l.daemon, client) })
	pumps.Go(func() { l.pump(down, l.daemon) })
	pumps.Wait()
	w.mu.Lock()
	delete(w.mu.links, l)
	w.mu.Unlock()
}

// pump passes on what comes from one side. When that ends, both do.
func (l *link) pump(to io.Writer, from *net.TCPConn) {
	defer func() {
		_ = l.daemon.Close()
		_ = l.client.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.mu.Lock()
		starved := l.mu.starved
		l.mu.Unlock()
		if starved {
			<-l.gone
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) cut() {
	l.once.Do(func() {
		close(l.gone)
		for _, c := range []*net.TCPConn{l.daemon, l.client} {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	})
}

// upgradeOnly passes on what comes up to the end of a header, and drops the rest.
type upgradeOnly struct {
	to   io.Writer
	head []byte
	over bool
}

// Write passes on as much of b as belongs to the header.
func (u *upgradeOnly) Write(b []byte) (int, error) {
	if u.over {
		return len(b), nil
	}
	before := len(u.head)
	u.head = append(u.head, b...)
	end := len(u.head)
	if i := bytes.Index(u.head, []byte("\r\n\r\n")); i >= 0 {
		u.over, end = true, i+4
	}
	if _, err := u.to.Write(u.head[before:end]); err != nil {
		return 0, err
	}
	return len(b), nil
}
