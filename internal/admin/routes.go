package admin

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// endpoint answers a request. A *problem that it returns is the answer; it wrote none then.
type endpoint func(w http.ResponseWriter, r *http.Request) error

// methods are what can be done at one path.
type methods map[string]endpoint

// routes are everything that is served, by pattern and method. HEAD is served where GET is.
func (s *Server) routes() map[string]methods {
	all := map[string]methods{
		livez:                        {"GET": s.live},
		readyz:                       {"GET": s.ready},
		"/v1/sessions":               {"GET": s.list},
		"/v1/sessions/{id}":          {"GET": s.show, "DELETE": s.kick},
		"/v1/sessions/{id}/touch":    {"POST": s.touch},
		"/v1/sessions/{id}/messages": {"POST": s.push},
		"/v1/users/{user}/sessions":  {"DELETE": s.kickUser},
		"/v1/users/{user}/messages":  {"POST": s.pushUser},
		"/v1/messages":               {"POST": s.pushAll},
		"/v1/drain":                  {"POST": s.drain},
		"/v1/status":                 {"GET": s.status},
		"/v1/settings":               {"GET": s.settings},
		"/v1/log-level":              {"GET": s.level, "PUT": s.setLevel},
		"/v1/openapi.json":           {"GET": s.openapi},
		profilesHere:                 {"GET": s.profiles},
		profiles + "{$}":             {"GET": s.profiles},
		profiles + "{profile}":       {"GET": s.profile},
	}
	for pattern, h := range map[string]http.Handler{
		"/metrics": s.o.Metrics, "/{$}": s.o.Dashboard, assets + "{file...}": s.o.Dashboard,
	} {
		if h != nil {
			all[pattern] = methods{"GET": byHandler(h)}
		}
	}
	if s.o.Events != nil {
		all["/v1/events"] = methods{"GET": s.events}
	}
	for _, m := range all {
		if m["GET"] != nil {
			m["HEAD"] = m["GET"] // net/http leaves the body out
		}
	}
	return all
}

// handlerOf serves routes, and says of all else that there is nothing.
func (s *Server) handlerOf(routes map[string]methods) http.Handler {
	mux := http.NewServeMux()
	for pattern, m := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.answer(w, r, m.dispatch)
		})
	}
	nothing := func(w http.ResponseWriter, _ *http.Request) { errNoPath.write(w) }
	mux.HandleFunc("/", nothing)
	mux.HandleFunc(strings.TrimSuffix(assets, "/"), nothing) // the mux would lead there
	return mux
}

// dispatch answers by the endpoint of the request's method.
func (m methods) dispatch(w http.ResponseWriter, r *http.Request) error {
	if e := m[r.Method]; e != nil {
		if rec, ok := w.(*recorder); ok {
			rec.reached = true
		}
		return e(w, r)
	}
	allowed := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	w.Header().Set("Allow", allowed)
	return &problem{
		status: http.StatusMethodNotAllowed, code: codeMethod, message: "allowed: " + allowed,
	}
}

// isStatic says whether a path is one of the dashboard's files. They hold no secret, and it is they
// that ask for the token.
func isStatic(path string) bool { return path == "/" || strings.HasPrefix(path, assets) }

// byHandler is an endpoint that a handler of others serves. What that answers where something goes
// wrong is made an error of this API.
func byHandler(h http.Handler) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(&strict{ResponseWriter: w}, r)
		return nil
	}
}

// strict is where a handler of others answers.
type strict struct {
	http.ResponseWriter

	failed bool // it was answered for it
}

// WriteHeader sends a status, or a whole error where it is that of one.
func (s *strict) WriteHeader(status int) {
	h := s.Header()
	if status < 400 || h.Get("Content-Type") == jsonType {
		s.ResponseWriter.WriteHeader(status)
		return
	}
	if s.failed {
		return
	}
	s.failed = true
	for _, name := range []string{
		"Content-Disposition", "Content-Encoding", "Etag", "Last-Modified", "X-Go-Pprof",
	} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	problemOf(status).write(s.ResponseWriter)
}

// Write sends a part of the body, unless an error was sent.
func (s *strict) Write(b []byte) (int, error) {
	if s.failed {
		return len(b), nil
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (s *strict) Unwrap() http.ResponseWriter { return s.ResponseWriter }
