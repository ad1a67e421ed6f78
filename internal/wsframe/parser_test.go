package wsframe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func lines(s ...string) string { return strings.Join(s, "\n") }

// long is how a transcript shows a payload that is not short.
func long(kind, payload string) string {
	return fmt.Sprintf("%s %d bytes, %08x", kind, len(payload),
		crc32.ChecksumIEEE([]byte(payload)))
}

type parserCase struct {
	name  string
	rules Rules
	in    *wire
	want  string
}

func runCases(t *testing.T, cases []parserCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { atEachSplit(t, c.rules, c.in.b, c.want) })
	}
}

// TestExamples has the examples of RFC 6455 section 5.7.
func TestExamples(t *testing.T) {
	client := Rules{Role: Client}
	unmasked := &wire{b: []byte{0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}}
	masked := &wire{b: []byte{
		0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
	}}
	fragmented := &wire{b: []byte{0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f}}
	ping := &wire{b: []byte{0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}}
	pong := &wire{b: []byte{
		0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
	}}
	kib := strings.Repeat("\xfe", 256)
	runCases(t, []parserCase{
		{"unmasked text", client, unmasked, `text "Hello"`},
		{"masked text", Rules{}, masked, `text "Hello"`},
		{"fragmented unmasked text", client, fragmented, `text "Hello"`},
		{"unmasked ping", client, ping, `ping "Hello"`},
		{"masked pong", Rules{}, pong, `pong "Hello"`},
		{"256 bytes", client, (&wire{}).binary(kib), long("binary", kib)},
		{
			"64 KiB", client, (&wire{}).binary(strings.Repeat(kib, 256)),
			long("binary", strings.Repeat(kib, 256)),
		},
	})
}

func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 125, 126, 127, 128, 1000, 65535, 65536} {
		payload := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		want := long("binary", payload)
		if n <= 64 {
			want = fmt.Sprintf("binary %q", payload)
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			in := fromClient().binary(payload).ping("after")
			atEachSplit(t, Rules{}, in.b, lines(want, `ping "after"`))
		})
	}
}

