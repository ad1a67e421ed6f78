package engine

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/curfew-go/curfew/internal/table"
	"github.com/curfew-go/curfew/internal/wheel"
)

// A sweeper ends sessions whose time is up and hands them to the callbacks. Its buffers belong to
// the goroutine that sweeps; there is one at a time.
type sweeper[V any] struct {
	slots  [maxBatch]uint32 // What the scheduler handed out.
	dead   []death
	killed []uint32 // The slots of dead.
	batch  []Expired[V]
	id     []byte // One ID at a time.
	graced []Session[V]

	summary summary

	times struct {
		sync.Mutex
		lateness Histogram
		sweep    Histogram // Of sweepShard.
	}
}

// A death is a session that was killed in this batch.
type death struct {
	slot   uint32
	word   table.Word // What it was before.
	reason Reason
	due    int64 // Nanoseconds since the epoch.
}

// timesCopy is what Stats shows of the times that sweeping took.
func (s *sweeper[V]) timesCopy() (lateness, sweep Histogram) {
	s.times.Lock()
	defer s.times.Unlock()
	return s.times.lateness.clone(), s.times.sweep.clone()
}

// run sweeps whenever something is due, until stop is closed.
func (t *Table[V]) run(stop <-chan struct{}) {
	timer := newStoppedTimer()
	for {
		t.sweep()
		if !t.clock.wait(timer, min(t.plan(), t.sweeper.summary.dueTick(&t.clock)), t.poke, stop) {
			t.flushSummary()
			return
		}
		t.wakeAt.Store(0)
	}
}

// plan decides at which tick the sweeper wakes. It is published before the shards are asked for
// the last time: whoever files something earlier either is seen here or sees what was published.
func (t *Table[V]) plan() uint64 {
	for at := t.nextTick(); ; {
		t.wakeAt.Store(at)
		next := t.nextTick()
		if next >= at {
			return at
		}
		at = next
	}
}

func (t *Table[V]) nextTick() uint64 {
	next := uint64(never)
	for i := range t.shards {
		next = min(next, t.shards[i].next.Load())
	}
	return next
}

// sweep ends all sessions that are due, one batch of each shard in turn, and returns how many.
func (t *Table[V]) sweep() (ended int) {
	for busy := true; busy; {
		busy = false
		for i := range t.shards {
			if t.shards[i].next.Load() > uint64(t.clock.now()/t.clock.tick) {
				continue
			}
			n, ok := t.sweepShard(i)
			if ended += n; !ok {
				return ended
			}
			busy = true
		}
		t.writeSummary()
	}
	return ended
}

// writeSummary writes a line about expired sessions if one is due, and flushSummary if there is
// anything to say. The logger's handler is as free to close the table as a callback is.
func (t *Table[V]) writeSummary() {
	if t.sweeper.summary.due(t.clock.now()) {
		t.flushSummary()
	}
}

func (t *Table[V]) flushSummary() {
	if t.sweeper.summary.counted() == 0 {
		return
	}
	t.life.beginCallback()
	defer t.life.endCallback()
	t.sweeper.summary.flush(&t.core)
}

// sweepShard looks at up to maxBatch slots of a shard and returns how many sessions it ended. It
// reports false once the table is closed.
func (t *Table[V]) sweepShard(i int) (ended int, ok bool) {
	s := &t.sweeper
	if t.luo != nil {
		t.luo.settle(i)
	}
	v := t.clock.view()
	sh, ok := t.lock(i)
	if !ok {
		return 0, false
	}
	n, _ := sh.mu.due.Advance(wheel.Tick(v.tick), s.slots[:])
	for _, slot := range s.slots[:n] {
		t.visitLocked(sh, &v, slot)
	}
	t.collectLocked(sh, i, &v)
	t.compactLocked(sh)
	t.planLocked(sh)
	t.checkShardLocked(sh)
	sh.mu.Unlock()
	ended = len(s.dead)
	t.deliver()
	if n > 0 {
		took := time.Duration(t.clock.now() - v.now)
		s.times.Lock()
		s.times.sweep.Add(took)
		s.times.Unlock()
	}
	return ended, true
}

