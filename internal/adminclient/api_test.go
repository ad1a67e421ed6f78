package adminclient_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/admin"
	"github.com/curfew-go/curfew/internal/adminclient"
)

var epoch = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// held are sessions as a map, for the API to serve. The place of each is its number.
type held struct {
	mu struct {
		sync.Mutex
		sessions map[uint64]admin.Session
		queued   []admin.Message
		touched  []string
	}
}

func hold(sessions ...admin.Session) *held {
	h := new(held)
	h.mu.sessions = make(map[uint64]admin.Session)
	for i, s := range sessions {
		if s.Protocol == "" {
			s.Protocol = "curfew.v1"
		}
		s.State = cmp.Or(s.State, admin.StateLive)
		h.mu.sessions[uint64(i)+1] = s
	}
	return h
}

func (h *held) Outlines(after uint64) iter.Seq[admin.Outline] {
	return func(yield func(admin.Outline) bool) {
		h.mu.Lock()
		all := maps.Clone(h.mu.sessions)
		h.mu.Unlock()
		for _, ref := range slices.Sorted(maps.Keys(all)) {
			s := all[ref]
			if ref > after && !yield(admin.Outline{
				Ref: ref, State: s.State, User: s.User, Created: s.Created,
				LastActivity: s.LastActivity, Deadline: s.Deadline,
			}) {
				return
			}
		}
	}
}

func (h *held) At(ref uint64) (admin.Session, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.mu.sessions[ref]
	return s, ok
}

func (h *held) find(id string) (ref uint64, s admin.Session, ok bool) {
	for ref, s := range h.mu.sessions {
		if s.ID == id {
			return ref, s, true
		}
	}
	return 0, admin.Session{}, false
}

func (h *held) Get(id string) (admin.Session, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, s, ok := h.find(id)
	return s, ok
}

func (h *held) Kick(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	ref, _, ok := h.find(id)
	delete(h.mu.sessions, ref)
	return ok
}

func (h *held) Touch(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _, ok := h.find(id)
	if ok {
		h.mu.touched = append(h.mu.touched, id)
	}
	return ok
}

// Push refuses what a session called full is sent, and binary for all.
func (h *held) Push(id string, m admin.Message) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _, ok := h.find(id)
	switch {
	case !ok:
		return admin.ErrNotFound
	case id == "full":
		return admin.ErrFull
	case m.Kind == admin.Binary:
		return admin.ErrUnsupported
	}
	m.Data = slices.Clone(m.Data)
	h.mu.queued = append(h.mu.queued, m)
	return nil
}

func (h *held) KickUser(user string) (ended int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ref, s := range h.mu.sessions {
		if s.User == user {
			delete(h.mu.sessions, ref)
			ended++
		}
	}
	return ended
}

func (h *held) PushUser(user string, m admin.Message) (sent, refused int) {
	return h.PushAll(admin.Filter{User: user}, m)
}

func (h *held) PushAll(f admin.Filter, m admin.Message) (sent, refused int) {
	for o := range h.Outlines(0) {
		s, _ := h.At(o.Ref)
		switch {
		case f.State != "" && f.State != s.State, f.User != "" && f.User != s.User:
		case h.Push(s.ID, m) == nil:
			sent++
		default:
			refused++
		}
	}
	return sent, refused
}

// api is the real API over those sessions.
type api struct {
	*held
	events  *admin.Events
	drained chan struct{}
	address string // for a client
}

