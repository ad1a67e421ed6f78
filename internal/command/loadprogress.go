package command

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/curfew-go/curfew/internal/load/fleet"
)

const (
	// plainEvery is how many calls make one line where nothing can be drawn: one in two seconds.
	plainEvery = 8
	barWidth   = 20
	// barMin is the narrowest terminal with room for a bar.
	barMin = 60
)

// progress shows how a run goes: a line that is drawn again on a terminal, and a line now and then
// elsewhere.
type progress struct {
	width func() int // of the terminal; nil: it is none
	quiet bool
	mu    struct { // whoever is interrupted says so from elsewhere
		sync.Mutex
		w     io.Writer
		calls int
		drawn bool
	}
}

func newProgress(w io.Writer, quiet bool) *progress {
	p := &progress{quiet: quiet}
	p.mu.w = w
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.width = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}
	}
	return p
}

// show shows how it goes. What cannot be written to a terminal that is gone is left out.
func (p *progress) show(l fleet.Live) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.calls++
	if p.width == nil {
		if p.mu.calls%plainEvery == 0 {
			_, _ = fmt.Fprintln(p.mu.w, progressLine(&l, false))
		}
		return
	}
	width := p.width()
	line := []rune(progressLine(&l, width >= barMin))
	line = line[:min(len(line), max(width-1, 0))]
	_, _ = fmt.Fprintf(p.mu.w, "\r\x1b[K%s", string(line))
	p.mu.drawn = true
}

// say writes a line for the reader, where the drawn one is.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clearLocked()
	_, _ = fmt.Fprintln(p.mu.w, "curfew: "+line)
}

// clear takes away the line that is drawn.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clearLocked()
}

func (p *progress) clearLocked() {
	if p.mu.drawn {
		_, _ = fmt.Fprint(p.mu.w, "\r\x1b[K")
		p.mu.drawn = false
	}
}

// progressLine is how it goes, the most telling first.
func progressLine(l *fleet.Live, bar bool) string {
	var b strings.Builder
	if l.Runs > 1 {
		fmt.Fprintf(&b, "%d/%d ", l.Run, l.Runs)
	}
	phase := l.Phase
	if l.Stopping {
		phase = "stopping"
	}
	fmt.Fprintf(&b, "%-8s", phase)
	if bar && l.Total > 0 {
		done := int(float64(barWidth) * min(1, l.Elapsed.Seconds()/l.Total.Seconds()))
		fmt.Fprintf(&b, " [%s%s]", strings.Repeat("#", done), strings.Repeat("-", barWidth-done))
	}
	elapsed := fmt.Sprintf("%.0fs", l.Elapsed.Seconds())
	if l.Total > 0 {
		elapsed += "/" + l.Total.Round(time.Second).String()
	}
	fmt.Fprintf(&b, " %s  %s  p99 %s  open %d/%d", elapsed, perSecond(l.Received), short(l.P99),
		l.Open, l.Connections)
	if l.Expired > 0 {
		fmt.Fprintf(&b, "  expired %d", l.Expired)
	}
	if l.Bad > 0 {
		fmt.Fprintf(&b, "  bad %d", l.Bad)
	}
	return b.String()
}
