package wsframe

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"

	"github.com/gobwas/ws/wsflate"
)

// maxStreams is how many DEFLATE streams a message may be made of. One is usual. RFC 7692 section
// 7.2.3.4 lets a sender end the stream and begin another where it has no other way to flush, and
// each begins with work that its few bytes do not show.
const maxStreams = 64

// inflater inflates one message at a time.
type inflater struct {
	src   bytes.Reader
	out   *wsflate.Reader
	probe [1]byte // where a byte over the limit would show
}

var inflaters = sync.Pool{New: func() any {
	z := &inflater{}
	z.out = wsflate.NewReader(&z.src, func(r io.Reader) wsflate.Decompressor {
		return flateReader{flate.NewReader(r)}
	})
	return z
}}

// flateReader has the Reset that wsflate looks for.
type flateReader struct{ io.ReadCloser }

// Reset makes the reader begin a new stream.
func (f flateReader) Reset(r io.Reader) {
	if err := f.ReadCloser.(flate.Resetter).Reset(r, nil); err != nil {
		panic(err) // It has none to return without a dictionary.
	}
}

// inflate returns a compressed message as it was, in a buffer of the rules, which is nil where the
// message is empty. It stops at the first byte over the limit, and at the first that is not text
// where the message is.
func inflate(r *Rules, message []byte, text bool) (*Buffer, Fault) {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.src.Reset(message)
	z.out.Reset(&z.src)
	out, f := z.inflate(r, text)
	z.src.Reset(nil)
	if f != FaultNone && out != nil {
		r.buffers().Free(out)
		return nil, f
	}
	return out, f
}

func (z *inflater) inflate(r *Rules, text bool) (out *Buffer, f Fault) {
	limit := int(min(r.maxMessageBytes(), maxInt))
	var u UTF8
	for streams := 1; ; {
		if out, f = z.room(r, out, limit); f != FaultNone {
			return out, f
		}
		space := z.probe[:]
		if out != nil && len(out.B) < limit {
			space = out.B[len(out.B):min(cap(out.B), limit)]
		}
		n, err := z.out.Read(space)
		if n > 0 && (out == nil || len(out.B) == limit) {
			return out, FaultTooBig
		}
		if n > 0 {
			out.B = out.B[:len(out.B)+n]
			if text && r.checksText() && !u.Check(space[:n]) {
				return out, FaultUTF8
			}
		}
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			return out, FaultDeflate
		case z.src.Len() > 0 && streams < maxStreams:
			streams++
			z.out.Reset(&z.src)
		case z.src.Len() > 0:
			return out, FaultDeflate
		case !u.Complete():
			return out, FaultUTF8
		default:
			return out, FaultNone
		}
	}
}

const maxInt = int64(int(^uint(0) >> 1))

// room sees to it that the buffer has room, unless it is as large as a message may be. At first it
// is made twice as large as what was sent.
func (z *inflater) room(r *Rules, out *Buffer, limit int) (*Buffer, Fault) {
	want := 0
	switch {
	case out == nil:
		want = min(2*z.src.Len(), limit)
	case len(out.B) == cap(out.B) && len(out.B) < limit:
		want = len(out.B) + 1
	}
	if want == 0 {
		return out, FaultNone
	}
	grown := r.buffers().Grow(out, want)
	if grown == nil {
		return out, FaultBuffer
	}
	return grown, FaultNone
}
