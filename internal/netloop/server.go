package netloop

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// ErrStopped is returned by Serve of a server that was stopped before.
var ErrStopped = errors.New("netloop: server is stopped")

// Server accepts connections and runs them.
type Server struct {
	// Set by New, then only read.
	o         Options
	started   time.Time
	handshake handshake.Rules
	rules     [2]wsframe.Rules // without and with compression
	holders   *holders
	heads     wsframe.Pool // unfinished heads, in the loops
	addresses addresses
	fleet     fleet

	stats    counters
	meters   meters        // of connections with goroutines
	stopping atomic.Bool   // set once, by Stop; read without the lock
	stopAt   time.Duration // set before stopping is
	closing  atomic.Bool   // set once, by Close
	stopped  chan struct{} // closed by Stop
	running  sync.WaitGroup
	unable   unable

	mu struct {
		sync.RWMutex
		next      ID
		count     int // connections, from accept on
		serving   int // calls of Serve, which may still bring connections
		readers   map[ID]*reader
		listeners map[net.Listener]struct{}
		empty     chan struct{} // closed when Stop was called and nothing of it all is left
	}
}

// New makes a server. Its error names every bad option.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		o: o, started: now(), stopped: make(chan struct{}),
		handshake: handshake.Rules{
			Paths: o.Paths, Protocols: o.Protocols, Origin: o.Origin, Compression: o.Compression,
		},
		holders: newHolders(o.BufferTotalBytes),
		unable:  unable{log: o.Logger},
	}
	s.addresses.limit.Store(int64(o.MaxConnectionsPerIP))
	for i := range s.rules {
		s.rules[i] = wsframe.Rules{
			MaxMessageBytes: int64(o.MaxMessageBytes), Buffers: &s.holders.pool, Deflate: i > 0,
		}
	}
	s.mu.readers = make(map[ID]*reader)
	s.mu.listeners = make(map[net.Listener]struct{})
	s.mu.empty = make(chan struct{})
	s.fleet.init(s)
	return s, nil
}

// rulesFor are the rules for frames of a connection.
func (s *Server) rulesFor(d wsframe.Deflate) *wsframe.Rules {
	if d.On() {
		return &s.rules[1]
	}
	return &s.rules[0]
}

// elapsed is the time since the server was made.
func (s *Server) elapsed() time.Duration { return since(s.started) }

// Serve accepts connections from l until Stop, then gives nil. It closes l.
func (s *Server) Serve(l net.Listener) error {
	tcp, isTCP := l.(*net.TCPListener)
	loops := s.o.Mode == ModeEpoll && isTCP
	if !s.beginServing(l, loops) {
		_ = l.Close()
		return ErrStopped
	}
	defer s.endServing(l)
	if loops {
		return s.fleet.serve(tcp)
	}
	tuneListener(l, &s.o)
	spare := newSpare()
	defer spare.close()
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			if c := s.add(nc); c != nil {
				go s.run(c)
			}
		case s.isStopping():
			if isTCP {
				s.takeQueue(tcp, spare)
				_ = tcp.Close() // Stop closes the others
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			s.unable.tell(err)
			if isOutOfFiles(err) && spare.close() {
				s.refuseOne(l)
				spare.open()
			}
			select {
			case <-after(acceptRest):
			case <-s.stopped:
			}
		}
	}
}

const (
	// queueMax is how many connections at most are taken from a queue before its listener is
	// closed.
	queueMax = 1 << 16
	// staysMax is how many of them, when there is no descriptor for them, may stay for acceptRest
	// after they were refused: those behind them wait for that, and so does the end of the server.
	staysMax = 20
)

// takeQueue takes in those who wait to be accepted, so that closing the listener cuts off nobody
// without an answer.
func (s *Server) takeQueue(l *net.TCPListener, spare *spare) {
	dropNewcomers(l)
	patience := staysMax
	for n := 0; n < queueMax && hasQueue(l) && !s.closing.Load(); n++ {
		if l.SetDeadline(now().Add(acceptRest)) != nil { // there was one that had passed
			return
		}
		nc, err := l.Accept()
		switch {
		case err == nil:
			if c := s.add(nc); c != nil {
				go s.run(c)
			}
		case isTimeout(err): // this goroutine had to wait for its turn
		case isOutOfFiles(err) && patience > 0 && spare.close():
			if s.refuseOne(l) {
				patience--
			}
			spare.open()
		default:
			s.unable.tell(err)
			return
		}
	}
}

// refuseOne takes a connection for which there is no descriptor by the one that was kept for it. It
// says whether the peer stayed until it was cut off.
func (s *Server) refuseOne(l net.Listener) (stayed bool) {
	nc, err := l.Accept()
	if err != nil {
		return false // somebody else was faster
	}
	s.stats.starved.Add(1)
	s.stats.refused(refusedFiles.Status)
	defer nc.Close()
	deadline := now().Add(acceptRest)
	if nc.SetDeadline(deadline) != nil {
		return false
	}
	if _, err := nc.Write(handshake.AppendRefusal(nil, &refusedFiles)); err == nil {
		hangUp(nc, deadline)
	}
	return !now().Before(deadline)
}

// ServeConn runs one connection, whatever it is made of, and returns when it is gone. It has a
// goroutine in every mode.
func (s *Server) ServeConn(nc net.Conn) {
	if c := s.add(nc); c != nil {
		s.run(c)
	}
}

func (s *Server) run(c *reader) {
	defer s.running.Done()
	defer s.remove(c)
	c.run()
}

