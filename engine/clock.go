package engine

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-go/curfew/internal/table"
)

const (
	// maxAllowance bounds how late a tick may be published, in nanoseconds, before that leaves a
	// record. It is less than the 5 ms that G2 allows beside two ticks, of which a touch's place
	// in its tick takes one and rounding may take the other.
	maxAllowance = int64(4 * time.Millisecond)

	// quietTicks is how many ticks without a stamp the publisher goes on before it sleeps.
	quietTicks = 8

	// never is the tick that does not come.
	never = math.MaxUint64
)

// A clock tells a table the time. It publishes the tick that touches stamp sessions with, so that
// a touch need not read the time: one goroutine does, once a tick, while there are touches. After
// quietTicks ticks without any it sleeps, and the next toucher reads the time and wakes it.
//
// Published ticks can be late, and a session must never end early for it (G1). Therefore a touch
// stamped s counts as the end of tick s plus an allowance, and a publisher that was held up for
// longer leaves a record until when touches were stamped s. Those who judge sessions take a view,
// which publishes first, so that no record is missing for any stamp that the view lets them judge.
// The record covers all ticks up to the next that was published: new sessions are stamped with the
// true time, and a touch that bears an older tick finds such a one stamped already.
//
// A manual clock stands still between calls of advance. It counts half ticks: an even stamp is the
// beginning of a tick exactly, and an odd one somewhere within.
type clock struct {
	// Set by init, then only read.
	epoch  time.Time // Time zero; all other times are nanoseconds since it.
	tick   int64     // Nanoseconds.
	manual bool

	// allowance is how late a tick may be published without a record: a touch counts as the end
	// of its tick plus this.
	allowance int64

	wake chan struct{} // Wakes the publisher; holds one.

	store *table.Store

	set atomic.Int64 // What a manual clock shows.
	_   [64]byte     // Keeps stamp, which every touch reads, off what others write.

	// stamp is the tick to stamp touches with, or table.Asleep.
	stamp atomic.Uint64
	_     [56]byte

	mu struct {
		sync.Mutex
		awake   bool
		closed  bool
		current uint64 // What stamp is while awake.
		late    lateStamps
	}
}

func (c *clock) init(store *table.Store, tick time.Duration, manual bool) {
	c.store = store
	c.epoch = time.Now()
	c.tick = int64(tick)
	c.allowance = min(c.tick, maxAllowance)
	c.manual = manual
	c.wake = make(chan struct{}, 1)
	if manual {
		c.mu.awake = true
		return
	}
	c.stamp.Store(table.Asleep)
}

// now is the time in nanoseconds since the epoch.
func (c *clock) now() int64 {
	if c.manual {
		return c.set.Load()
	}
	return int64(time.Since(c.epoch))
}

// stampAt is what a touch at that time is stamped with.
func (c *clock) stampAt(nanos int64) uint64 {
	s := uint64(nanos / c.tick)
	if c.manual {
		s *= 2
		if nanos%c.tick != 0 {
			s++
		}
	}
	return min(s, table.MaxStamp)
}

// begins is when the tick of a stamp begins, and ends the end of what it may stand for, without a
// record, in nanoseconds.
func (c *clock) begins(s uint64) int64 {
	if c.manual {
		s /= 2
	}
	return int64(s) * c.tick
}

func (c *clock) ends(s uint64) int64 {
	if c.manual {
		return satAdd(int64(s/2)*c.tick, int64(s%2)*c.tick)
	}
	return int64(s+1)*c.tick + c.allowance
}

// at is a time in nanoseconds since the epoch as a time.
func (c *clock) at(nanos int64) time.Time { return c.epoch.Add(time.Duration(nanos)) }

// rouse returns the tick to stamp a touch with when the published one is Asleep. It is Asleep
// still once the clock is closed.
func (c *clock) rouse() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return table.Asleep
	}
	if !c.mu.awake {
		c.mu.awake = true
		c.mu.current = c.stampAt(c.now())
		c.stamp.Store(c.mu.current)
		c.wake <- struct{}{} // Never blocks: the publisher sleeps, so the channel is empty.
	}
	return c.mu.current
}

