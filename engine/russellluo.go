package engine

import (
	"sync"
	"time"

	"github.com/RussellLuo/timingwheel"

	"github.com/curfew-go/curfew/internal/wheel"
)

// luoSlots is the size of the RussellLuo wheel. Its span is as many ticks.
const luoSlots = 4096

// A luoWheel drives the schedulers of a table by a github.com/RussellLuo/timingwheel, and keeps
// away from what is wrong with it; docs/decisions says how in each case. A timer stands for all
// slots of a shard that are due at a tick, so a fire is a goroutine a tick and not a session. No
// timer is ever stopped. None reaches beyond the wheel's span, and a heartbeat keeps its clock
// moving, so its overflow wheels, which can lock up, stay empty. Early and late fires do no harm:
// a timer only says that the sweeper shall look.
type luoWheel struct {
	core  *core
	wheel *timingwheel.TimingWheel
	tick  time.Duration

	mu struct {
		// Held for reading while a timer is made, which blocks for ever on a stopped wheel.
		sync.RWMutex
		stopped bool
	}
	schedulers []*luoScheduler
}

// newLuoWheel makes a wheel for the shards of a core and starts it.
func newLuoWheel(c *core) *luoWheel {
	tick := time.Duration(c.clock.tick)
	l := &luoWheel{core: c, tick: tick, wheel: timingwheel.NewTimingWheel(tick, luoSlots)}
	for i := range c.shards {
		s := &luoScheduler{
			filed:   make(map[uint32]wheel.Tick),
			buckets: make(map[wheel.Tick][]uint32),
		}
		l.schedulers = append(l.schedulers, s)
		c.shards[i].mu.due = s
	}
	l.wheel.Start()
	l.beat()
	return l
}

// span is the longest that a timer is set for: half of what the wheel holds, since its clock may
// be behind by as much as a heartbeat.
func (l *luoWheel) span() time.Duration { return l.tick * luoSlots / 2 }

// after has f called, in a goroutine of its own, about d from now.
func (l *luoWheel) after(d time.Duration, f func()) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.mu.stopped {
		l.wheel.AfterFunc(d, f)
	}
}

func (l *luoWheel) beat() { l.after(l.tick*luoSlots/8, l.beat) }

// settle makes the timers that a shard's scheduler asks for. It is called with no lock held,
// because making one may have to wait for the wheel's goroutines.
func (l *luoWheel) settle(i int) {
	sh := &l.core.shards[i]
	s := l.schedulers[i]
	sh.mu.Lock()
	unarmed := s.unarmed
	s.unarmed = nil
	sh.mu.Unlock()
	for _, at := range unarmed {
		// The wheel fires up to a tick of its own early: a tick more makes that late instead.
		d := l.span()
		if left := int64(at) - l.core.clock.now()/int64(l.tick); left < luoSlots/2 {
			d = time.Duration(max(left, 0)+1) * l.tick
		}
		l.after(d, func() { l.fire(sh, s, at) })
	}
}

// fire has the sweeper look at the slots that are filed for a tick.
func (l *luoWheel) fire(sh *shard, s *luoScheduler, at wheel.Tick) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.mu.closed {
		return
	}
	s.take(at)
	l.core.planLocked(sh)
}

// stop stops the wheel. No timer is made afterwards.
func (l *luoWheel) stop() {
	l.mu.Lock()
	l.mu.stopped = true
	l.mu.Unlock()
	l.wheel.Stop()
}

// luoScheduler is the scheduler of a shard on a luoWheel. Everything is guarded by the shard's
// lock.
type luoScheduler struct {
	filed   map[uint32]wheel.Tick // When each slot is to be handed out.
	buckets map[wheel.Tick][]uint32
	unarmed []wheel.Tick // Buckets without a timer.

	// fired are the buckets whose timer fired, no longer in buckets: what is filed again for the
	// same tick, as happens where a timer reaches less far than its tick, needs a new timer.
	fired []luoBucket

	entries int // Of all buckets, those of slots filed anew included.
}

type luoBucket struct {
	at    wheel.Tick
	slots []uint32
}

var _ scheduler = (*luoScheduler)(nil)

// Schedule adds the slot to the bucket of its tick, and asks for a timer if that is new.
func (s *luoScheduler) Schedule(slot uint32, at wheel.Tick) {
	if old, ok := s.filed[slot]; ok && old <= at {
		return
	}
	s.filed[slot] = at
	s.entries++
	b, ok := s.buckets[at]
	s.buckets[at] = append(b, slot)
	if !ok {
		s.unarmed = append(s.unarmed, at)
	}
}

// take puts the bucket of a tick among those that fired.
func (s *luoScheduler) take(at wheel.Tick) {
	s.fired = append(s.fired, luoBucket{at, s.buckets[at]})
	delete(s.buckets, at)
}

// Advance hands out slots of buckets whose timer fired. Like the native wheel's it looks at no
// more than four entries for each that it may hand out.
func (s *luoScheduler) Advance(_ wheel.Tick, due []uint32) (n int, done bool) {
	for quota := 4 * len(due); len(s.fired) > 0; {
		b := &s.fired[len(s.fired)-1]
		for ; len(b.slots) > 0; quota-- {
			if n == len(due) || quota == 0 {
				return n, false
			}
			slot := b.slots[len(b.slots)-1]
			b.slots = b.slots[:len(b.slots)-1]
			s.entries--
			if s.filed[slot] == b.at {
				delete(s.filed, slot)
				due[n] = slot
				n++
			}
		}
		*b = luoBucket{}
		s.fired = s.fired[:len(s.fired)-1]
	}
	return n, true
}

// Next is at once while there is something for the sweeper to do, and else unknown: a timer will
// say so.
func (s *luoScheduler) Next() (wheel.Tick, bool) {
	return 0, len(s.unarmed) > 0 || len(s.fired) > 0
}

// Len counts the slots in all buckets, those of slots filed anew included.
func (s *luoScheduler) Len() int { return s.entries }

// Pending counts the slots of buckets whose timer fired.
func (s *luoScheduler) Pending(wheel.Tick) (n int) {
	for i := range s.fired {
		n += len(s.fired[i].slots)
	}
	return n
}

// Compact drops nothing: stale entries leave when their timer fires.
func (s *luoScheduler) Compact(int, func(uint32) bool) int { return 0 }

// Bytes is an estimate of what the maps and slices take.
func (s *luoScheduler) Bytes() int64 {
	const perFiled, perEntry, perBucket = 32, 4, 256
	return int64(len(s.filed)*perFiled + s.entries*perEntry + len(s.buckets)*perBucket)
}