func TestMalformedLength(t *testing.T) {
	u16 := func(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
	u64 := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	const bad = "fail 1002 malformed length"
	before := func() *wire { return fromClient().text("before") }
	runCases(t, []parserCase{
		{
			"125 in two bytes",
			Rules{},
			before().raw(0x82, 0xFE, u16(125), ""),
			lines(`text "before"`, bad),
		},
		{
			"0 in two bytes",
			Rules{},
			before().raw(0x82, 0xFE, u16(0), ""),
			lines(`text "before"`, bad),
		},
		{
			"65535 in eight bytes",
			Rules{},
			before().raw(0x82, 0xFF, u64(65535), ""),
			lines(`text "before"`, bad),
		},
		{
			"0 in eight bytes",
			Rules{},
			before().raw(0x82, 0xFF, u64(0), ""),
			lines(`text "before"`, bad),
		},
		{
			"top bit",
			Rules{},
			before().raw(0x82, 0xFF, u64(1<<63|5), ""),
			lines(`text "before"`, bad),
		},
		{"top bit alone", Rules{}, &wire{b: []byte{0x82, 0xFF, 0x80}}, bad},
		{
			"126 in a control frame",
			Rules{},
			before().raw(0x89, 0xFE, u16(5), "12345"),
			lines(`text "before"`, "fail 1002 malformed control frame"),
		},
	})
}

func TestHeaderFaults(t *testing.T) {
	for first := range 256 {
		t.Run(fmt.Sprintf("first byte %02x", first), func(t *testing.T) {
			in := fromClient().frame(byte(first), "").text("after")
			atEachSplit(t, Rules{}, in.b, wantByFirst(byte(first)))
		})
	}
	const mask = "fail 1002 wrong masking"
	runCases(t, []parserCase{
		{"unmasked, to a server", Rules{}, (&wire{}).text("x"), mask},
		{"unmasked and empty", Rules{}, (&wire{}).text(""), mask},
		{"unmasked close", Rules{}, (&wire{}).close(1000, ""), mask},
		{"masked, to a client", Rules{Role: Client}, fromClient().text("x"), mask},
		{
			"two bytes are enough",
			Rules{},
			&wire{b: []byte{0xC1, 0x80}},
			"fail 1002 reserved bit set",
		},
		{"one is not", Rules{}, &wire{b: []byte{0xC1}}, ""},
	})
}

// wantByFirst is what becomes of an empty frame that begins with a byte, and a text frame after it.
func wantByFirst(first byte) string {
	fin, rsv, op := first&0x80 != 0, first&0x70 != 0, first&0xF
	switch {
	case 3 <= op && op <= 7 || op >= 11:
		return "fail 1002 reserved opcode"
	case op >= 8 && !fin:
		return "fail 1002 malformed control frame"
	case rsv:
		return "fail 1002 reserved bit set"
	case op == 0:
		return "fail 1002 continuation of nothing"
	case op == 8:
		return `close 0 ""`
	case op == 9:
		return lines(`ping ""`, `text "after"`)
	case op == 10:
		return lines(`pong ""`, `text "after"`)
	case !fin:
		return "fail 1002 message within a message"
	case op == 1:
		return lines(`text ""`, `text "after"`)
	default:
		return lines(`binary ""`, `text "after"`)
	}
}

// TestFragments is about section 5.4.
func TestFragments(t *testing.T) {
	c := fromClient
	runCases(t, []parserCase{
		{
			"three",
			Rules{},
			c().frame(0x01, "a").frame(0x00, "b").frame(0x80, "c").text("d"),
			lines(`text "abc"`, `text "d"`),
		},
		{"all empty", Rules{}, c().frame(0x02, "").frame(0x00, "").frame(0x80, ""), `binary ""`},
		{
			"only the last is not empty",
			Rules{},
			c().frame(0x02, "").frame(0x00, "").frame(0x80, "x"), `binary "x"`,
		},
		{
			"only the first is not empty",
			Rules{},
			c().frame(0x02, "x").frame(0x00, "").frame(0x80, ""), `binary "x"`,
		},
		{
			"control frames between",
			Rules{},
			c().frame(0x01, "a").ping("1").frame(0x00, "b").pong("").ping("2").frame(0x80, "c"),
			lines(`ping "1"`, `pong ""`, `ping "2"`, `text "abc"`),
		},
		{
			"close between",
			Rules{},
			c().frame(0x01, "a").close(1001, "bye").frame(0x80, "c"), `close 1001 "bye"`,
		},
		{
			"a message within",
			Rules{},
			c().frame(0x01, "a").ping("1").text("b"),
			lines(`ping "1"`, "fail 1002 message within a message"),
		},
		{
			"a fragment within",
			Rules{},
			c().frame(0x01, "a").frame(0x02, "b"),
			"fail 1002 message within a message",
		},
		{
			"continuation of nothing",
			Rules{},
			c().frame(0x80, "a"),
			"fail 1002 continuation of nothing",
		},
		{
			"continuation of what has ended",
			Rules{},
			c().frame(0x01, "a").frame(0x80, "b").frame(0x00, "c"),
			lines(`text "ab"`, "fail 1002 continuation of nothing"),
		},
	})
}

// TestControl is about section 5.5.
func TestControl(t *testing.T) {
	c := fromClient
	full := strings.Repeat("x", 125)
	const bad = "fail 1002 malformed control frame"
	runCases(t, []parserCase{
		{
			"as long as may be",
			Rules{},
			c().ping(full).pong(full),
			lines(long("ping", full), long("pong", full)),
		},
		{"one longer", Rules{}, c().ping(full + "x"), bad},
		{"fragmented", Rules{}, c().frame(0x09, "x"), bad},
		{
			"a message's limit is not theirs",
			Rules{MaxMessageBytes: 1},
			c().ping(full),
			long("ping", full),
		},
		{"not finished", Rules{}, c().text("a").ping("xyz").cut(1), `text "a"`},
	})
}

// TestClose is about sections 5.5.1, 7.1.5 and 7.4.
func TestClose(t *testing.T) {
	c := fromClient
	fits := strings.Repeat("x", 123)
	runCases(t, []parserCase{
		{"empty", Rules{}, c().frame(0x88, ""), `close 0 ""`},
		{"one byte", Rules{}, c().frame(0x88, "\x03"), "fail 1002 close frame of one byte"},
		{"code", Rules{}, c().close(1000, ""), `close 1000 ""`},
		{"code and reason", Rules{}, c().close(3001, "größer"), `close 3001 "größer"`},
		{"longest reason", Rules{}, c().close(1000, fits), long("close 1000", fits)},
		{
			"too long a reason",
			Rules{},
			c().close(1000, fits+"x"),
			"fail 1002 malformed control frame",
		},
		{
			"reason not UTF-8",
			Rules{},
			c().close(1000, "a\xff"),
			"fail 1007 close reason is not UTF-8",
		},
		{
			"reason ends within a character",
			Rules{},
			c().close(1000, "a\xe2\x82"),
			"fail 1007 close reason is not UTF-8",
		},
		{
			"nothing is read after it",
			Rules{},
			c().text("a").close(1000, "").text("b").frame(0xFF, "").ping(""),
			lines(`text "a"`, `close 1000 ""`),
		},
		{
			"nothing is read after a fault",
			Rules{},
			c().text("a").frame(0x83, "").text("b"),
			lines(`text "a"`, "fail 1002 reserved opcode"),
		},
	})
	for code := range 1 << 16 {
		if code > 5100 && code != 1<<16-1 {
			continue
		}
		want := "fail 1002 invalid close code"
		if code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 ||
			code >= 3000 && code <= 4999 {
			want = fmt.Sprintf(`close %d ""`, code)
		}
		in := c().close(uint16(code), "").b
		if got := transcript(t, Rules{}, in); got != want {
			t.Fatalf("close frame with %d: %s, want %s", code, got, want)
		}
	}
}

// TestUTF8FailsFast is about section 8.1: a text fails at the first byte that cannot be right, even
// where its frame is not complete, and not before.
func TestUTF8FailsFast(t *testing.T) {
	c := fromClient
	const bad = "fail 1007 text is not UTF-8"
	runCases(t, []parserCase{
		{"good", Rules{}, c().text("κόσμε"), `text "κόσμε"`},
		{
			"a character in two fragments",
			Rules{},
			c().frame(0x01, "\xce").frame(0x80, "\xba"),
			`text "κ"`,
		},
		{
			"with a ping between",
			Rules{},
			c().frame(0x01, "\xf0\x9f").ping("").frame(0x80, "\x98\x80"),
			lines(`ping ""`, `text "😀"`),
		},
		{
			"bad in an unfinished frame",
			Rules{},
			c().text("good").text("a\xffbcdef").cut(5),
			lines(`text "good"`, bad),
		},
		{"bad in the first fragment", Rules{}, c().frame(0x01, "a\xc0"), bad},
		{"bad across fragments", Rules{}, c().frame(0x01, "\xce").frame(0x00, "x"), bad},
		{"overlong", Rules{}, c().text("\xe0\x80"), bad},
		{"surrogate, at its second byte", Rules{}, c().text("\xed\xa0\x80").cut(1), bad},
		{"above the last", Rules{}, c().text("\xf4\x90\x80\x80").cut(2), bad},
		{"may still be good", Rules{}, c().text("\xf4\x8f\x80\x80").cut(1), ""},
		{"ends within a character", Rules{}, c().text("\xce"), bad},
		{"ends so, with an empty fragment", Rules{}, c().frame(0x01, "\xce").frame(0x80, ""), bad},
		{"binary is not looked at", Rules{}, c().binary("\xff"), `binary "\xff"`},
		{"a server cannot skip it", Rules{SkipUTF8: true}, c().text("\xff"), bad},
		{
			"a client can",
			Rules{Role: Client, SkipUTF8: true},
			(&wire{}).text("\xff"),
			`text "\xff"`,
		},
		{"a client need not", Rules{Role: Client}, (&wire{}).text("\xff"), bad},
	})
}

// TestLimits is about section 10.4: what is too long fails by its header, before its mask even.
func TestLimits(t *testing.T) {
	c := fromClient
	const big = "fail 1009 message too big"
	ten := Rules{MaxMessageBytes: 10}
	frames := Rules{MaxMessageBytes: 10, MaxFrameBytes: 4}
	declared := func(n uint64) *wire {
		return &wire{b: binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, n)}
	}
	runCases(t, []parserCase{
		{"just", ten, c().text("0123456789"), `text "0123456789"`},
		{
			"one over, from two bytes", ten, c().text("before").raw(0x81, 0x8B, nil, "").cut(4),
			lines(`text "before"`, big),
		},
		{
			"message just", ten, c().frame(0x01, "01234").frame(0x00, "").frame(0x80, "56789"),
			`text "0123456789"`,
		},
		{
			"message one over", ten,
			c().frame(0x01, "01234").ping("").raw(0x80, 0x86, nil, "").cut(4),
			lines(`ping ""`, big),
		},
		{"frame just", frames, c().frame(0x01, "0123").frame(0x80, "4567"), `text "01234567"`},
		{"frame one over", frames, c().frame(0x01, "01234"), big},
		{"default", Rules{}, declared(DefaultMaxMessageBytes + 1), big},
		{"2^63-1", Rules{}, declared(1<<63 - 1), big},
		{"2^63-1 of a fragment", Rules{}, (&wire{b: c().frame(0x02, "x").b}).
			raw(0x80, 0xFF, binary.BigEndian.AppendUint64(nil, 1<<63-1), ""), big},
	})
}