// serve serves them at an address as admin.Listen takes it.
func serve(t *testing.T, h *held, address string, change func(*admin.Options)) *api {
	t.Helper()
	l, err := admin.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	a := &api{held: h, events: new(admin.Events), drained: make(chan struct{}, 9)}
	o := admin.Options{
		Addr: l.Addr(), Sessions: h, Ready: func() error { return nil },
		Drain: func() { a.drained <- struct{}{} },
		Status: func() admin.Status {
			return admin.Status{
				Version: "v1", PID: 7, State: admin.StateServing, StartedAt: epoch, Now: epoch,
				Sessions: admin.SessionCounts{Total: 3},
			}
		},
		Settings: func() []admin.Setting { return nil }, LogLevel: new(slog.LevelVar),
		Events: a.events, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	s, err := admin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nobody is waited for
		_ = s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	a.address = l.Addr().String()
	if l.Addr().Network() == "unix" {
		a.address = "unix:" + a.address
	}
	return a
}

func client(t *testing.T, o adminclient.Options) *adminclient.Client {
	t.Helper()
	c, err := adminclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestClient(t *testing.T) {
	socket := "unix:" + filepath.Join(t.TempDir(), "a.sock")
	for name, at := range map[string]string{"TCP": "127.0.0.1:0", "a unix socket": socket} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, hold(
				admin.Session{ID: "1", User: "ada", Created: epoch, Epoch: 5, Resumable: true},
				admin.Session{ID: "2", User: "ada"}, admin.Session{ID: "3", State: "grace"},
			), at, nil)
			c := client(t, adminclient.Options{Address: a.address})
			s, err := c.Status(t.Context())
			if err != nil || s.PID != 7 || s.Sessions.Total != 3 ||
				!strings.HasPrefix(string(s.Raw), `{"version":"v1"`) {
				t.Errorf("Status = %+v, %v", s, err)
			}
			one, err := c.Session(t.Context(), "1")
			if err != nil || one.ID != "1" || one.User != "ada" || one.Epoch != 5 ||
				!one.CreatedAt.Equal(epoch) || len(one.Raw) == 0 {
				t.Errorf("Session = %+v, %v", one, err)
			}
			wantErr(t, c.Touch(t.Context(), "1"), 0)
			if !slices.Equal(a.mu.touched, []string{"1"}) {
				t.Errorf("touched %q", a.mu.touched)
			}
			sent, err := c.SendUser(t.Context(), "ada", text("hear"))
			if err != nil || sent.Sent != 2 || string(sent.Raw) != `{"sent":2,"refused":0}` {
				t.Errorf("SendUser = %+v, %v", sent, err)
			}
			sent, err = c.SendAll(t.Context(), "grace", text("hear"))
			if err != nil || sent.Sent != 1 {
				t.Errorf("SendAll = %+v, %v", sent, err)
			}
			wantErr(t, c.Kick(t.Context(), "3"), 0)
			n, raw, err := c.KickUser(t.Context(), "ada")
			if err != nil || n != 2 || string(raw) != `{"ended":2}` {
				t.Errorf("KickUser = %d, %s, %v", n, raw, err)
			}
			if raw, err := c.Drain(t.Context()); err != nil ||
				string(raw) != `{"draining":true}` || len(a.drained) != 1 {
				t.Errorf("Drain = %s, %v", raw, err)
			}
			l, err := c.SetLogLevel(t.Context(), "debug")
			if err != nil || l.Level != "debug" {
				t.Errorf("SetLogLevel = %+v, %v", l, err)
			}
			if l, err := c.LogLevel(t.Context()); err != nil || l.Level != "debug" {
				t.Errorf("LogLevel = %+v, %v", l, err)
			}
		})
	}
}

func text(s string) adminclient.Message {
	return adminclient.Message{ContentType: "text/plain", Data: []byte(s)}
}

// wantErr checks the kind of an error, and that its text holds some parts; 0: there must be none.
func wantErr(t *testing.T, err error, kind adminclient.Kind, parts ...string) {
	t.Helper()
	if kind == 0 && err != nil || kind != 0 && adminclient.KindOf(err) != kind {
		t.Errorf("error %v of kind %d, want %d", err, adminclient.KindOf(err), kind)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q, want %q in it", err, part)
		}
	}
}

