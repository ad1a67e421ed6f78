package poll

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Interest is what a loop wants to know of a socket. That it broke is told in any case.
type Interest uint32

// The interests, to be combined; 0 is none of both.
const (
	Read  Interest = unix.EPOLLIN
	Write Interest = unix.EPOLLOUT
)

// Ready is what a socket is ready for.
type Ready uint32

// Read says whether a read gives something: bytes, the end, or an error.
func (r Ready) Read() bool { return r&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 }

// Write says whether a write would be accepted, or fail.
func (r Ready) Write() bool { return r&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 }

// Broken says whether the socket is of no use any more in either direction.
func (r Ready) Broken() bool { return r&(unix.EPOLLHUP|unix.EPOLLERR) != 0 }

// Event is that one socket is ready.
type Event struct{ raw unix.EpollEvent }

// Key is the loop's word about the socket.
func (e *Event) Key() uint64 { return uint64(uint32(e.raw.Fd)) | uint64(uint32(e.raw.Pad))<<32 }

// Ready is what it is ready for.
func (e *Event) Ready() Ready { return Ready(e.raw.Events) }

const (
	// eventsMax is how many events one Wait gives at most.
	eventsMax = 256
	// wakeKey is the key of the descriptor behind Wake; no loop may use it.
	wakeKey = ^uint64(0)
)

// Poller watches the sockets of one loop.
type Poller struct {
	// Set by New, then only read.
	fd     int // the epoll descriptor
	wakeFD int // an eventfd
	file   *os.File
	raw    syscall.RawConn
	look   func(uintptr) bool // parks while it gives false

	parked atomic.Bool // the loop is about to park, or parks: a Wake must be heard

	mu struct {
		sync.Mutex
		closed bool // wakeFD is somebody else's
	}

	// The rest belongs to the loop.
	events [eventsMax]Event
	n      int       // events of the last look
	err    error     // of the last look
	armed  time.Time // the deadline that is set; zero: none
}

// New makes a Poller.
func New() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wakeFD, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), unix.Close(fd))
	}
	p := &Poller{fd: fd, wakeFD: wakeFD}
	if err := p.start(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// start puts the epoll descriptor into Go's poller.
func (p *Poller) start() error {
	// Edge-triggered, so that the eventfd need never be read.
	err := p.control(unix.EPOLL_CTL_ADD, p.wakeFD, wakeKey, unix.EPOLLIN|unix.EPOLLET)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(p.fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(p.fd), "epoll")
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return err // Go's poller did not take it
	}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	p.raw = raw
	p.look = func(uintptr) bool { return p.poll() }
	return nil
}

// Close lets go of the Poller's own descriptors. The loop must have ended.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
	err := os.NewSyscallError("close", unix.Close(p.wakeFD))
	if p.file != nil {
		return errors.Join(err, p.file.Close())
	}
	return errors.Join(err, os.NewSyscallError("close", unix.Close(p.fd)))
}

// Add begins to watch a socket.
func (p *Poller) Add(fd int, key uint64, i Interest) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, key, uint32(i))
}

// Modify changes what is wanted of a socket that is watched.
func (p *Poller) Modify(fd int, key uint64, i Interest) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, key, uint32(i))
}

// Remove ends watching a socket. Closing its last descriptor does so too.
func (p *Poller) Remove(fd int) error { return p.control(unix.EPOLL_CTL_DEL, fd, 0, 0) }

func (p *Poller) control(op, fd int, key uint64, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(uint32(key)), Pad: int32(uint32(key >> 32))}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &e))
}

// Wait gives what is ready: at once where something is, and otherwise as soon as there is
// something, or when until has passed (zero: never), or when somebody calls Wake. What it gives is
// valid until the next call and may be nothing. pending says whether the loop has other work; it is
// asked before parking, so that whoever leaves work first and then calls Wake is always heard.
func (p *Poller) Wait(until time.Time, pending func() bool) ([]Event, error) {
	if !p.poll() {
		p.park(until, pending)
	}
	n, err := p.n, p.err
	p.n, p.err = 0, nil
	for i := range n {
		if p.events[i].Key() == wakeKey {
			n--
			p.events[i] = p.events[n]
			break
		}
	}
	return p.events[:n], err
}

// Poll is Wait without waiting.
func (p *Poller) Poll() ([]Event, error) {
	return p.Wait(time.Time{}, func() bool { return true })
}

// park waits in Go's poller.
func (p *Poller) park(until time.Time, pending func() bool) {
	p.parked.Store(true)
	defer p.parked.Store(false)
	if pending() {
		return
	}
	// An earlier deadline stays, and wakes the loop for nothing: a busy one sets few.
	if p.armed.IsZero() && !until.IsZero() || until.Before(p.armed) && !until.IsZero() {
		if p.err = p.file.SetReadDeadline(until); p.err != nil {
			return
		}
		p.armed = until
	}
	err := p.raw.Read(p.look)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.armed = time.Time{}
		err = p.file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		p.err = err
	}
}

// poll looks once and says whether there is anything to tell. Unlike the calls of sockets it is one
// that the scheduler is told of, as it is what wakes the runtime's monitor: a loop that made only
// others and never parked would keep the processor, and nobody would look after those that park.
func (p *Poller) poll() bool {
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), eventsMax, 0, 0, 0)
	switch errno {
	case 0:
		p.n = int(n)
		return n > 0
	case unix.EINTR:
		return false
	}
	p.n, p.err = 0, os.NewSyscallError("epoll_wait", errno)
	return true
}

// Wake makes the loop return from Wait, or not park in the next one. It is cheap while the loop is
// busy.
func (p *Poller) Wake() {
	if !p.parked.CompareAndSwap(true, false) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mu.closed {
		one := [8]byte{1}
		_, _ = unix.Write(p.wakeFD, one[:]) // only a full counter could refuse, and it wakes too
	}
}
