package admin

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// everything is a request for each thing that needs a token, and whether it changes something.
var everything = map[string]bool{
	"GET /v1/sessions": false, "GET /v1/sessions/a": false, "DELETE /v1/sessions/a": true,
	"POST /v1/sessions/a/touch": true, "POST /v1/sessions/a/messages": true,
	"DELETE /v1/users/u/sessions": true, "POST /v1/users/u/messages": true,
	"POST /v1/messages": true, "POST /v1/drain": true,
	"GET /v1": false, "GET /metrics": false, "PUT /v1/sessions": true,
	"OPTIONS /v1/sessions": false,
	"POST /livez":          true, "GET //livez": false, "BREW /v1/sessions": true,
}

// refused asks for everything, with the same headers, and wants the same refusal, unless it is for
// what changes something and this does not.
func refused(t *testing.T, s *Server, status int, code string, onlyUnsafe bool, headers ...string) {
	t.Helper()
	for request, unsafe := range everything {
		s.guard.guesses = budget{max: guessesMax} // another second
		method, path, _ := strings.Cut(request, " ")
		w := ask(s, method, path, "", headers...)
		if onlyUnsafe && !unsafe {
			if w.Code == status {
				t.Errorf("%s with %q: %d", request, headers, w.Code)
			}
			continue
		}
		wantError(t, w, status, code)
		if status == 401 && w.Header().Get("WWW-Authenticate") != `Bearer realm="curfew"` {
			t.Errorf("401 with WWW-Authenticate: %q", w.Header().Get("WWW-Authenticate"))
		}
	}
	for _, path := range []string{livez, readyz} {
		wantAnswer(t, ask(s, get, path, "", headers...), 200, `{"status":"ok"}`)
	}
}

// allowed asks for everything and wants no refusal.
func allowed(t *testing.T, s *Server, headers ...string) {
	t.Helper()
	for request := range everything {
		method, path, _ := strings.Cut(request, " ")
		if w := ask(s, method, path, "", headers...); w.Code == 401 || w.Code == 403 {
			t.Errorf("%s with %q: %d %s", request, headers, w.Code, w.Body)
		}
	}
}

func lonely(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	o := options(newMemory(&member{Session: Session{ID: "a"}, room: 1 << 20}))
	change(&o)
	return newServer(t, o)
}

func TestGuard_Token(t *testing.T) {
	for _, addr := range []net.Addr{
		tcpAddr("127.0.0.1:1"), tcpAddr("0.0.0.0:1"), &net.UnixAddr{Net: "unix", Name: "/run/x"},
	} {
		s := lonely(t, func(o *Options) { o.Addr, o.Tokens = addr, []string{"one", "two words"} })
		for _, bad := range []string{
			"", "Authorization: one", "Authorization: Bearer", "Authorization: Bearer ",
			"Authorization: Bearer On", "Authorization: Bearer one ", "Authorization: Basic one",
			"Authorization: Bearer onetwo", "Authorization: Bearerone", "Cookie: token=one",
		} {
			refused(t, s, 401, "unauthorized", false, bad)
		}
		for _, good := range []string{"Bearer one", "bearer  one", "BEARER two words"} {
			allowed(t, s, "Authorization: "+good)
		}
		if err := s.SetTokens([]string{"three"}); err != nil {
			t.Fatal(err)
		}
		refused(t, s, 401, "unauthorized", false, "Authorization: Bearer one")
		allowed(t, s, "Authorization: Bearer three")
	}
}

func TestGuard_HostOnLoopback(t *testing.T) {
	s := lonely(t, func(o *Options) { o.Addr = tcpAddr("[::1]:8080") })
	for _, good := range []string{
		"localhost", "LocalHost:1", "a.localhost:8080", "127.0.0.1", "127.9.9.9:65535", "[::1]",
		"[::1]:8080", "[::ffff:127.0.0.1]:1",
	} {
		allowed(t, s, "Host: "+good)
	}
	for _, bad := range []string{
		"", "example.com", "example.com:8080", "localhost.example", "notlocalhost", "192.0.2.1",
		"0.0.0.0:8080", "[::]:8080", "127.1", "2130706433", "127.0.0.1.example", "[fe80::1%lo]:1",
		"localhost:80:80", "[localhost", "[localhost]", "[]", ":1", "::ffff:10.0.0.1",
	} {
		refused(t, s, 403, "forbidden", false, "Host: "+bad)
	}
	withToken := func(addr string) *Server {
		return lonely(t, func(o *Options) { o.Addr, o.Tokens = tcpAddr(addr), []string{"one"} })
	}
	refused(t, withToken("[::1]:8080"), 403, "forbidden", false,
		"Host: example.com", "Authorization: Bearer one")
	allowed(t, withToken("192.0.2.1:8080"), "Host: example.com", "Authorization: Bearer one")
	socket := lonely(t, func(o *Options) { o.Addr = &net.UnixAddr{Net: "unix", Name: "/run/x"} })
	allowed(t, socket, "Host: example.com")
}

