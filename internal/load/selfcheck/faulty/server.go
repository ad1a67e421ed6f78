package faulty

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/wsframe"
)

const subprotocolV1 = "curfew.v1"

// Ledger is what a server did.
type Ledger struct {
	Connections uint64 // accepted
	Upgraded    uint64
	Messages    uint64 // of clients, whole
	Answered    uint64 // of these, rightly and in their turn
	Struck      uint64 // how often the fault was there
	Expired     uint64 // sessions ended
	Cut         uint64 // connections ended out of impatience
	Resumed     uint64
	Replayed    uint64 // frames
}

// Server is a running server.
type Server struct {
	// Set by Start, then only read.
	o        Options
	listener net.Listener
	rules    wsframe.Rules
	started  time.Time
	closing  chan struct{}

	wg sync.WaitGroup
	mu struct {
		sync.Mutex
		ledger   Ledger
		sessions map[string]*session // of curfew.v1, by the token that resumes them
		made     uint64              // sessions
		resumes  uint64              // that a fault could strike
		tokens   uint64              // that were made
		swapped  *reply              // waits for another to be swapped with
		conns    map[*conn]struct{}
		closed   bool
	}
}

// Start listens on a TCP address and serves until the server is closed.
func Start(address string, o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, listener: l, started: now(), closing: make(chan struct{}),
		rules: wsframe.Rules{MaxMessageBytes: 32 << 20, Buffers: new(wsframe.Pool)},
	}
	s.mu.sessions = map[string]*session{}
	s.mu.conns = map[*conn]struct{}{}
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

// Address is what to connect to.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close resets all connections and says what the server did.
func (s *Server) Close() Ledger {
	s.mu.Lock()
	if !s.mu.closed {
		s.mu.closed = true
		close(s.closing)
		s.listener.Close()
		for c := range s.mu.conns {
			c.reset()
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
	return s.Ledger()
}

// Ledger is what the server did so far.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.ledger
}

// note changes the ledger.
func (s *Server) note(change func(l *Ledger)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.mu.ledger)
}

// strikesLocked says whether the fault strikes the n-th of a kind, and takes note of it.
func (s *Server) strikesLocked(k kind, n uint64) bool {
	if !s.o.strikes(k, n) {
		return false
	}
	s.mu.ledger.Struck++
	return true
}

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		accepted, err := s.listener.Accept()
		if err != nil {
			// Out of files, most likely; a listener that was closed ends it.
			if errors.Is(err, net.ErrClosed) || !s.pause(now().Add(10*time.Millisecond)) {
				return
			}
			continue
		}
		c := &conn{s: s, net: accepted.(*net.TCPConn)}
		s.mu.Lock()
		if s.mu.closed {
			s.mu.Unlock()
			c.reset()
			return
		}
		s.mu.ledger.Connections++
		c.struck = s.strikesLocked(connections, s.mu.ledger.Connections)
		s.mu.conns[c] = struct{}{}
		s.wg.Add(1)
		s.mu.Unlock()
		go s.serve(c)
	}
}

// serve is the life of a connection.
func (s *Server) serve(c *conn) {
	defer s.wg.Done()
	defer func() {
		_ = c.net.Close()
		c.parser.Reset(&s.rules)
		s.mu.Lock()
		delete(s.mu.conns, c)
		if c.session != nil && c.session.conn == c {
			c.session.conn = nil
		}
		s.mu.Unlock()
	}()
	if s.upgrade(c) {
		s.note(func(l *Ledger) { l.Upgraded++ })
		c.run()
	}
}

// upgrade makes a WebSocket of a connection, or refuses.
func (s *Server) upgrade(c *conn) bool {
	var u ws.Upgrader
	if s.o.V1 {
		u.Protocol = func(p []byte) bool { return string(p) == subprotocolV1 }
	}
	if c.struck && s.o.Fault == Refuse {
		u.OnRequest = func([]byte) error {
			return ws.RejectConnectionError(ws.RejectionStatus(503), ws.RejectionReason("full"))
		}
	}
	if c.struck && s.o.Fault == Subprotocol {
		u.Protocol = nil
		u.Header = ws.HandshakeHeaderString("Sec-WebSocket-Protocol: nobody.v0\r\n")
	}
	if c.impatient() {
		_ = c.net.SetDeadline(now().Add(s.o.Patience))
	}
	_, err := u.Upgrade(c.net)
	_ = c.net.SetDeadline(time.Time{})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.cut()
	case err != nil:
		c.linger()
	}
	return err == nil
}

// stalled waits for the end of a stall that is on, and says whether it came.
func (s *Server) stalled() bool {
	if s.o.Fault != Stall {
		return true
	}
	t := now()
	into := t.Sub(s.started) % s.o.Period
	if into >= s.o.Delay {
		return true
	}
	return s.pause(t.Add(s.o.Delay - into))
}
