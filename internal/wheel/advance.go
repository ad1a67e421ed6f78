package wheel

import "github.com/curfew-go/curfew/internal/invariants"

// One call of Advance examines at most examinePerID entries for each place in its buffer and
// examineMin more. Without that limit a bucket full of stale entries would hold up its owner, and
// all that wait for the owner's lock, however small the buffer.
const (
	examinePerID = 4
	examineMin   = chunkIDs
)

// Advance moves to tick to and fills due with the ids whose bucket came up, n of them and at most
// len(due). Each is unfiled as it is handed out. An id of a higher level is handed out when its
// bucket starts, so possibly before the tick it was scheduled for: the owner looks up its true
// deadline and either ends it or schedules it again. That is the cascade.
//
// While done is false more is left to do: call again, with the same or a later tick. Only done says
// so: n may be less than len(due), even 0, when stale entries took up the work of the call. Nothing
// is lost in between, and Now does not pass a bucket that is not drained. Ids scheduled in between
// for ticks up to to are handed out by the calls that follow.
//
// A tick before Now does not move the wheel; it goes on with an unfinished drain.
func (w *Wheel) Advance(to Tick, due []uint32) (n int, done bool) {
	to = min(to, MaxTick)
	quota := examinePerID*len(due) + examineMin
	for {
		for w.drain.head != 0 {
			handed, examined := w.drainChunk(due[n:], quota)
			if examined == 0 {
				return n, false
			}
			n += handed
			quota -= examined
		}
		bucket, ok := w.first()
		if !ok {
			break
		}
		start := w.start(bucket)
		if start > to {
			break
		}
		w.now = start
		w.detach(bucket)
	}
	w.now = max(w.now, to)
	if invariants.Enabled {
		w.checkNowAndThen()
	}
	return n, true
}

// detach takes a bucket out of its slot to drain it, the part that a compaction holds included.
func (w *Wheel) detach(bucket position) {
	l := w.buckets[bucket]
	w.buckets[bucket] = list{}
	w.occupied[bucket>>SlotBits] &^= 1 << (bucket % Slots)
	if w.pass.head != 0 && w.pass.bucket == bucket {
		w.arena.at(w.pass.tail).next = l.head
		l.head = w.pass.head
		l.n += w.pass.n
		w.pass.list = list{}
	}
	w.drain.head = l.head
	w.drain.pos = 0
	w.drain.left = l.n
	w.drain.bucket = bucket
}

// drainChunk examines entries of the first chunk of the drain, as many as due has room for and at
// most quota, and releases the chunk when it is empty.
func (w *Wheel) drainChunk(due []uint32, quota int) (handed, examined int) {
	c := w.arena.at(w.drain.head)
	ids := c.ids[w.drain.pos:c.n]
	ids = ids[:min(len(ids), len(due), quota)]
	handed = w.handOut(ids, due)
	examined = len(ids)
	w.stale -= examined - handed
	w.entries[w.drain.bucket>>SlotBits] -= examined
	w.drain.pos += uint32(examined)
	w.drain.left -= uint32(examined)
	if w.drain.pos == c.n {
		next := c.next
		w.arena.release(w.drain.head)
		w.drain.head = next
		w.drain.pos = 0
	}
	return handed, examined
}

// handOut unfiles those of ids, entries of the bucket being drained, that are not stale, and copies
// them to due, which has room for all.
func (w *Wheel) handOut(ids, due []uint32) (n int) {
	want := w.drain.bucket | live
	blocks := w.positions.blocks
	for _, id := range ids {
		p := &blocks[id>>blockShift][id%blockIDs]
		switch *p &^ parity {
		case want:
			*p = 0
			due[n] = id
			n++
		case want ^ (live | out):
			*p = 0
		}
	}
	return n
}
