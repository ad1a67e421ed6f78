package top

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

// tick waits for the next look.
func (m *model) tick() tea.Cmd {
	row := m.ticks
	return tea.Tick(m.interval, func(at time.Time) tea.Msg { return tickMsg{at, row} })
}

// askStatus asks for the status, unless that is under way.
func (m *model) askStatus() tea.Cmd {
	if m.asking {
		return nil
	}
	m.asking = true
	return func() tea.Msg {
		s, err := m.client.Status(m.ctx)
		return statusMsg{s, err}
	}
}

// askList asks for the page that is shown. A list that is under way is given up.
func (m *model) askList() tea.Cmd {
	if m.list.cancel != nil {
		m.list.cancel()
	}
	ctx, cancel := context.WithCancel(m.ctx)
	m.list.asked++
	m.list.asking, m.list.cancel = true, cancel
	asked, q := m.list.asked, m.query()
	return func() tea.Msg {
		defer cancel()
		l := listMsg{asked: asked}
		l.took = took(func() { l.page, l.err = m.client.Sessions(ctx, q) })
		return l
	}
}

func (m *model) query() adminclient.Query {
	q := adminclient.Query{
		State: states[m.list.state], User: m.list.user, Sort: orders[m.list.order].sort,
		Limit: listRows,
	}
	if n := len(m.list.cursors); n > 0 {
		q.Cursor = m.list.cursors[n-1]
	}
	return q
}

// askDetail asks for the session that is shown, if one is.
func (m *model) askDetail() tea.Cmd {
	if m.detail == nil {
		return nil
	}
	id := m.detail.ID
	return func() tea.Msg {
		s, err := m.client.Session(m.ctx, id)
		return detailMsg{id, s, err}
	}
}

// refresh asks for everything at once.
func (m *model) refresh() tea.Cmd {
	return tea.Batch(m.askStatus(), m.askList(), m.askDetail())
}

// relist shows another list from its beginning, instead of a session if one was shown.
func (m *model) relist() tea.Cmd {
	m.list.cursors, m.list.row, m.list.top, m.list.id = nil, 0, 0, ""
	m.list.page, m.detail = nil, nil
	return m.askList()
}

// turn shows the next page of the list, or the one before.
func (m *model) turn(forward bool) tea.Cmd {
	switch n := len(m.list.cursors); {
	case forward && m.list.page != nil && m.list.page.Next != "":
		m.list.cursors = append(m.list.cursors, m.list.page.Next)
	case !forward && n > 0:
		m.list.cursors = m.list.cursors[:n-1]
	default:
		return nil
	}
	m.list.row, m.list.top, m.list.id = 0, 0, ""
	m.detail = nil
	return m.askList()
}

func (m *model) kick(id string) tea.Cmd {
	return func() tea.Msg {
		return actMsg{"ended " + screen.Safe(id, 40), m.client.Kick(m.ctx, id)}
	}
}

func (m *model) touch(id string) tea.Cmd {
	return func() tea.Msg {
		return actMsg{"touched " + screen.Safe(id, 40), m.client.Touch(m.ctx, id)}
	}
}