func TestGuard_PagesOfOtherOrigins(t *testing.T) {
	s := lonely(t, func(*Options) {})
	const host = "Host: localhost:8080"
	allowed(t, s, host, "Origin: http://localhost:8080")
	allowed(t, s, host, "Origin: http://localhost:8080", "Sec-Fetch-Site: same-origin")
	allowed(t, s, host, "Sec-Fetch-Site: none")
	for _, bad := range [][]string{
		{"Origin: http://evil.example"},
		{"Origin: http://localhost"},
		{"Origin: http://localhost:9090"},
		{"Origin: null"},
		{"Origin: http://localhost:8080.evil.example"},
		{"Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: same-site"},
		{"Origin: http://localhost:8080", "Sec-Fetch-Site: cross-site"},
		{"Origin: http://evil.example", "Sec-Fetch-Site: same-origin"},
	} {
		refused(t, s, 403, "forbidden", false, append(bad, host)...)
	}
	socket := lonely(t, func(o *Options) { o.Addr = &net.UnixAddr{Net: "unix", Name: "/run/x"} })
	refused(t, socket, 403, "forbidden", false, "Host: ", "Origin: null")
	token := lonely(t, func(o *Options) { o.Tokens = []string{"one"} })
	refused(t, token, 403, "forbidden", false,
		"Authorization: Bearer one", "Origin: http://evil.example")
	// A link may be followed, and lead to nothing that changes anything.
	refused(t, s, 403, "forbidden", true, host, "Sec-Fetch-Site: cross-site",
		"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
	refused(t, s, 403, "forbidden", false, host, "Sec-Fetch-Site: cross-site",
		"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe")
}

// Nobody of another origin is told that it may read.
func TestGuard_NoCORS(t *testing.T) {
	s := newServer(t, joined(newMemory(&member{Session: Session{ID: "a"}})))
	for request := range everything {
		method, path, _ := strings.Cut(request, " ")
		for _, origin := range []string{"http://evil.example", "http://127.0.0.1:8080"} {
			w := ask(s, method, path, "", "Origin: "+origin,
				"Access-Control-Request-Method: DELETE", "Access-Control-Request-Headers: x")
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") || name == "Server" {
					t.Errorf("%s: %s: %s", request, name, w.Header().Get(name))
				}
			}
			if w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" ||
				w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: headers %v", request, w.Header())
			}
		}
	}
}

// Whoever guesses is told less and less, and whoever knows the token never waits for that.
func TestGuard_Guesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lonely(t, func(o *Options) { o.Tokens = []string{"one"} })
		for round := range 2 {
			for i := range 3 * guessesMax {
				w := ask(s, get, "/v1/sessions", "", "Authorization: Bearer two")
				if i < guessesMax {
					wantError(t, w, 401, "unauthorized")
					continue
				}
				wantError(t, w, 429, "over_capacity")
				if w.Header().Get("Connection") != "close" || w.Header().Get("Retry-After") == "" {
					t.Errorf("round %d: 429 with %v", round, w.Header())
				}
			}
			wantError(t, ask(s, get, "/v1/sessions", ""), 401, "unauthorized") // no guess
			wantAnswer(t, ask(s, get, "/v1/sessions", "", "Authorization: Bearer one"), 200, `{`)
			time.Sleep(budgetWindow)
		}
	})
}

func TestGuard_TwoTokensAreNone(t *testing.T) {
	s := lonely(t, func(o *Options) { o.Tokens = []string{"one"} })
	for _, two := range [][]string{{"one", "two"}, {"two", "one"}, {"one", "one"}} {
		wantError(t, ask(s, get, "/v1/sessions", "", "Authorization: Bearer "+two[0],
			"Authorization: Bearer "+two[1]), 401, "unauthorized")
	}
}

func TestGuard_ReadOnly(t *testing.T) {
	drained := false
	m := newMemory(&member{Session: Session{ID: "a"}, room: 9})
	o := options(m)
	o.ReadOnly, o.Drain = true, func() { drained = true }
	s := newServer(t, o)
	refused(t, s, 403, "forbidden", true)
	if a, ok := m.mu.sessions["a"]; !ok || a.touch > 0 || len(a.queued) > 0 || drained {
		t.Error("something was changed")
	}
}

// Warnings come once a second, say how many were left out, and hold no secret.
func TestGuard_WarningsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := lonely(t, func(o *Options) {
			o.Tokens = []string{"hunter2"}
			o.Logger = slog.New(slog.NewTextHandler(&log,
				&slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		for range 10 {
			ask(s, get, "/v1/sessions?user=hunter3", "", "Authorization: Bearer hunter3")
		}
		time.Sleep(budgetWindow)
		ask(s, get, "/v1/sessions/x%2Fy?user=hunter3", "", "Authorization: Bearer hunter3")
		ask(s, get, "/v1/sessions?user=hunter2", "", "Authorization: Bearer hunter2")
		text := log.String()
		if n := strings.Count(text, "level=WARN"); n != 2 ||
			!strings.Contains(text, "unlogged=0") || !strings.Contains(text, "unlogged=9") {
			t.Errorf("%d warnings, want 2:\n%s", n, text)
		}
		if n := strings.Count(text, "level=DEBUG"); n != 12 ||
			!strings.Contains(text, "path=/v1/sessions/x%2Fy") ||
			!strings.Contains(text, "status=200") {
			t.Errorf("%d lines of requests, want 12:\n%s", n, text)
		}
		if strings.Contains(text, "hunter") {
			t.Errorf("a secret was logged:\n%s", text)
		}
	})
}

// failing is Sessions that break.
type failing struct{ *memory }

func (failing) Push(string, Message) error { return errors.New("hunter2 broke") }

func TestAnswer_OwnFaults(t *testing.T) {
	var log bytes.Buffer
	o := options(failing{newMemory()})
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w := ask(newServer(t, o), post, "/v1/sessions/a/messages", "")
	wantError(t, w, http.StatusInternalServerError, "internal")
	if strings.Contains(w.Body.String(), "hunter2") || !strings.Contains(log.String(), "hunter2") {
		t.Errorf("answer %s, log %s", w.Body, &log)
	}
}
