package netloop

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// queueModel holds a queue and what should be in it: frames in words, in order.
type queueModel struct {
	o      Options
	pool   wsframe.Pool
	q      queue
	number int // of the next message, so that each differs

	waits   []frame
	flight  *wsframe.Buffer
	inside  []frame // of flight
	late    string
	hasLate bool
	dropped int
}

// frame is one that waits.
type frame struct {
	op    wsframe.Op
	text  string
	bytes int
}

func sizeOf(frames []frame) (n int) {
	for _, f := range frames {
		n += f.bytes
	}
	return n
}

// parse takes frames of a server apart.
func parse(t *rapid.T, b []byte) (frames []frame) {
	for at := 0; at < len(b); {
		size, header := int(b[at+1]), 2
		switch size {
		case 126:
			size, header = int(binary.BigEndian.Uint16(b[at+2:])), 4
		case 127:
			size, header = int(binary.BigEndian.Uint64(b[at+2:])), 10
		}
		if at+header+size > len(b) {
			t.Fatalf("a frame of %d bytes is cut", size)
		}
		frames = append(frames, frame{
			op: wsframe.Op(b[at] & 0xf), text: string(b[at+header:][:size]), bytes: header + size,
		})
		at += header + size
	}
	return frames
}

func (m *queueModel) add(op wsframe.Op, text string) {
	m.waits = append(m.waits, frame{op, text, wsframe.Server.HeaderBytes(len(text)) + len(text)})
}

// Put puts a message of any size.
func (m *queueModel) Put(t *rapid.T) {
	text := fmt.Sprintf("%d ", m.number)
	m.number++
	more := rapid.SampledFrom([]int{0, 1, 100, 120, 130, 900, 70_000}).Draw(t, "more")
	text += string(make([]byte, more))
	limit := m.o.WriteBufferBytes
	if m.flight == nil {
		limit *= 2
	}
	size := wsframe.Server.HeaderBytes(len(text)) + len(text)
	over := sizeOf(m.waits) + sizeOf(m.inside) + size - limit
	want := outcomeQueued
	if len(m.waits) > 0 && over > 0 {
		switch m.o.OnSlow {
		case SlowClose:
			want = outcomeFull
		case SlowDropNewest:
			want = outcomeDropped
			m.dropped++
		case SlowDropOldest:
			m.waits = slices.DeleteFunc(m.waits, func(f frame) bool {
				if f.op >= wsframe.OpClose || over <= 0 {
					return false
				}
				over -= f.bytes
				m.dropped++
				return true
			})
		}
	}
	if want == outcomeQueued {
		m.add(wsframe.OpBinary, text)
	}
	if got := m.q.put(&m.o, &m.pool, 0, wsframe.OpBinary, []byte(text)); got != want {
		t.Fatalf("put of %d bytes = %d, want %d", size, got, want)
	}
}

// Pong answers a ping.
func (m *queueModel) Pong(t *rapid.T) {
	text := fmt.Sprintf("p%d", m.number)
	m.number++
	pongs := 0
	for _, f := range m.waits {
		if f.op == wsframe.OpPong {
			pongs++
		}
	}
	if pongs < pongsMax {
		m.add(wsframe.OpPong, text)
	} else {
		m.late, m.hasLate = text, true
	}
	m.q.pong(&m.pool, []byte(text))
}

// Ping asks the peer.
func (m *queueModel) Ping(*rapid.T) {
	m.add(wsframe.OpPing, "")
	m.q.frame(&m.pool, wsframe.OpPing, nil)
}

// Take takes what waits.
func (m *queueModel) Take(t *rapid.T) {
	if m.flight != nil {
		t.Skip("one batch at a time")
	}
	if len(m.waits) == 0 && m.hasLate {
		m.add(wsframe.OpPong, m.late)
		m.hasLate = false
	}
	m.flight = m.q.take(&m.pool)
	if m.flight == nil {
		if len(m.waits) > 0 {
			t.Fatalf("nothing was taken, want %d frames", len(m.waits))
		}
		return
	}
	if got := parse(t, m.flight.B); !slices.Equal(got, m.waits) {
		t.Fatalf("took %.40v, want %.40v", got, m.waits)
	}
	m.inside, m.waits = m.waits, nil
}

// Done says that a batch is written.
func (m *queueModel) Done(t *rapid.T) {
	if m.flight == nil {
		t.Skip("nothing was taken")
	}
	m.q.done(&m.pool, m.flight)
	m.flight, m.inside = nil, nil
}

// Drop forgets what waits.
func (m *queueModel) Drop(*rapid.T) {
	m.q.drop(&m.pool)
	m.waits, m.hasLate = nil, false
}

// Check compares the bytes that wait, and the memory.
func (m *queueModel) Check(t *rapid.T) {
	if m.q.pending != nil {
		if got := parse(t, m.q.pending.B); !slices.Equal(got, m.waits) {
			t.Fatalf("%.40v waits, want %.40v", got, m.waits)
		}
	} else if len(m.waits) > 0 {
		t.Fatalf("nothing waits, want %d frames", len(m.waits))
	}
	held := m.q.held()
	if m.flight != nil {
		held += cap(m.flight.B)
	}
	if got := m.pool.Held(); got != int64(held) {
		t.Fatalf("%d bytes are handed out, %d held", got, held)
	}
	if m.q.dropped != m.dropped || m.q.hasLate != m.hasLate || m.q.flight != sizeOf(m.inside) {
		t.Fatalf("%d dropped, want %d; %d in flight, want %d; a ping is late: %v, want %v",
			m.q.dropped, m.dropped, m.q.flight, sizeOf(m.inside), m.q.hasLate, m.hasLate)
	}
}

func TestQueue_Model(t *testing.T) {
	for name, policy := range map[string]SlowPolicy{
		"close": SlowClose, "drop-newest": SlowDropNewest, "drop-oldest": SlowDropOldest,
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := &queueModel{o: Options{WriteBufferBytes: 1000, OnSlow: policy}}
				t.Repeat(rapid.StateMachineActions(m))
			})
		})
	}
}

func TestQueue_RefusesWhereMemoryIsOut(t *testing.T) {
	pool := wsframe.Pool{Limit: 256}
	o := Options{WriteBufferBytes: 1 << 20}
	var q queue
	if got := q.put(&o, &pool, 0, wsframe.OpText, make([]byte, 1000)); got != outcomeFull {
		t.Errorf("put = %d, want %d", got, outcomeFull)
	}
	if got := q.put(&o, &pool, 0, wsframe.OpText, make([]byte, 100)); got != outcomeQueued {
		t.Errorf("put = %d, want %d", got, outcomeQueued)
	}
	q.pong(&pool, make([]byte, 125))    // is left out
	q.closeFrame(&pool, CodeNormal, "") // has room in any case
	batch := q.take(&pool)
	if n := len(batch.B); n != 2+100+4 {
		t.Errorf("%d bytes wait, want those of the message and of the close frame", n)
	}
	q.done(&pool, batch)
	if n := pool.Held(); n != 0 {
		t.Errorf("%d bytes are held", n)
	}
}
