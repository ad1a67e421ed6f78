package netloop

import "github.com/curfew-go/curfew/internal/wsframe"

// pongsMax is how many pongs may wait; of further pings only the newest is answered.
const pongsMax = 16

// queue is what waits to be written to one connection, as the bytes of whole frames. Its owner
// holds a lock around each call.
type queue struct {
	bytesMax int // above it put refuses; see there

	pending []byte // frames in order
	flight  int    // bytes taken and not yet done
	pongs   int    // in pending
	late    []byte // payload of the newest ping beyond pongsMax
	hasLate bool
}

// frame appends a whole frame, whatever waits already.
func (q *queue) frame(op wsframe.Op, payload []byte) {
	q.pending = wsframe.Server.AppendFrame(q.room(), op, true, payload)
}

// room is what waits, with a buffer to append to.
func (q *queue) room() []byte {
	if q.pending == nil {
		q.pending = getBuffer()
	}
	return q.pending
}

// put appends a message, or gives false when too much waits. One of any size may wait while nothing
// else does but what is being written: that may be through already, and only its writer knows. As
// much again may wait while nothing is being written: the peer had no chance to be slow.
func (q *queue) put(op wsframe.Op, payload []byte) bool {
	limit := q.bytesMax
	if q.flight == 0 {
		limit *= 2
	}
	if len(q.pending) > 0 && len(q.pending)+q.flight+len(payload) > limit {
		return false
	}
	q.frame(op, payload)
	return true
}

// pong answers a ping now, or remembers it when many answers wait already.
func (q *queue) pong(payload []byte) {
	if q.pongs < pongsMax {
		q.pongs++
		q.frame(wsframe.OpPong, payload)
		return
	}
	q.late = append(q.late[:0], payload...)
	q.hasLate = true
}

// closeFrame appends a close frame; without a code it is empty.
func (q *queue) closeFrame(code Code, reason string) {
	q.pending = wsframe.Server.AppendClose(q.room(), wsframe.Code(code), reason)
}

// drop forgets what was not taken yet.
func (q *queue) drop() {
	q.pending = q.pending[:0]
	q.pongs, q.hasLate = 0, false
}

// take gives what is to be written next, nil when there is nothing. The taker gives it back with
// done.
func (q *queue) take() []byte {
	if len(q.pending) == 0 && q.hasLate {
		q.hasLate = false
		q.frame(wsframe.OpPong, q.late)
	}
	if len(q.pending) == 0 {
		putBuffer(q.pending)
		q.pending, q.late = nil, nil
		return nil
	}
	batch := q.pending
	q.pending, q.pongs, q.flight = nil, 0, len(batch)
	return batch
}

// done says that a batch is written.
func (q *queue) done(batch []byte) {
	q.flight = 0
	putBuffer(batch)
}
