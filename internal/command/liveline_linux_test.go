package command

import (
	"os"
	"testing"
)

// A terminal that can only be written down gets lines, as a file does.
func TestLiveLine_Dumb(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	if l := (Process{Env: []string{"TERM=dumb"}}).newLiveLine(tty); l.width != nil {
		t.Error("a line is drawn on a dumb terminal")
	}
	l := Process{Env: []string{"TERM=xterm"}}.newLiveLine(tty)
	if l.width == nil || l.width() != widthDefault {
		t.Error("no line is drawn on a terminal that does not say how wide it is")
	}
}
