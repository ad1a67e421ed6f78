package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Stdout is the Path of standard output.
const Stdout = "-"

const (
	// queueMax bounds the entries that wait: a storm of ends that the writer is slower than.
	queueMax = 1 << 18
	// chunkEntries is how many of them stand in one piece of memory, so that a queue that grows
	// copies nothing; chunksKept is how many pieces are kept for later.
	chunkEntries = 512
	chunksKept   = 4
	// pieceBytes is how much is written at once.
	pieceBytes = 64 << 10
	// complaintGap is the time between two lines of the log about what goes wrong.
	complaintGap = time.Second
)

// Options are what a [Log] is made of.
type Options struct {
	// Path is the file, which is made if need be and added to; Stdout: standard output. Needed.
	Path string
	// Output is standard output, for Stdout.
	Output io.Writer
	// Logger gets what goes wrong; nil: slog.Default().
	Logger *slog.Logger

	queueMax int // for tests; 0: queueMax
}

// End is a session that ended.
type End struct {
	Session string
	User    string         // "" where it had none
	Remote  netip.AddrPort // zero where it had no connection
	Reason  string
	ByTime  bool          // time ended it,
	Late    time.Duration // this long after it was due
}

// Action is what an operator did, or was refused.
type Action struct {
	At     time.Time
	Method string
	Path   string
	Remote string
	Status int
	Error  string // "" where it was done
	Missed int    // requests before it that were refused and are not told of
}

// Stats are counts since the log was opened.
type Stats struct {
	Written uint64 // entries
	Lost    uint64 // entries that found no room, or could not be written
	Errors  uint64 // of writing and opening
}

// Log takes entries; a nil one takes none. All methods may be called at the same time.
type Log struct {
	// Set by Open, then only read.
	o    Options
	log  *slog.Logger
	poke chan struct{} // to the writer: something waits, or has changed; room for one
	done chan struct{} // closed when the writer has ended

	written atomic.Uint64
	lost    atomic.Uint64
	errors  atomic.Uint64
	reopen  atomic.Bool // the writer is to open the file again

	mu struct {
		sync.Mutex
		queue  []*chunk // all full but the last
		waits  int      // entries in it
		free   []*chunk // empty
		lost   uint64   // entries that no line has told of
		closed bool
	}

	// The rest belongs to the writer.
	out        io.Writer
	file       *os.File // out, where it is ours to close; nil: it is not
	stamp      stamp
	piece      []byte // lines that are about to be written
	entries    int    // in piece
	told       uint64 // lost entries that a line in piece tells of
	torn       bool   // what is written already ends within a line
	complained time.Time
}

// Open opens the log. A file that cannot be opened is an error.
func Open(o Options) (*Log, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.queueMax == 0 {
		o.queueMax = queueMax
	}
	l := &Log{o: o, log: o.Logger, poke: make(chan struct{}, 1), done: make(chan struct{})}
	if err := l.open(); err != nil {
		return nil, err
	}
	go l.write()
	return l, nil
}