// TestDeclaredLengthAllocatesNothing: only what came is kept, whatever the header says.
func TestDeclaredLengthAllocatesNothing(t *testing.T) {
	s := newSession(t, Rules{MaxMessageBytes: 1 << 40})
	b := binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, 1<<40)
	s.feed(append(b, testMask[:]...))
	if got := s.p.Held(); got != 0 {
		t.Errorf("after the header %d bytes are held, want 0", got)
	}
	s.feed(make([]byte, 1000))
	if got := s.p.Held(); got != 1024 {
		t.Errorf("after 1000 bytes of payload %d are held, want 1024", got)
	}
	if got := s.end(); got != "" {
		t.Errorf("transcript %s, want none", got)
	}
}

// refusing is Buffers that have none.
type refusing struct{}

func (refusing) Grow(*Buffer, int) *Buffer { return nil }
func (refusing) Free(*Buffer)              {}

func TestBuffersRefused(t *testing.T) {
	r := &Rules{Buffers: refusing{}}
	in := fromClient().text("whole").text("in two").b
	var p Parser
	e, rest := p.Next(r, in[:20])
	if got, want := line(e), `text "whole"`; got != want {
		t.Fatalf("first event %s, want %s", got, want)
	}
	e, _ = p.Next(r, rest)
	if got, want := line(e), "fail 1013 out of buffers"; got != want {
		t.Fatalf("second event %s, want %s", got, want)
	}
	if e, _ = p.Next(r, in[20:]); e.Kind != None {
		t.Fatalf("after a fault: event %s, want none", line(e))
	}

	pool := &Pool{Limit: 1000}
	r = &Rules{Buffers: pool}
	var one, two Parser
	one.Next(r, fromClient().binary(strings.Repeat("x", 600)).cut(100).b)
	if e, _ = one.Next(r, nil); e.Kind != None || pool.Held() != 512 {
		t.Fatalf("event %s and %d bytes held, want none and 512", line(e), pool.Held())
	}
	e, _ = two.Next(r, fromClient().binary(strings.Repeat("x", 600)).cut(100).b)
	if e.Fault != FaultBuffer || pool.Held() != 512 {
		t.Fatalf("event %s and %d bytes held, want a fault and 512", line(e), pool.Held())
	}
	one.Reset(r)
	if pool.Held() != 0 {
		t.Fatalf("%d bytes held after Reset, want 0", pool.Held())
	}
}

