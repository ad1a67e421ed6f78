package top

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/goldentest"
	"github.com/curfew-go/curfew/internal/screen"
)

var epoch = time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC)

// status is that of a busy daemon at so many seconds.
func status(t *testing.T, seconds int) *adminclient.Status {
	t.Helper()
	b, err := os.ReadFile("testdata/status.json")
	if err != nil {
		t.Fatal(err)
	}
	s := new(adminclient.Status)
	if err := json.Unmarshal(b, s); err != nil {
		t.Fatal(err)
	}
	n := uint64(seconds)
	s.Now = epoch.Add(time.Duration(seconds) * time.Second)
	s.UptimeSeconds = float64(seconds)
	s.Sessions.Created += 1200 * n
	s.Sessions.Ended["idle"] += 900 * n
	s.Sessions.Ended["closed"] += n / 2
	s.Sessions.Resumed += 3 * n
	s.Connections.Accepted += 1300 * n
	s.Connections.Closed[0].Count += 900 * n
	s.Connections.Closed[1].Count += 5 * n
	s.Traffic.MessagesIn += 150_000 * n
	s.Traffic.MessagesOut += 150_000 * n
	s.Traffic.BytesIn += 9 << 20 * n
	s.Traffic.BytesOut += 5 << 10 * n
	s.Application.Calls["ok"] += 20 * n
	s.Loops[0].BusySeconds += 0.35 * float64(seconds)
	s.Loops[1].BusySeconds += 0.95 * float64(seconds)
	return s
}

// page is a page of n sessions, the third of them by somebody hostile.
func page(n int, next string) *adminclient.Page {
	p := &adminclient.Page{Next: next, At: epoch.Add(time.Hour)}
	for i := range n {
		s := adminclient.Session{
			ID: fmt.Sprintf("session-%02d-%s", i, strings.Repeat("x", 21)), State: "live",
			User: "ada", CreatedAt: epoch, LastActivity: epoch.Add(time.Duration(i) * time.Second),
			Deadline: epoch.Add(2 * time.Hour), IdleSeconds: 60, Remote: "192.0.2.1:50000",
			Protocol: "curfew.v1",
		}
		if i == 2 {
			s.ID, s.User, s.State = "\x1b]0;x\x07\u202e", "\x1b[31m", "detached"
			s.Deadline, s.Remote, s.InFlight = time.Time{}, "", 3
		}
		p.Sessions = append(p.Sessions, s)
	}
	return p
}

// asked are the requests that a model has made.
type asked struct {
	mu struct {
		sync.Mutex
		all []string
	}
}

func (a *asked) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.mu.all
	a.mu.all = nil
	return all
}

// newModel is a model in a size, with a daemon that says 204 to everything.
func newModel(t *testing.T, width, height int) (*model, *asked) {
	t.Helper()
	a := new(asked)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.mu.all = append(a.mu.all, r.Method+" "+r.URL.RequestURI())
		a.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	c, err := adminclient.New(adminclient.Options{Address: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	m := Options{Client: c, Color: true}.model(t.Context())
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	return m, a
}

// fill gives a model two statuses and a page.
func fill(t *testing.T, m *model) {
	t.Helper()
	m.now = epoch
	m.Update(statusMsg{status: status(t, 3598)})
	m.Update(statusMsg{status: status(t, 3600)})
	m.askList()
	m.Update(listMsg{asked: m.list.asked, page: page(30, "MORE")})
}

// press sends keys and runs what follows from them, but for ticks.
func press(m *model, keys ...string) {
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k}
		switch k {
		case "up", "down", "enter", "esc", "pgdown", "pgup", "home", "end", "backspace":
			msg = tea.KeyPressMsg{Code: map[string]rune{
				"up": tea.KeyUp, "down": tea.KeyDown, "enter": tea.KeyEnter, "esc": tea.KeyEscape,
				"pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "home": tea.KeyHome,
				"end": tea.KeyEnd, "backspace": tea.KeyBackspace,
			}[k]}
		default:
			msg.Code = []rune(k)[0]
		}
		_, cmd := m.Update(msg)
		do(m, cmd)
	}
}

// do runs a command and what follows from it.
func do(m *model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			do(m, c)
		}
	case nil, tickMsg:
	default:
		_, next := m.Update(msg)
		do(m, next)
	}
}

// text is the frame without styles.
func text(m *model) string {
	m.ink = inkNone
	return strings.ReplaceAll(m.frame(m.width, m.height), m.client.Address(), "URL")
}

