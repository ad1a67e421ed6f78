package table

// verdict is what comparing one candidate slot with a key told.
type verdict uint8

const (
	other verdict = iota // Another key, or no live session.
	found
	raced // The slot changed hands during the comparison.
)

// Find looks a key up without a lock. When it reports stashed, the key may be one that only
// FindLocked finds.
func (s *Store) Find(k *Key) (slot uint32, w Word, ok, stashed bool) {
	shard := s.shardOfHash(k.hash)
	x := &s.shards[shard].index
	for {
		d := x.dir.Load()
		e := d.at(x.bitsOf(k.hash))
		n := e.Load()
		seg := d.segment(n)
		if seg == nil {
			if len(d.arenas) == 0 {
				return 0, 0, false, false
			}
			continue
		}
		slot, w, v := s.findIn(seg, shard, &k.key)
		if v == found {
			return slot, w, true, false
		}
		if v == raced || x.dir.Load() != d || e.Load() != n {
			continue // A split may have moved the entry between our two reads.
		}
		return 0, 0, false, seg[bucketOf(k.hash)].stashed()
	}
}

func (s *Store) findIn(seg *segment, shard int, k *key) (uint32, Word, verdict) {
	home := &seg[bucketOf(k.hash)]
	if slot, w, v := s.findInBucket(home, shard, k); v != other {
		return slot, w, v
	}
	if home.overflow() == 0 {
		return 0, 0, other
	}
	return s.findInBucket(&seg[neighbour(bucketOf(k.hash))], shard, k)
}

func (s *Store) findInBucket(b *bucket, shard int, k *key) (uint32, Word, verdict) {
	for m := b.marks(tagOf(k.hash)); m != 0; m &= m - 1 {
		slot := b.slot(markedOf(m))
		if w, v := s.compare(slot, shard, k); v != other {
			return slot, w, v
		}
	}
	return 0, 0, other
}

// compare reads a slot's word, its key, and its word again: the key is the session's of that word
// if its identity did not change meanwhile.
func (s *Store) compare(slot uint32, shard int, k *key) (Word, verdict) {
	c := s.chunkOf(slot)
	if c == nil {
		return 0, other
	}
	word := c.word(slot)
	w := Word(word.Load())
	if !w.Live() || !s.holds(shard, c.key(slot), w.kind(), k) {
		return 0, other
	}
	if now := Word(word.Load()); now != w {
		if (now^w)&identityMask != 0 {
			return 0, raced
		}
		w = now
	}
	return w, found
}

// FindLocked looks a key up, in the stash too. REQUIRES: the shard's lock.
func (s *Store) FindLocked(shard int, k *Key, id []byte) (slot uint32, w Word, ok bool) {
	slot, w, ok, stashed := s.Find(k)
	if ok || !stashed {
		return slot, w, ok
	}
	slot, ok = s.shards[shard].index.stash.find(id, func(slot uint32) bool {
		var v verdict
		w, v = s.compare(slot, shard, &k.key)
		return v == found
	})
	return slot, w, ok
}

// Is reports whether the session that r names is alive or in grace, and its word.
func (s *Store) Is(r Ref) (Word, bool) {
	w := s.Load(r.Slot())
	return w, r.names(w)
}

// RefOf is the Ref of the session in a slot with that word.
func RefOf(slot uint32, w Word) Ref { return refOf(slot, w) }
