package netloop

import "sync"

const (
	bufferBytes    = 4 << 10  // a new buffer's capacity
	bufferBytesMax = 64 << 10 // larger ones are not kept
)

// buffers holds byte slices that no connection needs, so that an idle connection holds none.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, bufferBytes)
	return &b
}}

// getBuffer is an empty slice with room.
func getBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

// putBuffer takes a slice back, which the caller must not use any more.
func putBuffer(b []byte) {
	if c := cap(b); c >= bufferBytes && c <= bufferBytesMax {
		buffers.Put(&b)
	}
}
