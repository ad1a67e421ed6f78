package screen_test

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/curfew-go/curfew/internal/screen"
)

func TestSafe(t *testing.T) {
	for given, want := range map[string]string{
		"":                    "",
		"ada 7~":              "ada 7~",
		"\x1b[2J\x07":         `\x1b[2J\x07`,
		"a\nb\r\t\x00\x7f":    `a\x0ab\x0d\x09\x00\x7f`,
		"\u009b31m":           `\u009b31m`,
		"\xff\xc3":            `\xff\xc3`,
		"ü\u202e\u200b世":      `\u00fc\u202e\u200b\u4e16`,
		"\U0001f600":          `\U0001f600`,
		`a\x1b`:               `a\\x1b`,
		"\ufffd is not \xef ": `\ufffd is not \xef `,
	} {
		if got := screen.Safe(given, 0); got != want {
			t.Errorf("Safe(%q) = %q, want %q", given, got, want)
		}
	}
	cuts := map[int]string{1: "…", 2: "a…", 5: "abcd…", 6: "abcdef", 9: "abcdef"}
	for columns, want := range cuts {
		if got := screen.Safe("abcdef", columns); got != want {
			t.Errorf("Safe to %d = %q, want %q", columns, got, want)
		}
	}
	if got := screen.Safe(strings.Repeat("\x1b", 1<<20), 10); got != `\x1b\x1b\…` {
		t.Errorf("Safe of a long text = %q", got)
	}
}

// FuzzSafe: whatever comes, it is visible, and no two texts look the same.
func FuzzSafe(f *testing.F) {
	f.Add("a", "\x1b[2J", 5)
	f.Add(`\x1b`, "\x1b", 0)
	f.Fuzz(func(t *testing.T, a, b string, columns int) {
		if x, y := screen.Safe(a, 0), screen.Safe(b, 0); (x == y) != (a == b) {
			t.Errorf("Safe(%q) = %q, Safe(%q) = %q", a, x, b, y)
		}
		cut := screen.Safe(a, columns)
		for _, r := range cut {
			if (r < ' ' || r > '~') && r != '…' {
				t.Errorf("Safe(%q) = %q holds %q", a, cut, r)
			}
		}
		if columns > 0 && screen.Width(cut) > columns {
			t.Errorf("Safe(%q, %d) = %q", a, columns, cut)
		}
	})
}

