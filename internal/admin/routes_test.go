package admin

import (
	"net/http"
	"strings"
	"testing"
)

// joined are options of a server to which everything is joined.
func joined(sessions Sessions) Options {
	o := options(sessions)
	o.Events = new(Events)
	o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			http.Error(w, "too busy", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write([]byte("up 1\n"))
	})
	o.Dashboard = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && r.URL.Path != "/assets/a.js" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=1")
		_, _ = w.Write([]byte("page"))
	})
	return o
}

func TestRoutes_HandlersOfOthers(t *testing.T) {
	s := newServer(t, joined(newMemory()))
	for path, want := range map[string]string{
		"/": "page", "/?theme=dark": "page", "/assets/a.js": "page", "/metrics": "up 1\n",
	} {
		w := ask(s, get, path, "")
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if path != "/metrics" && w.Header().Get("Cache-Control") != "max-age=1" {
			t.Errorf("%s: Cache-Control: %s", path, w.Header().Get("Cache-Control"))
		}
		wantError(t, ask(s, post, path, ""), 405, "method_not_allowed")
	}
	wantError(t, ask(s, get, "/metrics?x=1", ""), 503, "unavailable")
	for _, path := range []string{
		"/assets", "/assets/", "/assets/b.js", "/assets/%61.js", "/assets/../assets/a.js",
		"/assets/%2e%2e/livez", "/index.html", "/metrics/", "/debug/",
	} {
		wantError(t, ask(s, get, path, ""), 404, "not_found")
	}
	s = newServer(t, options(newMemory()))
	for _, path := range []string{"/", "/assets/a.js", "/metrics", "/v1/events"} {
		wantError(t, ask(s, get, path, ""), 404, "not_found")
	}
}

// The dashboard's files need no token, and nothing else about them is freer than elsewhere.
func TestRoutes_StaticFilesNeedNoToken(t *testing.T) {
	o := joined(newMemory())
	o.Tokens = []string{"one"}
	s := newServer(t, o)
	for _, path := range []string{"/", "/assets/a.js"} {
		if w := ask(s, get, path, ""); w.Code != 200 {
			t.Errorf("%s without a token: %d", path, w.Code)
		}
		wantError(t, ask(s, get, path, "", "Host: example.com"), 403, "forbidden")
		wantError(t, ask(s, post, path, ""), 401, "unauthorized")
	}
	for _, path := range []string{
		"/metrics", "/debug/pprof/", "/v1/events", "/v1/log-level", "/%61ssets/a.js", "//",
	} {
		wantError(t, ask(s, get, path, ""), 401, "unauthorized")
	}
}

func TestLevel(t *testing.T) {
	o := options(newMemory())
	s := newServer(t, o)
	const isJSON = "Content-Type: application/json"
	wantAnswer(t, ask(s, get, "/v1/log-level", ""), 200, `{"level":"info"}`)
	for _, name := range []string{"debug", "error", "warn", "info"} {
		want := `{"level":"` + name + `"}`
		wantAnswer(t, ask(s, http.MethodPut, "/v1/log-level", want, isJSON), 200, want)
		if o.LogLevel.Level() != levels[name] {
			t.Errorf("the level is %v, want %s", o.LogLevel.Level(), name)
		}
		wantAnswer(t, ask(s, get, "/v1/log-level", ""), 200, want)
	}
	for _, c := range []struct {
		body, header string
		status       int
		code         string
	}{
		{`{"level":"loud"}`, isJSON, 400, "bad_request"},
		{`{"level":"DEBUG"}`, isJSON, 400, "bad_request"},
		{`{"level":1}`, isJSON, 400, "bad_request"},
		{`{}`, isJSON, 400, "bad_request"},
		{`null`, isJSON, 400, "bad_request"},
		{``, isJSON, 400, "bad_request"},
		{`[]`, isJSON, 400, "bad_request"},
		{`{"level":"debug"`, isJSON, 400, "bad_request"},
		{`{"level":"debug"}{}`, isJSON, 400, "bad_request"},
		{`{"level":"debug","x":1}`, isJSON, 400, "bad_request"},
		{`{"level":"debug"}` + strings.Repeat(" ", 4<<10), isJSON, 413, "too_large"},
		{`{"level":"debug"}`, "X: y", 415, "unsupported_media_type"},
		{`{"level":"debug"}`, "Content-Type: text/plain", 415, "unsupported_media_type"},
		{`{"level":"debug"}`, isJSON + "; charset=latin1", 415, "unsupported_media_type"},
	} {
		wantError(t, ask(s, http.MethodPut, "/v1/log-level", c.body, c.header), c.status, c.code)
	}
	if o.LogLevel.Level() != levels["info"] {
		t.Errorf("a bad request set the level to %v", o.LogLevel.Level())
	}
}
