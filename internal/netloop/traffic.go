package netloop

import (
	"sync/atomic"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// traffic is what has come and gone over connections that are open. It belongs to one goroutine.
type traffic struct {
	framesIn, framesOut     uint64
	messagesIn, messagesOut uint64
	bytesIn, bytesOut       uint64
}

// received counts what a parser found, None included.
func (t *traffic) received(e *wsframe.Event) {
	t.framesIn += uint64(e.Frames)
	if e.Kind == wsframe.Text || e.Kind == wsframe.Binary {
		t.messagesIn++
	}
}

// wrote counts n bytes that a socket took; last says that they were the last of their cargo.
func (t *traffic) wrote(n int, last bool, c *cargo) {
	skipped := min(n, c.other)
	c.other -= skipped
	t.bytesOut += uint64(n - skipped)
	if last {
		t.framesOut += uint64(c.frames)
		t.messagesOut += uint64(c.messages)
	}
}

// cargo is what some bytes are made of that are to be written.
type cargo struct {
	frames   uint32 // messages included
	messages uint32
	other    int  // bytes before the frames: the answer to the handshake
	closes   bool // the last frame is a close frame
}

// frame counts a frame that is no message.
func (c *cargo) frame() { c.frames++ }

// message counts a message in one frame.
func (c *cargo) message() {
	c.frames++
	c.messages++
}

// close counts the close frame, which is the last frame of all.
func (c *cargo) close() {
	c.frames++
	c.closes = true
}

// meterBytes is two cache lines, since processors fetch them in pairs.
const meterBytes = 128

// meter shows traffic to everybody. Its numbers order nothing. It shares no cache line with another
// one: each has few writers, or one.
type meter struct {
	framesIn, framesOut     atomic.Uint64
	messagesIn, messagesOut atomic.Uint64
	bytesIn, bytesOut       atomic.Uint64

	_ [meterBytes - 6*8]byte
}

// show makes the meter show what a goroutine has counted that is its only writer.
func (m *meter) show(t *traffic) {
	m.framesIn.Store(t.framesIn)
	m.framesOut.Store(t.framesOut)
	m.messagesIn.Store(t.messagesIn)
	m.messagesOut.Store(t.messagesOut)
	m.bytesIn.Store(t.bytesIn)
	m.bytesOut.Store(t.bytesOut)
}

// add takes over what a goroutine has counted, one of several that write to the meter.
func (m *meter) add(t *traffic) {
	add := func(to *atomic.Uint64, n uint64) {
		if n > 0 {
			to.Add(n)
		}
	}
	add(&m.framesIn, t.framesIn)
	add(&m.framesOut, t.framesOut)
	add(&m.messagesIn, t.messagesIn)
	add(&m.messagesOut, t.messagesOut)
	add(&m.bytesIn, t.bytesIn)
	add(&m.bytesOut, t.bytesOut)
	*t = traffic{}
}

// addTo adds what the meter shows to Stats.
func (m *meter) addTo(s *Stats) {
	s.FramesIn += m.framesIn.Load()
	s.FramesOut += m.framesOut.Load()
	s.MessagesIn += m.messagesIn.Load()
	s.MessagesOut += m.messagesOut.Load()
	s.BytesIn += m.bytesIn.Load()
	s.BytesOut += m.bytesOut.Load()
}

// meters are what connections with goroutines count on, which are spread over them: else all
// processors would wait for one cache line.
type meters [16]meter

// of is the meter of a connection.
func (m *meters) of(id ID) *meter { return &m[uint64(id)%uint64(len(m))] }