// add takes a connection in, or closes it when the server takes in none any more.
func (s *Server) add(nc net.Conn) *reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.enterLocked() {
		_ = nc.Close()
		return nil
	}
	s.mu.next++
	t := s.elapsed()
	c := &reader{
		srv: s, nc: nc, id: s.mu.next, peer: addressOf(nc), rules: &s.rules[0],
		vitals: vitals{accepted: t, life: t, pinged: never, unfinished: never},
	}
	if s.o.ProxyProtocol.Contains(c.peer.Addr()) {
		c.proxied = &proxied{Conn: nc}
		c.nc = c.proxied
	}
	if s.o.TLS != nil {
		tls := secure(c.nc, s.o.TLS, s.started.Add(later(t, s.o.HelloTimeout)))
		tls.failed = c.shookNoHands
		c.nc = tls
	}
	c.meter = s.meters.of(c.id)
	s.mu.readers[c.id] = c
	s.running.Add(1)
	return c
}

// addressOf is the peer's address, nothing where a connection has no IP address.
func addressOf(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

func (s *Server) remove(c *reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.readers, c.id)
	s.leaveLocked()
}

// enter counts a connection, or gives false when the server takes in none any more.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enterLocked()
}

func (s *Server) enterLocked() bool {
	if s.stopping.Load() && (s.mu.serving == 0 || s.closing.Load()) {
		return false
	}
	s.mu.count++
	s.stats.accepted.Add(1)
	return true
}

// leave takes back an enter.
func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveLocked()
}

func (s *Server) leaveLocked() {
	s.mu.count--
	s.lookEmptyLocked()
}

// lookEmptyLocked is called when something is gone that was counted.
func (s *Server) lookEmptyLocked() {
	if s.stopping.Load() && s.mu.count == 0 && s.mu.serving == 0 {
		close(s.mu.empty)
	}
}

// beginServing gives false when the server is stopped.
func (s *Server) beginServing(l net.Listener, loops bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return false
	}
	s.mu.serving++
	if !loops { // they hear of Stop by themselves
		s.mu.listeners[l] = struct{}{}
	}
	return true
}

func (s *Server) endServing(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.listeners, l)
	s.mu.serving--
	s.lookEmptyLocked()
}

// Conn finds a connection that Open was asked about and that has not ended. What it gives may be
// used by anybody at any time, in calls about other connections too.
func (s *Server) Conn(id ID) (Conn, bool) {
	if id.loop() > 0 {
		return s.fleet.conn(id)
	}
	s.mu.RLock()
	c := s.mu.readers[id]
	s.mu.RUnlock()
	if c == nil {
		return Conn{}, false
	}
	stage, _, _ := c.state()
	return c.conn(), stage != stageClosing
}

// Release ends the holding of a connection, which [Conn.Hold] began: each Hold takes one Release,
// which may come before the call that held has returned. Anybody may call it at any time. It does
// nothing for a connection that is not held or has ended. The Handler is called later, by whom it
// always is.
func (s *Server) Release(id ID) {
	if id.loop() > 0 {
		s.fleet.release(id)
		return
	}
	s.mu.RLock()
	c := s.mu.readers[id]
	s.mu.RUnlock()
	if c != nil {
		c.release()
	}
}

// All gives the connections that are open at the moment of the call and when their turn comes.
func (s *Server) All() iter.Seq[Conn] {
	s.mu.RLock()
	ids := make([]ID, 0, len(s.mu.readers))
	for id := range s.mu.readers {
		ids = append(ids, id)
	}
	s.mu.RUnlock()
	slices.Sort(ids)
	return func(yield func(Conn) bool) {
		for _, id := range ids {
			s.mu.RLock()
			c := s.mu.readers[id]
			s.mu.RUnlock()
			if c == nil {
				continue
			}
			if stage, _, _ := c.state(); stage == stageOpen && !yield(c.conn()) {
				return
			}
		}
		s.fleet.all(yield)
	}
}

// Len is how many connections there are, those that are being upgraded or closed included.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.count
}

func (s *Server) isStopping() bool { return s.stopping.Load() }

// lateTimeout is how long a connection has to ask for something when the server stops before it
// has. It is answered then as any other.
const lateTimeout = time.Second

// askBy is by when a connection must have asked for something, whole.
func (s *Server) askBy(accepted time.Duration) time.Duration {
	by := later(accepted, s.o.HelloTimeout)
	if s.stopping.Load() {
		by = min(by, later(max(accepted, s.stopAt), lateTimeout))
	}
	return by
}

// Stop ends accepting: listeners are closed, and whoever waits there to be accepted, is in the
// middle of an upgrade, or asks within a second is refused. Open connections stay. Stopping twice
// is fine.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return
	}
	s.stopAt = s.elapsed()
	s.stopping.Store(true)
	close(s.stopped)
	for l := range s.mu.listeners {
		if tcp, ok := l.(*net.TCPListener); ok {
			_ = tcp.SetDeadline(longAgo) // Serve closes it, after taking in who waits there
		} else {
			_ = l.Close() // Serve meets the error, if any
		}
	}
	for _, c := range s.mu.readers {
		if c.asks.Load() {
			c.wake()
		} else {
			c.hurry(s.started.Add(later(s.stopAt, lateTimeout)))
		}
	}
	s.fleet.wake()
	s.lookEmptyLocked()
}

// Gone is closed when the server is stopped, its listeners are closed, and its last connection is
// gone.
func (s *Server) Gone() <-chan struct{} { return s.mu.empty }

// Wait returns when Gone is closed, or with ctx's error.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-s.Gone():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close stops the server and cuts all connections off without a word. When it returns, none is
// left, and no listener. Closing twice is fine.
func (s *Server) Close() error {
	s.Stop()
	s.closing.Store(true)
	s.mu.RLock()
	for _, c := range s.mu.readers {
		_ = c.nc.Close()
		c.wake()
	}
	s.mu.RUnlock()
	s.fleet.close()
	s.running.Wait()
	<-s.mu.empty
	return nil
}