// publishLocked publishes the present tick.
func (c *clock) publishLocked() {
	s := c.stampAt(c.now())
	if !c.mu.awake || s <= c.mu.current {
		return
	}
	old := c.mu.current
	c.mu.current = s
	c.stamp.Store(s)
	c.retireLocked(old, s-1)
}

// retireLocked notes until when touches may have been stamped with a tick that is published no
// more, for that one and all up to last. The time is taken now, since a toucher may have read the
// tick up to this moment.
func (c *clock) retireLocked(old, last uint64) {
	if !c.manual {
		now := c.now()
		c.mu.late.add(old, min(last, c.stampAt(now)), now-c.ends(old))
	}
}

// A view is the state of a clock that sessions are judged by.
type view struct {
	now  int64  // Nanoseconds since the epoch.
	tick uint64 // The last tick that is past or just begins.

	// A session stamped stamp or later may have been touched up to now; for what was stamped
	// before, late has all the records there will ever be.
	stamp uint64
	late  lateStamps
}

// view publishes the present tick, if the clock is awake, and returns what holds now.
func (c *clock) view() view {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publishLocked()
	now := c.now()
	v := view{now: now, tick: uint64(now / c.tick), stamp: c.stamp.Load(), late: c.mu.late}
	if c.manual {
		v.stamp = table.MaxStamp // Which stands for all time from then on.
	}
	return v
}

// touched is the time until which a session stamped s may have been touched.
func (c *clock) touched(v *view, s uint64) int64 {
	if s >= v.stamp {
		return max(c.ends(s), v.now)
	}
	return c.ends(s) + v.late.extra(s)
}

// advance moves a manual clock.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := satAdd(c.set.Load(), int64(d))
	c.set.Store(now)
	c.publishLocked()
}

// closed reports whether the clock was closed.
func (c *clock) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.closed
}

// close stops the clock: no touch is stamped again.
func (c *clock) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.closed = true
	c.mu.awake = false
	c.stamp.Store(table.Asleep)
}

// run publishes ticks until stop is closed.
func (c *clock) run(stop <-chan struct{}) {
	timer := newStoppedTimer()
	for {
		select {
		case <-c.wake:
		case <-stop:
			return
		}
		for awake := true; awake; awake = c.keepAwake() {
			for range quietTicks {
				timer.Reset(c.untilNextTick())
				select {
				case <-timer.C:
				case <-stop:
					timer.Stop()
					return
				}
				c.mu.Lock()
				c.publishLocked()
				c.mu.Unlock()
				if c.store.Stamped() {
					break
				}
			}
		}
	}
}

// keepAwake reports whether words were stamped since it last looked, and else puts the clock to
// sleep. A toucher that read the last tick just before may stamp it after, even much later: the
// record that is left says so.
func (c *clock) keepAwake() bool {
	if c.store.TakeStamped() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.awake {
		c.mu.awake = false
		c.stamp.Store(table.Asleep)
		c.retireLocked(c.mu.current, table.MaxStamp)
	}
	return false
}

func (c *clock) untilNextTick() time.Duration {
	now := c.now()
	return time.Duration(c.tick - now%c.tick)
}

// wait returns when the tick at has come, when poke receives, or when stop is closed; it reports
// false in the last case.
func (c *clock) wait(timer *time.Timer, at uint64, poke, stop <-chan struct{}) bool {
	var due <-chan time.Time
	if at != never && at < math.MaxInt64/uint64(c.tick) {
		timer.Reset(time.Duration(int64(at)*c.tick - c.now()))
		due = timer.C
		defer timer.Stop()
	}
	select {
	case <-due:
	case <-poke:
	case <-stop:
		return false
	}
	return true
}

func newStoppedTimer() *time.Timer {
	t := time.NewTimer(math.MaxInt64)
	t.Stop()
	return t
}

// satAdd adds two durations of which b is not negative; what is too large becomes the largest.
func satAdd(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
