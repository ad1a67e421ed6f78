package table

import (
	"encoding/binary"
	"sync/atomic"
)

const (
	longClasses     = 4  // Blocks of 64, 128, 192 and 256 bytes.
	longClassWords  = 8  // What a class has more than the one before.
	longChunkBlocks = 64 // How many blocks are made at a time.
)

// longKeys keeps a shard's keys of more than 32 bytes in blocks of four sizes that are reused and
// never given back. Writers hold the shard's lock; readers need none, since blocks are atomic
// words that stay what they are and the session word tells whether a block was still its key's.
//
// A place, as a slot holds it, is the block's number below the key's length.
type longKeys struct {
	classes [longClasses]longClass
}

type longClass struct {
	chunks atomic.Pointer[[][]atomic.Uint64]
	free   []uint32 // Guarded by the shard's lock.
}

func classOf(length int) int { return (length - 1) / (longClassWords * 8) }

// block finds the words of the block that a place names, cut to the key's length. A reader that
// was overtaken may bring any 64 bits as a place; what names no block gives none.
func (l *longKeys) block(place uint64) ([]atomic.Uint64, int) {
	length := int(place >> 32 & MaxKey)
	if length <= keyBytes {
		return nil, 0
	}
	class := classOf(length)
	p := l.classes[class].chunks.Load()
	n := uint32(place)
	if p == nil || int(n/longChunkBlocks) >= len(*p) {
		return nil, 0
	}
	chunks := *p
	words := longClassWords * (class + 1)
	at := int(n%longChunkBlocks) * words
	return chunks[n/longChunkBlocks][at : at+(length+7)/8], length
}

func (l *longKeys) equal(place uint64, id []byte) bool {
	b, length := l.block(place)
	if length != len(id) {
		return false
	}
	for i := range b {
		rest := id[8*i:]
		if len(rest) >= 8 {
			if b[i].Load() != binary.LittleEndian.Uint64(rest) {
				return false
			}
		} else if b[i].Load() != partWord(rest) {
			return false
		}
	}
	return true
}

func (l *longKeys) append(to []byte, place uint64) []byte {
	b, length := l.block(place)
	for i := range b {
		to = binary.LittleEndian.AppendUint64(to, b[i].Load())
	}
	return to[:len(to)-(8*len(b)-length)]
}

// put stores a key and returns its place.
func (l *longKeys) put(id []byte) uint64 {
	c := &l.classes[classOf(len(id))]
	if len(c.free) == 0 {
		c.grow(longClassWords * (classOf(len(id)) + 1))
	}
	n := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	place := uint64(len(id))<<32 | uint64(n)
	b, _ := l.block(place)
	for i := range b {
		b[i].Store(partWord(id[8*i : min(8*i+8, len(id))]))
	}
	return place
}

// drop gives a key's block back.
func (l *longKeys) drop(place uint64) {
	c := &l.classes[classOf(int(place>>32))]
	c.free = append(c.free, uint32(place))
}

// grow makes longChunkBlocks more blocks of the given size.
func (c *longClass) grow(words int) {
	var chunks [][]atomic.Uint64
	if old := c.chunks.Load(); old != nil {
		chunks = *old
	}
	first := uint32(len(chunks)) * longChunkBlocks
	chunks = append(chunks, make([]atomic.Uint64, longChunkBlocks*words))
	c.chunks.Store(&chunks)
	for i := range uint32(longChunkBlocks) {
		c.free = append(c.free, first+longChunkBlocks-1-i)
	}
}

func (l *longKeys) bytes() (n int64) {
	for i := range l.classes {
		c := &l.classes[i]
		n += int64(cap(c.free)) * 4
		if p := c.chunks.Load(); p != nil {
			words := longChunkBlocks * longClassWords * (i + 1)
			n += int64(len(*p))*int64(words)*8 + int64(cap(*p))*24
		}
	}
	return n
}
