package netloop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

const testMessageMax = 1000

// parse feeds b in pieces of at most size bytes and gives all events in words.
func parse(b []byte, size int) (events []string) {
	p := parser{messageBytesMax: testMessageMax}
	var buf []byte
	for len(b) > 0 {
		n := min(size, len(b))
		buf = append(buf, b[:n]...)
		b = b[n:]
		for {
			n, e, f := p.next(buf)
			buf = buf[n:]
			if f != nil {
				return append(events, fmt.Sprintf("fault %d %s", f.code, f.reason))
			}
			if e.found {
				events = append(events, fmt.Sprintf("%x %d %q", e.op, e.code, e.payload))
			}
			if n == 0 && !e.found || len(buf) == 0 {
				break
			}
		}
		buf = slices.Clone(buf) // what was handed out must not be needed any more
	}
	return events
}

func frame(op ws.OpCode, fin bool, payload string) []byte {
	return netlooptest.Frame(op, fin, []byte(payload))
}

func closeBody(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// TestParser_AnySplitGivesTheSameEvents cuts one long conversation at each size.
func TestParser_AnySplitGivesTheSameEvents(t *testing.T) {
	stream := slices.Concat(
		frame(ws.OpText, true, "hello"),
		frame(ws.OpText, true, ""),
		frame(ws.OpText, false, "zwölf Box\xe2"),
		frame(ws.OpPing, true, "between"),
		frame(ws.OpContinuation, false, ""),
		frame(ws.OpContinuation, false, "\x82\xac"),
		frame(ws.OpPong, true, ""),
		frame(ws.OpContinuation, true, "!"),
		frame(ws.OpBinary, true, strings.Repeat("b", 126)),
		frame(ws.OpBinary, false, ""),
		frame(ws.OpContinuation, true, strings.Repeat("\xff", testMessageMax)),
		frame(ws.OpContinuation, false, "x"), // no message to continue
	)
	want := []string{
		`1 0 "hello"`, `1 0 ""`, `9 0 "between"`, `a 0 ""`, `1 0 "zwölf Box€!"`,
		fmt.Sprintf(`2 0 %q`, strings.Repeat("b", 126)),
		fmt.Sprintf(`2 0 %q`, strings.Repeat("\xff", testMessageMax)),
		"fault 1002 unexpected continuation data frame",
	}
	for size := 1; size <= len(stream); size++ {
		if got := parse(bytes.Clone(stream), size); !slices.Equal(got, want) {
			t.Fatalf("pieces of %d bytes give\n%s\nwant\n%s",
				size, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// header is the bytes of a header with a mask, as they are said to be.
func header(b0, b1 byte, length ...byte) []byte {
	return slices.Concat([]byte{b0, b1 | 0x80}, length, []byte{0, 0, 0, 0})
}

func TestParser_Faults(t *testing.T) {
	unmasked := ws.MustCompileFrame(ws.NewTextFrame([]byte("x")))
	for _, c := range []struct {
		name string
		in   []byte
		code Code
	}{
		{"unmasked", unmasked, CodeProtocol},
		{"reserved bit", header(0xc1, 1), CodeProtocol},
		{"reserved data opcode", header(0x83, 0), CodeProtocol},
		{"reserved control opcode", header(0x8b, 0), CodeProtocol},
		{"control frame of 126 bytes", header(0x89, 126, 0, 126), CodeProtocol},
		{"control frame in fragments", header(0x09, 0), CodeProtocol},
		{"continuation of nothing", header(0x80, 0), CodeProtocol},
		{
			"message inside a message",
			slices.Concat(frame(ws.OpText, false, "a"), frame(ws.OpText, true, "b")), CodeProtocol,
		},
		{"16-bit length of 125", header(0x81, 126, 0, 125), CodeProtocol},
		{"64-bit length of 65535", header(0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255), CodeProtocol},
		{"top bit of the length", header(0x81, 127, 128, 0, 0, 0, 0, 0, 0, 0), CodeProtocol},
		{
			"length of 2^63-1",
			header(0x82, 127, 127, 255, 255, 255, 255, 255, 255, 255), CodeTooBig,
		},
		{"a byte too much", header(0x82, 126, 3, 233), CodeTooBig},
		{
			"a byte too much in two fragments",
			slices.Concat(frame(ws.OpBinary, false, strings.Repeat("x", 999)), header(0x80, 2)),
			CodeTooBig,
		},
		{"text that is none", frame(ws.OpText, true, "a\xffb"), CodeBadData},
		{"text cut inside a rune", frame(ws.OpText, true, "\xe2\x82"), CodeBadData},
		{
			"bad byte before the frame is whole",
			frame(ws.OpText, true, "\xf5"+strings.Repeat("x", 100))[:8], CodeBadData,
		},
		{
			"surrogate, at the second byte",
			frame(ws.OpText, false, "\xed\xa0"), CodeBadData,
		},
		{"close of one byte", frame(ws.OpClose, true, "\x03"), CodeProtocol},
		{"close reason that is no text", frame(ws.OpClose, true, closeBody(1000, "\xc0")), 1007},
	} {
		for _, size := range []int{1, len(c.in)} {
			got := parse(bytes.Clone(c.in), size)
			want := fmt.Sprintf("fault %d ", c.code)
			if len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Errorf("%s, pieces of %d bytes: %q, want %q", c.name, size, got, want)
			}
		}
	}
}

func TestParser_CloseCodes(t *testing.T) {
	for code := range uint16(5010) {
		good := 1000 <= code && code <= 1003 || 1007 <= code && code <= 1014 ||
			3000 <= code && code <= 4999
		got := parse(frame(ws.OpClose, true, closeBody(code, "")), 100)
		want := fmt.Sprintf("8 %d %q", code, closeBody(code, ""))
		if (got[0] == want) != good {
			t.Errorf("close code %d gives %q, good: %v", code, got, good)
		}
	}
	if got := parse(frame(ws.OpClose, true, ""), 100); got[0] != `8 0 ""` {
		t.Errorf("an empty close frame gives %q", got)
	}
}

// TestParser_DeclaredLengthAllocatesNothing sends headers of large messages and looks at what the
// parser holds before the payload came.
func TestParser_DeclaredLengthAllocatesNothing(t *testing.T) {
	p := parser{messageBytesMax: 1 << 40}
	if n, _, f := p.next(header(0x82, 127, 0, 0, 0, 255, 255, 255, 255, 255)); f != nil || n != 14 {
		t.Fatalf("header: %d, %v", n, f)
	}
	if p.msg != nil {
		t.Errorf("%d bytes are held before any came", cap(p.msg))
	}
	if _, _, f := p.next(make([]byte, 10)); f != nil {
		t.Fatal(f)
	}
	if cap(p.msg) > bufferBytes {
		t.Errorf("%d bytes are held for 10 that came", cap(p.msg))
	}
}

func FuzzParser_Split(f *testing.F) {
	f.Add(slices.Concat(frame(ws.OpText, false, "a€"), frame(ws.OpContinuation, true, "b")), 3)
	f.Add(frame(ws.OpClose, true, closeBody(1000, "x")), 1)
	f.Add(header(0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0), 5)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if size < 1 {
			t.Skip()
		}
		whole, cut := parse(bytes.Clone(b), max(1, len(b))), parse(bytes.Clone(b), size)
		if !slices.Equal(whole, cut) {
			t.Errorf("%x in one piece: %q; in pieces of %d: %q", b, whole, size, cut)
		}
	})
}

func TestUTF8Stream_AgreesWithTheStandardLibraryAtAnySplit(t *testing.T) {
	for _, s := range []string{
		"", "plain", "zwölf", "€", "\U0001F600", "\ufffd", "a\xff", "\xc0\xaf", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xe2\x82", "\xe2\x28\xa1", "\xf0\x9f\x98", "\x80", "€\xe2\x82\xac\xe2",
	} {
		for i := range len(s) + 1 {
			for j := i; j <= len(s); j++ {
				var u utf8Stream
				got := u.write([]byte(s[:i]), false) && u.write([]byte(s[i:j]), false) &&
					u.write([]byte(s[j:]), true)
				if got != utf8.ValidString(s) {
					t.Errorf("%q cut at %d and %d: %v", s, i, j, got)
				}
			}
		}
	}
}

// TestUTF8Stream_FailsAtTheFirstBadByte gives byte by byte what cannot become good.
func TestUTF8Stream_FailsAtTheFirstBadByte(t *testing.T) {
	for s, at := range map[string]int{
		"a\xff": 1, "\xc0": 0, "\xe0\x80": 1, "\xed\xa0": 1, "\xf0\x8f": 1, "\xf4\x90": 1,
		"\xe2\x82\x28": 2, "€\x80": 3,
	} {
		var u utf8Stream
		for i := range len(s) {
			if good := u.write([]byte{s[i]}, false); good != (i < at) {
				t.Errorf("%q: byte %d gives %v, the first bad one is %d", s, i, good, at)
			}
		}
	}
}
