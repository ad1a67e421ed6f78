package wsframe

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var deflating = Rules{Deflate: true}

// TestInflate has the examples of RFC 7692 section 7.2.3, and what a peer may make of the format.
func TestInflate(t *testing.T) {
	c := fromClient
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	const final = "\xf3\x48\xcd\xc9\xc9\x07\x00"
	stored := "\x00\x05\x00\xfa\xffHello\x00"
	runCases(t, []parserCase{
		{"one block", deflating, c().frame(0xC1, hello), `text "Hello"`},
		{
			"two fragments", deflating, c().frame(0x41, hello[:3]).ping("1").frame(0x80, hello[3:]),
			lines(`ping "1"`, `text "Hello"`),
		},
		{"the second empty", deflating, c().frame(0x41, hello).frame(0x80, ""), `text "Hello"`},
		{"the first empty", deflating, c().frame(0x41, "").frame(0x80, hello), `text "Hello"`},
		{
			"shared window is not negotiated", deflating,
			c().frame(0xC1, hello).frame(0xC1, "\xf2\x00\x11\x00\x00"),
			lines(`text "Hello"`, "fail 1007 malformed compressed data"),
		},
		{"stored", deflating, c().frame(0xC1, stored), `text "Hello"`},
		{"final block", deflating, c().frame(0xC1, final+"\x00"), `text "Hello"`},
		{"final block and nothing more", deflating, c().frame(0xC1, final), `text "Hello"`},
		{
			"two blocks", deflating,
			c().frame(0xC1, "\xf2\x48\x05\x00"+tail+"\xca\xc9\xc9\x07\x00"),
			`text "Hello"`,
		},
		{"two streams", deflating, c().frame(0x41, final).frame(0x80, final), `text "HelloHello"`},
		{"empty", deflating, c().frame(0xC1, "\x00"), `text ""`},
		{"empty, of no bytes", deflating, c().frame(0xC2, ""), `binary ""`},
		{
			"some are not compressed", deflating, c().text("a").frame(0xC2, hello).text("b"),
			lines(`text "a"`, `binary "Hello"`, `text "b"`),
		},
	})
	const bad = "fail 1007 malformed compressed data"
	runCases(t, []parserCase{
		{"no such block", deflating, c().text("a").frame(0xC1, "\x06"), lines(`text "a"`, bad)},
		{"cut", deflating, c().frame(0xC1, hello[:4]), bad},
		{
			"text is not", deflating, c().frame(0xC1, "\x00\x05\x00\xfa\xffHel\xffo\x00"),
			"fail 1007 text is not UTF-8",
		},
		{
			"text ends within one", deflating, c().frame(0xC1, "\x00\x02\x00\xfd\xffH\xce\x00"),
			"fail 1007 text is not UTF-8",
		},
		{
			"binary need not", deflating, c().frame(0xC2, "\x00\x02\x00\xfd\xffH\xce\x00"),
			`binary "H\xce"`,
		},
	})
}

// TestCompressedBit is about RFC 7692 section 6: the bit stands on a message's first frame.
func TestCompressedBit(t *testing.T) {
	c := fromClient
	const bad = "fail 1002 reserved bit set"
	runCases(t, []parserCase{
		{"not negotiated", Rules{}, c().frame(0xC1, "\x00"), bad},
		{"on a continuation", deflating, c().frame(0x41, "\x00").frame(0xC0, "\x00"), bad},
		{"on a continuation only", deflating, c().frame(0x01, "a").frame(0xC0, "\x00"), bad},
		{"on a ping", deflating, c().frame(0xC9, ""), bad},
		{"on a close frame", deflating, c().frame(0xC8, ""), bad},
		{"with another", deflating, c().frame(0xE1, "\x00"), bad},
		{"another", deflating, c().frame(0xA1, "\x00"), bad},
	})
}

// bomb is a message that inflates to n zero bytes.
func bomb(t *testing.T, n int) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), tail)
}

func TestInflatedSizeIsLimited(t *testing.T) {
	const limit = 10_000
	for _, c := range []struct {
		n    int
		want string
	}{
		{limit - 1, long("binary", strings.Repeat("\x00", limit-1))},
		{limit, long("binary", strings.Repeat("\x00", limit))},
		{limit + 1, "fail 1009 message too big"},
		{9_000_000, "fail 1009 message too big"},
	} {
		in := fromClient().frame(0xC2, bomb(t, c.n))
		r := Rules{Deflate: true, MaxMessageBytes: limit}
		if got := transcript(t, r, in.b); got != c.want {
			t.Errorf("%d bytes inflated: %s, want %s", c.n, got, c.want)
		}
	}
}

