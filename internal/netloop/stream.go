package netloop

import (
	"net"
	"time"
)

// readUntil waits for bytes until deadline (zero: for ever), or less: until a deadline that was
// set earlier, or until somebody wakes the reader. Then it gives 0 and an error that is a timeout,
// or none. It leaves an earlier deadline as it is, so a connection that talks does not set one for
// each frame.
func (c *conn) readUntil(b []byte, deadline time.Time) (int, error) {
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
func (c *conn) cork(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.corked = on
	if !on {
		c.startLocked()
	}
}

// sendControl queues a control frame, which never ends a connection for being slow.
func (c *conn) sendControl(put func(*queue)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stage != stageClosing {
		put(&c.mu.queue)
		c.startLocked()
	}
}

// startLocked starts the goroutine that writes, unless one runs or it is not time yet.
func (c *conn) startLocked() {
	waits := len(c.mu.queue.pending)
	if c.mu.writing || c.mu.broken || c.mu.stage == stageUpgrade ||
		c.mu.corked && waits < corkBytesMax || waits == 0 && !c.mu.queue.hasLate {
		return
	}
	c.mu.writing = true
	c.writers.Go(c.write)
}

// write writes what is queued, until nothing is.
func (c *conn) write() {
	for {
		batch := c.nextBatch()
		if batch == nil {
			return
		}
		_, err := c.nc.Write(batch)
		c.wrote(batch, err)
	}
}

// nextBatch takes what waits and says how long writing it may take; nil ends the writer.
func (c *conn) nextBatch() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var batch []byte
	if !c.mu.broken {
		batch = c.mu.queue.take()
	}
	if batch == nil {
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

// wrote settles what came of a batch.
func (c *conn) wrote(batch []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.queue.done(batch)
	if err == nil {
		return
	}
	c.mu.broken = true
	c.mu.reset = isTimeout(err)
	c.mu.queue.drop()
	if c.mu.stage != stageClosing {
		e := End{Cause: CauseLost}
		if isTimeout(err) {
			e = End{Cause: CauseSlow}
		}
		c.endLocked(e, "")
	}
	c.wake()
}

// teardown waits for the last write and lets go of the socket so that the peer sees it.
func (c *conn) teardown() {
	c.writers.Wait() // a write ends by closeAt
	c.mu.Lock()
	closeAt, broken, reset := c.mu.closeAt, c.mu.broken, c.mu.reset
	c.mu.Unlock()
	if t, ok := c.nc.(*net.TCPConn); ok && reset {
		_ = t.SetLinger(0) // what the peer does not read is not worth the kernel's memory
		return
	}
	if !broken {
		c.hangUp(closeAt)
	}
}

// hangUp says that nothing more will be written, and reads on until the peer lets go: closing a
// socket with unread bytes resets it, and the peer might lose what was written last.
func (c *conn) hangUp(deadline time.Time) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.nc.SetReadDeadline(deadline) != nil {
		return
	}
	var waste [1024]byte
	for sum := 0; sum < lingerBytesMax; {
		n, err := c.nc.Read(waste[:])
		if err != nil {
			return
		}
		sum += n
	}
}