func TestFrames(t *testing.T) {
	for _, size := range [][2]int{{60, 15}, {80, 24}, {120, 40}, {200, 60}, {30, 8}, {20, 3}} {
		m, _ := newModel(t, size[0], size[1])
		fill(t, m)
		file := fmt.Sprintf("testdata/frame-%dx%d.golden", size[0], size[1])
		goldentest.Check(t, file, text(m)+"\n")
	}
	m, _ := newModel(t, 80, 24)
	fill(t, m)
	press(m, "?")
	goldentest.Check(t, "testdata/help.golden", text(m)+"\n")
	press(m, "?", "down", "down")
	m.detail = &m.list.page.Sessions[2]
	goldentest.Check(t, "testdata/detail.golden", text(m)+"\n")
	m.detail = nil
	press(m, "k")
	m.status.Drain = &adminclient.Drain{
		StartedAt: epoch.Add(3590 * time.Second), WindowSeconds: 30, Connections: 1000,
		Remaining: 250,
	}
	m.status.State = adminclient.StateDraining
	goldentest.Check(t, "testdata/question.golden", text(m)+"\n")
}

// In every size, and in every state, a frame has as many lines as the terminal, none too wide, and
// no character that a terminal obeys.
func TestFrames_EverySize(t *testing.T) {
	for _, prepare := range []func(m *model){
		func(*model) {},
		func(m *model) { m.status, m.list.page = nil, nil },
		func(m *model) { m.helping = true },
		func(m *model) { m.detail = &m.list.page.Sessions[2] },
		func(m *model) { m.confirming = "\x1b[2J" },
		func(m *model) { m.typing, m.typed = true, "\x1b[2J\u202e" },
		func(m *model) { m.failing = errors.New("gone") },
		func(m *model) { m.list.page = page(0, "") },
		func(m *model) {
			m.status.Drain = &adminclient.Drain{Connections: -5, Remaining: math.MaxInt}
		},
		func(m *model) {
			m.status.Loops = make([]adminclient.Loop, 300)
			m.status.Expiry.Wheel.Levels = []adminclient.WheelLevel{
				{Cursor: -7, Entries: -1, Slots: []int{-5, math.MaxInt, math.MaxInt}},
				{Cursor: 99, Entries: 1},
				{Entries: 5, Slots: make([]int, 5000)},
			}
		},
	} {
		for _, width := range []int{1, 2, 7, 15, 33, 60, 79, 80, 133, 400} {
			for height := 1; height < 60; height += 3 {
				m, _ := newModel(t, width, height)
				fill(t, m)
				press(m, "end")
				prepare(m)
				lines := strings.Split(text(m), "\n")
				if len(lines) != height {
					t.Fatalf("%dx%d: %d lines", width, height, len(lines))
				}
				for _, l := range lines {
					if screen.Width(strings.ReplaceAll(l, "URL", "")) > width ||
						strings.ContainsAny(l, "\x1b\x07\u202e") {
						t.Fatalf("%dx%d: line %q", width, height, l)
					}
				}
			}
		}
	}
}

// The chosen row is on the screen, wherever it is.
func TestChoosing(t *testing.T) {
	m, _ := newModel(t, 80, 24)
	fill(t, m)
	visible := func() {
		t.Helper()
		id := screen.Safe(m.list.page.Sessions[m.list.row].ID, 0)[:10]
		if !strings.Contains(text(m), id) {
			t.Errorf("row %d is not shown:\n%s", m.list.row, text(m))
		}
		m.ink = inkColor
		if frame := m.frame(m.width, m.height); strings.Count(frame, "\x1b[7m"+id) != 1 {
			t.Errorf("row %d is not marked:\n%q", m.list.row, frame)
		}
	}
	for _, k := range []string{
		"up", "down", "down", "pgdown", "pgdown", "pgdown", "pgup", "end", "down", "home", "up",
	} {
		press(m, k)
		visible()
	}
	press(m, "down", "down", "down", "down")
	id := m.list.id
	moved := page(30, "")
	moved.Sessions[4], moved.Sessions[20] = moved.Sessions[20], moved.Sessions[4]
	m.askList()
	m.Update(listMsg{asked: m.list.asked, page: moved})
	if m.list.row != 20 || m.list.id != id {
		t.Errorf("the chosen session moved to row 20, and row %d is chosen", m.list.row)
	}
	visible()
	m.askList()
	m.Update(listMsg{asked: m.list.asked, page: page(5, "")})
	if m.list.row != 4 || m.list.id != m.list.page.Sessions[4].ID {
		t.Errorf("row %d of %d, %q", m.list.row, m.rows(), m.list.id)
	}
	visible()
	m.askList()
	m.Update(listMsg{asked: m.list.asked, page: page(0, "")})
	press(m, "down", "k", "t", "enter")
	if m.confirming != "" || m.detail != nil || !strings.Contains(text(m), "no session is chosen") {
		t.Errorf("something is done to no session:\n%s", text(m))
	}
}

