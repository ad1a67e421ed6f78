package netloop

import (
	"context"
	"errors"
	"iter"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

const (
	acceptRestMax     = 100 * time.Millisecond // the longest rest after an accept that failed
	acceptLogInterval = 5 * time.Second
)

// ErrStopped is returned by Serve of a server that was stopped before.
var ErrStopped = errors.New("netloop: server is stopped")

// Server accepts connections and runs them.
type Server struct {
	o     Options       // set by New, then only read
	rules wsframe.Rules // set by New, then only read
	kept  wsframe.Pool  // unfinished frames and messages of all connections

	stopping atomic.Bool   // set once, by Stop; read by readers without the lock
	stopped  chan struct{} // closed by Stop
	running  sync.WaitGroup

	mu struct {
		sync.RWMutex
		next      ID
		conns     map[ID]*conn // from accept on
		listeners map[net.Listener]struct{}
		empty     chan struct{} // closed when Stop was called and the last connection is gone
	}
}

// New makes a server. Its error names every bad option.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{o: o, stopped: make(chan struct{})}
	s.rules = wsframe.Rules{MaxMessageBytes: int64(o.MaxMessageBytes), Buffers: &s.kept}
	s.mu.conns = make(map[ID]*conn)
	s.mu.listeners = make(map[net.Listener]struct{})
	s.mu.empty = make(chan struct{})
	return s, nil
}

// Serve accepts connections from l until Stop, then gives nil. It closes l.
func (s *Server) Serve(l net.Listener) error {
	if !s.addListener(l) {
		_ = l.Close()
		return ErrStopped
	}
	var rest time.Duration
	var logged time.Time
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			rest = 0
			if c := s.add(nc); c != nil {
				go s.run(c)
			}
		case s.isStopping():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			if t := now(); t.Sub(logged) >= acceptLogInterval {
				logged = t
				s.o.Logger.Warn("cannot accept", "error", err)
			}
			rest = min(max(2*rest, time.Millisecond), acceptRestMax)
			select {
			case <-after(rest):
			case <-s.stopped:
			}
		}
	}
}

// ServeConn runs one connection, whatever it is made of, and returns when it is gone.
func (s *Server) ServeConn(nc net.Conn) {
	if c := s.add(nc); c != nil {
		s.run(c)
	}
}

func (s *Server) run(c *conn) {
	defer s.running.Done()
	defer s.remove(c)
	c.run()
}

// add takes a connection in, or closes it when the server is stopped.
func (s *Server) add(nc net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		_ = nc.Close()
		return nil
	}
	s.mu.next++
	c := &conn{srv: s, nc: nc, id: s.mu.next, accepted: now()}
	c.mu.queue.bytesMax = s.o.WriteBufferBytes
	s.mu.conns[c.id] = c
	s.running.Add(1)
	return c
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.conns, c.id)
	if s.stopping.Load() && len(s.mu.conns) == 0 {
		close(s.mu.empty)
	}
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return false
	}
	s.mu.listeners[l] = struct{}{}
	return true
}

// Conn finds a connection that has not ended.
func (s *Server) Conn(id ID) (Conn, bool) {
	s.mu.RLock()
	c := s.mu.conns[id]
	s.mu.RUnlock()
	if c == nil {
		return nil, false
	}
	if stage, _, _ := c.state(); stage == stageClosing {
		return nil, false
	}
	return c, true
}

// All gives the connections that are open at the moment of the call and when their turn comes,
// the oldest first.
func (s *Server) All() iter.Seq[Conn] {
	s.mu.RLock()
	ids := make([]ID, 0, len(s.mu.conns))
	for id := range s.mu.conns {
		ids = append(ids, id)
	}
	s.mu.RUnlock()
	slices.Sort(ids)
	return func(yield func(Conn) bool) {
		for _, id := range ids {
			s.mu.RLock()
			c := s.mu.conns[id]
			s.mu.RUnlock()
			if c == nil {
				continue
			}
			if stage, _, _ := c.state(); stage == stageOpen && !yield(c) {
				return
			}
		}
	}
}

// Len is how many connections there are, those that are being upgraded or closed included.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.mu.conns)
}

func (s *Server) isStopping() bool { return s.stopping.Load() }

// Stop ends accepting: listeners are closed, who is in the middle of an upgrade is refused. Open
// connections stay. Stopping twice is fine.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Swap(true) {
		return
	}
	close(s.stopped)
	for l := range s.mu.listeners {
		_ = l.Close() // Serve meets the error, if any
	}
	for _, c := range s.mu.conns {
		c.wake()
	}
	if len(s.mu.conns) == 0 {
		close(s.mu.empty)
	}
}

// Gone is closed when the server is stopped and its last connection is gone.
func (s *Server) Gone() <-chan struct{} { return s.mu.empty }

// Wait returns when Gone is closed, or with ctx's error.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-s.Gone():
		s.running.Wait()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close stops the server and cuts all connections off without a word. When it returns, none is
// left. Closing twice is fine.
func (s *Server) Close() error {
	s.Stop()
	s.mu.RLock()
	for _, c := range s.mu.conns {
		_ = c.nc.Close()
	}
	s.mu.RUnlock()
	s.running.Wait()
	return nil
}
