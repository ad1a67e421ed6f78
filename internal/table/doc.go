// Package table stores the sessions of a table and finds them by key: pointer-free slots, and an
// index that is read without a lock.
//
// The owner brings the locks, one for each shard and one for growth. This makes a session, touches
// it and ends it:
//
//	k := s.Key(id)
//	shard := s.Shard(&k)
//	// With the shard's lock:
//	if s.NeedsChunk(shard) {
//		s.AddChunk(shard) // With the growth lock, too.
//	}
//	r := s.Insert(shard, &k, stamp, created)
//
//	// With none:
//	s.TouchRef(r, stamp)
//
//	// With the shard's lock:
//	if w, ok := s.Is(r); ok && s.Kill(r.Slot(), w) {
//		s.Bury(shard, []uint32{r.Slot()})
//	}
//
// # Terms
//
// A slot holds one session after the other; a generation counts them. A slot's word says whose turn
// it is and how that session fares, and its identity is what of it a touch leaves alone. A [Ref] is
// a slot and a generation. A chunk is 1,024 slots of one shard. A key is full, short or long: as
// many bytes as a slot has for it, fewer, or more. A [Column] holds something else for each slot.
//
// In the index an entry is a tag, eight bits of a key's hash, and a slot. Entries stand in buckets,
// buckets in segments, and the directory names the segment for the hash's leading bits. An entry's
// home is the bucket that its hash names, and the neighbour is where it stands when that is full.
// The stash holds the entries for which there is no bucket.
//
// # Design
//
//	key ──hash──> shard ──> directory ──> segment ──> bucket ──tag──> slot ─┐
//	Ref ────────────────────────────────────────────────────────────> slot ─┤
//	                                                                        ▼
//	        chunk   words   │ word 0 │ word 1 │ word 2 │ ...   8 bytes each: eight to a line
//	                keys    │      key 0      │      key 1      │ ...   32: never across lines
//	                times   │ time 0 │ time 1 │ time 2 │ ...   8: created, or next free slot
//
// A touch by Ref reads one cache line, one by key three: of the bucket, the key and the word. The
// latter two are fetched side by side, so that it costs two misses one after the other. [Word] is
// drawn at its layout in word.go, the index in index.go.
//
// Nothing is ever moved or rehashed as a whole. Slots grow by chunks and are reused, last freed
// first. The index grows by extendible hashing: one segment is split at a time, and only the
// directory, four bytes a segment and a little, is copied when it doubles.
//
// # Readers
//
// Who looks a session up or touches it takes no lock, and reads in this order: the directory, its
// entry, the tags of the bucket, the slot beside the tag, the slot's word, its key, its word again.
// A writer has the shard's lock, so there is one at a time. Each write is atomic, and atomic
// operations have one order that all see. Writers keep to the following, and then a key that a
// session bears throughout a look-up is found, and none is found that no session bears:
//
//   - Insert writes the key, then the word that makes the session live, then the overflow count
//     if the entry goes to the neighbour, then the entry's slot, and its tag at last. Who sees the
//     tag sees all of it, and who sees no overflow had no need to look beside.
//   - Kill swaps the word for that of a free slot of the next generation, Bury clears the tag. From
//     the swap on the second look at the word tells a reader that the key it read was no more.
//   - Reuse writes the next session's key while the word is free. A reader that took the word from
//     before finds another generation behind the key. None ever comes again.
//   - Rekey clears the tag, marks the word as one whose key is being replaced, writes the key, and
//     then gives the word its kind and the next renewal. A reader that saw half of either key saw
//     such a mark, or sees another renewal the second time.
//   - A split copies entries to the new segment, then has the directory name it, then clears their
//     tags in the old one. An entry stands at any time in the segment that the directory names. A
//     reader that took the directory's entry before and the tags after misses, sees that the entry
//     is another one, and begins anew. Within a segment no entry ever moves.
//   - A directory is complete when it is published and not written any more when the next one is.
//     A reader that misses compares the directory too.
//   - A bucket is flagged before an entry that belongs to it goes to the stash, and a new segment's
//     buckets inherit the flag. A reader that misses says so, and its caller takes the lock.
//   - A block of a long key stays a block of that size. A reader that took a place from half a key
//     gets some words or none, and the word, read again, tells that it was no key.
//   - Old directories and lists of chunks are left to the collector, so nobody reads freed memory.
//
// A touch swaps the very word that it read before the key. Where it finds the stamp already there
// it reads the word again instead. So a touch that succeeded came before the session's end, and no
// touch brings a session back.
//
// # Hostile keys
//
// Whoever chooses keys must not be able to choose where they go. XXH64 has a seed, but sets of keys
// are known that collide under each of its seeds: its rounds multiply and rotate, and a difference
// in a word's top bit passes through that unseen. A word that is first combined with a secret of
// its own is another number by an amount that nobody outside knows, and the sets fall apart.
//
// What collides nonetheless costs no more than a look-up in a map: a look-up reads two buckets and
// compares no more keys than these hold, a segment is split only where it is filled well, a
// directory gets only so much longer than its segments ask for, and what then finds no bucket goes
// to the stash, a map by a hash of the runtime's own. It takes the lock to look there, and to find
// out that a key is not there either.
//
// # Memory
//
// In bytes a session, with a key of 1 to 32 bytes:
//
//	word                  8
//	key                  32
//	time                  8
//	index      about 9 to 11   64 a bucket, of whose 12 entries half are used or a few more
//
// Segments that were made at one time are split at about the same time too, so the index swings
// between these bounds each time that the sessions double in number. Slots do not swing: chunks of
// 48 KB and arenas of 32 KB make a difference only where a shard has few thousands of sessions. A
// long key takes a block of 64, 128, 192 or 256 bytes more. Memory grows with the most sessions
// there ever were at one time and is reused, not given back. Chunks and segments hold no pointers,
// so that the collector need not look into them.
//
// # Limits
//
// Keys of 1 to [MaxKey] bytes, at most [MaxShards] shards, stamps up to [MaxStamp], and 2^32 slots
// less one chunk. A slot has 2^20-1 generations; then it is retired and its 48 bytes are lost. The
// renewals of a session are counted modulo 4: a reader that is held up between its two looks at a
// word while the session gets another key four times, or eight, takes what it read for one key.
package table
