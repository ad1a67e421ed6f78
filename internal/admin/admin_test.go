package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	o := options(newMemory())
	var status error
	o.Ready = func() error { return status }
	s := newServer(t, o)
	wantAnswer(t, ask(s, get, "/livez", ""), 200, `{"status":"ok"}`)
	wantAnswer(t, ask(s, get, "/readyz?verbose", ""), 200, `{"status":"ok"}`)
	status = errors.New("draining")
	wantAnswer(t, ask(s, get, "/livez", ""), 200, `{"status":"ok"}`)
	wantAnswer(t, ask(s, get, "/readyz", ""), 503, `{"status":"draining"}`)
	if w := ask(s, http.MethodHead, "/readyz", ""); w.Code != 503 {
		t.Errorf("HEAD gives %d", w.Code)
	}
}

// A session shows what applies to it and nothing else.
func TestShow(t *testing.T) {
	full := Session{
		ID: "full", State: StateLive, User: "ada", Created: epoch,
		LastActivity: epoch.Add(time.Second), Deadline: epoch.Add(time.Hour),
		IdleTimeout: 1500 * time.Millisecond, Protocol: "curfew.v1", Remote: "192.0.2.1:5",
		InFlight: 1, QueuedBytes: 2, Resumable: true, Epoch: 3, Seq: 4, ReplayBytes: 5,
	}
	bare := Session{
		ID: "bare", State: StateDetached, Created: epoch, LastActivity: epoch,
		Protocol: "curfew.v1", Resumable: true, QueuedBytes: 9,
	}
	raw := Session{
		ID: "raw", State: StateGrace, Created: epoch, LastActivity: epoch, Remote: "[::1]:5",
		Protocol: "curfew.raw", Epoch: 9,
	}
	s := newServer(t, options(newMemory(
		&member{Session: full}, &member{Session: bare}, &member{Session: raw})))
	for id, want := range map[string]string{
		"full": `{"session_id":"full","state":"live","user":"ada",` +
			`"created_at":"2026-05-04T02:02:01.987Z","last_activity":"2026-05-04T02:02:02.987Z",` +
			`"deadline":"2026-05-04T03:02:01.987Z","idle_s":1.5,"remote":"192.0.2.1:5",` +
			`"protocol":"curfew.v1","resumable":true,"epoch":3,"seq":4,"in_flight":1,` +
			`"queued_bytes":2,"replay_bytes":5}`,
		"bare": `{"session_id":"bare","state":"detached",` +
			`"created_at":"2026-05-04T02:02:01.987Z","last_activity":"2026-05-04T02:02:01.987Z",` +
			`"idle_s":0,"protocol":"curfew.v1","resumable":true,"epoch":0,"seq":0,"in_flight":0,` +
			`"replay_bytes":0}`,
		"raw": `{"session_id":"raw","state":"grace",` +
			`"created_at":"2026-05-04T02:02:01.987Z","last_activity":"2026-05-04T02:02:01.987Z",` +
			`"idle_s":0,"remote":"[::1]:5","protocol":"curfew.raw","resumable":false,` +
			`"in_flight":0,"queued_bytes":0}`,
	} {
		w := ask(s, get, "/v1/sessions/"+id, "")
		wantAnswer(t, w, 200, want)
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Error("an answer may be kept")
		}
	}
	wantError(t, ask(s, get, "/v1/sessions/none", ""), 404, "not_found")
}

func TestChangeOne(t *testing.T) {
	a := &member{Session: Session{ID: "a"}}
	m := newMemory(a, &member{Session: Session{ID: "b"}})
	s := newServer(t, options(m))
	wantAnswer(t, ask(s, post, "/v1/sessions/a/touch", ""), 204, "")
	if a.touch != 1 {
		t.Errorf("touched %d times, want once", a.touch)
	}
	wantAnswer(t, ask(s, remove, "/v1/sessions/a", ""), 204, "")
	wantError(t, ask(s, remove, "/v1/sessions/a", ""), 404, "not_found")
	wantError(t, ask(s, post, "/v1/sessions/a/touch", ""), 404, "not_found")
	if _, ok := m.Get("b"); !ok {
		t.Error("the other one is gone")
	}
}

func TestUsers(t *testing.T) {
	m := newMemory(
		&member{Session: Session{ID: "1", User: "a/b"}, room: 1},
		&member{Session: Session{ID: "2", User: "a/b"}},
		&member{Session: Session{ID: "3", User: "a"}, room: 9},
	)
	s := newServer(t, options(m))
	wantAnswer(t, ask(s, post, "/v1/users/a%2Fb/messages", "x"), 200, `{"sent":1,"refused":1}`)
	wantAnswer(t, ask(s, post, "/v1/users/none/messages", "x"), 200, `{"sent":0,"refused":0}`)
	wantAnswer(t, ask(s, remove, "/v1/users/a%2fb/sessions", ""), 200, `{"ended":2}`)
	wantAnswer(t, ask(s, remove, "/v1/users/a%2Fb/sessions", ""), 200, `{"ended":0}`)
	if _, ok := m.Get("3"); !ok {
		t.Error("another user's session is gone")
	}
}

