package netloop

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wheel"
)

// acceptsMax is how many connections a loop accepts at most before it looks at those that it has.
const acceptsMax = 64

// boundSocket is a listening socket that a loop is given.
type boundSocket struct {
	fd   int             // -1 once it is closed
	open *sync.WaitGroup // those of one call of Serve that are not closed
}

// drop closes the socket.
func (s boundSocket) drop() {
	_ = unix.Close(s.fd)
	s.open.Done()
}

// listener is a listening socket of a loop.
type listener struct {
	boundSocket
	index     int // among the loop's
	spare     *spare
	batch     int        // how many connections to accept at a time; see accept
	restUntil wheel.Tick // 0: it does not rest
	refused   int        // a connection that was told that no descriptor is free; -1: none
}

// newest is the listening sockets that a loop is given.
type newest struct {
	some atomic.Bool // there are some

	mu struct {
		sync.Mutex
		sockets []boundSocket
		closed  bool
	}
}

// listen has the loop accept connections from a listening socket, which is the loop's from now on.
func (l *loop) listen(s boundSocket) {
	if !l.newest.add(s) {
		s.drop()
		return
	}
	l.poll.Wake()
}

func (n *newest) add(s boundSocket) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.closed {
		return false
	}
	n.mu.sockets = append(n.mu.sockets, s)
	n.some.Store(true)
	return true
}

// take takes out all that there are. After the last one none is added.
func (n *newest) take(last bool) []boundSocket {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.some.Store(false)
	n.mu.closed = n.mu.closed || last
	sockets := n.mu.sockets
	n.mu.sockets = nil
	return sockets
}

// tendListeners takes new ones in, and ends the rest of those that have rested.
func (l *loop) tendListeners() {
	if l.newest.some.Load() {
		for _, s := range l.newest.take(false) {
			li := &listener{
				boundSocket: s, index: len(l.listeners), spare: newSpare(), batch: 1, refused: -1,
			}
			l.listeners = append(l.listeners, li)
			if err := l.poll.Add(s.fd, uint64(li.index), poll.Read); err != nil {
				l.srv.o.Logger.Error("a listener cannot be served", "error", err)
				li.close(l)
			}
		}
		l.stopped = false // where the server is stopping, they are closed again
	}
	for _, li := range l.listeners {
		if li.resting() && l.now >= li.restUntil {
			li.wake(l)
		}
	}
}

func (li *listener) resting() bool { return li.restUntil != 0 }

// rest keeps a listener quiet for a while: its backlog would wake the loop all the time.
func (li *listener) rest(l *loop) {
	li.restUntil = l.after(acceptRest)
	_ = l.poll.Modify(li.fd, uint64(li.index), 0) // else it does not rest
}

// wake ends a rest.
func (li *listener) wake(l *loop) {
	li.restUntil = 0
	li.recover(l)
	_ = l.poll.Modify(li.fd, uint64(li.index), poll.Read)
}

// recover makes ready for the next connection for which there is no descriptor.
func (li *listener) recover(l *loop) {
	l.srv.fleet.accepting.Lock()
	defer l.srv.fleet.accepting.Unlock()
	li.forget()
	li.spare.open()
}

// forget lets go of the connection that was refused.
func (li *listener) forget() {
	if li.refused < 0 {
		return
	}
	var waste [4096]byte
	_, _ = poll.ReadSocket(li.refused, waste[:]) // closing with unread bytes would reset it
	_ = unix.Close(li.refused)
	li.refused = -1
}

func (li *listener) close(l *loop) {
	if li.fd < 0 {
		return
	}
	li.restUntil = 0
	li.forget()
	li.spare.close()
	_ = l.poll.Remove(li.fd) // another descriptor may keep the socket open
	li.drop()
	li.fd = -1
}

// accept takes connections, one at a time while they come one by one: asking whether there is
// another is a call, too. When there is, the poller tells, and the next time twice as many are
// taken.
func (l *loop) accept(li *listener) {
	if li.fd < 0 || li.resting() {
		return
	}
	for range li.batch {
		fd, peer, err := l.srv.fleet.accept(li.fd)
		switch {
		case err == nil:
			l.add(fd, peer)
		case errors.Is(err, unix.EAGAIN):
			li.batch = 1
			return
		case errors.Is(err, unix.ECONNABORTED):
		default:
			l.srv.unable.tell(err)
			if isOutOfFiles(err) {
				li.apologize(l)
			}
			li.rest(l)
			return
		}
	}
	li.batch = min(2*li.batch, acceptsMax)
}

// accept takes one connection, while no loop gives away a descriptor for another.
func (f *fleet) accept(listener int) (fd int, peer netip.AddrPort, err error) {
	f.accepting.RLock()
	defer f.accepting.RUnlock()
	return poll.Accept(listener)
}

// takeQueue takes in those who wait to be accepted, so that closing the listener cuts off nobody
// without an answer.
func (li *listener) takeQueue(l *loop) {
	if li.fd < 0 {
		return
	}
	dropNewcomersOf(li.fd)
	for range queueMax {
		fd, peer, err := l.srv.fleet.accept(li.fd)
		switch {
		case err == nil:
			l.add(fd, peer)
		case errors.Is(err, unix.ECONNABORTED):
		case isOutOfFiles(err):
			li.recover(l)
			if !li.apologize(l) {
				return
			}
		default:
			return
		}
	}
}

// apologize takes a connection by the descriptor that is kept for it, and tells it that there is
// none. It gives false where it cannot.
func (li *listener) apologize(l *loop) bool {
	l.srv.fleet.accepting.Lock()
	defer l.srv.fleet.accepting.Unlock()
	if !li.spare.close() {
		return false
	}
	fd, _, err := poll.Accept(li.fd)
	if err != nil {
		li.spare.open() // somebody else was faster
		return false
	}
	l.srv.stats.starved.Add(1)
	l.srv.stats.refused(refusedFiles.Status)
	l.out = handshake.AppendRefusal(l.out[:0], &refusedFiles)
	_, _ = poll.WriteSocket(fd, l.out)
	l.out = l.out[:0]
	_ = unix.Shutdown(fd, unix.SHUT_WR)
	li.refused = fd
	return true
}

// add takes a connection in.
func (l *loop) add(fd int, peer netip.AddrPort) {
	if !l.srv.enter() {
		_ = unix.Close(fd)
		return
	}
	i, s, ok := l.slots.take()
	if !ok {
		_ = unix.Close(fd)
		l.srv.leave()
		return
	}
	l.connections++
	s.begin(fd, peer, l.now+1)
	if l.srv.o.ProxyProtocol.Contains(peer.Addr()) {
		s.set(flagProxied)
	}
	l.begin(i)
	l.schedule(i, l.after(l.srv.o.HelloTimeout))
	if err := l.poll.Add(fd, key(i, s), poll.Read); err != nil {
		l.srv.unable.tell(err)
		l.destroy(i, s, true)
		return
	}
	if !l.admit(s, false) {
		l.refuse(i, s, &refusedCrowd)
		l.finish(i, s)
	}
}