// visitLocked decides about the session of a slot, if there is one, and files it again if it
// lives on. A touch that comes between has it decide anew.
func (t *Table[V]) visitLocked(sh *shard, v *view, slot uint32) {
	s := &t.sweeper
	for {
		w := t.store.Load(slot)
		if !w.Live() {
			return
		}
		f := t.judge(v, slot, w)
		v.checkFate(f)
		switch {
		case f.ended != 0:
			if !t.store.Kill(slot, w) {
				continue
			}
			s.dead = append(s.dead, death{slot: slot, word: w, reason: f.ended})
			s.killed = append(s.killed, slot)
			return
		case f.grace && w.State() == table.Active:
			if !t.store.Swap(slot, w, w.With(table.Grace, w.Stamp())) {
				continue
			}
			t.grace.Add(1)
			s.graced = append(s.graced, t.session(table.RefOf(slot, w)))
		}
		sh.mu.due.Schedule(slot, wheel.Tick(min(f.at, uint64(wheel.MaxTick))))
		return
	}
}

// collectLocked takes what the callbacks shall know of the sessions that were killed, and frees
// their slots.
func (t *Table[V]) collectLocked(sh *shard, i int, v *view) {
	s := &t.sweeper
	for j := range s.dead {
		d := &s.dead[j]
		times, idle := t.timesOf(d.slot, d.word), t.idleOf(d.slot)
		d.due = t.due(times, idle, d.reason)
		v.checkDeath(d)
		if t.early(v, d, idle) {
			sh.mu.early++
		}
		if d.reason == ReasonIdle {
			sh.mu.idle++
		} else {
			sh.mu.lifetime++
		}
		if t.onExpire != nil {
			t.addExpired(i, d, times)
		} else if t.hasValue {
			t.takeValueLocked(d.slot)
		}
		t.forgetLocked(sh, d.slot, d.word)
	}
	t.store.Bury(i, s.killed)
	t.live.Add(-int64(len(s.dead)))
}

// addExpired adds a session to the batch for OnExpire.
func (t *Table[V]) addExpired(i int, d *death, times times) {
	s := &t.sweeper
	s.batch = append(s.batch, Expired[V]{
		Ref:       Ref(table.RefOf(d.slot, d.word)),
		Reason:    d.reason,
		Created:   t.clock.at(times.created),
		LastTouch: t.clock.at(times.touched),
		Due:       t.clock.at(d.due),
	})
	e := &s.batch[len(s.batch)-1]
	s.id = t.store.AppendKey(s.id[:0], i, d.slot)
	e.setID(s.id)
	if t.hasValue {
		e.Value = t.takeValueLocked(d.slot)
	}
}

// deliver hands the batches to the callbacks, with no lock held. A callback that ends the
// goroutine, by runtime.Goexit, keeps the other from nothing.
func (t *Table[V]) deliver() {
	s := &t.sweeper
	defer s.clear()
	if len(s.dead) > 0 {
		s.summary.count(s.dead)
		now := t.clock.now()
		s.times.Lock()
		for i := range s.dead {
			s.times.lateness.Add(time.Duration(now - s.dead[i].due))
		}
		s.times.Unlock()
	}
	if n := len(s.batch); n > 0 {
		defer t.call("OnExpire", func() { t.onExpire(s.batch[:n:n]) })
	}
	if n := len(s.graced); n > 0 && t.onGrace != nil {
		t.call("OnGrace", func() { t.onGrace(s.graced[:n:n]) })
	}
}

// clear empties the buffers and lets go of what they held.
func (s *sweeper[V]) clear() {
	clear(s.batch)
	clear(s.graced)
	s.dead, s.killed = s.dead[:0], s.killed[:0]
	s.batch, s.graced = s.batch[:0], s.graced[:0]
}

// call calls a callback, unless the table was closed. What it panics with is counted and logged.
// A callback that ends the goroutine by runtime.Goexit counts as one that panicked.
func (t *Table[V]) call(name string, callback func()) {
	if t.life.closed() {
		return
	}
	t.life.beginCallback()
	returned := false
	defer func() {
		if !returned {
			reason := recover()
			t.panics.Add(1)
			t.logger.Error("session callback panicked",
				"callback", name, "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
		}
		t.life.endCallback()
	}()
	callback()
	returned = true
}