func TestKeys_Lists(t *testing.T) {
	m, a := newModel(t, 80, 24)
	fill(t, m)
	for _, step := range []struct {
		keys []string
		want string
	}{
		{[]string{"s"}, "limit=100&sort=-created_at"},
		{[]string{"S", "f"}, "limit=100&sort=last_activity&state=live"},
		{[]string{"f"}, "limit=100&sort=last_activity&state=detached"},
		{
			[]string{"f", "f", "/", "a", "x", "backspace", "&", "enter"},
			"limit=100&sort=last_activity&user=a%26",
		},
	} {
		a.take()
		press(m, step.keys...)
		all := a.take()
		if want := "GET /v1/sessions?" + step.want; len(all) == 0 || all[len(all)-1] != want {
			t.Errorf("%q asks %q, want %q last", step.keys, all, want)
		}
	}
	press(m, "/", "b", "esc")
	if m.list.user != "a&" || m.typing {
		t.Errorf("esc leaves the user %q", m.list.user)
	}
	m.askList()
	m.Update(listMsg{asked: m.list.asked, page: page(3, "C1")})
	a.take()
	press(m, "n")
	if all := a.take(); len(all) != 1 || !strings.Contains(all[0], "cursor=C1") {
		t.Errorf("n asks %q", all)
	}
	m.Update(listMsg{asked: m.list.asked, page: page(3, "")})
	press(m, "n")
	if all := a.take(); len(all) != 0 {
		t.Errorf("n on the last page asks %q", all)
	}
	press(m, "b", "b")
	if all := a.take(); len(all) != 1 || strings.Contains(all[0], "cursor") {
		t.Errorf("b asks %q", all)
	}
}

// Another list takes the place of a session that is shown, so that what was asked for is seen.
func TestKeys_ListInsteadOfDetail(t *testing.T) {
	for _, keys := range [][]string{{"s"}, {"S"}, {"f"}, {"/", "a", "enter"}, {"n"}} {
		m, _ := newModel(t, 80, 24)
		fill(t, m)
		m.detail = &m.list.page.Sessions[0]
		press(m, keys...)
		if m.detail != nil {
			t.Errorf("%q: the session is still shown", keys)
		}
	}
}

// A list that failed after a long wait is asked for again soon: the daemon may be back.
func TestList_AfterAWait(t *testing.T) {
	m, _ := newModel(t, 80, 24)
	fill(t, m)
	m.askList()
	m.Update(listMsg{asked: m.list.asked, took: 10 * time.Second, err: errors.New("slow")})
	if wait := m.list.next.Sub(m.now); wait != 10*time.Second {
		t.Errorf("it waits for %v", wait)
	}
}

// Nothing is ended without a yes, and it is the session that was asked about.
func TestKeys_Kick(t *testing.T) {
	m, a := newModel(t, 80, 24)
	fill(t, m)
	press(m, "down")
	id := m.list.page.Sessions[1].ID
	for _, no := range []string{"n", "esc", "enter", "k", "q", " "} {
		a.take()
		press(m, "k")
		if !strings.Contains(text(m), "end session "+screen.Safe(id, 40)+"? y/N") {
			t.Errorf("no question:\n%s", text(m))
		}
		press(m, no)
		if all := a.take(); len(all) > 0 || m.confirming != "" {
			t.Errorf("%q asks %q", no, all)
		}
	}
	press(m, "k")
	m.Update(listMsg{asked: m.list.asked, page: page(1, "")}) // the list changes meanwhile
	press(m, "y")
	if all := a.take(); !slices.Contains(all, "DELETE /v1/sessions/"+id) {
		t.Errorf("y asks %q", all)
	}
	if !strings.Contains(text(m), "ended "+screen.Safe(id, 40)) {
		t.Errorf("nothing is said:\n%s", text(m))
	}
	press(m, "t")
	if all := a.take(); !slices.ContainsFunc(all, func(s string) bool {
		return strings.HasPrefix(s, "POST /v1/sessions/session-00") &&
			strings.HasSuffix(s, "/touch")
	}) {
		t.Errorf("t asks %q", all)
	}
}

