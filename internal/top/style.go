package top

import (
	"strings"

	"github.com/curfew-go/curfew/internal/screen"
)

// style is how a piece of text looks. Colours are of the sixteen that a terminal's theme sets, so
// that they can be read on light and on dark.
type style uint8

const (
	plain style = iota
	label
	dim
	strong
	good
	warn
	bad
	chosen
)

// look is what a terminal is told for each style, and what where colours are not wanted.
var look = map[style][2]string{
	label: {"\x1b[36m", ""}, dim: {"\x1b[2m", "\x1b[2m"}, strong: {"\x1b[1m", "\x1b[1m"},
	good: {"\x1b[32m", ""}, warn: {"\x1b[33m", "\x1b[1m"}, bad: {"\x1b[1;31m", "\x1b[1;7m"},
	chosen: {"\x1b[7m", "\x1b[7m"},
}

// ink is whether and how styles are shown.
type ink uint8

const (
	inkNone ink = iota // text alone
	inkMono            // without colours
	inkColor
)

// line is a line of pieces.
type line []piece

type piece struct {
	text  string
	style style
}

// add puts a piece at the end.
func (l *line) add(s style, text string) { *l = append(*l, piece{text, s}) }

// render is the line in at most so many columns; 0: in as many as it has. One that is chosen is
// filled to the end.
func (l line) render(width int, i ink) string {
	var b strings.Builder
	left := width
	for _, p := range l {
		text := p.text
		if width > 0 {
			if left <= 0 {
				break
			}
			text = screen.Cut(text, left)
			left -= screen.Width(text)
		}
		on := ""
		if i != inkNone {
			on = look[p.style][min(2-int(i), 1)]
		}
		b.WriteString(on + text)
		if on != "" {
			b.WriteString("\x1b[0m")
		}
	}
	if i == inkNone {
		return strings.TrimRight(b.String(), " ")
	}
	return b.String()
}
