package command

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// widthDefault is how wide a terminal is taken to be that does not say it.
const widthDefault = 80

// liveLine is a line on a terminal that is drawn again and again. The zero value draws nothing.
type liveLine struct {
	w     io.Writer
	width func() int // of the terminal; nil: it is none, or one that can only be written down
	drawn bool
}

// newLiveLine is a line on an output of the process.
func (p Process) newLiveLine(w io.Writer) liveLine {
	l := liveLine{w: w}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || p.env("TERM") == "dumb" {
		return l
	}
	l.width = func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 {
			return widthDefault
		}
		return width
	}
	return l
}

// draw puts a text where the last one is, as much of it as one line holds without being wrapped.
func (l *liveLine) draw(text string) {
	if l.width == nil {
		return
	}
	line := []rune(text)
	line = line[:min(len(line), max(l.width()-1, 0))]
	_, _ = fmt.Fprintf(l.w, "\r\x1b[K%s", string(line)) // nowhere else to show it
	l.drawn = true
}

// clear takes the line away.
func (l *liveLine) clear() {
	if l.drawn {
		_, _ = fmt.Fprint(l.w, "\r\x1b[K")
		l.drawn = false
	}
}
