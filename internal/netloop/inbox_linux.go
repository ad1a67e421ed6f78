package netloop

import "sync"

// errand is what somebody outside a loop wants of one of its connections. Its payload lies in the
// inbox's bytes, behind those of the errands before it.
type errand struct {
	id    ID
	size  uint32 // of the payload: a message, or the reason of a close
	kind  Kind   // of a message; 0: the connection is to end, or is released
	cause Cause
	code  Code

	evicts   bool // the end is for what the connection holds
	releases bool // it is held no longer
}

// inbox is how others reach the connections of a loop. It is bounded for messages; an end and a
// release always have room.
type inbox struct {
	bytesMax int // set with the loop, then only read

	mu struct {
		sync.Mutex
		errands []errand
		bytes   []byte
		closed  bool
	}

	// What the loop has taken out and not finished; the loop's own.
	taken []errand
	bytes []byte
	next  int // of taken
	at    int // of bytes
}

// inboxKept bounds what a loop keeps of the memory of an inbox.
const inboxKept = 1 << 20

// post leaves an errand, and gives false where there is no room, or no loop any more.
func (b *inbox) post(e errand, payload []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	waits := len(b.mu.bytes)
	if b.mu.closed || e.kind != 0 && waits > 0 && waits+len(payload) > b.bytesMax {
		return false
	}
	e.size = uint32(len(payload))
	b.mu.errands = append(b.mu.errands, e)
	b.mu.bytes = append(b.mu.bytes, payload...)
	return true
}

// take gives the next errand. Its payload is valid until the next call.
func (b *inbox) take() (e errand, payload []byte, ok bool) {
	if b.next == len(b.taken) && !b.fetch() {
		return errand{}, nil, false
	}
	e = b.taken[b.next]
	payload = b.bytes[b.at:][:e.size:e.size]
	b.next++
	b.at += int(e.size)
	return e, payload, true
}

// peek is whom the next errand is for, as far as the loop has taken them out; 0: nobody.
func (b *inbox) peek() ID {
	if b.next == len(b.taken) {
		return 0
	}
	return b.taken[b.next].id
}

// fetch takes out all that was left, and leaves the emptied memory in its place.
func (b *inbox) fetch() bool {
	if cap(b.bytes) > inboxKept {
		b.bytes = nil
	}
	if cap(b.taken) > inboxKept/32 {
		b.taken = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken, b.mu.errands = b.mu.errands, b.taken[:0]
	b.bytes, b.mu.bytes = b.mu.bytes, b.bytes[:0]
	b.next, b.at = 0, 0
	return len(b.taken) > 0
}

// empty says whether nothing is left to do. Only the loop may ask.
func (b *inbox) empty() bool {
	if b.next < len(b.taken) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.errands) == 0
}

// close ends the inbox: nothing is taken any more.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.closed = true
}
