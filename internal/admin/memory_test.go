package admin

import (
	"cmp"
	"iter"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is Sessions as a map, with the queue of each.
type memory struct {
	mu struct {
		sync.Mutex
		sessions map[string]*member
	}
	refs uint64 // the last that was given
	// between is called before each session that Outlines yields, if it is set.
	between func()
}

type member struct {
	Session

	ref    uint64 // given when it is first seen
	json   bool   // it takes JSON and text only
	room   int    // further messages that it takes
	queued []Message
	touch  int
}

func newMemory(sessions ...*member) *memory {
	m := new(memory)
	m.mu.sessions = make(map[string]*member)
	for _, s := range sessions {
		s.State = cmp.Or(s.State, StateLive)
		m.mu.sessions[s.ID] = s
	}
	return m
}

// all are the sessions of the moment, in order. Who is new stands behind those who were seen.
func (m *memory) all() []member {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []member
	for _, id := range slices.Sorted(maps.Keys(m.mu.sessions)) {
		s := m.mu.sessions[id]
		if s.ref == 0 {
			m.refs++
			s.ref = m.refs
		}
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.ref, b.ref) })
	return all
}

// Outlines is weakly consistent: it knows the sessions of its beginning.
func (m *memory) Outlines(after uint64) iter.Seq[Outline] {
	return func(yield func(Outline) bool) {
		for _, known := range m.all() {
			if known.ref <= after {
				continue
			}
			if m.between != nil {
				m.between()
			}
			s, ok := m.At(known.ref)
			if ok && !yield(Outline{
				known.ref, s.State, s.User, s.Created, s.LastActivity, s.Deadline,
			}) {
				return
			}
		}
	}
}

func (m *memory) At(ref uint64) (Session, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.mu.sessions {
		if s.ref == ref {
			return s.Session, true
		}
	}
	return Session{}, false
}

func (m *memory) Get(id string) (Session, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.mu.sessions[id]
	if !ok {
		return Session{}, false
	}
	return s.Session, true
}

func (m *memory) Kick(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.mu.sessions[id]
	delete(m.mu.sessions, id)
	return ok
}

func (m *memory) Touch(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.mu.sessions[id]
	if ok {
		s.touch++
	}
	return ok
}

func (m *memory) Push(id string, message Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.mu.sessions[id]
	switch {
	case !ok:
		return ErrNotFound
	case s.json && message.Kind == Binary:
		return ErrUnsupported
	case len(s.queued) >= s.room:
		return ErrFull
	}
	s.queued = append(s.queued, message)
	return nil
}

func (m *memory) KickUser(user string) (ended int) {
	for _, s := range m.all() {
		if s.User == user && m.Kick(s.ID) {
			ended++
		}
	}
	return ended
}

func (m *memory) PushUser(user string, message Message) (sent, refused int) {
	return m.PushAll(Filter{User: user}, message)
}

func (m *memory) PushAll(f Filter, message Message) (sent, refused int) {
	for _, s := range m.all() {
		switch {
		case !f.match(&Outline{State: s.State, User: s.User}):
		case m.Push(s.ID, message) == nil:
			sent++
		default:
			refused++
		}
	}
	return sent, refused
}

// epoch is when the sessions of tests begin.
var epoch = time.Date(2026, 5, 4, 3, 2, 1, 987_654_321, time.FixedZone("", 3600))

func tcpAddr(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// options are those of a server on loopback without a token.
func options(sessions Sessions) Options {
	return Options{
		Addr: tcpAddr("127.0.0.1:8080"), Sessions: sessions,
		Ready:  func() error { return nil },
		Drain:  func() {},
		Status: fullStatus, Settings: func() []Setting { return []Setting{full[Setting]()} },
		LogLevel: new(slog.LevelVar),
		Logger:   slog.New(slog.DiscardHandler),
	}
}

func newServer(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask has a request answered, with headers as "Name: value"; Host is what curl would send. The
// answer is held against the description.
func ask(s *Server, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		switch name {
		case "": // none
		case "Host":
			r.Host = value
		default:
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	theDescription().note(r, w)
	return w
}

// wantAnswer checks a status and how a body begins.
func wantAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	got := strings.TrimSuffix(w.Body.String(), "\n")
	if w.Code != status || !strings.HasPrefix(got, body) || body == "" && got != "" {
		t.Errorf("answer %d %s, want %d %s", w.Code, got, status, body)
	}
	if got != "" && w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
	}
}

// wantError checks for an error with that status and code.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	wantAnswer(t, w, status, `{"error":{"code":"`+code+`","message":"`)
}

const (
	get    = http.MethodGet
	post   = http.MethodPost
	remove = http.MethodDelete
)
