package wsframe

import (
	"encoding/binary"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// script makes frames of any bytes, most of them good ones, so that a fuzzer gets past the first.
// A frame is two bytes that choose its kind and length, and its payload.
func script(data []byte) []byte {
	w := fromClient()
	for len(data) >= 2 {
		kind, n := data[0], int(data[1])
		data = data[2:]
		if n > 200 {
			n *= 7
		}
		payload := strings.Repeat(string(data[:min(len(data), 40)]), n/40+1)
		payload = payload[:min(n, len(payload))]
		data = data[min(len(data), n):]
		firsts := "\x81\x82\x01\x02\x00\x80\x89\x8A\x81\x82\x01\x02\x00\x80\x89\x8A" +
			"\x88\x88\x83\x09\xC1\xC2\x41\x42\x81\x81\x88\xFF\xC0\x40\x91\x8B"
		first := firsts[kind%32]
		if first == 0x88 && len(payload) > 1 && kind&0x80 != 0 {
			code := binary.BigEndian.AppendUint16(nil, 995+uint16(payload[0])%32)
			payload = string(code) + payload[2:]
		}
		ext := binary.BigEndian.AppendUint16(nil, uint16(len(payload)))
		switch {
		case first&0x08 != 0:
			w.frame(first, payload) // Others take a long form where the length itself is short.
		case kind&0x60 == 0x60 && n%16 == 3:
			w.raw(first, 0xFE, ext, payload) // a length that may not be the shortest
		case kind&0x60 == 0x60 && n%16 == 7:
			w.masked = false
			w.frame(first, payload)
			w.masked = true
		case kind&0x60 == 0x60 && n%16 == 11:
			w.raw(first, 0xFF, append([]byte{payload0(payload), 0, 0, 0, 0, 0}, ext...), payload)
		default:
			w.frame(first, payload)
		}
	}
	return w.b
}

func payload0(payload string) byte {
	if payload == "" {
		return 0
	}
	return payload[0]
}

// compareSplits checks that an input gives the same events whole as in pieces, whose lengths the
// bytes of cuts are, again and again.
func compareSplits(tb testing.TB, r Rules, input, cuts []byte) string {
	tb.Helper()
	want := transcript(tb, r, input)
	var at []int
	for i := 0; len(cuts) > 0 && i < len(input); i += int(cuts[len(at)%len(cuts)])%64 + 1 {
		at = append(at, i)
	}
	if got := transcript(tb, r, input, at...); got != want {
		tb.Fatalf("cut at %d: transcript\n%s\nwant\n%s", at, got, want)
	}
	return want
}

func FuzzParser(f *testing.F) {
	for _, s := range scripts {
		f.Add([]byte(s), []byte{1}, byte(1))
	}
	f.Add(fromClient().frame(0x01, "a").ping("1").frame(0x80, "\xce\xba").close(1000, "").b,
		[]byte{1, 0, 5}, byte(0))
	f.Fuzz(func(t *testing.T, data, cuts []byte, mode byte) {
		input := data
		if mode&1 != 0 {
			input = script(data)
		}
		r := Rules{Deflate: mode&2 != 0, MaxMessageBytes: 2000}
		if mode&4 != 0 {
			r.MaxFrameBytes = 300
		}
		if mode&8 != 0 {
			r.Role, r.SkipUTF8 = Client, mode&16 != 0
		}
		compareSplits(t, r, input, cuts)
	})
}

// scripts are seeds of the fuzz targets.
var scripts = []string{
	"\x00\x05hello\x01\x03abc\x06\x00\x10\x02\x03\xe8",
	"\x02\x03abc\x06\x011\x04\x03def\x05\x01g\x00\x05after",
	"\x00\x02\xce\xba\x02\x01\xce\x05\x01\xba\x00\x01\xff",
	"\x00\xff" + strings.Repeat("x", 250) + "\x01\x7e" + strings.Repeat("y", 126),
	"\x60\x03abc", "\x60\x07abcdefg", "\x60\x0babcdefghijk", "\x12\x01x", "\x90\x05hello",
	"\x14\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x01x",
}

// TestRandomSplits has messages of random frames at random cuts.
func TestRandomSplits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := fromClient()
		var want []string
		for range rapid.IntRange(1, 6).Draw(t, "messages") {
			text := rapid.String().Draw(t, "text")
			if rapid.Bool().Draw(t, "long") {
				text = strings.Repeat(text, rapid.IntRange(1, 200).Draw(t, "times"))
			}
			want = append(want, drawMessage(t, w, text)...)
		}
		var cuts []int
		for at := 0; at < len(w.b); at += rapid.IntRange(1, len(w.b)).Draw(t, "piece") {
			cuts = append(cuts, at)
		}
		if got := transcript(t, Rules{}, w.b, cuts...); got != lines(want...) {
			t.Fatalf("transcript\n%s\nwant\n%s", got, lines(want...))
		}
	})
}

// drawMessage appends a text in some fragments, with pings between, and returns its events.
func drawMessage(t *rapid.T, w *wire, text string) (events []string) {
	rest, first := text, byte(0x01)
	for range rapid.IntRange(0, 3).Draw(t, "fragments") {
		n := rapid.IntRange(0, len(rest)).Draw(t, "bytes")
		w.frame(first, rest[:n])
		rest, first = rest[n:], 0
		if rapid.Bool().Draw(t, "ping") {
			data := text[:min(5, len(text))]
			w.ping(data)
			events = append(events, line(Event{Kind: Ping, Payload: []byte(data)}))
		}
	}
	w.frame(first|0x80, rest)
	return append(events, line(Event{Kind: Text, Payload: []byte(text)}))
}
