package load

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// faulty is a server that does what a test wants, right or wrong.
type faulty struct {
	address string
	url     string
	l       net.Listener
	talk    func(c *guest)
	all     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	taken int
}

// guest is one connection of a faulty server, and belongs to one goroutine.
type guest struct {
	net.Conn
	s      *faulty
	number int // in the order in which they were accepted, from 0
	parser wsframe.Parser
	rules  wsframe.Rules
	buf    []byte
	rest   []byte
	said   int // messages that were read
}

// serveFaulty starts a server on an address of this machine. Each connection is talk's, which
// ends it by returning.
func serveFaulty(t testing.TB, address string, config *tls.Config, talk func(*guest)) *faulty {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &faulty{
		l: l, address: l.Addr().String(), talk: talk, conns: map[net.Conn]bool{},
		url: "ws://" + l.Addr().String() + "/ws",
	}
	if config != nil {
		s.url = "wss" + s.url[2:]
	}
	s.all.Go(func() { s.accept(config) })
	t.Cleanup(s.stop)
	return s
}

func (s *faulty) accept(config *tls.Config) {
	for {
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		if config != nil {
			conn = tls.Server(conn, config)
		}
		s.mu.Lock()
		s.conns[conn] = true
		c := &guest{
			Conn: conn, s: s, number: s.taken, buf: make([]byte, 32<<10),
			rules: wsframe.Rules{MaxMessageBytes: sizeMax},
		}
		s.taken++
		s.mu.Unlock()
		s.all.Go(func() {
			s.talk(c)
			conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
	}
}

// stop ends all, and waits until it is over.
func (s *faulty) stop() {
	s.l.Close()
	s.mu.Lock()
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
}

// accepted is how many connections there have been.
func (s *faulty) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// upgrade welcomes a client, whatever it offers, and says whether it is one.
func (c *guest) upgrade() bool {
	u := ws.Upgrader{Protocol: func([]byte) bool { return true }}
	_, err := u.Upgrade(c.Conn)
	return err == nil
}

// next is the next frame of the client's. At the end, however it comes, ok is false.
func (c *guest) next() (e wsframe.Event, ok bool) {
	for {
		if e, c.rest = c.parser.Next(&c.rules, c.rest); e.Kind != wsframe.None {
			return e, e.Kind != wsframe.Failed
		}
		n, err := c.Read(c.buf)
		if err != nil {
			return e, false
		}
		c.rest = c.buf[:n]
	}
}

// message is the next message of the client's. A close frame is answered, and the end.
func (c *guest) message() (m []byte, ok bool) {
	for {
		e, ok := c.next()
		switch {
		case !ok:
			return nil, false
		case e.Kind == wsframe.Closing:
			c.send(wsframe.Server.AppendClose(nil, e.Code, ""))
			return nil, false
		case e.Kind == wsframe.Binary, e.Kind == wsframe.Text:
			c.said++
			return e.Payload, true
		}
	}
}

func (c *guest) send(b []byte) bool {
	_, err := c.Write(b)
	return err == nil
}

// echo echoes until the end.
func (c *guest) echo() {
	for {
		m, ok := c.message()
		if !ok || !c.send(echo(m)) {
			return
		}
	}
}

// goodTalk is what a server without faults does.
func goodTalk(c *guest) {
	if c.upgrade() {
		c.echo()
	}
}

// answers has each message answered by what a function gives, nil for hanging up. It is given how
// many came before on the connection.
func answers(answer func(c *guest, nth int, m []byte) []byte) func(c *guest) {
	return func(c *guest) {
		if !c.upgrade() {
			return
		}
		for {
			m, ok := c.message()
			if !ok {
				return
			}
			out := answer(c, c.said-1, m)
			if out == nil || !c.send(out) {
				return
			}
		}
	}
}

// once is answers with a fault in the answer to the second message of the first connection, and
// none else.
func once(fault func(c *guest, m []byte) []byte) func(c *guest) {
	return answers(func(c *guest, nth int, m []byte) []byte {
		if c.number == 0 && nth == 1 {
			return fault(c, m)
		}
		return echo(m)
	})
}

// reset has a connection reset when it is closed.
func (c *guest) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// expires is an echo that ends each connection after a silence, given by its number; 0: never.
func expires(idle func(number int) time.Duration, farewell []byte) func(c *guest) {
	return func(c *guest) {
		if c.upgrade() {
			expiring(c, idle, farewell)
		}
	}
}

func expiring(c *guest, idle func(number int) time.Duration, farewell []byte) {
	for {
		if d := idle(c.number); d > 0 {
			_ = c.SetReadDeadline(time.Now().Add(d))
		}
		m, ok := c.message()
		if !ok {
			c.send(farewell)
			return
		}
		if !c.send(echo(m)) {
			return
		}
	}
}

// hangUp ends what the server says and reads until the client goes too: closing at once while bytes
// are on their way would reset the connection, and only sometimes.
func (c *guest) hangUp() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_ = c.SetReadDeadline(time.Time{})
	c.swallow()
}

// swallow reads until the end.
func (c *guest) swallow() { _, _ = io.Copy(io.Discard, c.Conn) }
