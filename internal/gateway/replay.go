package gateway

import (
	"bytes"
	"sync/atomic"
)

// Limits of what is kept for replay (beside Options.Net.WriteBufferBytes, since all of it must fit
// into what may wait for one client).
const (
	replayFramesMax = 64
	replayBytesMax  = 64 << 10
	replayTotalMax  = 256 << 20
	// replayIdleMax is how much memory an empty buffer keeps while its client is connected.
	replayIdleMax = 1 << 10
)

// budget bounds the memory of all replay buffers together.
type budget struct {
	max  int64
	used atomic.Int64
}

// take reserves bytes, or gives back where they are negative. It gives false, and nothing happens,
// where there are not so many.
func (b *budget) take(bytes int) bool {
	if b.used.Add(int64(bytes)) > b.max && bytes > 0 {
		b.used.Add(-int64(bytes))
		return false
	}
	return true
}

// kept is one frame of a replay buffer.
type kept struct {
	size   uint32
	idAt   uint32 // where in the frame the request_id stands that it answers
	idSize uint32 // 0: it answers none that ran
}

// replay keeps the newest numbered frames of a session, as many as its limits allow, until they are
// acknowledged. They have consecutive numbers. Its owner holds a lock. The zero value is empty.
type replay struct {
	bytes  []byte // of the frames, one after the other, from head
	head   int
	frames []kept // the oldest first
}

// size is how many bytes of frames there are.
func (r *replay) size() int { return len(r.bytes) - r.head }

// add keeps a frame, whose bytes it copies. Older ones go where a limit asks for it; if it does not
// fit even alone, it is not kept, and neither is anything before it.
func (r *replay) add(frame []byte, k kept, bytesMax int, b *budget) {
	k.size = uint32(len(frame))
	for len(r.frames) >= replayFramesMax || len(r.frames) > 0 && r.size()+len(frame) > bytesMax {
		r.drop(1)
	}
	for len(frame) > bytesMax || !r.room(len(frame), bytesMax, b) {
		if len(r.frames) == 0 {
			r.free(b)
			return
		}
		r.drop(1)
	}
	r.bytes = append(r.bytes, frame...)
	r.frames = append(r.frames, k)
}

// room makes room for n more bytes. It gives false where there is no memory for them.
func (r *replay) room(n, bytesMax int, b *budget) bool {
	if len(r.bytes)+n <= cap(r.bytes) {
		return true
	}
	if need := r.size() + n; need <= cap(r.bytes)/4*3 { // else moving would not pay for long
		r.bytes = r.bytes[:copy(r.bytes, r.bytes[r.head:])]
		r.head = 0
		return true
	}
	larger := max(min(2*cap(r.bytes), bytesMax/3*4), r.size()+n)
	if !b.take(larger - cap(r.bytes)) {
		if r.size()+n > cap(r.bytes) {
			return false
		}
		larger = cap(r.bytes)
	}
	r.bytes = append(make([]byte, 0, larger), r.bytes[r.head:]...)
	r.head = 0
	return true
}

// drop forgets the n oldest.
func (r *replay) drop(n int) {
	for _, k := range r.frames[:n] {
		r.head += int(k.size)
	}
	r.frames = r.frames[:copy(r.frames, r.frames[n:])]
	if len(r.frames) == 0 {
		r.bytes, r.head = r.bytes[:0], 0
	}
}

// free forgets everything and gives the memory back.
func (r *replay) free(b *budget) {
	b.take(-cap(r.bytes))
	*r = replay{}
}

// trim gives memory back that an empty buffer does not need; a connected client may keep a little.
func (r *replay) trim(idleMax int, b *budget) {
	if len(r.frames) == 0 && cap(r.bytes) > idleMax {
		r.free(b)
	}
}

// last calls f with the n newest, or with all where there are not so many, the oldest first.
func (r *replay) last(n int, f func(frame []byte)) {
	at := r.head
	for i, k := range r.frames {
		if i >= len(r.frames)-n {
			f(r.bytes[at:][:k.size])
		}
		at += int(k.size)
	}
}

// answer finds the frame that answers a request, nil where there is none.
func (r *replay) answer(requestID []byte) (frame []byte) {
	at := r.head
	for _, k := range r.frames {
		f := r.bytes[at:][:k.size]
		if k.idSize > 0 && bytes.Equal(f[k.idAt:][:k.idSize], requestID) {
			frame = f
		}
		at += int(k.size)
	}
	return frame
}