// Whatever an ID is made of, the session that has it is meant, and no other.
func TestClient_Names(t *testing.T) {
	names := []string{
		"a", "a/b", "/", "..", ".", "a b", "%2F", "?x=1", "#", "ü", ";", "+", "a%", "\x1b[2J",
		strings.Repeat("x", 255), strings.Repeat("/", 255), "../a", "a/touch",
	}
	sessions := make([]admin.Session, len(names))
	for i, name := range names {
		sessions[i] = admin.Session{ID: name, User: name}
	}
	a := serve(t, hold(sessions...), "127.0.0.1:0", nil)
	c := client(t, adminclient.Options{Address: a.address})
	for _, name := range names {
		s, err := c.Session(t.Context(), name)
		if err != nil || s.ID != name {
			t.Errorf("Session(%q) = %+v, %v", name, s, err)
		}
		wantErr(t, c.Touch(t.Context(), name), 0)
		if sent, err := c.SendUser(t.Context(), name, text("x")); err != nil || sent.Sent != 1 {
			t.Errorf("SendUser(%q) = %+v, %v", name, sent, err)
		}
		wantErr(t, c.Kick(t.Context(), name), 0)
	}
	if len(a.mu.sessions) != 0 || !slices.Equal(a.mu.touched, names) {
		t.Errorf("%d sessions are left, touched %q", len(a.mu.sessions), a.mu.touched)
	}
	for _, name := range []string{"", strings.Repeat("x", 256)} {
		wantErr(t, c.Kick(t.Context(), name), adminclient.KindRefused, "1 to 255 bytes")
		_, _, err := c.KickUser(t.Context(), name)
		wantErr(t, err, adminclient.KindRefused, "1 to 255 bytes")
	}
}

func TestClient_Pages(t *testing.T) {
	var sessions []admin.Session
	for i := range 2500 {
		sessions = append(sessions, admin.Session{ID: fmt.Sprint(i), User: fmt.Sprint("u", i%2)})
	}
	a := serve(t, hold(sessions...), "127.0.0.1:0", nil)
	c := client(t, adminclient.Options{Address: a.address})
	for _, tt := range []struct{ limit, pages, want int }{
		{0, 3, 2500}, {1, 1, 1}, {1000, 1, 1000}, {1001, 2, 1001}, {9999, 3, 2500},
	} {
		pages, seen := 0, map[string]bool{}
		for p, err := range c.Pages(t.Context(), adminclient.Query{}, tt.limit) {
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, s := range p.Sessions {
				seen[s.ID] = true
			}
			if p.At.IsZero() {
				t.Error("a page does not say when it is of")
			}
		}
		if pages != tt.pages || len(seen) != tt.want {
			t.Errorf("up to %d: %d sessions on %d pages, want %d on %d", tt.limit, len(seen), pages,
				tt.want, tt.pages)
		}
	}
	p, err := c.Sessions(t.Context(), adminclient.Query{
		State: "live", User: "u1", Sort: "-created_at", Limit: 2,
	})
	if err != nil || len(p.Sessions) != 2 || p.Sessions[0].User != "u1" || p.Next == "" {
		t.Errorf("a page of two = %+v, %v", p, err)
	}
	for _, order := range adminclient.Orders() {
		if _, err := c.Sessions(t.Context(), adminclient.Query{Sort: order}); err != nil {
			t.Errorf("the API does not sort by %s: %v", order, err)
		}
	}
	for _, state := range adminclient.States() {
		if _, err := c.Sessions(t.Context(), adminclient.Query{State: state}); err != nil {
			t.Errorf("the API knows no state %s: %v", state, err)
		}
	}
	_, err = c.Sessions(t.Context(), adminclient.Query{Sort: "size"})
	wantErr(t, err, adminclient.KindRefused, "sort is not")
}