// open opens the file, or takes standard output.
func (l *Log) open() error {
	if l.o.Path == Stdout {
		l.out = l.o.Output
		return nil
	}
	// A pipe that nobody reads is an error, rather than to wait for a reader.
	f, err := os.OpenFile(l.o.Path,
		os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if l.file != nil {
		_ = l.file.Close() // all that was written to it is
	}
	l.out, l.file, l.torn = f, f, isTorn(f)
	return nil
}

// isTorn says whether a file ends within a line, as a full disk or a killed process leaves
// it. What cannot be told (a pipe, a file that may not be read) is not.
func isTorn(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	r, err := os.Open(f.Name())
	if err != nil {
		return false
	}
	defer func() { _ = r.Close() }()
	var last [1]byte
	_, err = r.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// End notes the end of a session.
func (l *Log) End(e End) {
	if l == nil {
		return
	}
	l.add(&entry{
		at: now(), kind: kindEnd, session: e.Session, user: e.User, remote: e.Remote,
		reason: e.Reason, byTime: e.ByTime, late: e.Late,
	})
}

// Action notes what an operator did.
func (l *Log) Action(a Action) {
	if l != nil {
		l.add(&entry{at: a.At, kind: kindAction, action: &a})
	}
}

// add enqueues an entry, or counts it where there is no room, or nobody writes any more.
func (l *Log) add(e *entry) {
	l.mu.Lock()
	full := l.mu.closed || l.mu.waits >= l.o.queueMax
	first := l.mu.waits == 0
	if full {
		l.mu.lost++
	} else {
		l.putLocked(e)
	}
	l.mu.Unlock()
	if full {
		l.lost.Add(1)
	} else if first {
		l.wake()
	}
}

// chunk is a part of the queue.
type chunk struct {
	entries [chunkEntries]entry
	n       int
}

func (l *Log) putLocked(e *entry) {
	last := len(l.mu.queue) - 1
	if last < 0 || l.mu.queue[last].n == chunkEntries {
		var c *chunk
		if n := len(l.mu.free); n > 0 {
			c, l.mu.free = l.mu.free[n-1], l.mu.free[:n-1]
		} else {
			c = new(chunk)
		}
		l.mu.queue = append(l.mu.queue, c)
		last++
	}
	c := l.mu.queue[last]
	c.entries[c.n] = *e
	c.n++
	l.mu.waits++
}

// giveBack keeps a chunk for later.
func (l *Log) giveBack(c *chunk) {
	clear(c.entries[:c.n])
	c.n = 0
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.free) < chunksKept {
		l.mu.free = append(l.mu.free, c)
	}
}

func (l *Log) wake() {
	select {
	case l.poke <- struct{}{}:
	default: // it will look anyway
	}
}

// Reopen has the file opened anew under its name, after what came before was written to the old
// one. Where that fails the old one stays.
func (l *Log) Reopen() {
	if l == nil {
		return
	}
	l.reopen.Store(true)
	l.wake()
}

// Stats are the counts at the moment.
func (l *Log) Stats() Stats {
	if l == nil {
		return Stats{}
	}
	return Stats{Written: l.written.Load(), Lost: l.lost.Load(), Errors: l.errors.Load()}
}

// Close writes what waits and closes the file. Where the disk takes longer than ctx, its error is
// ctx's, and what waits is lost. What is noted after Close is lost too. Twice is fine.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.mu.closed = true
	l.mu.Unlock()
	l.wake()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("audit log: the last entries are not written: %w", ctx.Err())
	}
}

// write is the writer's goroutine.
func (l *Log) write() {
	defer close(l.done)
	for range l.poke {
		for more := true; more; {
			reopen := l.reopen.Swap(false) // what came before Reopen waits, or is written
			more = l.writeQueue()
			if reopen {
				l.complain(l.open())
			}
		}
		if l.isOver() {
			if l.file != nil {
				l.complain(l.file.Close())
			}
			return
		}
	}
}

func (l *Log) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.closed && l.mu.waits == 0
}

// writeQueue writes what waits, and says whether there was anything.
func (l *Log) writeQueue() bool {
	l.mu.Lock()
	batch, lost := l.mu.queue, l.mu.lost
	l.mu.queue, l.mu.waits, l.mu.lost = nil, 0, 0
	l.mu.Unlock()
	for _, c := range batch {
		for i := range c.entries[:c.n] {
			l.line(&c.entries[i])
		}
		l.giveBack(c)
	}
	if lost > 0 { // those that found no room came after the others
		e := entry{at: now(), kind: kindLost, lost: lost}
		l.piece, l.told = e.append(l.piece, &l.stamp), lost
	}
	l.flush()
	return len(batch) > 0
}

func (l *Log) line(e *entry) {
	l.piece = e.append(l.piece, &l.stamp)
	if l.entries++; len(l.piece) >= pieceBytes {
		l.flush()
	}
}

// flush writes the lines that are ready. Where that fails they are lost: to try again would only
// lose others.
func (l *Log) flush() {
	if len(l.piece) == 0 {
		return
	}
	if l.torn {
		l.piece = append([]byte{'\n'}, l.piece...)
	}
	n, err := l.out.Write(l.piece)
	if err == nil {
		l.written.Add(uint64(l.entries))
		l.torn = false
	} else {
		if n > 0 {
			l.torn = l.piece[n-1] != '\n'
		}
		l.lost.Add(uint64(l.entries))
		l.mu.Lock()
		l.mu.lost += uint64(l.entries) + l.told
		l.mu.Unlock()
		l.complain(fmt.Errorf("audit log: %d entries are lost so far: %w", l.lost.Load(), err))
	}
	l.piece, l.entries, l.told = l.piece[:0], 0, 0
}

// complain counts an error, and logs it unless one was just logged.
func (l *Log) complain(err error) {
	if err == nil || errors.Is(err, os.ErrClosed) {
		return
	}
	l.errors.Add(1)
	t := now()
	if t.Sub(l.complained) < complaintGap {
		return
	}
	l.complained = t
	l.log.Error("entries of the audit log are at risk", "error", err)
}
