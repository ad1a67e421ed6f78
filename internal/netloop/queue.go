package netloop

import (
	"encoding/binary"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// pongsMax is how many pongs may wait; of further pings only the newest is answered.
const pongsMax = 16

// SlowPolicy is what happens when more is sent to a peer than it reads.
type SlowPolicy uint8

// The policies.
const (
	SlowClose      SlowPolicy = iota // its connection ends, with 4101
	SlowDropNewest                   // what is sent is dropped
	SlowDropOldest                   // what waits longest is dropped
)

// outcome is what became of a message that was put into a queue.
type outcome uint8

const (
	outcomeQueued  outcome = iota
	outcomeDropped         // it, by SlowDropNewest
	outcomeFull            // there is no room, and the policy has no cure
)

// queue is what waits to be written to one connection, as the bytes of whole frames. Whoever writes
// takes all of it at a time. Its owner holds a lock around each call, or is a loop.
type queue struct {
	pending *wsframe.Buffer // frames in order; nil: none
	flight  int             // bytes taken and not yet written, as far as the taker knows
	cargo   cargo           // of pending
	flying  cargo           // of what was taken
	pongs   int             // in pending
	late    []byte          // payload of the newest ping beyond pongsMax
	hasLate bool
	dropped int // messages dropped; the owner takes them away
}

// waits is how many bytes are pending.
func (q *queue) waits() int {
	if q.pending == nil {
		return 0
	}
	return len(q.pending.B)
}

// held is how much memory the queue has.
func (q *queue) held() int {
	if q.pending == nil {
		return 0
	}
	return cap(q.pending.B)
}

// room makes room for n more bytes; false: there is no memory for them.
func (q *queue) room(pool *wsframe.Pool, n int) bool {
	n += q.waits()
	if q.pending != nil && cap(q.pending.B) >= n {
		return true
	}
	b := pool.Grow(q.pending, n)
	if b != nil {
		q.pending = b
	}
	return b != nil
}

// roomAnyway makes room for the few bytes that must be said when memory is out.
func (q *queue) roomAnyway(pool *wsframe.Pool, n int) {
	if !q.room(pool, n) {
		q.pending = pool.GrowAnyway(q.pending, q.waits()+n)
	}
}

// frame appends a control frame, whatever waits already, or nothing where memory is out.
func (q *queue) frame(pool *wsframe.Pool, op wsframe.Op, payload []byte) {
	if q.room(pool, wsframe.Server.HeaderBytes(len(payload))+len(payload)) {
		q.pending.B = wsframe.Server.AppendFrame(q.pending.B, op, true, payload)
		q.cargo.frame()
	}
}

// put appends a message, if it may wait. One of any size may while nothing else does but what is
// being written: that may be through already, and only its writer knows. As much again may wait
// while nothing is being written: the peer had no chance to be slow.
func (q *queue) put(
	o *Options, pool *wsframe.Pool, d wsframe.Deflate, op wsframe.Op, payload []byte,
) outcome {
	limit := o.WriteBufferBytes
	if q.flight == 0 {
		limit *= 2
	}
	size := wsframe.Server.HeaderBytes(len(payload)) + len(payload)
	if over := q.waits() + q.flight + size - limit; q.waits() > 0 && over > 0 {
		switch o.OnSlow {
		case SlowDropNewest:
			q.dropped++
			return outcomeDropped
		case SlowDropOldest:
			q.dropOldest(over)
		default:
			return outcomeFull
		}
	}
	if !q.room(pool, size) {
		return outcomeFull
	}
	q.pending.B = wsframe.Server.AppendMessage(q.pending.B, d, op, payload)
	q.cargo.message()
	return outcomeQueued
}

// dropOldest drops the oldest messages that wait, until bytes of them are gone or none is left.
// Control frames stay.
func (q *queue) dropOldest(bytes int) {
	b := q.pending.B
	kept := q.cargo.other
	for at := kept; at < len(b); {
		size := frameBytes(b[at:])
		if op := wsframe.Op(b[at] & 0xf); bytes > 0 && op < wsframe.OpClose {
			bytes -= size
			q.dropped++
			q.cargo.frames--
			q.cargo.messages--
		} else {
			kept += copy(b[kept:], b[at:at+size])
		}
		at += size
	}
	q.pending.B = b[:kept]
}

// frameBytes is the size of the frame of a server that b begins with (RFC 6455 section 5.2).
func frameBytes(b []byte) int {
	switch n := int(b[1] & 0x7f); n {
	case 126:
		return 4 + int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return 10 + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2 + n
	}
}

// pong answers a ping now, or remembers it when many answers wait already.
func (q *queue) pong(pool *wsframe.Pool, payload []byte) {
	if q.pongs < pongsMax {
		q.pongs++
		q.frame(pool, wsframe.OpPong, payload)
		return
	}
	q.late = append(q.late[:0], payload...)
	q.hasLate = true
}

// closeFrame appends a close frame; without a code it is empty. It has room in any case.
func (q *queue) closeFrame(pool *wsframe.Pool, code Code, reason string) {
	q.roomAnyway(pool, closeFrameBytesMax)
	q.pending.B = wsframe.Server.AppendClose(q.pending.B, wsframe.Code(code), reason)
	q.cargo.close()
}

// closeFrameBytesMax is how long a close frame may be.
const closeFrameBytesMax = 2 + 125

// drop forgets what was not taken yet.
func (q *queue) drop(pool *wsframe.Pool) {
	if q.pending != nil {
		pool.Free(q.pending)
	}
	q.pending, q.late, q.pongs, q.hasLate, q.cargo = nil, nil, 0, false, cargo{}
}

// take gives what is to be written next, nil when there is nothing. The taker gives it back with
// done.
func (q *queue) take(pool *wsframe.Pool) *wsframe.Buffer {
	if q.hasLate { // before the answers to pings that are still to come
		q.hasLate = false
		q.frame(pool, wsframe.OpPong, q.late)
	}
	if q.waits() == 0 {
		q.drop(pool)
		return nil
	}
	batch := q.pending
	q.pending, q.pongs, q.flight = nil, 0, len(batch.B)
	q.flying, q.cargo = q.cargo, cargo{}
	return batch
}

// done says that a batch is written, or given up.
func (q *queue) done(pool *wsframe.Pool, batch *wsframe.Buffer) {
	q.flight, q.flying = 0, cargo{}
	pool.Free(batch)
}