// A key that ends the view does so in every state.
func TestKeys_Quit(t *testing.T) {
	for _, before := range [][]string{nil, {"?"}, {"/", "a"}, {"k"}, {"p"}} {
		m, _ := newModel(t, 80, 24)
		fill(t, m)
		press(m, before...)
		_, cmd := m.Update(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})
		if cmd == nil || cmd() != (tea.QuitMsg{}) {
			t.Errorf("after %q Ctrl-C does not quit", before)
		}
	}
	m, _ := newModel(t, 80, 24)
	if _, cmd := m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); cmd == nil ||
		cmd() != (tea.QuitMsg{}) {
		t.Error("q does not quit")
	}
}

// Rates are never negative, and begin anew with another process.
func TestRates(t *testing.T) {
	a, b := status(t, 10), status(t, 12)
	if r := between(a, b); !r.known || r.created != 1200 || r.messagesIn != 150_000 ||
		r.ended != 900.5 || len(r.reasons) != 2 || r.reasons[0].name != "idle" ||
		r.busy[0] < 0.349 || r.busy[0] > 0.351 || r.calls != 20 {
		t.Errorf("rates %+v", r)
	}
	for name, r := range map[string]rates{
		"backwards": between(b, a), "from nothing": between(nil, a), "no time": between(a, a),
	} {
		if r.known {
			t.Errorf("%s: rates %+v", name, r)
		}
	}
	again := status(t, 20)
	again.PID++
	if r := between(a, again); r.known {
		t.Errorf("of another process: rates %+v", r)
	}
	again = status(t, 20)
	again.StartedAt = again.StartedAt.Add(time.Second)
	if r := between(a, again); r.known {
		t.Errorf("of another process with the same number: rates %+v", r)
	}
	reset := status(t, 0) // counters that fell, though it is the same process
	reset.Now = b.Now.Add(time.Second)
	reset.Loops[0].BusySeconds = 1e9
	r := between(b, reset)
	if r.created != 0 || r.messagesIn != 0 || r.ended != 0 || len(r.reasons) != 0 ||
		r.busy[0] != 1 || r.busy[1] != 0 {
		t.Errorf("of counters that fell: %+v", r)
	}
}

// A daemon that goes away is said to be gone, and then what is shown goes on.
func TestGoneAndBack(t *testing.T) {
	m, a := newModel(t, 80, 24)
	fill(t, m)
	m.now = epoch
	m.Update(statusMsg{err: errors.New("nobody listens")})
	m.now = epoch.Add(12 * time.Second)
	m.Update(statusMsg{err: errors.New("nobody listens")})
	const gone = "no status for 12s, still trying: nobody listens"
	if frame := text(m); !strings.Contains(frame, gone) || strings.Contains(frame, "serving") ||
		!strings.Contains(frame, "sessions  1,234,567") || !strings.Contains(frame, "created -") {
		t.Errorf("frame:\n%s", frame)
	}
	a.take()
	_, cmd := m.Update(tickMsg{m.now, m.ticks})
	if cmd == nil {
		t.Fatal("it does not go on")
	}
	for _, c := range cmd().(tea.BatchMsg)[1:] {
		c()
	}
	if all := a.take(); !slices.Contains(all, "GET /v1/status") {
		t.Errorf("it asks %q", all)
	}
	back := status(t, 1)
	back.PID, back.StartedAt = 9999, epoch
	m.Update(statusMsg{status: back})
	if frame := text(m); strings.Contains(frame, "still trying") ||
		!strings.Contains(frame, "another process answers") ||
		!strings.Contains(frame, "created -") {
		t.Errorf("frame:\n%s", frame)
	}
	again := status(t, 1) // in a container each process has the same number
	again.PID, again.StartedAt = 9999, epoch.Add(time.Second)
	m.notice = ""
	m.Update(statusMsg{status: again})
	if frame := text(m); !strings.Contains(frame, "another process answers") {
		t.Errorf("frame:\n%s", frame)
	}
	m.Update(statusMsg{status: back})
	next := status(t, 2)
	next.PID, next.StartedAt = 9999, epoch
	m.Update(statusMsg{status: next})
	if frame := text(m); !strings.Contains(frame, "created 1200/s") {
		t.Errorf("frame:\n%s", frame)
	}
}

