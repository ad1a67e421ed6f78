package netloop

import (
	"net"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// readUntil waits for bytes until deadline (zero: for ever), or less: until a deadline that was
// set earlier, or until somebody wakes the reader. Then it gives 0 and an error that is a timeout,
// or none. It leaves an earlier deadline as it is, so a connection that talks does not set one for
// each frame.
func (c *reader) readUntil(b []byte, deadline time.Time) (int, error) {
	later := !c.armed.IsZero() && (deadline.IsZero() || !deadline.Before(c.armed))
	if c.rearm || !later && !deadline.Equal(c.armed) {
		if err := c.nc.SetReadDeadline(deadline); err != nil {
			return 0, err
		}
		c.armed, c.rearm = deadline, false
	}
	if c.nudge.Swap(false) {
		c.rearm = true // wake has set its own, or is about to
		return 0, nil
	}
	n, err := c.nc.Read(b)
	if err != nil && isTimeout(err) {
		c.rearm = true
	}
	return n, err
}

// cork holds back writing during a turn.
func (c *reader) cork(on bool) {
	if !on {
		c.meter.add(&c.came)
	}
	c.mu.Lock()
	c.mu.corked = on
	over := false
	if !on {
		c.mu.unfinished = c.parser.Held()
		over = c.accountLocked()
		c.startLocked()
	}
	c.mu.Unlock()
	if over {
		c.srv.relieve()
	}
}

// sendControl queues a control frame, which never ends a connection for being slow.
func (c *reader) sendControl(put func(*queue)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stage != stageClosing {
		put(&c.mu.queue)
		c.startLocked()
	}
}

// startLocked starts the goroutine that writes, unless one runs or it is not time yet.
func (c *reader) startLocked() {
	waits := c.mu.queue.waits()
	if c.mu.writing || c.mu.broken || c.mu.stage == stageUpgrade ||
		c.mu.corked && waits < corkBytesMax || waits == 0 && !c.mu.queue.hasLate {
		return
	}
	c.mu.writing = true
	c.writers.Go(c.write)
}

// write writes what is queued, until nothing is.
func (c *reader) write() {
	for {
		batch := c.nextBatch()
		if batch == nil {
			return
		}
		n, err := c.nc.Write(batch.B)
		c.wrote(batch, n, err)
	}
}

// nextBatch takes what waits and says how long writing it may take; nil ends the writer.
func (c *reader) nextBatch() *wsframe.Buffer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var batch *wsframe.Buffer
	if !c.mu.broken {
		batch = c.mu.queue.take(&c.srv.holders.pool)
	}
	if batch == nil {
		c.accountLocked()
		c.mu.writing = false
		return nil
	}
	deadline := c.mu.closeAt
	if c.mu.stage != stageClosing {
		deadline = now().Add(c.srv.o.writeTimeout())
	}
	_ = c.nc.SetWriteDeadline(deadline) // where this fails, so does the write
	return batch
}

// wrote settles what came of a batch, of which n bytes were written.
func (c *reader) wrote(batch *wsframe.Buffer, n int, err error) {
	var went traffic
	c.mu.Lock()
	defer c.mu.Unlock()
	flying := &c.mu.queue.flying
	went.wrote(n, err == nil, flying)
	c.meter.add(&went)
	if err == nil && flying.closes {
		c.countCloseLocked(SideServer, c.mu.end.Code)
	}
	c.mu.queue.done(&c.srv.holders.pool, batch)
	if err == nil {
		return
	}
	c.mu.broken = true
	c.mu.reset = isTimeout(err)
	c.mu.queue.drop(&c.srv.holders.pool)
	if c.mu.stage != stageClosing {
		e := End{Cause: CauseLost}
		if isTimeout(err) {
			e.Cause = CauseSlow
		}
		c.endLocked(e, "")
	}
	c.wake()
}

// forget says that the parser holds nothing any more.
func (c *reader) forget() {
	c.mu.Lock()
	c.mu.unfinished = 0
	over := c.accountLocked()
	c.mu.Unlock()
	if over {
		c.srv.relieve()
	}
}

// accountLocked tells the holders what the connection holds, and says whether all hold too much.
func (c *reader) accountLocked() bool {
	queued := c.mu.queue.waits() + c.mu.queue.flight
	c.srv.holders.queue(c.mu.queued, queued)
	c.mu.queued = queued
	was := c.mu.held
	c.mu.held = c.mu.unfinished + c.mu.queue.held() + c.mu.queue.flight
	return (was > 0 || c.mu.held > 0) && c.srv.holders.note(c.id, was, c.mu.held)
}

// teardown waits for the last write and lets go of the socket so that the peer sees it.
func (c *reader) teardown() {
	c.writers.Wait() // a write ends by closeAt
	c.mu.Lock()
	closeAt, broken, reset := c.mu.closeAt, c.mu.broken, c.mu.reset
	c.mu.Unlock()
	if t, ok := c.nc.(interface{ SetLinger(seconds int) error }); ok && reset {
		_ = t.SetLinger(0) // what the peer does not read is not worth the kernel's memory
		return
	}
	if !broken {
		hangUp(c.nc, closeAt)
	}
}

// hangUp says that nothing more will be written, and reads on until the peer lets go: closing a
// socket with unread bytes resets it, and the peer might lose what was written last.
func hangUp(nc net.Conn, deadline time.Time) {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || nc.SetReadDeadline(deadline) != nil {
		return
	}
	var waste [1024]byte
	for sum := 0; sum < lingerBytesMax; {
		n, err := nc.Read(waste[:])
		if err != nil {
			return
		}
		sum += n
	}
}
