package top

import (
	"fmt"
	"strings"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

// labelWidth is that of the first column.
const labelWidth = 10

// block is a group of lines, and how gladly it is given up where there is no room: the highest
// rank goes first.
type block struct {
	rank  int
	lines []line
}

// start begins a line with a name.
func start(name string) line {
	return line{{fmt.Sprintf("%-*s", labelWidth, name), label}}
}

// field adds a name with its value.
func (l *line) field(s style, name, value string) {
	if len(*l) > 1 {
		l.add(plain, "  ")
	}
	l.add(dim, name+" ")
	l.add(s, value)
}

// when is a style where something holds, else another.
func when(holds bool, then, otherwise style) style {
	if holds {
		return then
	}
	return otherwise
}

// rate is a rate as it is shown.
func (m *model) rate(r float64) string {
	if !m.rates.known {
		return "-"
	}
	return screen.Short(r) + "/s"
}

// blocks are all that is shown of a status, from top to bottom.
func (m *model) blocks(width int) []block {
	s := m.status
	all := []block{
		{0, []line{m.sessionsLine()}},
		{1, []line{m.flowLine(width)}},
		{2, []line{latenessLine(&s.Expiry)}},
		{4, []line{m.networkLine(width)}},
		{3, []line{m.trafficLine()}},
		{7, []line{m.applicationLine()}},
		{5, []line{memoryLine(&s.Memory)}},
	}
	if len(s.Loops) > 0 {
		all = append(all, block{6, []line{m.loopsLine()}})
	}
	if s.Drain != nil {
		all = append(all, block{0, []line{drainLine(s)}})
	}
	all = append(all, block{2, []line{wheelLine(&s.Expiry)}})
	for i, level := range s.Expiry.Wheel.Levels {
		if level.Entries > 0 || i == 0 {
			all = append(all, block{8 + i, []line{levelLine(&level, width)}})
		}
	}
	return all
}

func (m *model) sessionsLine() line {
	n := &m.status.Sessions
	l := start("sessions")
	full := n.Max > 0 && n.Total >= n.Max
	l.add(when(full, bad, strong), screen.Count(n.Total))
	if n.Max > 0 {
		l.add(dim, " of "+screen.Count(n.Max))
	}
	l.field(plain, "live", screen.Count(n.Live))
	l.field(plain, "detached", screen.Count(n.Detached))
	l.field(plain, "grace", screen.Count(n.Grace))
	l.field(plain, "users", screen.Count(n.Users))
	return l
}

func (m *model) flowLine(width int) line {
	r := &m.rates
	l := start("flow")
	l.field(plain, "created", m.rate(r.created))
	if r.rejected > 0 {
		l.field(bad, "rejected", m.rate(r.rejected))
	}
	if r.resumed > 0 {
		l.field(plain, "resumed", m.rate(r.resumed))
	}
	l.field(plain, "ended", m.rate(r.ended))
	m.several(&l, r.reasons, width)
	return l
}

// several adds rates by name as far as there is room.
func (m *model) several(l *line, all []named, width int) {
	for _, n := range all {
		more := *l
		more.field(plain, n.name, m.rate(n.rate))
		if width > 0 && screen.Width(more.render(0, inkNone)) > width {
			return
		}
		*l = more
	}
}

func latenessLine(e *adminclient.Expiry) line {
	l := start("lateness")
	l.field(when(e.Early > 0, bad, good), "early", screen.Count(e.Early))
	q := &e.Lateness
	for _, f := range []struct {
		name string
		ms   float64
	}{
		{"p50", q.P50Millis}, {"p99", q.P99Millis}, {"p99.9", q.P999Millis}, {"max", q.MaxMillis},
	} {
		value := "-"
		if q.Count > 0 {
			value = screen.Millis(f.ms)
		}
		l.field(plain, f.name, value)
	}
	return l
}

func (m *model) networkLine(width int) line {
	c, r := &m.status.Connections, &m.rates
	l := start("network")
	l.add(strong, screen.Count(c.Open))
	l.add(dim, " open")
	l.field(plain, "accepted", m.rate(r.accepted))
	l.field(plain, "closed", m.rate(r.closed))
	if r.refused > 0 {
		l.field(warn, "refused", m.rate(r.refused))
	}
	if c.Starved > 0 {
		l.field(bad, "without a file", screen.Count(c.Starved))
	}
	m.several(&l, r.closes, width)
	return l
}

func (m *model) trafficLine() line {
	r := &m.rates
	bytes := func(n float64) string {
		if !r.known {
			return "-"
		}
		return screen.Bytes(n) + "/s"
	}
	l := start("messages")
	l.field(plain, "in", m.rate(r.messagesIn)+" "+bytes(r.bytesIn))
	l.field(plain, "out", m.rate(r.messagesOut)+" "+bytes(r.bytesOut))
	if r.pushed > 0 {
		l.field(plain, "pushed", m.rate(r.pushed))
	}
	if r.dropped > 0 {
		l.field(warn, "dropped", m.rate(r.dropped))
	}
	return l
}

func (m *model) applicationLine() line {
	a := &m.status.Application
	l := start("behind")
	l.add(plain, screen.Safe(a.Kind, 20))
	l.field(plain, "calls", fmt.Sprintf("%s %s", screen.Count(a.CallsInFlight),
		m.rate(m.rates.calls)))
	if a.Kind == "http" {
		l.field(plain, "requests", fmt.Sprintf("%s %s", screen.Count(a.InFlight),
			m.rate(m.rates.requests)))
	}
	l.field(plain, "waiting", screen.Count(a.Waiting))
	if a.BreakerOpen {
		l.add(bad, "  circuit breaker open")
	}
	if a.EndsDropped > 0 {
		l.field(bad, "ends never told", screen.Count(a.EndsDropped))
	}
	return l
}

func memoryLine(m *adminclient.Memory) line {
	l := start("memory")
	for i, f := range []struct {
		name string
		n    int64
	}{
		{"resident", m.Resident},
		{"sessions", m.Sessions},
		{"heap", m.Heap},
		{"connections", m.Connections},
		{"replay", m.Replay},
		{"buffers", m.Buffers},
		{"waiting", m.Waiting},
	} {
		if f.n > 0 {
			l.field(when(i == 0, strong, plain), f.name, screen.Bytes(float64(f.n)))
		}
	}
	return l
}

func (m *model) loopsLine() line {
	l := start("loops")
	for i := range m.status.Loops {
		if i > 0 {
			l.add(plain, "  ")
		}
		if i >= len(m.rates.busy) {
			l.add(plain, "-")
			continue
		}
		b := m.rates.busy[i]
		text := fmt.Sprintf("%s %.0f%%", string(bar(b)), 100*b)
		l.add(when(b > 0.9, bad, when(b > 0.7, warn, plain)), text)
	}
	return l
}

func drainLine(s *adminclient.Status) line {
	const cells = 20
	d := s.Drain
	done, gone := 1.0, max(d.Connections-d.Remaining, 0)
	if d.Connections > 0 {
		done = min(float64(gone)/float64(d.Connections), 1)
	}
	full := int(cells * done)
	l := start("drain")
	l.add(warn, "["+strings.Repeat("#", full)+strings.Repeat("-", cells-full)+"]")
	l.add(plain, fmt.Sprintf(" %s of %s gone, %s of %s", screen.Count(gone),
		screen.Count(d.Connections), screen.Span(s.Now.Sub(d.StartedAt)),
		screen.Span(screen.Seconds(d.WindowSeconds))))
	return l
}

func wheelLine(e *adminclient.Expiry) line {
	l := start("wheel")
	l.add(strong, screen.Count(e.Entries))
	l.add(dim, " entries")
	l.field(when(e.BehindMillis > 1000, bad, plain), "backlog", screen.Count(e.Backlog))
	l.field(plain, "behind", screen.Millis(e.BehindMillis))
	if e.Sweep.Count > 0 {
		l.field(plain, "sweep p99", screen.Millis(e.Sweep.P99Millis))
	}
	l.field(plain, "stale", screen.Count(e.Stale))
	if e.Panics > 0 {
		l.field(bad, "callbacks panicked", screen.Count(e.Panics))
	}
	return l
}

// bars are cells from nearly empty to full.
const bars = "▁▂▃▄▅▆▇█"

// bar is a cell that is full to some part; a dot is quite empty.
func bar(part float64) rune {
	all := []rune(bars)
	if part <= 0 {
		return '·'
	}
	return all[min(int(part*float64(len(all))), len(all)-1)]
}

// levelLine draws one level of the wheel: its slots from the first to the last, with a bar before
// the one that time is in. Where they do not fit, neighbours share a cell.
func levelLine(w *adminclient.WheelLevel, width int) line {
	count := screen.Short(float64(w.Entries))
	slot := screen.Millis(w.SlotMillis)
	if w.SlotMillis >= 60_000 {
		slot = screen.Span(screen.Seconds(w.SlotMillis / 1000))
	}
	l := line{{fmt.Sprintf("%*s ", labelWidth-1, slot), dim}}
	room := len(w.Slots)
	if width > 0 {
		room = min(room, width-labelWidth-1-1-len("12345"))
	}
	if room <= 0 {
		l.add(plain, count)
		return l
	}
	share := (len(w.Slots) + room - 1) / room
	var cells []float64
	most := 0.0
	for i, n := range w.Slots {
		if i%share == 0 {
			cells = append(cells, 0)
		}
		at := len(cells) - 1
		cells[at] += float64(max(n, 0))
		most = max(most, cells[at])
	}
	var before, after strings.Builder
	for i, n := range cells {
		part := 0.0
		if most > 0 {
			part = n / most
		}
		if i < w.Cursor/share {
			before.WriteRune(bar(part))
		} else {
			after.WriteRune(bar(part))
		}
	}
	l.add(plain, before.String())
	l.add(warn, "|")
	l.add(plain, after.String()+" ")
	l.add(dim, count)
	return l
}
