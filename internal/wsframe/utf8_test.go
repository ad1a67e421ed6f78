package wsframe

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// viable says whether some text begins so: whole characters, and the beginning of one.
func viable(b []byte) bool {
	for len(b) > 0 && utf8.FullRune(b) {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n == 1 {
			return false
		}
		b = b[n:]
	}
	return true
}

// checkUTF8 compares the check of a text, cut at two places, with package utf8: the verdict at each
// piece's end, and at the end of all.
func checkUTF8(tb testing.TB, b []byte, first, second int) {
	tb.Helper()
	var u UTF8
	ends := []int{first, second, len(b)}
	from := 0
	for _, to := range ends {
		got, want := u.Check(b[from:to]), viable(b[:to])
		if got != want {
			tb.Fatalf("%q cut at %d and %d: Check up to %d = %v, want %v",
				b, first, second, to, got, want)
		}
		if !got {
			return
		}
		if got, want := u.Complete(), utf8.Valid(b[:to]); got != want {
			tb.Fatalf("%q cut at %d and %d: Complete at %d = %v, want %v",
				b, first, second, to, got, want)
		}
		from = to
	}
}

func checkUTF8AtAllSplits(tb testing.TB, b []byte) {
	tb.Helper()
	for i := range len(b) + 1 {
		for j := i; j <= len(b); j++ {
			checkUTF8(tb, b, i, j)
		}
	}
}

func TestUTF8(t *testing.T) {
	for _, s := range []string{
		"", "a", "κόσμε", "\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff",
		"0123456\xce\xba890123456789012345678901\xf0\x9f\x98\x80", strings.Repeat("a", 33) + "\xff",
		"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff", "\x80", "a\xbf", "\xe2\x28\xa1",
		"\xf0\x9f\x98", "\xf0\x9f\x28",
	} {
		checkUTF8AtAllSplits(t, []byte(s))
	}
}

// TestUTF8FirstBytes tries all beginnings of three bytes, at a few splits.
func TestUTF8FirstBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("a second")
	}
	b := []byte("\x00\x00\x00\x80")
	for i := range 1 << 24 {
		b[0], b[1], b[2] = byte(i>>16), byte(i>>8), byte(i)
		if b[0] < 0x7F || b[1]&0x3F > 1 && b[1]&0x3F < 0x0E {
			continue
		}
		if b[2] != 0x7F && b[2] != 0x80 && b[2] != 0xBF && b[2] != 0xC0 {
			continue
		}
		checkUTF8(t, b, 1, 2)
		checkUTF8(t, b, 3, 4)
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("0123456\xce\xba890123456\xf0\x9f\x98\x80"))
	f.Add([]byte("\xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkUTF8AtAllSplits(t, b[:min(len(b), 80)])
	})
}
