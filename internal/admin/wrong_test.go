package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// route is something that is described, with a path by which it can be asked for.
type route struct {
	method, template string
	path             string
	safe, free       bool
	parameters       []string // of its query
	body             bool     // it takes one
}

// described routes are all there are.
func describedRoutes() (all []route) {
	d := theDescription()
	for template := range d.object("paths") {
		for method := range d.object("paths", template) {
			if method == "parameters" {
				continue
			}
			r := route{
				method: strings.ToUpper(method), template: template,
				path: strings.NewReplacer("{id}", "a", "{user}", "u", "{file}", "a.js",
					"{profile}", "heap").Replace(template),
				body: d.object("paths", template, method, "requestBody") != nil,
			}
			r.safe = isSafe(r.method)
			r.free = template == livez || template == readyz || isStatic(template)
			parameters, _ := d.object("paths", template, method)["parameters"].([]any)
			for _, p := range parameters {
				ref := strings.Split(p.(map[string]any)["$ref"].(string), "/")
				parameter := d.object(ref[1:]...)
				if parameter["in"] == "query" {
					r.parameters = append(r.parameters, parameter["name"].(string))
				}
			}
			all = append(all, r)
		}
	}
	return all
}

// everyRoute runs a test for each route, with a server that has one session, a, of the user u.
func everyRoute(t *testing.T, change func(*Options), test func(s *Server, r route)) {
	t.Helper()
	routes := describedRoutes()
	if len(routes) < 20 {
		t.Fatalf("%d routes are described", len(routes))
	}
	for _, r := range routes {
		o := joined(newMemory(&member{Session: Session{ID: "a", User: "u"}, room: 9}))
		change(&o)
		test(newServer(t, o), r)
	}
}

func same(*Options) {}

func TestWrong_Method(t *testing.T) {
	everyRoute(t, same, func(s *Server, r route) {
		for _, method := range []string{
			"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get",
		} {
			described := strings.ToLower(method)
			if method == "HEAD" {
				described = "get"
			}
			if theDescription().object("paths", r.template, described) != nil && method != "get" {
				continue
			}
			w := ask(s, method, r.path, "")
			wantError(t, w, 405, "method_not_allowed")
			if allow := w.Header().Get("Allow"); !strings.Contains(allow, r.method) {
				t.Errorf("%s %s: Allow: %s", method, r.path, allow)
			}
		}
	})
}

func TestWrong_Parameters(t *testing.T) {
	all := []string{"x", "Limit"}
	for _, r := range describedRoutes() {
		all = append(all, r.parameters...)
	}
	everyRoute(t, same, func(s *Server, r route) {
		if r.free || r.path == "/metrics" {
			return // others say what they take
		}
		for _, name := range all {
			if slices.Contains(r.parameters, name) {
				twice := r.path + "?" + name + "=&" + name + "="
				wantError(t, ask(s, r.method, twice, ""), 400, "bad_request")
				continue
			}
			wantError(t, ask(s, r.method, r.path+"?"+name+"=1", ""), 400, "bad_request")
		}
		for _, query := range []string{"%zz", "%", "x;y", "=", "limit=%zz"} {
			wantError(t, ask(s, r.method, r.path+"?"+query, ""), 400, "bad_request")
		}
	})
}

// What is refused does not depend on how it is asked for.
func TestWrong_Guards(t *testing.T) {
	everyRoute(t, same, func(s *Server, r route) {
		if r.template == livez || r.template == readyz {
			return
		}
		wantError(t, ask(s, r.method, r.path, "", "Host: evil.example"), 403, "forbidden")
		wantError(t, ask(s, r.method, r.path, "", "Origin: http://evil.example"), 403, "forbidden")
	})
	everyRoute(t, func(o *Options) { o.Tokens = []string{"one"} }, func(s *Server, r route) {
		if r.free {
			return
		}
		wantError(t, ask(s, r.method, r.path, ""), 401, "unauthorized")
		for range guessesMax {
			wantError(t, ask(s, r.method, r.path, "", "Authorization: Bearer x"), 401,
				"unauthorized")
		}
		wantError(t, ask(s, r.method, r.path, "", "Authorization: Bearer x"), 429,
			"over_capacity")
	})
	everyRoute(t, func(o *Options) { o.ReadOnly = true }, func(s *Server, r route) {
		if !r.safe {
			wantError(t, ask(s, r.method, r.path, ""), 403, "forbidden")
		}
	})
}

