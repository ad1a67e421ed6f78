package table

import (
	"sync/atomic"
	"unsafe"
)

// Column holds a value of type T for each slot that was ever given one, in chunks beside those of
// the store: values without pointers stay invisible to the collector, and values of no size take
// no memory. The zero Column is empty. A slot's cell is guarded by its shard's lock.
type Column[T any] struct {
	chunks atomic.Pointer[[]atomic.Pointer[[chunkSlots]T]]
}

// At is the cell of a slot, nil if the slot's chunk was not grown.
// REQUIRES: the slot's shard's lock, to use the cell.
func (c *Column[T]) At(slot uint32) *T {
	p := c.chunks.Load()
	if p == nil || int(slot>>chunkBits) >= len(*p) {
		return nil
	}
	if chunk := (*p)[slot>>chunkBits].Load(); chunk != nil {
		return &chunk[slot&chunkMask]
	}
	return nil
}

// Grow makes the cells of a slot's chunk, if they are not there. REQUIRES: the growth lock.
func (c *Column[T]) Grow(slot uint32) {
	n := int(slot >> chunkBits)
	var chunks []atomic.Pointer[[chunkSlots]T]
	if p := c.chunks.Load(); p != nil {
		chunks = *p
	}
	if n >= len(chunks) {
		chunks = append(chunks, make([]atomic.Pointer[[chunkSlots]T], n+1-len(chunks))...)
		c.chunks.Store(&chunks)
	}
	if chunks[n].Load() == nil {
		chunks[n].Store(new([chunkSlots]T))
	}
}

// Clear lets go of all cells.
func (c *Column[T]) Clear() { c.chunks.Store(nil) }

// Bytes is the memory that the column holds, without what its values point to.
func (c *Column[T]) Bytes() (n int64) {
	p := c.chunks.Load()
	if p == nil {
		return 0
	}
	var zero [chunkSlots]T
	for i := range *p {
		if (*p)[i].Load() != nil {
			n += int64(unsafe.Sizeof(zero))
		}
	}
	return n + int64(cap(*p))*8
}
