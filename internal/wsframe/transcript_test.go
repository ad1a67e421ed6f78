package wsframe

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
)

// testMask is not symmetric, so that a mask that was turned the wrong way shows.
var testMask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// wire builds what a peer sends, good or bad, frame by frame. It shares no code with the writer.
type wire struct {
	b      []byte
	masked bool
}

func fromClient() *wire { return &wire{masked: true} }

// frame appends a frame whose first byte is as given.
func (w *wire) frame(first byte, payload string) *wire {
	n := len(payload)
	switch {
	case n < 126:
		return w.raw(first, w.maskBit()|byte(n), nil, payload)
	case n < 1<<16:
		ext := binary.BigEndian.AppendUint16(nil, uint16(n))
		return w.raw(first, w.maskBit()|126, ext, payload)
	default:
		ext := binary.BigEndian.AppendUint64(nil, uint64(n))
		return w.raw(first, w.maskBit()|127, ext, payload)
	}
}

// raw appends a frame whose length is encoded by the caller.
func (w *wire) raw(first, second byte, ext []byte, payload string) *wire {
	w.b = append(w.b, first, second)
	w.b = append(w.b, ext...)
	if second&0x80 == 0 {
		w.b = append(w.b, payload...)
		return w
	}
	w.b = append(w.b, testMask[:]...)
	for i := range len(payload) {
		w.b = append(w.b, payload[i]^testMask[i%4])
	}
	return w
}

func (w *wire) maskBit() byte {
	if w.masked {
		return 0x80
	}
	return 0
}

func (w *wire) text(s string) *wire   { return w.frame(0x81, s) }
func (w *wire) binary(s string) *wire { return w.frame(0x82, s) }
func (w *wire) ping(s string) *wire   { return w.frame(0x89, s) }
func (w *wire) pong(s string) *wire   { return w.frame(0x8A, s) }

func (w *wire) close(code uint16, reason string) *wire {
	return w.frame(0x88, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// cut drops the last bytes.
func (w *wire) cut(n int) *wire {
	w.b = w.b[:len(w.b)-n]
	return w
}

// line is an event as the transcripts of these tests have it.
func line(e Event) string {
	payload := fmt.Sprintf("%q", e.Payload)
	if len(e.Payload) > 64 {
		payload = fmt.Sprintf("%d bytes, %08x", len(e.Payload), crc32.ChecksumIEEE(e.Payload))
	}
	switch e.Kind {
	case Text:
		return "text " + payload
	case Binary:
		return "binary " + payload
	case Ping:
		return "ping " + payload
	case Pong:
		return "pong " + payload
	case Closing:
		return fmt.Sprintf("close %d %s", e.Code, payload)
	case Failed:
		return fmt.Sprintf("fail %d %s", e.Code, e.Fault)
	default:
		return fmt.Sprintf("event of kind %d", e.Kind)
	}
}

// tester is what testing.T, testing.F and rapid.T have in common, as far as a session needs it.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// session feeds a parser the way a loop does, from a buffer that many connections share, and checks
// what must be true whatever comes.
type session struct {
	tb       tester
	rules    Rules
	pool     *Pool
	p        Parser
	shared   []byte
	received int
	frames   uint32
	lines    []string
}

func newSession(tb tester, r Rules) *session {
	tb.Helper()
	s := &session{tb: tb, rules: r, pool: &Pool{}}
	s.rules.Buffers = s.pool
	return s
}

// feed gives the parser one piece.
func (s *session) feed(piece []byte) {
	s.tb.Helper()
	s.shared = append(s.shared[:0], piece...)
	s.received += len(piece)
	b := s.shared
	for {
		var e Event
		e, b = s.p.Next(&s.rules, b)
		s.frames += e.Frames
		if e.Kind == None {
			break
		}
		s.lines = append(s.lines, line(e))
		if e.Kind != Failed {
			// What is handed out is the caller's to write to.
			for i := range e.Payload {
				e.Payload[i] = '!'
			}
		}
	}
	if len(b) != 0 {
		s.tb.Fatalf("after None %d bytes are left", len(b))
	}
	for i := range s.shared {
		s.shared[i] = 0x55
	}
	s.check()
}

// check holds the parser's promises about what it keeps between reads.
func (s *session) check() {
	s.tb.Helper()
	held := s.p.Held()
	if int64(held) != s.pool.Held() {
		s.tb.Fatalf("Held() = %d, but the pool handed out %d", held, s.pool.Held())
	}
	if s.p.Idle() && held != 0 {
		s.tb.Fatalf("an idle parser holds %d bytes", held)
	}
	if limit := 2*s.received + 128; held > limit {
		s.tb.Fatalf("%d bytes came and %d are held", s.received, held)
	}
	limit := 2 * (s.rules.wireLimit(s.rules.Deflate) + 128)
	if int64(held) > limit {
		s.tb.Fatalf("%d bytes are held, and the limit allows %d", held, limit)
	}
}

// end closes the session and returns its transcript.
func (s *session) end() string {
	s.tb.Helper()
	s.p.Reset(&s.rules)
	if n := s.pool.Held(); n != 0 {
		s.tb.Fatalf("after Reset %d bytes are handed out", n)
	}
	return strings.Join(s.lines, "\n")
}

// transcript is what a parser makes of an input that comes cut at the given places.
func transcript(tb tester, r Rules, input []byte, cuts ...int) string {
	tb.Helper()
	s := newSession(tb, r)
	from := 0
	for _, to := range append(cuts, len(input)) {
		if to > from {
			s.feed(input[from:to])
			from = to
		}
	}
	return s.end()
}

// atEachSplit checks that an input gives the same events whole, byte by byte, and cut anywhere.
func atEachSplit(t *testing.T, r Rules, input []byte, want string) {
	t.Helper()
	if got := transcript(t, r, input); got != want {
		t.Fatalf("transcript\n%s\nwant\n%s", got, want)
	}
	if len(input) > 2048 {
		return
	}
	var all []int
	for i := range input {
		all = append(all, i)
		if got := transcript(t, r, input, i); got != want {
			t.Fatalf("cut at %d of %d: transcript\n%s\nwant\n%s", i, len(input), got, want)
		}
	}
	if got := transcript(t, r, input, all...); got != want {
		t.Fatalf("byte by byte: transcript\n%s\nwant\n%s", got, want)
	}
}