func TestDrain(t *testing.T) {
	o := options(newMemory())
	drained := 0
	o.Drain = func() { drained++ }
	s := newServer(t, o)
	wantError(t, ask(s, get, "/v1/drain", ""), 405, "method_not_allowed")
	wantError(t, ask(s, post, "/v1/drain?now=1", ""), 400, "bad_request")
	if drained != 0 {
		t.Error("drained by a request that was refused")
	}
	wantAnswer(t, ask(s, post, "/v1/drain", ""), 202, `{"draining":true}`)
	if drained != 1 {
		t.Errorf("drained %d times, want once", drained)
	}
}

// Whatever an ID is made of, it can be named.
func TestNames(t *testing.T) {
	for _, id := range []string{
		"a", "a/b", "/", "..", ".", "a b", "%2F", "?x=1", "\x00", "\xff", "#", "ü", ";", "+",
		strings.Repeat("x", 255), strings.Repeat("/", 255),
	} {
		var target strings.Builder
		target.WriteString("/v1/sessions/")
		for _, c := range []byte(id) { // every byte, as is always allowed
			fmt.Fprintf(&target, "%%%02X", c)
		}
		m := newMemory(&member{Session: Session{ID: id}})
		s := newServer(t, options(m))
		wantAnswer(t, ask(s, get, target.String(), ""), 200, `{"session_id":`)
		wantAnswer(t, ask(s, post, target.String()+"/touch", ""), 204, "")
		if escaped := url.PathEscape(id); strings.Trim(id, ".") != "" {
			wantAnswer(t, ask(s, remove, "/v1/sessions/"+escaped, ""), 204, "")
		}
	}
	s := newServer(t, options(newMemory()))
	long := strings.Repeat("x", 256)
	for _, c := range []struct{ method, before, after string }{
		{get, "/v1/sessions/", ""},
		{remove, "/v1/sessions/", ""},
		{post, "/v1/sessions/", "/touch"},
		{post, "/v1/sessions/", "/messages"},
		{remove, "/v1/users/", "/sessions"},
		{post, "/v1/users/", "/messages"},
	} {
		wantError(t, ask(s, c.method, c.before+long+c.after, ""), 400, "bad_request")
	}
	wantError(t, ask(s, get, "/v1/sessions/a?x=1", ""), 400, "bad_request")
}

func TestUnknownPathsAndMethods(t *testing.T) {
	s := newServer(t, options(newMemory(&member{Session: Session{ID: "a"}})))
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v1/sessions/", "/v1/sessions/a/", "/v1/sessions/a/b", "//v1/sessions",
		"/v1/../v1/sessions", "/v1/users/a", "/v1/users//sessions", "/livez/", "/LIVEZ",
		"/v2/sessions",
	} {
		w := ask(s, get, path, "")
		wantError(t, w, 404, "not_found")
		if w.Header().Get("Location") != "" {
			t.Errorf("%s leads elsewhere", path)
		}
	}
	for _, c := range []struct{ method, path, allow string }{
		{post, "/livez", "GET, HEAD"},
		{post, "/v1/sessions", "GET, HEAD"},
		{http.MethodPut, "/v1/sessions/a", "DELETE, GET, HEAD"},
		{get, "/v1/sessions/a/touch", "POST"},
		{get, "/v1/users/a/sessions", "DELETE"},
		{http.MethodOptions, "/v1/messages", "POST"},
		{"BREW", "/v1/drain", "POST"},
	} {
		w := ask(s, c.method, c.path, "")
		wantError(t, w, 405, "method_not_allowed")
		if got := w.Header().Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow: %q, want %q", c.method, c.path, got, c.allow)
		}
	}
}

func TestNew_NamesEveryBadOption(t *testing.T) {
	_, err := New(Options{MaxMessageBytes: -1})
	for _, name := range []string{"Addr", "Sessions", "Ready", "Drain", "MaxMessageBytes"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New = %v, want it to name %s", err, name)
		}
	}
	for _, addr := range []string{"0.0.0.0:1", "[::]:1", "192.0.2.1:1"} {
		o := options(newMemory())
		o.Addr = tcpAddr(addr)
		if _, err := New(o); !errors.Is(err, ErrTokenNeeded) {
			t.Errorf("at %s: %v, want ErrTokenNeeded", addr, err)
		}
		o.Tokens = []string{"x"}
		s, err := New(o)
		if err != nil {
			t.Fatalf("at %s with a token: %v", addr, err)
		}
		if err := s.SetTokens(nil); !errors.Is(err, ErrTokenNeeded) {
			t.Errorf("no token any more: %v, want ErrTokenNeeded", err)
		}
		wantError(t, ask(s, get, "/v1/sessions", ""), 401, "unauthorized")
	}
	o := options(newMemory())
	o.Tokens = []string{"x", ""}
	if _, err := New(o); err == nil {
		t.Error("New takes an empty token")
	}
}

// decode reads a list.
func decode(t *testing.T, body string) (ids []string, next string) {
	t.Helper()
	var list struct {
		Sessions []struct {
			ID string `json:"session_id"`
		} `json:"sessions"`
		Next *string `json:"next_cursor"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if list.Sessions == nil || list.Next == nil {
		t.Fatalf("%s lacks a member", body)
	}
	for _, s := range list.Sessions {
		ids = append(ids, s.ID)
	}
	return ids, *list.Next
}