// FuzzJSON: what comes out says the same as what came in, and shows no control character.
func FuzzJSON(f *testing.F) {
	f.Add("{\"a\":\"\u009b\u202e\U000e0001\xff\"}")
	f.Add("\x1b[2J")
	f.Fuzz(func(t *testing.T, text string) {
		got := screen.JSON([]byte(text))
		for _, r := range string(got) {
			if r < ' ' && !strings.ContainsRune("\n\t\r", r) || r >= 0x7f && r < 0xa0 {
				t.Errorf("JSON(%q) = %q holds %q", text, got, r)
			}
		}
		var want, have any = text, nil
		if json.Valid([]byte(text)) && json.Unmarshal([]byte(text), &want) != nil {
			return // a number that is too large
		}
		if err := json.Unmarshal(got, &have); err != nil {
			t.Fatalf("JSON(%q) = %q: %v", text, got, err)
		}
		if s, ok := want.(string); ok && !utf8.ValidString(s) {
			return // JSON has its own mark for these bytes
		}
		if !reflect.DeepEqual(have, want) {
			t.Errorf("JSON(%q) says %v, want %v", text, have, want)
		}
	})
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{screen.Count(0), "0"},
		{screen.Count(999), "999"},
		{screen.Count(-1234567), "-1,234,567"},
		{screen.Count(uint64(math.MaxUint64)), "18,446,744,073,709,551,615"},
		{screen.Count(int64(math.MinInt64)), "-9,223,372,036,854,775,808"},
		{screen.Short(0), "0"},
		{screen.Short(0.25), "0.2"},
		{screen.Short(9.96), "10"},
		{screen.Short(12345.6), "12346"},
		{screen.Short(99999.4), "99999"},
		{screen.Short(100000), "100k"},
		{screen.Short(1234567), "1.2M"},
		{screen.Short(math.NaN()), "0"},
		{screen.Short(-5), "0"},
		{screen.Short(math.Inf(1)), "many"},
		{screen.Bytes(0), "0 B"},
		{screen.Bytes(1023), "1023 B"},
		{screen.Bytes(1536), "1.50 KiB"},
		{screen.Bytes(20 << 10), "20.0 KiB"},
		{screen.Bytes(300 << 20), "300 MiB"},
		{screen.Bytes(1 << 50), "1024 TiB"},
		{screen.Millis(0), "0"},
		{screen.Millis(-1), "0"},
		{screen.Millis(0.012), "12.0µs"},
		{screen.Millis(8.126), "8.13ms"},
		{screen.Millis(999.7), "1.00s"},
		{screen.Millis(math.NaN()), "0"},
		{screen.Span(-time.Hour), "0s"},
		{screen.Span(59999 * time.Millisecond), "59s"},
		{screen.Span(3*time.Minute + 5*time.Second), "3m05s"},
		{screen.Span(25 * time.Hour), "1d01h"},
		{screen.Span(math.MaxInt64), "106751d23h"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	for s, want := range map[float64]time.Duration{
		1.5: 1500 * time.Millisecond, -1: 0, math.Inf(1): math.MaxInt64, 1e300: math.MaxInt64,
	} {
		if got := screen.Seconds(s); got != want {
			t.Errorf("Seconds(%v) = %v, want %v", s, got, want)
		}
	}
	if got := screen.Seconds(math.NaN()); got != 0 {
		t.Errorf("Seconds(NaN) = %v", got)
	}
}

func TestTable(t *testing.T) {
	table := func() *screen.Table {
		c := screen.NewTable(
			screen.Column{Name: "ID", Least: 6}, screen.Column{Name: "N", Right: true},
			screen.Column{Name: "USER", Rank: 1}, screen.Column{Name: "WHERE", Rank: 2},
		)
		c.Measure([][]string{{"0123456789", "1000", "ada", "here"}, {"short", "1", "-", ""}})
		return c
	}
	whole := []string{
		"ID             N  USER  WHERE", "0123456789  1000  ada   here", "short          1  -",
	}
	for width, want := range map[int][]string{
		0:  whole,
		29: whole,
		25: {"ID         N  USER  WHERE", "01234…  1000  ada   here", "short      1  -"},
		24: {"ID             N  USER", "0123456789  1000  ada", "short          1  -"},
		13: {"ID          N", "012345…  1000", "short       1"},
	} {
		c := table()
		got := []string{
			c.Head(width), c.Row([]string{"0123456789", "1000", "ada", "here"}, width),
			c.Row([]string{"short", "1", "-", ""}, width),
		}
		if !slices.Equal(got, want) {
			t.Errorf("in %d columns:\n%s\nwant\n%s", width, strings.Join(got, "\n"),
				strings.Join(want, "\n"))
		}
		for _, line := range got {
			if width > 0 && screen.Width(line) > width {
				t.Errorf("%q has more than %d columns", line, width)
			}
		}
	}
	equal := screen.NewTable(screen.Column{Name: "A"}, screen.Column{Name: "B", Rank: 1},
		screen.Column{Name: "C", Rank: 1})
	if got := equal.Head(4); got != "A  B" {
		t.Errorf("of equal ranks %q stays", got)
	}
	for width := range 40 { // nothing panics, and nothing is too wide, however narrow it is
		if line := table().Row([]string{"a", "b", "c", strconv.Itoa(width)}, width+1); screen.Width(
			line) > width+1 {
			t.Errorf("%q has more than %d columns", line, width+1)
		}
	}
}
