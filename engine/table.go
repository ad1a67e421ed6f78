package engine

import (
	"cmp"
	"iter"
	"math"
	"time"
	"unsafe"

	"github.com/curfew-go/curfew/internal/table"
	"github.com/curfew-go/curfew/internal/wheel"
)

// A Table holds sessions that end by themselves. Make one with New. All methods may be called at
// any time from any goroutine, from callbacks too.
type Table[V any] struct {
	core
	values   table.Column[V]
	hasValue bool            // Whether V has a size at all.
	spare    *table.Cells[V] // For the next chunk's values. Guarded by growth.
	onExpire func([]Expired[V])
	onGrace  func([]Session[V])
	sweeper  sweeper[V]
	life     life
}

// New makes a table. Its error names every field of o that is out of range. The table runs until
// Close.
func New[V any](o Options[V]) (*Table[V], error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	var zero V
	t := &Table[V]{
		core: core{
			store: table.New(o.Shards),
			limits: limits{
				idle:  int64(o.IdleTimeout),
				grace: int64(o.Grace),
				life:  cmp.Or(int64(o.MaxLifetime), forever),
			},
			max:    cmp.Or(int64(o.MaxSessions), math.MaxInt64),
			logger: o.Logger,
			poke:   make(chan struct{}, 1),
		},
		hasValue: unsafe.Sizeof(zero) > 0,
		onExpire: o.OnExpire,
		onGrace:  o.OnGrace,
	}
	t.clock.init(t.store, o.Tick, o.Manual)
	t.life.init()
	t.shards = make([]shard, t.store.Shards())
	for i := range t.shards {
		t.shards[i].next.Store(never)
		if o.Wheel == WheelNative {
			t.shards[i].mu.due = wheel.New(0)
		}
	}
	if o.Wheel == WheelRussellLuo {
		t.luo = newLuoWheel(&t.core)
	}
	if !o.Manual {
		t.start()
	}
	return t, nil
}

// Create makes a session with a new random ID of 32 characters. It returns ErrFull or ErrClosed.
func (t *Table[V]) Create(v V) (Session[V], error) {
	var id [idLen]byte
	newID(&id)
	k := t.store.Key(id[:])
	i := t.store.Shard(&k)
	sh, ok := t.lock(i)
	if !ok {
		return Session[V]{}, ErrClosed
	}
	s, err := t.insertLocked(sh, i, &k, v)
	sh.mu.Unlock()
	t.refill()
	return s, err
}

// Ensure touches the session with the ID, or creates it with the value v if there is none. It
// returns ErrBadID, ErrFull or ErrClosed.
func (t *Table[V]) Ensure(id string, v V) (s Session[V], created bool, err error) {
	if len(id) == 0 || len(id) > table.MaxKey {
		return Session[V]{}, false, ErrBadID
	}
	b := bytesOf(id)
	k := t.store.Key(b)
	for {
		if slot, w, ok, _ := t.store.Find(&k); ok {
			s = t.session(table.RefOf(slot, w))
			if s.Touch() {
				return s, false, nil
			}
		}
		i := t.store.Shard(&k)
		sh, ok := t.lock(i)
		if !ok {
			return Session[V]{}, false, ErrClosed
		}
		slot, w, ok := t.store.FindLocked(i, &k, b)
		if !ok {
			s, err = t.insertLocked(sh, i, &k, v)
			sh.mu.Unlock()
			t.refill()
			return s, err == nil, err
		}
		sh.mu.Unlock()
		s = t.session(table.RefOf(slot, w))
		if s.Touch() {
			return s, false, nil
		}
	}
}

// insertLocked makes a session of a key that the shard does not hold.
func (t *Table[V]) insertLocked(sh *shard, i int, k *table.Key, v V) (Session[V], error) {
	if !t.reserve() {
		return Session[V]{}, ErrFull
	}
	if t.store.NeedsChunk(i) && !t.growLocked(i) {
		t.live.Add(-1)
		t.rejected.Add(1)
		return Session[V]{}, ErrFull
	}
	now := t.clock.now()
	stamp := t.clock.stampAt(now)
	r := t.store.Insert(i, k, stamp, now)
	if t.hasValue {
		*t.values.At(r.Slot()) = v
	}
	sh.mu.live++
	sh.mu.created++
	// Should the stamp be published for longer than it allows, this is too early, and the visit
	// will find that out.
	at := t.ticks(satAdd(t.clock.ends(stamp), t.limits.idle))
	if t.limits.life != forever {
		at = min(at, t.ticks(satAdd(now, t.limits.life)))
	}
	t.file(sh, r.Slot(), at)
	return t.session(r), nil
}

// growLocked gives the shard a chunk of slots and the cells for their values.
func (t *Table[V]) growLocked(i int) bool {
	t.growth.Lock()
	defer t.growth.Unlock()
	first, ok := t.store.AddChunk(i)
	if ok && t.hasValue {
		t.values.Put(first, cmp.Or(t.spare, table.NewCells[V]()))
		t.spare = nil
	}
	return ok
}

// refill makes the chunk of slots, and of values, that the next shard to grow will take, so that
// their memory is put in place while no lock is held.
func (t *Table[V]) refill() {
	if !t.store.WantsSpare() {
		return
	}
	chunk := t.store.MakeSpare()
	var cells *table.Cells[V]
	if t.hasValue {
		cells = table.NewCells[V]()
	}
	t.growth.Lock()
	defer t.growth.Unlock()
	if !t.life.closed() {
		t.store.PutSpare(chunk)
		t.spare = cells
	}
}

