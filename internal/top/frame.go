package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

const (
	// onceRows is how many sessions a frame shows that has no height.
	onceRows = 20
	// rowsMin is how many sessions there is room for before anything else gives way.
	rowsMin = 3
)

// frame is all that is shown, in a size; of no height: all of it without the keys.
func (m *model) frame(width, height int) string {
	head := append([]line{m.headLine()}, m.noticeLines()...)
	var foot []line
	if height > 0 {
		foot = []line{m.footLine(width)}
	}
	var below []line // what takes the room that is left
	least := 2 + rowsMin
	switch {
	case m.helping && height > 0:
		below = helpLines()
		least = len(below)
	case m.detail != nil && height > 0:
		below = m.detailLines()
		least = len(below)
	}
	var blocks []line
	if m.status != nil {
		fixed := len(head) + len(foot)
		blocks = fit(m.blocks(width), height-fixed-least, height == 0)
		if below == nil {
			room := height - fixed - len(blocks)
			if height == 0 {
				room = 2 + onceRows
			}
			below = m.listLines(width, room)
		}
	}
	lines := slices.Concat(head, blocks, below)
	if height > 0 {
		room := max(height-len(foot), 0)
		lines = lines[:min(len(lines), room)]
		for len(lines) < room {
			lines = append(lines, nil)
		}
		lines = append(lines, foot...)
		lines = lines[:min(len(lines), height)]
	}
	text := make([]string, len(lines))
	for i, l := range lines {
		text[i] = l.render(width, m.ink)
	}
	return strings.Join(text, "\n")
}

// fit is what there is room for of blocks, in their order.
func fit(all []block, room int, unbounded bool) []line {
	total := 0
	for _, b := range all {
		total += len(b.lines)
	}
	for !unbounded && total > max(room, 1) && len(all) > 1 {
		worst := 0
		for i, b := range all {
			if b.rank >= all[worst].rank {
				worst = i
			}
		}
		total -= len(all[worst].lines)
		all = slices.Delete(all, worst, worst+1)
	}
	var lines []line
	for _, b := range all {
		lines = append(lines, b.lines...)
	}
	return lines
}

// shown is how many rows of the list there are on the screen, or would be.
func (m *model) shown() int {
	m.frame(m.width, m.height)
	return max(m.list.visible, 1)
}

func (m *model) headLine() line {
	l := line{{"curfew top", strong}}
	if s := m.status; s != nil {
		l.add(plain, "  "+screen.Safe(s.Version, 30))
		state := screen.Safe(s.State, 20)
		look := when(s.State == adminclient.StateDraining, warn, good)
		if m.failing != nil { // what it was is not what it is
			state, look = "no answer", bad
		}
		l.add(plain, "  ")
		l.add(look, state)
		if s.ReadOnly {
			l.add(warn, " read-only")
		}
		l.add(plain, fmt.Sprintf("  up %s  pid %d", screen.Span(screen.Seconds(s.UptimeSeconds)),
			s.PID))
	}
	l.add(dim, "  "+m.client.Address())
	if m.paused {
		l.add(warn, "  paused")
	} else {
		l.add(dim, "  every "+shortInterval(m.interval))
	}
	return l
}

func shortInterval(d time.Duration) string { return screen.Millis(float64(d) / 1e6) }

// noticeLines say what somebody must know or answer.
func (m *model) noticeLines() []line {
	var lines []line
	if m.failing != nil {
		since := ""
		if d := m.now.Sub(m.failedSince); d >= time.Second {
			since = " for " + screen.Span(d)
		}
		lines = append(lines,
			line{{"no status" + since + ", still trying: " + m.failing.Error(), bad}})
	}
	switch {
	case m.confirming != "":
		lines = append(lines, line{{"end session " + screen.Safe(m.confirming, 40) + "? y/N", bad}})
	case m.typing:
		lines = append(lines, line{
			{"user: " + screen.Safe(m.typed, 60) + "_", strong},
			{"  enter applies, esc leaves it", dim},
		})
	case m.notice != "":
		lines = append(lines, line{{m.notice, when(m.noticeBad, bad, good)}})
	}
	return lines
}

// footLine is what keys do, as far as it fits.
func (m *model) footLine(width int) line {
	var l line
	used := 0
	for _, k := range keyHelp {
		if k.short == "" {
			continue
		}
		n := screen.Width(k.keys) + 1 + screen.Width(k.short)
		if used > 0 {
			n += 2
		}
		if used+n > width {
			break
		}
		if used > 0 {
			l.add(plain, "  ")
		}
		l.add(strong, k.keys)
		l.add(dim, " "+k.short)
		used += n
	}
	return l
}