// TestSizes holds what a connection costs: a parser where something is unfinished, a few registers
// for an event.
func TestSizes(t *testing.T) {
	if got := unsafe.Sizeof(Parser{}); got > 48 {
		t.Errorf("a Parser has %d bytes, want at most 48", got)
	}
	if got := unsafe.Sizeof(Event{}); got > 32 {
		t.Errorf("an Event has %d bytes, want at most 32", got)
	}
}

// TestWholeFramesAllocateNothing: what lies whole in the buffer is handed out where it lies.
func TestWholeFramesAllocateNothing(t *testing.T) {
	r := &Rules{Buffers: &Pool{}}
	in := fromClient().text("hello, κόσμε").ping("1").binary(strings.Repeat("x", 5000)).b
	scratch := make([]byte, len(in))
	var p Parser
	allocs := testing.AllocsPerRun(100, func() {
		copy(scratch, in)
		e, rest := Event{}, scratch
		for {
			from := len(scratch) - len(rest)
			if e, rest = p.Next(r, rest); e.Kind == None {
				break
			}
			to := len(scratch) - len(rest)
			if n := len(e.Payload); &e.Payload[0] != &scratch[from:to][to-from-n] {
				t.Fatalf("%s does not lie in the buffer", line(e))
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
	if !p.Idle() {
		t.Error("the parser is not idle")
	}
}

// TestPartialFramesAllocateNothing holds once the pool has been filled.
func TestPartialFramesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool forgets under the race detector")
	}
	r := &Rules{Buffers: &Pool{}}
	in := fromClient().frame(0x01, "hello, ").ping("1").frame(0x80, strings.Repeat("x", 5000)).b
	scratch := make([]byte, len(in))
	var p Parser
	allocs := testing.AllocsPerRun(100, func() {
		copy(scratch, in)
		for part := scratch; len(part) > 0; {
			n := min(100, len(part))
			for e, rest := p.Next(r, part[:n]); e.Kind != None; {
				e, rest = p.Next(r, rest)
			}
			part = part[n:]
		}
	})
	if allocs >= 1 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}

func TestFaults(t *testing.T) {
	for f := range faults {
		if f.String() == "" {
			t.Errorf("fault %d has no text", f)
		}
		if f != FaultNone && !f.Code().Valid() {
			t.Errorf("fault %v has code %d, which may not be sent", f, f.Code())
		}
	}
	if got := Fault(200).String(); got != "unknown fault" {
		t.Errorf("Fault(200) = %q", got)
	}
}

// TestParser_CountsFrames of every kind, however they are cut: whoever adds them up knows how many
// came, that of a fault included where its header is proper.
func TestParser_CountsFrames(t *testing.T) {
	begin := fromClient().text("one").ping("p").frame(0x01, "a").frame(0x00, "").pong("").
		frame(0x80, "b").binary(strings.Repeat("x", 300)).text("")
	for name, c := range map[string]struct {
		end  func(w *wire)
		want uint32
	}{
		"close":             {func(w *wire) { w.close(1000, "") }, 10},
		"bad text":          {func(w *wire) { w.text("\xff") }, 10},
		"bad text in parts": {func(w *wire) { w.frame(0x01, "ok").frame(0x80, "\xff") }, 11},
		"bad close code":    {func(w *wire) { w.close(5000, "") }, 10},
		"bad opcode":        {func(w *wire) { w.frame(0x83, "") }, 9},
		"half a message":    {func(w *wire) { w.frame(0x01, "half").cut(2) }, 10},
		"half a header":     {func(w *wire) { w.text("").cut(1) }, 9},
	} {
		w := &wire{b: bytes.Clone(begin.b), masked: true}
		w.text("")
		c.end(w)
		for piece := 1; piece <= len(w.b); piece++ {
			s := newSession(t, Rules{})
			for b := range slices.Chunk(w.b, piece) {
				s.feed(b)
			}
			if s.frames != c.want {
				t.Fatalf("%s, in pieces of %d: %d frames, want %d", name, piece, s.frames, c.want)
			}
			s.end()
		}
	}
}