func TestWrong_Names(t *testing.T) {
	everyRoute(t, same, func(s *Server, r route) {
		for _, wildcard := range []string{"{id}", "{user}"} {
			if !strings.Contains(r.template, wildcard) {
				continue
			}
			path := func(name string) string {
				return strings.Replace(r.template, wildcard, name, 1)
			}
			for _, long := range []string{strings.Repeat("x", 256), strings.Repeat("%00", 256)} {
				wantError(t, ask(s, r.method, path(long), "x"), 400, "bad_request")
			}
			wantError(t, ask(s, r.method, path(""), "x"), 404, "not_found")
			wantError(t, ask(s, r.method, path("a/b"), "x"), 404, "not_found")
			wantError(t, ask(s, r.method, path(".."), "x"), 404, "not_found")
			if wildcard == "{id}" && !r.body {
				wantError(t, ask(s, r.method, path("none"), ""), 404, "not_found")
			}
		}
	})
}

func TestWrong_Bodies(t *testing.T) {
	const isJSON = "Content-Type: application/json"
	everyRoute(t, same, func(s *Server, r route) {
		if r.safe {
			return
		}
		if !r.body {
			wantError(t, ask(s, r.method, r.path, "x", isJSON), 400, "bad_request")
			w := askReader(s, r.method, r.path, io.MultiReader(strings.NewReader("x")))
			wantError(t, w, 400, "bad_request")
			w = askReader(s, r.method, r.path, brokenBody{})
			wantError(t, w, 400, "bad_request")
			return
		}
		for body, status := range map[string]int{
			"": 400, "{": 400, "1 2": 400, "\xff": 400, strings.Repeat(" ", 1<<20): 413,
		} {
			code := map[int]string{400: "bad_request", 413: "too_large"}[status]
			wantError(t, ask(s, r.method, r.path, body, isJSON), status, code)
			w := askReader(s, r.method, r.path, io.MultiReader(strings.NewReader(body)))
			wantError(t, w, status, code)
		}
		wantError(t, askReader(s, r.method, r.path, brokenBody{}), 400, "bad_request")
		for _, header := range []string{
			"Content-Type: application/json; charset=utf-16", "Content-Encoding: gzip",
			"Content-Encoding: br",
		} {
			w := ask(s, r.method, r.path, `{"level":"info"}`, header)
			wantError(t, w, 415, "unsupported_media_type")
		}
	})
	// Two types are none.
	s := newServer(t, options(newMemory(&member{Session: Session{ID: "a"}, room: 9})))
	wantError(t, ask(s, post, "/v1/messages", "1", isJSON, "Content-Type: text/plain"), 400,
		"bad_request")
	// Where no body is taken, one of unknown length that is empty is none.
	w := askReader(s, post, "/v1/sessions/a/touch", io.MultiReader())
	wantAnswer(t, w, 204, "")
}

// brokenBody ends before it is whole.
type brokenBody struct{}

// Read fails as a chunked body does that is no such thing.
func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("malformed chunked encoding") }

// askReader asks with a body of unknown length, of JSON.
func askReader(s *Server, method, target string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	theDescription().note(r, w)
	return w
}

// What is asked of everything that is served, in the right way, is not refused.
func TestRight(t *testing.T) {
	everyRoute(t, same, func(s *Server, r route) {
		if r.template == "/v1/events" {
			return // it would not end
		}
		body := map[bool]string{true: `{"level":"warn"}`}[r.body]
		var query []string
		for _, name := range r.parameters {
			query = append(query, name+"=") // as good as absent
		}
		target := r.path
		if len(query) > 0 {
			target += "?" + strings.Join(query, "&")
		}
		w := ask(s, r.method, target, body, "Content-Type: application/json")
		if w.Code >= http.StatusBadRequest {
			t.Errorf("%s %s: %d %s", r.method, target, w.Code, w.Body)
		}
	})
}

// Who has gone does not wait for a turn.
func TestWrong_NobodyWaits(t *testing.T) {
	s := newServer(t, options(newMemory()))
	for range scansMax {
		s.scans <- struct{}{}
	}
	s.snapshots <- struct{}{}
	heavy := map[string]string{
		"/v1/sessions?sort=deadline": get, "/debug/pprof/heap": get, "/v1/messages": post,
	}
	for target, method := range heavy {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ctx, method, target, http.NoBody)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		theDescription().note(r, w)
		wantError(t, w, 503, "unavailable")
	}
	s.waiting.Store(waitingMax) // others
	for target, method := range heavy {
		wantError(t, ask(s, method, target, ""), 429, "over_capacity")
	}
	if n := s.waiting.Load(); n != waitingMax {
		t.Errorf("%d wait who were turned away, want %d", n, waitingMax)
	}
}
