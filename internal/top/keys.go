package top

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// keyHelp is what ? shows, and what the last line shows as far as it fits.
var keyHelp = []struct{ keys, short, long string }{
	{"q", "quit", "quit; so does Ctrl-C"},
	{"?", "help", "this list, and away with it"},
	{"s", "sort", "the next order of the sessions; S the one before"},
	{"f", "state", "only live, detached, grace sessions, all of them again"},
	{"/", "user", "only sessions of one user; nothing typed: all of them again"},
	{"k", "kick", "end the chosen session, after a question"},
	{"t", "touch", "touch the chosen session"},
	{"enter", "show", "show all of the chosen session; esc goes back"},
	{"n", "next page", "the next page of sessions; b the one before"},
	{"p", "pause", "look no more, and go on"},
	{"r", "", "look now; ctrl+l draws anew, ctrl+z suspends"},
	{"+ -", "", "look less often, or more often"},
	{"↑ ↓ pgup pgdn home end", "", "choose a session"},
}

// userBytesMax bounds what may be typed as the name of a user, as the daemon does.
const userBytesMax = 255

// key takes a key by its name, and the text that it stands for.
func (m *model) key(name, text string) tea.Cmd {
	switch {
	case name == "ctrl+c":
		return tea.Quit
	case name == "ctrl+z":
		return tea.Suspend
	case name == "ctrl+l":
		return tea.ClearScreen
	case m.confirming != "":
		return m.answer(name)
	case m.typing:
		return m.typeKey(name, text)
	}
	switch name {
	case "q":
		return tea.Quit
	case "?", "h":
		m.helping = !m.helping
	case "esc":
		m.helping, m.detail = false, nil
	case "p", "space":
		if m.paused = !m.paused; !m.paused {
			return m.refresh()
		}
	case "r":
		return m.refresh()
	case "+", "=":
		return m.pace(2 * m.interval)
	case "-":
		return m.pace(m.interval / 2)
	default:
		return m.listKey(name)
	}
	return nil
}

// pace sets how often it looks.
func (m *model) pace(d time.Duration) tea.Cmd {
	m.interval = max(min(d, intervalMax), intervalMin)
	m.ticks++
	return m.tick()
}

// listKey takes a key that concerns the sessions.
func (m *model) listKey(name string) tea.Cmd {
	l := &m.list
	switch name {
	case "s":
		l.order = (l.order + 1) % len(orders)
		return m.relist()
	case "S":
		l.order = (l.order + len(orders) - 1) % len(orders)
		return m.relist()
	case "f":
		l.state = (l.state + 1) % len(states)
		return m.relist()
	case "/":
		m.typing, m.typed = true, l.user
	case "n", "right":
		return m.turn(true)
	case "b", "left":
		return m.turn(false)
	case "up":
		m.moveTo(l.row - 1)
	case "down", "j":
		m.moveTo(l.row + 1)
	case "pgup":
		m.moveTo(l.row - m.shown())
	case "pgdown":
		m.moveTo(l.row + m.shown())
	case "home", "g":
		m.moveTo(0)
	case "end", "G":
		m.moveTo(m.rows() - 1)
	case "enter", "k", "t":
		return m.actKey(name)
	}
	return nil
}

// actKey does something with the session that is chosen.
func (m *model) actKey(name string) tea.Cmd {
	id := m.list.id
	if m.detail != nil {
		id = m.detail.ID
	} else if !m.has(id) {
		m.tell("no session is chosen", false)
		return nil
	}
	switch name {
	case "k":
		m.confirming = id
	case "t":
		return m.touch(id)
	case "enter":
		if m.detail == nil {
			m.detail = &m.list.page.Sessions[m.list.row]
			return m.askDetail()
		}
	}
	return nil
}

// answer takes the answer to the question whether a session is to be ended.
func (m *model) answer(name string) tea.Cmd {
	id := m.confirming
	m.confirming = ""
	if name == "y" || name == "Y" {
		return m.kick(id)
	}
	m.tell("nothing was ended", false)
	return nil
}

// typeKey takes a key of the name of a user.
func (m *model) typeKey(name, text string) tea.Cmd {
	switch name {
	case "enter":
		m.typing, m.list.user = false, strings.TrimSpace(m.typed)
		return m.relist()
	case "esc":
		m.typing = false
	case "backspace":
		if r := []rune(m.typed); len(r) > 0 {
			m.typed = string(r[:len(r)-1])
		}
	case "ctrl+u":
		m.typed = ""
	default:
		m.typeText(text)
	}
	return nil
}

// typeText adds what is typed or pasted.
func (m *model) typeText(text string) {
	if len(m.typed)+len(text) <= userBytesMax {
		m.typed += text
	}
}
