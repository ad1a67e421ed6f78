package netloop

import (
	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wheel"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// busy is what a connection of a loop has besides its slot while something about it is not
// finished: its head, a message, a write, or its end. Idle connections have none.
type busy struct {
	parser     wsframe.Parser
	unfinished wheel.Tick // since when the bytes end inside a message; 0: they do not

	head    *wsframe.Buffer // what has come of the head; nil: it is through, or nothing came
	scanner handshake.Scanner
	asked   int // where head holds all of it, and its handler was asked: how long it is

	hold    wheel.Tick      // since when it is held; 0: it is not
	kept    *wsframe.Buffer // what was read and waits for the release; nil: nothing
	handled int             // bytes of kept that are through

	queue    queue
	flight   *wsframe.Buffer // what is being written; nil: nothing
	written  int             // bytes of flight that are written
	writeBy  wheel.Tick      // when flight must be written
	interest poll.Interest   // what the poller was asked for

	// From closing on.
	cause      End
	closeAt    wheel.Tick // when the teardown ends at the latest
	peerClosed bool       // the peer's close frame came
	mute       bool       // nothing the peer sends is understood any more
	deaf       bool       // nothing more comes: the peer sent its last byte
	broken     bool       // nothing can be written any more
	reset      bool       // what the kernel holds for the peer is to be thrown away
	hungUp     bool       // the peer was told that nothing more comes
	counted    bool       // how it was closed is
	lingered   int        // bytes thrown away since then

	held   int // all that it holds, as the holders know it
	queued int // what waits to be written, likewise
}

// idle says whether nothing is left of a busy state.
func (x *busy) idle() bool {
	return x.flight == nil && x.head == nil && !x.deaf && x.queue.waits() == 0 &&
		!x.queue.hasLate && x.held == 0 && x.hold == 0 && x.parser.Idle()
}

// waits is how many bytes wait to be written.
func (x *busy) waits() int {
	n := x.queue.waits()
	if x.flight != nil {
		n += len(x.flight.B) - x.written
	}
	return n
}

// busyKept is how many busy states a loop keeps for later.
const busyKept = 1024

// crowd is the busy states of a loop's connections. Number 0 is none.
type crowd struct {
	all  []*busy
	free []uint32
	made int // of all, those that are there
}

func (c *crowd) take() (uint32, *busy) {
	if n := len(c.free); n > 0 {
		i := c.free[n-1]
		c.free = c.free[:n-1]
		if c.all[i] == nil {
			c.all[i] = new(busy)
			c.made++
		}
		return i, c.all[i]
	}
	if len(c.all) == 0 {
		c.all = append(c.all, nil)
	}
	c.all = append(c.all, new(busy))
	c.made++
	return uint32(len(c.all) - 1), c.all[len(c.all)-1]
}

func (c *crowd) give(i uint32) {
	if len(c.free) < busyKept {
		late := c.all[i].queue.late[:0]
		*c.all[i] = busy{queue: queue{late: late}}
	} else {
		c.all[i] = nil
		c.made--
	}
	c.free = append(c.free, i)
}