// Each refusal of the API is told with what can be done about it.
func TestClient_Refusals(t *testing.T) {
	sessions := func() *held { return hold(admin.Session{ID: "a"}, admin.Session{ID: "full"}) }
	a := serve(t, sessions(), "127.0.0.1:0", func(o *admin.Options) { o.MaxMessageBytes = 10 })
	c := client(t, adminclient.Options{Address: a.address})
	_, err := c.Session(t.Context(), "none")
	wantErr(t, err, adminclient.KindNotFound, "no such session", "curfew sessions ls")
	_, err = c.Send(t.Context(), "full", text("x"))
	wantErr(t, err, adminclient.KindBusy, "queue is full", "try again later")
	_, err = c.Send(t.Context(), "a", text("more than ten bytes"))
	wantErr(t, err, adminclient.KindRefused, "at most 10 bytes", "--max-message-bytes")
	_, err = c.Send(t.Context(), "a", adminclient.Message{Data: []byte("x")})
	wantErr(t, err, adminclient.KindRefused, "--type")
	_, err = c.SetLogLevel(t.Context(), "loud")
	wantErr(t, err, adminclient.KindRefused)

	locked := serve(t, sessions(), "127.0.0.1:0", func(o *admin.Options) {
		o.ReadOnly, o.Tokens = true, []string{"secret"}
	})
	c = client(t, adminclient.Options{Address: locked.address})
	_, err = c.Status(t.Context())
	wantErr(t, err, adminclient.KindDenied, "asks for a token", "--admin-token-file",
		"CURFEW_ADMIN_TOKEN")
	for _, err := range c.Events(t.Context(), adminclient.EventQuery{}) {
		wantErr(t, err, adminclient.KindDenied, "asks for a token")
	}
	c = client(t, adminclient.Options{Address: locked.address, Token: "wrong"})
	_, err = c.Status(t.Context())
	wantErr(t, err, adminclient.KindDenied, "does not take this token")
	if strings.Contains(err.Error(), "wrong") {
		t.Errorf("the token is in %q", err)
	}
	c = client(t, adminclient.Options{Address: locked.address, Token: "secret"})
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("with the token: %v", err)
	}
	wantErr(t, c.Kick(t.Context(), "a"), adminclient.KindForbidden, "--admin-read-only")
	_, err = c.Drain(t.Context())
	wantErr(t, err, adminclient.KindForbidden, "--admin-read-only")
}

func TestClient_Events(t *testing.T) {
	a := serve(t, hold(), "127.0.0.1:0", nil)
	c := client(t, adminclient.Options{Address: a.address})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for !a.events.Watched() && ctx.Err() == nil {
			runtime.Gosched()
		}
		a.events.Publish(admin.Event{Type: admin.EventCreate, At: epoch, Session: "other"})
		a.events.Publish(admin.Event{
			Type: admin.EventExpire, At: epoch, Session: "s", User: "ada", Reason: "idle",
		})
	}()
	q := adminclient.EventQuery{Types: []string{"expire", "resume"}, User: "ada"}
	n := 0
	var last error
	for e, err := range c.Events(ctx, q) {
		if err != nil {
			last = err
			break
		}
		if e.Type != "expire" || e.Session != "s" || e.User != "ada" || e.Reason != "idle" ||
			e.ID == "" || !e.At.Equal(epoch) || !strings.HasPrefix(string(e.Raw), "{") {
			t.Errorf("event %+v", e)
		}
		n++
		cancel()
	}
	if n != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d events, then %v; want one, then that the context was cancelled", n, last)
	}
	for _, kind := range adminclient.EventTypes() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range c.Events(ctx, adminclient.EventQuery{Types: []string{kind}}) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("type %s: %v", kind, err)
			}
		}
	}
}

// A stream that is cut off by a server that ends is no mystery.
func TestClient_EventsEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, ": alive\n\nevent: lost\ndata: {\"lost\":3}\n\nevent: half")
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	c := client(t, adminclient.Options{Address: l.Addr().String()})
	var got []string
	for e, err := range c.Events(t.Context(), adminclient.EventQuery{}) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, fmt.Sprintf("%s %d", e.Type, e.Lost))
	}
	want := []string{
		"lost 3", c.Address() + " ended the stream: curfewd has ended, or ends, or takes the " +
			"token no longer",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}
