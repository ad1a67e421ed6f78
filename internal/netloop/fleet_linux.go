package netloop

import (
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// loopsAvailable says that there are loops here.
const loopsAvailable = true

// fleet is all loops of a server. They start with the first listener.
type fleet struct {
	s     *Server
	loops atomic.Pointer[[]*loop] // nil until they start; read by anybody

	// accepting is held, for reading, while a loop accepts, and for writing while one gives a
	// descriptor free to use it again itself, so that no other takes it.
	accepting sync.RWMutex

	mu struct {
		sync.Mutex
		closed bool
	}
	running sync.WaitGroup // loops
	failed  chan error     // of a loop that cannot go on; room for one
}

func (f *fleet) init(s *Server) {
	f.s = s
	f.failed = make(chan error, 1)
}

// list is all loops.
func (f *fleet) list() []*loop {
	if p := f.loops.Load(); p != nil {
		return *p
	}
	return nil
}

// start starts the loops, if that has not been done.
func (f *fleet) start() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed {
		return ErrStopped
	}
	if f.loops.Load() != nil {
		return nil
	}
	var loops []*loop
	for n := range f.s.o.Loops {
		l, err := newLoop(f.s, n+1)
		if err != nil {
			for _, l := range loops {
				err = errors.Join(err, l.poll.Close())
			}
			return err
		}
		loops = append(loops, l)
	}
	f.loops.Store(&loops)
	for _, l := range loops {
		f.running.Go(func() {
			if err := l.run(); err != nil {
				select {
				case f.failed <- err:
				default:
				}
			}
		})
	}
	return nil
}

// serve has the loops accept connections, until the server stops.
func (f *fleet) serve(l *net.TCPListener) error {
	defer func() { _ = l.Close() }() // a second time is fine
	if err := f.start(); err != nil {
		return err
	}
	loops := f.list()
	sockets, err := shareListener(l, len(loops), &f.s.o)
	if err != nil {
		return err
	}
	var listening sync.WaitGroup
	for i, fd := range sockets {
		listening.Add(1)
		loops[i].listen(boundSocket{fd, &listening})
	}
	_ = l.Close() // else Go's poller would hear of each connection, too
	select {
	case <-f.s.stopped:
		listening.Wait()
		return nil
	case err := <-f.failed:
		return err
	}
}

func (f *fleet) conn(id ID) (Conn, bool) {
	loops := f.list()
	if id.loop() > len(loops) {
		return Conn{}, false
	}
	l := loops[id.loop()-1]
	s := l.slots.find(id.slot())
	if s == nil {
		return Conn{}, false
	}
	w := s.word.Load()
	alive := uint32(w>>generationShift) == id.generation() &&
		w&(flagMessaged|flagEnding) == flagMessaged
	return Conn{on: &l.outside, id: id}, alive
}

// release ends the holding of a connection.
func (f *fleet) release(id ID) {
	if c, _ := f.conn(id); c.on != nil {
		c.on.(*outside).release(id)
	}
}

func (f *fleet) all(yield func(Conn) bool) {
	for _, l := range f.list() {
		for i := uint32(0); ; i++ {
			s := l.slots.find(i)
			if s == nil {
				break
			}
			w := s.word.Load()
			if w&(flagOpen|flagEnding) != flagOpen {
				continue
			}
			id := l.id(i, uint32(w>>generationShift))
			if !yield(Conn{on: &l.outside, id: id}) {
				return
			}
		}
	}
}

// wake makes the loops look at what the server wants.
func (f *fleet) wake() {
	for _, l := range f.list() {
		l.poll.Wake()
	}
}

// close ends the loops and cuts off their connections.
func (f *fleet) close() {
	f.mu.Lock()
	f.mu.closed = true
	f.mu.Unlock()
	for _, l := range f.list() {
		l.quit.Store(true)
		l.poll.Wake()
	}
	f.running.Wait()
}

func (id ID) slot() uint32       { return uint32(id>>32) & (slotsMax - 1) }
func (id ID) generation() uint32 { return uint32(id) }

// listenBacklog is how many connections may wait to be accepted by one loop; the kernel has a bound
// of its own.
const listenBacklog = 4096

// shareListener gives n sockets that listen where l does, by SO_REUSEPORT, so that the kernel
// spreads connections over them. That l could be bound without it says that nobody else listens
// there. Where the kernel does not share, there are fewer.
func shareListener(l *net.TCPListener, n int, o *Options) ([]int, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return nil, err
	}
	var sockets []int
	var sa unix.Sockaddr
	v6only, family := 0, unix.AF_INET
	controlErr := raw.Control(func(fd uintptr) {
		var first int
		if first, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return
		}
		sockets = append(sockets, first)
		tuneSocket(first, o)
		_ = unix.SetsockoptInt(first, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		if sa, err = unix.Getsockname(first); err != nil {
			return
		}
		if _, ok := sa.(*unix.SockaddrInet6); ok {
			family = unix.AF_INET6
			v6only, err = unix.GetsockoptInt(first, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		}
	})
	if err = errors.Join(controlErr, err); err != nil {
		for _, fd := range sockets {
			_ = unix.Close(fd)
		}
		return nil, err
	}
	for len(sockets) < n {
		fd, err := listenBeside(family, sa, v6only, o)
		if err != nil {
			break // one socket serves too, by fewer loops
		}
		sockets = append(sockets, fd)
	}
	return sockets, nil
}

// listenBeside makes one more socket that listens at an address.
func listenBeside(family int, sa unix.Sockaddr, v6only int, o *Options) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	set := func(level, name, value int) {
		err = errors.Join(err, unix.SetsockoptInt(fd, level, name, value))
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if family == unix.AF_INET6 {
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only)
	}
	tuneSocket(fd, o)
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		err = unix.Listen(fd, listenBacklog)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// keepAliveSeconds is how long a connection is silent before the kernel asks for a sign of life,
// where no pings do.
const keepAliveSeconds = 15

// tuneSocket sets what connections inherit from their listener. A peer that acknowledges nothing is
// given up by the kernel when it would have failed to answer a ping. A kernel that lacks one of
// the options leaves it to the loops.
func tuneSocket(fd int, o *Options) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	ms := min(o.writeTimeout().Milliseconds(), math.MaxInt32)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(ms))
	if o.PingInterval == 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveSeconds)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveSeconds)
	}
}
