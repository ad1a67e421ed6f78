package wsframe

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Buffer is memory that a parser keeps bytes in.
type Buffer struct {
	// B is what is kept. What it may grow to without a new buffer is its capacity.
	B []byte
}

// Buffers is where parsers get their buffers from, and the place to limit them. Where several
// goroutines have parsers of the same rules, it must be safe for them.
type Buffers interface {
	// Grow returns a buffer of capacity n or more that holds what b holds, and takes b back, which
	// may be nil. It returns nil, and has not taken b, to refuse; the connection then fails with
	// [FaultBuffer]. A parser asks for what has come, never for what was announced, so it is for
	// Grow to see to it that growing costs a fixed number of copies a byte.
	Grow(b *Buffer, n int) *Buffer

	// Free takes a buffer back.
	Free(b *Buffer)
}

// heap is the Buffers of rules that name none.
type heap struct{}

// Grow makes a buffer.
func (heap) Grow(b *Buffer, n int) *Buffer {
	next := &Buffer{B: make([]byte, 0, 1<<class(n))}
	if b != nil {
		next.B = append(next.B, b.B...)
	}
	return next
}

// Free leaves a buffer to the collector.
func (heap) Free(*Buffer) {}

const (
	minClass = 6  // 64 bytes, the smallest buffer
	maxClass = 20 // 1 MiB, the largest that a Pool keeps for later
)

// class is the binary logarithm of the capacity of a buffer that is to hold n bytes.
func class(n int) int {
	return max(minClass, bits.Len(uint(n-1)))
}

// Pool is [Buffers] that are used again and counted. Their sizes are powers of two, so a connection
// holds less than twice what was sent on it, or 64 bytes. A Pool is safe for concurrent use; its
// zero value has no limit.
type Pool struct {
	// Limit is how many bytes may be handed out at any time. 0: any. It is set before the first
	// use. Above it Grow refuses.
	Limit int64

	held    atomic.Int64 // capacity handed out; orders nothing
	classes [maxClass - minClass + 1]sync.Pool
}

// Held is how many bytes are handed out.
func (p *Pool) Held() int64 { return p.held.Load() }

// Grow implements [Buffers].
func (p *Pool) Grow(b *Buffer, n int) *Buffer {
	size := int64(1) << class(n)
	if held := p.held.Add(size); p.Limit > 0 && held > p.Limit {
		p.held.Add(-size)
		return nil
	}
	return p.grow(b, n)
}

// GrowAnyway is Grow without a limit, for the few bytes that must be said when memory is out.
func (p *Pool) GrowAnyway(b *Buffer, n int) *Buffer {
	p.held.Add(1 << class(n))
	return p.grow(b, n)
}

// grow is the part after counting.
func (p *Pool) grow(b *Buffer, n int) *Buffer {
	next := p.make(class(n))
	if b != nil {
		next.B = append(next.B, b.B...)
		p.Free(b)
	}
	return next
}

func (p *Pool) make(class int) *Buffer {
	if class <= maxClass {
		if b, ok := p.classes[class-minClass].Get().(*Buffer); ok {
			return b
		}
	}
	return &Buffer{B: make([]byte, 0, 1<<class)}
}

// Free implements [Buffers].
func (p *Pool) Free(b *Buffer) {
	c := class(cap(b.B))
	p.held.Add(-int64(cap(b.B)))
	if c > maxClass {
		return
	}
	b.B = b.B[:0]
	p.classes[c-minClass].Put(b)
}
