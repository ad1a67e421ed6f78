package table

import (
	"encoding/binary"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// Outcome is what became of a touch.
type Outcome uint8

// The outcomes of a touch. After the last three the caller has something to do first.
const (
	Missing Outcome = iota // There is no such session.
	Touched                // It lives, and its word bears the stamp or a later one.
	Sleepy                 // It lives, but the stamp given was Asleep.
	InGrace                // It is in grace, and reviving it takes the shard's lock.
	Stashed                // Only FindLocked can tell whether there is such a session.
)

// Touch stamps the session of a key, if it is Active, with a tick that never goes back.
//
// It is one function where Find, compare and stamp would do, since a touch of one session among
// millions is two cache misses, of the bucket and of the slot, and the fewer instructions there
// are the sooner the processor begins with the next touch's. What is rare is left to touchAny.
func (s *Store) Touch(id string, stamp uint64) Outcome {
	if len(id) != keyBytes {
		return s.touchAny(id, stamp)
	}
	b := (*[keyBytes]byte)(unsafe.Pointer(unsafe.StringData(id)))
	m := [keyWords]uint64{
		binary.LittleEndian.Uint64(b[0:8]) ^ s.secret[0],
		binary.LittleEndian.Uint64(b[8:16]) ^ s.secret[1],
		binary.LittleEndian.Uint64(b[16:24]) ^ s.secret[2],
		binary.LittleEndian.Uint64(b[24:32]) ^ s.secret[3],
	}
	h := xxhash.Sum64((*[keyBytes]byte)(unsafe.Pointer(&m))[:])

	x := &s.shards[s.shardOfHash(h)].index
	d := x.dir.Load()
	seg := d.segment(d.at(x.bitsOf(h)).Load())
	if seg == nil {
		return s.touchAny(id, stamp)
	}
	home := &seg[bucketOf(h)]
	slots := s.slots.Load()
	for marks := home.marks(tagOf(h)); marks != 0; marks &= marks - 1 {
		slot := home.slot(markedOf(marks))
		n := int(slot >> chunkBits)
		if n >= len(slots.chunks) {
			break
		}
		c := slots.chunks[n]
		word, k := c.word(slot), c.key(slot)
		old := word.Load()
		if k[0].Load()^binary.LittleEndian.Uint64(b[0:8])|
			k[1].Load()^binary.LittleEndian.Uint64(b[8:16])|
			k[2].Load()^binary.LittleEndian.Uint64(b[16:24])|
			k[3].Load()^binary.LittleEndian.Uint64(b[24:32]) != 0 {
			continue
		}
		const want = activeBits | kindFull<<kindShift
		if old&(stateMask|kindMask) != want || stamp == Asleep {
			break
		}
		if old&stampMask < stamp {
			if word.CompareAndSwap(old, old&^stampMask|stamp) {
				s.noteStamp()
				return Touched
			}
		} else if (word.Load()^old)&identityMask == 0 {
			return Touched
		}
		break
	}
	return s.touchAny(id, stamp)
}

// touchAny is Touch for any key and any state.
func (s *Store) touchAny(id string, stamp uint64) Outcome {
	if len(id) == 0 || len(id) > MaxKey {
		return Missing
	}
	k := s.Key(unsafe.Slice(unsafe.StringData(id), len(id)))
	for {
		slot, w, ok, stashed := s.Find(&k)
		if stashed {
			return Stashed
		}
		if !ok {
			return Missing
		}
		if o, done := s.stamp(slot, w, stamp); done {
			return o
		}
	}
}

// Fresh reports whether the session that r names is Active and bears the stamp or a later one, so
// that a touch has nothing to do. It is small enough to be inlined, which most touches of a busy
// session end with.
func (s *Store) Fresh(r Ref, stamp uint64) bool {
	chunks := s.slots.Load().chunks
	n := int(uint32(r) >> chunkBits)
	if n >= len(chunks) {
		return false
	}
	w := chunks[n].words[r&chunkMask].Load()
	return (w^uint64(r)^activeBits)&(genMask|stateMask) == 0 && w&stampMask >= stamp
}

// TouchRef stamps the session that r names, if it is Active.
func (s *Store) TouchRef(r Ref, stamp uint64) Outcome {
	d := s.slots.Load()
	n := int(uint32(r) >> chunkBits)
	if n >= len(d.chunks) {
		return Missing
	}
	word := d.chunks[n].word(uint32(r))
	old := word.Load()
	if (old^uint64(r))&genMask == 0 && old&stateMask == activeBits {
		if old&stampMask >= stamp {
			return Touched
		}
		if stamp != Asleep && word.CompareAndSwap(old, old&^stampMask|stamp) {
			s.noteStamp()
			return Touched
		}
	}
	return s.touchRefAny(r, stamp)
}

func (s *Store) touchRefAny(r Ref, stamp uint64) Outcome {
	for {
		w, ok := s.Is(r)
		if !ok {
			return Missing
		}
		if o, done := s.stamp(r.Slot(), w, stamp); done {
			return o
		}
	}
}

// stamp touches the session of a slot if its word is still w.
func (s *Store) stamp(slot uint32, w Word, stamp uint64) (o Outcome, done bool) {
	switch {
	case w.State() == Grace:
		return InGrace, true
	case w.Stamp() >= stamp:
		return Touched, true
	case stamp == Asleep:
		return Sleepy, true
	case s.Swap(slot, w, w.With(Active, stamp)):
		s.noteStamp()
		return Touched, true
	}
	return Missing, false
}

// Revive stamps the session of a slot whose word is w, in grace, and makes it Active. It reports
// false if the word changed. REQUIRES: the shard's lock.
func (s *Store) Revive(slot uint32, w Word, stamp uint64) bool {
	if !s.Swap(slot, w, w.With(Active, stamp)) {
		return false
	}
	s.noteStamp()
	return true
}

// TouchBatchMax is the most sessions that TouchBatch takes at once.
const TouchBatchMax = 64

// TouchBatch stamps the Active sessions among at most TouchBatchMax refs. It returns how many it
// found alive, and leaves in rest the places of the left ones that TouchRef must see to. All words
// are read before the first is changed, so that their cache misses overlap: a compare-and-swap
// holds up the reads behind it.
func TouchBatch[R ~uint64](
	s *Store, refs []R, stamp uint64, rest *[TouchBatchMax]uint8,
) (alive, left int) {
	var words [TouchBatchMax]uint64
	d := s.slots.Load()
	for i, r := range refs {
		words[i&(TouchBatchMax-1)] = 0
		if n := int(uint32(r) >> chunkBits); n < len(d.chunks) {
			words[i&(TouchBatchMax-1)] = d.chunks[n].word(uint32(r)).Load()
		}
	}
	stamped := false
	for i, r := range refs {
		w := words[i&(TouchBatchMax-1)]
		if (w^uint64(r))&genMask != 0 || w&stateMask == 0 {
			continue
		}
		if w&stateMask == activeBits && w&stampMask >= stamp {
			alive++
			continue
		}
		word := d.chunks[uint32(r)>>chunkBits].word(uint32(r))
		if w&stateMask != activeBits || stamp == Asleep ||
			!word.CompareAndSwap(w, w&^stampMask|stamp) {
			rest[left&(TouchBatchMax-1)] = uint8(i)
			left++
			continue
		}
		alive++
		stamped = true
	}
	if stamped {
		s.noteStamp()
	}
	return alive, left
}
