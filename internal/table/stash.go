package table

import (
	"hash/maphash"
)

// stash holds the entries that no bucket takes: keys whose 64-bit hashes agree so far that
// splitting does not part them. Random keys never get here; keys that someone found to collide in
// XXH64 whatever is mixed in do, and then cost a look-up in this map under the shard's lock
// instead of a walk over all of them.
//
// It is keyed by another hash, seeded by the runtime. Two keys of one such hash stand at
// neighbouring numbers, as in any open-addressed table.
type stash struct {
	slots map[uint64]uint32
	seed  maphash.Seed
}

func (t *stash) put(id []byte, slot uint32) {
	if t.slots == nil {
		t.slots = make(map[uint64]uint32)
		t.seed = maphash.MakeSeed()
	}
	t.putAt(maphash.Bytes(t.seed, id), slot)
}

func (t *stash) putAt(at uint64, slot uint32) {
	for ; ; at++ {
		if _, taken := t.slots[at]; !taken {
			t.slots[at] = slot
			return
		}
	}
}

// find calls is with the slot of each entry that may be the key's until it says so.
func (t *stash) find(id []byte, is func(slot uint32) bool) (uint32, bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	for at := maphash.Bytes(t.seed, id); ; at++ {
		slot, ok := t.slots[at]
		if !ok || is(slot) {
			return slot, ok
		}
	}
}

// take removes the entry of a key's slot and closes the gap it leaves: what follows might have
// been pushed past it.
func (t *stash) take(id []byte, slot uint32, idOf func(slot uint32) []byte) bool {
	if len(t.slots) == 0 {
		return false
	}
	at := maphash.Bytes(t.seed, id)
	for ; ; at++ {
		found, ok := t.slots[at]
		if !ok {
			return false
		}
		if found == slot {
			break
		}
	}
	delete(t.slots, at)
	for at++; ; at++ {
		next, ok := t.slots[at]
		if !ok {
			return true
		}
		delete(t.slots, at)
		t.putAt(maphash.Bytes(t.seed, idOf(next)), next)
	}
}

func (t *stash) bytes() int64 { return int64(len(t.slots)) * 16 }