// Lookup finds a session by its ID. It does not touch it.
func (t *Table[V]) Lookup(id string) (Session[V], bool) {
	if len(id) == 0 || len(id) > table.MaxKey {
		return Session[V]{}, false
	}
	r, ok := t.find(id)
	if !ok {
		return Session[V]{}, false
	}
	return t.session(r), true
}

// Touch notes that the session with the ID is in use: its idle timeout begins again, and if it is
// in grace it is active again. It reports false if there is no such session.
func (t *Table[V]) Touch(id string) bool {
	o := t.store.Touch(id, t.clock.stamp.Load())
	return o == table.Touched || t.touchRest(id, o)
}

// TouchBytes is Touch for an ID in a byte slice, which it does not keep.
func (t *Table[V]) TouchBytes(id []byte) bool {
	return t.Touch(unsafe.String(unsafe.SliceData(id), len(id)))
}

// TouchBatch touches many sessions and returns how many of them were alive. It takes less time
// than as many calls of Touch.
func (t *Table[V]) TouchBatch(refs []Ref) int { return t.touchBatch(refs) }

// Remove ends the session with the ID and returns its value. It reports false if there is none.
func (t *Table[V]) Remove(id string) (V, bool) {
	var zero V
	if len(id) == 0 || len(id) > table.MaxKey {
		return zero, false
	}
	b := bytesOf(id)
	k := t.store.Key(b)
	if _, _, ok, stashed := t.store.Find(&k); !ok && !stashed {
		return zero, false
	}
	i := t.store.Shard(&k)
	sh, ok := t.lock(i)
	if !ok {
		return zero, false
	}
	defer sh.mu.Unlock()
	slot, w, ok := t.store.FindLocked(i, &k, b)
	if !ok {
		return zero, false
	}
	return t.removeLocked(sh, i, slot, w), true
}

// removeLocked ends the session of a slot whose word is w, or was before it was touched.
func (t *Table[V]) removeLocked(sh *shard, i int, slot uint32, w table.Word) (v V) {
	for !t.store.Kill(slot, w) {
		w = t.store.Load(slot) // A touch came between. Nobody else can end it.
	}
	if t.hasValue {
		v = t.takeValueLocked(slot)
	}
	t.store.Bury(i, []uint32{slot})
	t.forgetLocked(sh, slot, w)
	sh.mu.removed++
	t.live.Add(-1)
	t.compactLocked(sh)
	return v
}

// takeValueLocked returns a slot's value and clears it.
func (t *Table[V]) takeValueLocked(slot uint32) (v V) {
	cell := t.values.At(slot)
	v, *cell = *cell, v
	return v
}

// Renew gives the session with the ID another, new and random ID; the old one is dead at once.
// The session's handle, value and times stay as they are. It returns ErrNotFound or ErrClosed.
func (t *Table[V]) Renew(id string) (Session[V], error) {
	r, err := t.renew(id)
	if err != nil {
		return Session[V]{}, err
	}
	return t.session(r), nil
}

// At is the handle behind a Ref of this table. Its methods say whether the session lives.
func (t *Table[V]) At(r Ref) Session[V] { return Session[V]{t: t, ref: r} }

func (t *Table[V]) session(r table.Ref) Session[V] { return Session[V]{t: t, ref: Ref(r)} }

// Len is the number of sessions, those in grace included.
func (t *Table[V]) Len() int { return int(t.live.Load()) }

// All is an iterator over all sessions. One that lives throughout is yielded exactly once, any
// other at most once. It takes no lock.
func (t *Table[V]) All() iter.Seq[Session[V]] { return t.AllAfter(0) }

// AllAfter yields what All yields after the session that r names, which may have ended: All has one
// order, in which a session keeps its place. After the zero Ref come all. So a walk can be broken
// off and taken up again, by another call, and still meets each session that lives throughout once.
func (t *Table[V]) AllAfter(r Ref) iter.Seq[Session[V]] {
	first := uint64(0) // A Ref that is none of this table may name the last slot there can be.
	if r != 0 {
		first = uint64(table.Ref(r).Slot()) + 1
	}
	return func(yield func(Session[V]) bool) {
		for i := first; i < uint64(t.store.Slots()); i++ {
			slot := uint32(i)
			if w := t.store.Load(slot); w.Live() && !yield(t.session(table.RefOf(slot, w))) {
				return
			}
		}
	}
}

// Advance moves the time of a manual table, ends all sessions that are due by then, and returns
// how many. Callbacks see the time that it moved to. It panics if the table keeps its own time,
// if d is negative, and if it is called from a callback of the same table.
func (t *Table[V]) Advance(d time.Duration) int {
	if !t.clock.manual {
		panic("engine: Advance of a table that keeps its own time")
	}
	if d < 0 {
		panic("engine: Advance by a negative duration")
	}
	if !t.life.enter() {
		panic("engine: Advance from a callback")
	}
	defer t.life.leave()
	t.clock.advance(d)
	return t.sweep()
}

// bytesOf is a string's bytes, to be read only and not to be kept.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