// A list never takes more than a tenth of the time, one request is under way at a time, and nothing
// is asked while it pauses.
func TestPace(t *testing.T) {
	m, _ := newModel(t, 80, 24)
	fill(t, m)
	m.interval = time.Second
	commands := func(at time.Duration) int {
		m.asking = false
		_, cmd := m.Update(tickMsg{epoch.Add(at), m.ticks})
		n := 0
		for _, c := range cmd().(tea.BatchMsg) {
			if c != nil {
				n++
			}
		}
		return n
	}
	m.now = epoch
	m.askList()
	m.Update(listMsg{asked: m.list.asked, page: page(3, ""), took: 400 * time.Millisecond})
	for at, want := range []int{2, 2, 2, 2, 3, 2, 2} { // the tick, the status, at 4 s the list
		if got := commands(time.Duration(at) * time.Second); got != want {
			t.Errorf("at %d s it does %d things, want %d", at, got, want)
		}
	}
	m.Update(listMsg{asked: m.list.asked - 1, page: page(7, "")})
	if m.rows() != 3 || !m.list.asking {
		t.Error("a list that nobody wants any more is shown")
	}
	press(m, "p")
	if _, cmd := m.Update(tickMsg{epoch.Add(time.Hour), m.ticks}); cmd == nil {
		t.Error("the pause has no end")
	} else if _, isBatch := cmd().(tea.BatchMsg); isBatch {
		t.Error("it asks while it pauses")
	}
	if _, cmd := m.Update(tickMsg{epoch, m.ticks - 1}); cmd != nil {
		t.Error("a tick of an old interval goes on")
	}
	for range 20 {
		m.pace(2 * m.interval)
	}
	if m.interval != intervalMax {
		t.Errorf("interval %v, want %v", m.interval, intervalMax)
	}
	for range 20 {
		m.pace(m.interval / 2)
	}
	if m.interval != intervalMin {
		t.Errorf("interval %v, want %v", m.interval, intervalMin)
	}
}

func TestDetail_Ends(t *testing.T) {
	m, _ := newModel(t, 80, 24)
	fill(t, m)
	press(m, "enter")
	if m.detail == nil {
		t.Fatal("enter shows nothing")
	}
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"code":"not_found","message":"no such session"}}`)
	}))
	t.Cleanup(gone.Close)
	c, err := adminclient.New(adminclient.Options{Address: gone.URL})
	if err != nil {
		t.Fatal(err)
	}
	m.client = c
	do(m, m.askDetail())
	if m.detail != nil || !strings.Contains(text(m), "has ended") {
		t.Errorf("frame:\n%s", text(m))
	}
}

// Without colours nothing but weight tells things apart.
func TestInk(t *testing.T) {
	m, _ := newModel(t, 120, 40)
	fill(t, m)
	m.ink = inkMono
	frame := m.frame(m.width, m.height)
	for _, color := range []string{"\x1b[3", "\x1b[1;3"} {
		if strings.Contains(frame, color) {
			t.Errorf("a colour, %q, in %q", color, frame)
		}
	}
	m.ink = inkColor
	if !strings.Contains(m.frame(m.width, m.height), "\x1b[1;31m") {
		t.Error("no colour for a session that ended early")
	}
}

func TestOnce_Errors(t *testing.T) {
	m, _ := newModel(t, 80, 24)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Once(ctx, Options{Client: m.client}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Once = %v", err)
	}
	for _, d := range []time.Duration{-1, time.Millisecond, time.Hour} {
		o := Options{Client: m.client, Interval: d}
		_, err := Once(t.Context(), o, 0)
		if err == nil || !strings.Contains(err.Error(), "100ms") {
			t.Errorf("an interval of %v: %v", d, err)
		}
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "100ms") {
			t.Errorf("an interval of %v: %v", d, err)
		}
	}
}

// What a slot of a coarse level spans is told in units that people know, in its column.
func TestLevelLine_Slots(t *testing.T) {
	for ms, want := range map[float64]string{
		10: "   10.0ms ", 40_960: "    41.0s ", 2_621_440: "   43m41s ",
		10_737_418_240: "  124d06h ", 9_223_372_036_854.775: "106751d23h ",
	} {
		l := levelLine(&adminclient.WheelLevel{SlotMillis: ms, Entries: 1, Slots: []int{1}}, 0)
		if l[0].text != want {
			t.Errorf("slots of %v ms: %q, want %q", ms, l[0].text, want)
		}
	}
}
