package poll

import (
	"errors"
	"os"
	"runtime"
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
	// lingerMillis is how long a thread waits where something is expected soon.
	lingerMillis = 10
	// wakeKey is the key of the descriptor behind Wake; no loop may use it.
	wakeKey = ^uint64(0)
)

// Poller watches the sockets of one loop.
type Poller struct {
	// Set by New, then only read.
	fd     int // the epoll descriptor
	wakeFD int // an eventfd
	parkFD int // an epoll descriptor that watches fd while the loop parks
	file   *os.File
	raw    syscall.RawConn    // parkFD in Go's poller
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
	coarse bool      // Block can wait for milliseconds only
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
	parkFD, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("epoll_create1", err), unix.Close(fd),
			unix.Close(wakeFD))
	}
	p := &Poller{fd: fd, wakeFD: wakeFD, parkFD: parkFD}
	if err := p.start(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// start puts the descriptor to park at into Go's poller.
func (p *Poller) start() error {
	// Edge-triggered, so that the eventfd need never be read.
	err := p.control(unix.EPOLL_CTL_ADD, p.wakeFD, wakeKey, unix.EPOLLIN|unix.EPOLLET)
	if err != nil {
		return err
	}
	var e unix.EpollEvent
	if err := unix.EpollCtl(p.parkFD, unix.EPOLL_CTL_ADD, p.fd, &e); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if err := unix.SetNonblock(p.parkFD, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(p.parkFD), "epoll")
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return err // Go's poller did not take it
	}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	p.raw = raw
	p.look = func(uintptr) bool { return p.poll(0) }
	return nil
}

// Close lets go of the Poller's own descriptors. The loop must have ended.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
	err := errors.Join(os.NewSyscallError("close", unix.Close(p.wakeFD)),
		os.NewSyscallError("close", unix.Close(p.fd)))
	if p.file != nil {
		return errors.Join(err, p.file.Close())
	}
	return errors.Join(err, os.NewSyscallError("close", unix.Close(p.parkFD)))
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
// valid until the next call and may be nothing.
//
// soon says that something is expected within some milliseconds: then the thread waits, for ten at
// most, whatever until says. Otherwise the loop parks.
//
// pending says whether the loop has other work; it is asked before waiting, so that whoever leaves
// work first and then calls Wake is always heard.
func (p *Poller) Wait(until time.Time, soon bool, pending func() bool) ([]Event, error) {
	p.parked.Store(true)
	switch {
	case pending():
		p.poll(0)
	case soon:
		p.linger()
	default:
		p.park(until)
	}
	p.parked.Store(false)
	return p.take()
}

// take is what the last look gave, without what only woke the loop.
func (p *Poller) take() ([]Event, error) {
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

// linger waits in the thread, for a moment. Whoever else is to run does so first.
func (p *Poller) linger() {
	if p.poll(0) {
		return
	}
	runtime.Gosched()
	p.poll(lingerMillis)
}

// park waits in Go's poller, which hears of what is ready only meanwhile: each event would cost it
// something.
func (p *Poller) park(until time.Time) {
	// An earlier deadline stays, and wakes the loop for nothing: a busy one sets few.
	if !until.IsZero() && (p.armed.IsZero() || until.Before(p.armed)) {
		if p.err = p.file.SetReadDeadline(until); p.err != nil {
			return
		}
		p.armed = until
	}
	if p.err = p.watch(unix.EPOLLIN); p.err != nil {
		return
	}
	err := p.raw.Read(p.look)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.armed = time.Time{}
		err = p.file.SetReadDeadline(time.Time{})
	}
	if err = errors.Join(err, p.watch(0)); err != nil {
		p.err = err
	}
}

// watch says what the descriptor to park at is to be told of.
func (p *Poller) watch(events uint32) error {
	e := unix.EpollEvent{Events: events}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.parkFD, unix.EPOLL_CTL_MOD, p.fd, &e))
}

// poll looks for at most some milliseconds, and says whether there is anything to tell. Unlike the
// calls of sockets it is one that the scheduler is told of, even where it returns at once: that is
// what wakes the runtime's monitor. A loop that made only others and never parked would keep the
// processor, and nobody would look after those that park.
func (p *Poller) poll(millis int) bool {
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), eventsMax, uintptr(millis), 0, 0)
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
