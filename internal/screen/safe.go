package screen

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ellipsis stands for what was cut away.
const ellipsis = '…'

// Safe is a text of somebody else that no terminal can mistake for orders, and no reader for
// another one: all but visible ASCII and the space is escaped as Go would write it, and so is the
// backslash. It is cut to so many columns; 0: it is not.
func Safe(text string, columns int) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if columns > 0 && b.Len() > columns {
			break // as much as cut will keep
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\\':
			b.WriteString(`\\`)
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return Cut(b.String(), columns)
}

// Cut is a text of at most so many columns; 0: of any number. What is cut away is marked.
func Cut(text string, columns int) string {
	if columns <= 0 || utf8.RuneCountInString(text) <= columns {
		return text
	}
	runes := []rune(text)[:columns]
	runes[columns-1] = ellipsis
	return string(runes)
}

// Width is how many columns a text of this package has.
func Width(text string) int { return utf8.RuneCountInString(text) }

// JSON is JSON of somebody else with all that a terminal might obey, or not show, escaped. It says
// the same. What is no JSON comes out as a JSON string.
func JSON(raw []byte) []byte {
	if !json.Valid(raw) {
		raw, _ = json.Marshal(string(raw)) // a string can be written as JSON
	}
	var b strings.Builder
	for _, r := range string(raw) {
		switch {
		case r == '\n' || r < 0x7f || unicode.IsPrint(r):
			b.WriteRune(r) // below the space JSON has only white space
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return []byte(b.String())
}
