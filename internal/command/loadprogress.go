package command

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

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
	quiet bool
	mu    struct { // whoever is interrupted says so from elsewhere
		sync.Mutex
		w     io.Writer
		line  liveLine
		calls int
	}
}

func newProgress(p Process, quiet bool) *progress {
	shown := &progress{quiet: quiet}
	shown.mu.w, shown.mu.line = p.Stderr, p.newLiveLine(p.Stderr)
	return shown
}

// show shows how it goes. What cannot be written to a terminal that is gone is left out.
func (p *progress) show(l fleet.Live) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.calls++
	switch line := &p.mu.line; {
	case line.width != nil:
		line.draw(progressLine(&l, line.width() >= barMin))
	case p.mu.calls%plainEvery == 0:
		_, _ = fmt.Fprintln(p.mu.w, progressLine(&l, false))
	}
}

// say writes a line for the reader, where the drawn one is.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.line.clear()
	_, _ = fmt.Fprintln(p.mu.w, "curfew: "+line)
}

// clear takes away the line that is drawn.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.line.clear()
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