func helpLines() []line {
	lines := []line{{{"keys", strong}}}
	for _, k := range keyHelp {
		l := line{{fmt.Sprintf("  %-24s", k.keys), strong}}
		l.add(plain, k.long)
		lines = append(lines, l)
	}
	return lines
}

// detailLines are all that is known of one session.
func (m *model) detailLines() []line {
	s, now := m.detail, m.status.Now
	lines := []line{{{"session " + screen.Safe(s.ID, 0), strong}, {"  esc goes back", dim}}}
	add := func(name, value string) {
		if value != "" {
			l := line{{fmt.Sprintf("  %-14s", name), dim}}
			l.add(plain, value)
			lines = append(lines, l)
		}
	}
	add("state", screen.Safe(s.State, 20))
	add("user", screen.Safe(s.User, 0))
	add("active", screen.Span(now.Sub(s.LastActivity))+" ago")
	add("created", screen.Span(now.Sub(s.CreatedAt))+" ago")
	ends := "never by itself"
	if !s.Deadline.IsZero() {
		ends = "in " + screen.Span(s.Deadline.Sub(now))
	}
	add("ends", ends)
	add("idle timeout", screen.Span(screen.Seconds(s.IdleSeconds)))
	add("remote", screen.Safe(s.Remote, 60))
	add("protocol", screen.Safe(s.Protocol, 40))
	if s.Resumable {
		add("resumable", fmt.Sprintf("epoch %d, seq %d, %s kept", s.Epoch, s.Seq,
			screen.Bytes(float64(s.ReplayBytes))))
	}
	add("calls", screen.Count(s.InFlight))
	add("queued", screen.Bytes(float64(s.QueuedBytes)))
	return lines
}

// listLines are the sessions in a number of lines.
func (m *model) listLines(width, room int) []line {
	l := &m.list
	title := line{{"sessions, " + orders[l.order].text, strong}}
	for _, f := range []struct{ name, value string }{
		{"state", states[l.state]}, {"user", screen.Safe(l.user, 40)},
	} {
		if f.value != "" {
			title.field(warn, " "+f.name, f.value)
		}
	}
	if n := len(l.cursors); n > 0 || l.page != nil && l.page.Next != "" {
		title.field(plain, " page", fmt.Sprint(n+1))
	}
	l.visible = max(min(room-2, m.rows()), 0)
	switch {
	case l.err != nil:
		title.add(bad, "  "+l.err.Error())
	case l.page == nil:
		title.add(dim, "  ...")
	case len(l.page.Sessions) == 0:
		title.add(dim, "  none")
	}
	if m.rows() == 0 {
		return []line{title}
	}
	l.top = max(min(l.top, l.row), l.row-l.visible+1, 0)
	l.top = max(min(l.top, m.rows()-l.visible), 0)
	rows := make([][]string, m.rows())
	for i := range rows {
		rows[i] = sessionRow(&l.page.Sessions[i], m.status.Now)
	}
	t := screen.NewTable(
		screen.Column{Name: "SESSION", Least: 12}, screen.Column{Name: "STATE"},
		screen.Column{Name: "USER", Least: 6, Rank: 1}, screen.Column{Name: "IDLE", Right: true},
		screen.Column{Name: "AGE", Right: true, Rank: 2},
		screen.Column{Name: "ENDS IN", Right: true},
		screen.Column{Name: "REMOTE", Rank: 3}, screen.Column{Name: "CALLS", Right: true, Rank: 5},
		screen.Column{Name: "PROTOCOL", Rank: 4},
	)
	t.Measure(rows)
	lines := []line{title, {{t.Head(width), dim}}}
	for i := l.top; i < l.top+l.visible; i++ {
		text := t.Row(rows[i], width)
		s := plain
		if i == l.row && m.ink != inkNone {
			s = chosen
			text += strings.Repeat(" ", max(width-screen.Width(text), 0))
		}
		lines = append(lines, line{{text, s}})
	}
	return lines
}

// sessionRow is a session in the list.
func sessionRow(s *adminclient.Session, now time.Time) []string {
	ends, user, remote, calls := "never", "-", "-", ""
	if !s.Deadline.IsZero() {
		ends = screen.Span(s.Deadline.Sub(now))
	}
	if s.User != "" {
		user = screen.Safe(s.User, 0)
	}
	if s.Remote != "" {
		remote = screen.Safe(s.Remote, 0)
	}
	if s.InFlight > 0 {
		calls = screen.Count(s.InFlight)
	}
	return []string{
		screen.Safe(s.ID, 0), screen.Safe(s.State, 20), user, screen.Span(now.Sub(s.LastActivity)),
		screen.Span(now.Sub(s.CreatedAt)), ends, remote, calls, screen.Safe(s.Protocol, 40),
	}
}