// TestInflateWorkIsBounded: the worst that 64 KiB of blocks can ask for.
func TestInflateWorkIsBounded(t *testing.T) {
	for name, message := range map[string]string{
		"empty stored blocks":  strings.Repeat("\x00\x00\x00\xff\xff", 13_000) + "\x00",
		"empty fixed blocks":   strings.Repeat("\x02\x08\x20\x80\x00", 13_000) + "\x00",
		"streams":              strings.Repeat("\x03\x00", 32_000),
		"empty dynamic blocks": emptyDynamicBlocks(5000),
		"zero bytes":           bomb(t, 20_000_000),
	} {
		in := fromClient().frame(0xC2, message)
		start := time.Now()
		got := transcript(t, deflating, in.b)
		t.Logf("%s: %s after %v", name, got, time.Since(start))
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// emptyDynamicBlocks is n blocks that hold nothing but a code for the end of the block, each of
// which makes the reader build its tables.
func emptyDynamicBlocks(n int) string {
	var out []byte
	var bits uint
	put := func(v, width uint) {
		for i := range width {
			if bits%8 == 0 {
				out = append(out, 0)
			}
			out[bits/8] |= byte(v>>i&1) << (bits % 8)
			bits++
		}
	}
	for range n {
		put(0b100, 3) // dynamic codes, not the last block
		put(0, 5)     // 257 literal and length codes
		put(0, 5)     // one distance code
		put(14, 4)    // 18 lengths of code length codes
		for _, length := range []uint{0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2} {
			put(length, 3) // 18 has one bit (0), 0 has two (10), 1 has two (11)
		}
		put(0, 1)
		put(138-11, 7) // 138 zero lengths
		put(0, 1)
		put(118-11, 7) // 118 more
		put(0b11, 2)   // length 1 for the end of the block
		put(0b01, 2)   // length 0 for the only distance
		put(0, 1)      // the end of the block
	}
	put(0, 3) // a stored block begins, and the tail completes it
	return string(out)
}

// TestIncompressible: what grows by being compressed is still under the limit that it was under.
func TestIncompressible(t *testing.T) {
	random := make([]byte, DefaultMaxMessageBytes)
	g := rand.NewChaCha8([32]byte{})
	_, _ = g.Read(random)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.NoCompression)
	for part := range chunks(random, 2048) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	payload := strings.TrimSuffix(b.String(), tail)
	if len(payload) <= len(random) {
		t.Fatalf("%d bytes became %d", len(random), len(payload))
	}
	in := fromClient().frame(0xC2, payload)
	if got, want := transcript(t, deflating, in.b), long("binary", string(random)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func chunks(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}

func TestNegotiateDeflate(t *testing.T) {
	const both = "permessage-deflate;client_no_context_takeover;server_no_context_takeover"
	for _, c := range []struct {
		offers string
		d      Deflate
		answer string
	}{
		{"", 0, ""},
		{"permessage-deflate", 15, both},
		{"permessage-deflate; client_max_window_bits", 15, both},
		{"permessage-deflate; client_max_window_bits=9; client_no_context_takeover", 15, both},
		{"x-webkit-deflate-frame, permessage-deflate", 15, both},
		{
			"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", 12,
			both + ";server_max_window_bits=12",
		},
		{
			"permessage-deflate; server_max_window_bits=\"15\"", 15,
			both + ";server_max_window_bits=15",
		},
		{"permessage-deflate; server_max_window_bits=8", 8, both + ";server_max_window_bits=8"},
		{"permessage-deflate; server_max_window_bits=7, permessage-deflate", 15, both},
		{"permessage-deflate; server_max_window_bits=16", 0, ""},
		{"permessage-deflate; server_max_window_bits=08", 0, ""},
		{"permessage-deflate; server_max_window_bits", 0, ""},
		{"permessage-deflate; server_no_context_takeover=1", 0, ""},
		{"permessage-deflate; unknown", 0, ""},
		{"permessage-deflate; client_max_window_bits=0", 0, ""},
		{"permessage-deflate;;", 0, ""},
		{"=", 0, ""},
	} {
		d, answer := NegotiateDeflate(c.offers)
		if d != c.d || sortedParameters(answer) != sortedParameters(c.answer) {
			t.Errorf("NegotiateDeflate(%q) = %d, %q, want %d, %q",
				c.offers, d, answer, c.d, c.answer)
		}
	}
}

// sortedParameters makes the order of an option's parameters not matter.
func sortedParameters(option string) string {
	parts := strings.Split(strings.ReplaceAll(option, " ", ""), ";")
	for i := range parts {
		for j := range parts[:i] {
			if parts[i] < parts[j] {
				parts[i], parts[j] = parts[j], parts[i]
			}
		}
	}
	return strings.Join(parts, ";")
}

func TestAcceptDeflate(t *testing.T) {
	for _, c := range []struct {
		answer string
		d      Deflate
		ok     bool
	}{
		{"", 0, true},
		{DeflateOffer, 15, true},
		{"permessage-deflate; server_no_context_takeover", 15, true},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits=10", 15, true},
		{"permessage-deflate", 0, false},
		{"permessage-deflate; server_no_context_takeover; client_max_window_bits=10", 0, false},
		{DeflateOffer + ", " + DeflateOffer, 0, false},
		{"permessage-foo", 0, false},
		{"=", 0, false},
	} {
		d, err := AcceptDeflate(c.answer)
		if d != c.d || (err == nil) != c.ok {
			t.Errorf("AcceptDeflate(%q) = %d, %v, want %d, %v", c.answer, d, err, c.d, c.ok)
		}
	}
}

// checkDeflateRoundTrip writes a message compressed, checks that it keeps to the window, and reads
// it again.
func checkDeflateRoundTrip(tb testing.TB, r Role, d Deflate, message []byte) {
	tb.Helper()
	b := r.AppendMessage([]byte("before"), d, OpBinary, message)
	if !bytes.HasPrefix(b, []byte("before")) {
		tb.Fatal("what stood before is gone")
	}
	b = b[len("before"):]
	if limit := r.HeaderBytes(len(message)) + len(message); len(b) > limit {
		tb.Fatalf("%d bytes became a frame of %d, want at most %d", len(message), len(b), limit)
	}
	want := long("binary", string(message))
	if len(message) <= 64 {
		want = fmt.Sprintf("binary %q", message)
	}
	rules := Rules{Role: 1 - r, Deflate: true, MaxMessageBytes: max(1, int64(len(message)))}
	if got := transcript(tb, rules, b, len(b)/3, len(b)/2); got != want {
		tb.Fatalf("window %d bits: %s, want %s", d, got, want)
	}
}

func TestDeflateRoundTrip(t *testing.T) {
	text := strings.Repeat("the quick brown fox jumps over the lazy dog ", 4000)
	for _, n := range []int{
		0, 1, 63, 64, 125, 126, 130, 256, 257, 511, 4096, 4097, 65535, 65536, 150_000,
	} {
		for _, d := range []Deflate{8, 9, 12, 14, 15} {
			checkDeflateRoundTrip(t, Server, d, []byte(text[:n]))
			checkDeflateRoundTrip(t, Client, d, []byte(text[:n]))
		}
	}
	if n := len(Server.AppendMessage(nil, 15, OpText, []byte(text))); n > len(text)/20 {
		t.Errorf("%d bytes of text compressed to %d", len(text), n)
	}
}

// TestDeflateKeepsToWindow: a long message is made of pieces that are no longer than the window and
// that could each stand alone, so nothing can refer further back.
func TestDeflateKeepsToWindow(t *testing.T) {
	block := make([]byte, 300)
	g := rand.NewChaCha8([32]byte{1})
	_, _ = g.Read(block)
	message := bytes.Repeat(append(block, make([]byte, 400)...), 30)
	z := deflaters.New().(*deflater)
	compress := func(b []byte, window int) []byte {
		z.out = limited{max: 1 << 20}
		if !z.deflate(b, window) {
			t.Fatal("deflate failed")
		}
		return z.out.b
	}
	for d := minWindowBits; d < maxWindowBits; d++ {
		var pieces [][]byte
		for part := range chunks(message, 1<<d) {
			pieces = append(pieces, compress(part, 1<<maxWindowBits))
		}
		if want := bytes.Join(pieces, []byte(tail)); !bytes.Equal(compress(message, 1<<d), want) {
			t.Errorf("window of %d bits: not the pieces one after the other", d)
		}
	}
}

func FuzzDeflate(f *testing.F) {
	f.Add([]byte("hello "), byte(15), uint16(100))
	f.Add([]byte("\x00\x01\x02"), byte(8), uint16(1000))
	f.Fuzz(func(t *testing.T, seed []byte, d byte, times uint16) {
		message := bytes.Repeat(seed, int(times)%200+1)
		message = message[:min(len(message), 50_000)]
		checkDeflateRoundTrip(t, Server, Deflate(8+d%8), message)
		checkDeflateRoundTrip(t, Client, Deflate(8+d%8), message)
	})
}
