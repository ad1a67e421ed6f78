package top

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

const (
	// intervalMin keeps a view from being a load.
	intervalMin = 100 * time.Millisecond
	intervalMax = time.Minute
	// listShare is the part of the time in which a list may be under way: one in so many.
	listShare = 10
	// listRows is how many sessions one page of the list has.
	listRows = 100
	// noticeTicks is how many intervals a notice stays, at least.
	noticeTicks = 5
)

// orders are those that s goes through: the most wanted first.
var orders = []struct{ sort, text string }{
	{"last_activity", "idle longest first"},
	{"-created_at", "newest first"},
	{"deadline", "ending soonest first"},
	{"created_at", "oldest first"},
	{"-last_activity", "active last first"},
	{"-deadline", "ending last first"},
	{"", "as the daemon keeps them, which costs it least"},
}

// model is what the view knows. Only its own methods change it, one message at a time.
type model struct {
	client   *adminclient.Client
	ctx      context.Context // ends with the view
	interval time.Duration
	ink      ink

	width, height int
	now           time.Time // of the last tick
	ticks         int       // the number of the row of ticks that counts
	paused        bool
	helping       bool

	status      *adminclient.Status // nil: none yet
	rates       rates
	asking      bool // for a status
	failing     error
	failedSince time.Time

	list   list
	detail *adminclient.Session // shown instead of the list; nil: none

	notice     string
	noticeBad  bool
	noticeLeft int    // ticks
	confirming string // the ID of the session that is to be ended, unless the answer is no
	typing     bool   // the name of a user
	typed      string
}

// list is the part of the sessions that is shown.
type list struct {
	order int // in orders
	state int // in states
	user  string

	page    *adminclient.Page // nil: none yet
	cursors []string          // of the pages up to this one; none: it is the first
	row     int               // that is chosen
	id      string            // of the chosen session
	top     int               // the first row that is shown
	visible int               // rows that the last frame showed

	asked  int                // the number of the request that counts
	asking bool               // whether it is under way
	cancel context.CancelFunc // of that request
	next   time.Time          // when it may be asked again
	err    error
}

// states are those that f goes through.
var states = append([]string{""}, adminclient.States()...)

// Messages beside those of Bubble Tea.
type (
	tickMsg struct {
		at  time.Time
		row int
	}
	statusMsg struct {
		status *adminclient.Status
		err    error
	}
	listMsg struct {
		asked int
		page  *adminclient.Page
		took  time.Duration
		err   error
	}
	detailMsg struct {
		id      string
		session *adminclient.Session
		err     error
	}
	actMsg struct {
		done string
		err  error
	}
)

// Init asks for what the first frame needs.
func (m *model) Init() tea.Cmd {
	return tea.Batch(m.askStatus(), m.askList(), m.tick())
}

// Update takes one message.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		// What was on its way meanwhile was for another size, and the terminal put it elsewhere.
		return m, tea.ClearScreen
	case tea.KeyPressMsg:
		return m, m.key(msg.String(), msg.Text)
	case tea.PasteMsg:
		if m.typing {
			m.typeText(msg.Content)
		}
	case tea.ResumeMsg:
		return m, m.refresh()
	case tickMsg:
		return m, m.onTick(msg)
	case statusMsg:
		m.onStatus(msg)
	case listMsg:
		m.onList(msg)
	case detailMsg:
		m.onDetail(msg)
	case actMsg:
		if msg.err != nil {
			m.tell(msg.err.Error(), true)
			return m, nil
		}
		m.tell(msg.done, false)
		return m, m.refresh()
	}
	return m, nil
}

// View is the frame of the whole terminal.
func (m *model) View() tea.View {
	v := tea.NewView(m.frame(m.width, m.height))
	v.AltScreen = true
	return v
}

func (m *model) onTick(t tickMsg) tea.Cmd {
	if t.row != m.ticks {
		return nil // of an interval that was changed
	}
	m.now = t.at
	if m.noticeLeft > 0 {
		if m.noticeLeft--; m.noticeLeft == 0 {
			m.notice = ""
		}
	}
	next := []tea.Cmd{m.tick()}
	if !m.paused {
		next = append(next, m.askStatus(), m.askDetail())
		if m.detail == nil && !m.now.Before(m.list.next) && !m.list.asking {
			next = append(next, m.askList())
		}
	}
	return tea.Batch(next...)
}

func (m *model) onStatus(s statusMsg) {
	m.asking = false
	if s.err != nil {
		if m.failing == nil {
			m.failedSince = m.now
		}
		m.failing, m.rates = s.err, rates{}
		return
	}
	if was := m.status; was != nil &&
		(s.status.PID != was.PID || !s.status.StartedAt.Equal(was.StartedAt)) {
		m.tell("another process answers: rates begin anew", false)
	}
	if m.failing != nil {
		m.failing = nil
		m.rates = rates{} // what came between is no rate of this moment
	} else {
		m.rates = between(m.status, s.status)
	}
	m.status = s.status
}

func (m *model) onList(l listMsg) {
	if l.asked != m.list.asked {
		return // of a list that nobody wants any more
	}
	m.list.asking = false
	m.list.err = l.err
	if l.err != nil { // it may have waited for a daemon that is back in a moment
		m.list.next = m.now.Add(max(m.interval, l.took))
		return
	}
	m.list.next = m.now.Add(max(m.interval, listShare*l.took))
	m.list.page = l.page
	m.choose(m.list.row)
	for i := range l.page.Sessions { // the chosen one stays chosen where it is still there
		if l.page.Sessions[i].ID == m.list.id {
			m.list.row = i
			break
		}
	}
	m.choose(m.list.row)
}

func (m *model) onDetail(d detailMsg) {
	if m.detail == nil || m.detail.ID != d.id {
		return
	}
	switch {
	case d.err == nil:
		m.detail = d.session
	case adminclient.KindOf(d.err) == adminclient.KindNotFound:
		m.detail = nil
		m.tell("session "+screen.Safe(d.id, 40)+" has ended", false)
	}
}

// choose chooses a row, or the nearest that there is, and remembers whose it is.
func (m *model) choose(row int) {
	n := m.rows()
	m.list.row = max(min(row, n-1), 0)
	if n > 0 && (m.list.id == "" || row != m.list.row || !m.has(m.list.id)) {
		m.list.id = m.list.page.Sessions[m.list.row].ID
	}
}

// moveTo chooses a row for whoever pressed a key.
func (m *model) moveTo(row int) {
	if n := m.rows(); n > 0 {
		m.list.row = max(min(row, n-1), 0)
		m.list.id = m.list.page.Sessions[m.list.row].ID
	}
}

func (m *model) rows() int {
	if m.list.page == nil {
		return 0
	}
	return len(m.list.page.Sessions)
}

func (m *model) has(id string) bool {
	for i := range m.rows() {
		if m.list.page.Sessions[i].ID == id {
			return true
		}
	}
	return false
}

// tell shows a line for a while.
func (m *model) tell(text string, isBad bool) {
	m.notice, m.noticeBad, m.noticeLeft = text, isBad, noticeTicks
}
