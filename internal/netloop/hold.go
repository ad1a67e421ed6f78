package netloop

import (
	"sync/atomic"
	"time"
)

// hold is what the goroutine of a connection that is held waits for.
type hold struct {
	released atomic.Bool
	wake     chan struct{} // something has changed; room for one
}

func (h *hold) signal() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// hold has the connection wait once the call of the handler returns, which calls it.
func (c *reader) hold(ID) {
	if s, _, _ := c.state(); s == stageClosing {
		return
	}
	if h := c.holding.Load(); h == nil || h.released.Load() {
		c.holding.Store(&hold{wake: make(chan struct{}, 1)})
	}
}

// release ends the holding, for anybody.
func (c *reader) release() {
	if h := c.holding.Load(); h != nil {
		h.released.Store(true)
		h.signal()
	}
}

// isHeld says whether the handler holds the connection and has not ended it since.
func (c *reader) isHeld() bool {
	s, _, _ := c.state()
	return c.holding.Load() != nil && s != stageClosing
}

// await waits for the release, or until done gives true, which is asked again after each wake.
// Either way the connection is not held any more.
func (c *reader) await(done func() bool) {
	h := c.holding.Load()
	from := c.srv.elapsed()
	for !h.released.Load() && !done() {
		<-h.wake
	}
	c.holding.Store(nil)
	c.vitals.rest(from, c.srv.elapsed())
}

// ended says whether nothing is to be waited for any more.
func (c *reader) ended() bool {
	s, _, _ := c.state()
	return s == stageClosing || c.srv.closing.Load()
}

// pause waits in the middle of a turn, until the connection is not held any more, and tells the
// handler if it may go on. What was sent leaves meanwhile.
func (c *reader) pause() {
	for c.isHeld() {
		c.parser.Next(c.rules, nil) // takes back the memory of the message
		c.cork(false)
		c.await(c.ended)
		c.cork(true)
		if c.srv.closing.Load() {
			c.lost()
		}
		if s, _, _ := c.state(); s != stageClosing {
			c.srv.o.Handler.Released(c.conn())
		}
	}
	c.holding.Store(nil)
}

// awaitUpgrade waits in the middle of an upgrade, until the handler is to be asked again. A Refusal
// says that it is not, and that it knows.
func (c *reader) awaitUpgrade() *Refusal {
	c.await(func() bool { return c.ended() || c.srv.isStopping() })
	refusal := &refusedEnded
	if s, _, _ := c.state(); s != stageClosing {
		if !c.srv.isStopping() {
			return nil
		}
		refusal = &refusedStopping
		c.end(End{Cause: CauseLost}, "")
	}
	c.tell()
	return refusal
}

// rest takes the time out of the deadlines in which the connection was held.
func (v *vitals) rest(from, to time.Duration) {
	v.accepted = later(v.accepted, to-from)
}

// queued is how many bytes wait to be written.
func (c *reader) queued(ID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.stage == stageClosing {
		return 0
	}
	return c.mu.queue.waits() + c.mu.queue.flight
}
