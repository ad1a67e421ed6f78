package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// endpoint answers a request. A *problem that it returns is the answer; it wrote none then.
type endpoint func(w http.ResponseWriter, r *http.Request) error

// methods are what can be done at one path.
type methods map[string]endpoint

// routes is everything that is served.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for path, m := range map[string]methods{
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
	} {
		if m["GET"] != nil {
			m["HEAD"] = m["GET"] // net/http leaves the body out
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			s.answer(w, r, m.dispatch)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { errNoPath.write(w) })
	return mux
}

// dispatch answers by the endpoint of the request's method.
func (m methods) dispatch(w http.ResponseWriter, r *http.Request) error {
	if e := m[r.Method]; e != nil {
		return e(w, r)
	}
	allowed := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	w.Header().Set("Allow", allowed)
	return &problem{
		status: http.StatusMethodNotAllowed, code: codeMethod, message: "allowed: " + allowed,
	}
}

// answer answers by e, or with what went wrong.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, e endpoint) {
	err := e(w, r)
	if err == nil {
		return
	}
	p, ok := errors.AsType[*problem](err)
	if !ok {
		s.log.Error("an operator's request failed", "path", r.URL.Path, "error", err)
		p = &problem{
			status: http.StatusInternalServerError, code: codeInternal, message: "see the log",
		}
	}
	p.write(w)
}

func (s *Server) live(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) error {
	status, text := http.StatusOK, "ok"
	if err := s.o.Ready(); err != nil {
		status, text = http.StatusServiceUnavailable, err.Error()
	}
	writeJSON(w, status, map[string]string{"status": text})
	return nil
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	q, err := parseList(r.URL.RawQuery)
	if err != nil {
		return err
	}
	shown, next, err := s.scan(r.Context(), q)
	if err != nil {
		return err
	}
	sessions := make([]sessionJSON, len(shown))
	for i := range shown {
		sessions[i] = shown[i].session.forJSON()
	}
	writeJSON(w, http.StatusOK, map[string]any{"sessions": sessions, "next_cursor": next})
	return nil
}

// scan looks at all sessions for the page that q asks for, unless ctx ends first.
func (s *Server) scan(ctx context.Context, q listQuery) (shown []entry, next string, err error) {
	select {
	case s.scans <- struct{}{}:
		defer func() { <-s.scans }()
	case <-ctx.Done():
		return nil, "", errGaveUp
	}
	p, n := page{listQuery: q}, 0
	for session := range s.o.Sessions.All() {
		if n++; n%scanStep == 0 && ctx.Err() != nil {
			return nil, "", errGaveUp
		}
		p.offer(session)
	}
	shown, next = p.close()
	return shown, next, nil
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) error {
	id, err := pathName(r, "id")
	if err != nil {
		return err
	}
	session, ok := s.o.Sessions.Get(id)
	if !ok {
		return errNoSession
	}
	writeJSON(w, http.StatusOK, session.forJSON())
	return nil
}

func (s *Server) kick(w http.ResponseWriter, r *http.Request) error {
	return s.change(w, r, s.o.Sessions.Kick)
}

func (s *Server) touch(w http.ResponseWriter, r *http.Request) error {
	return s.change(w, r, s.o.Sessions.Touch)
}

// change does something to one session of which there is nothing to tell but that it was done.
func (s *Server) change(w http.ResponseWriter, r *http.Request, do func(id string) bool) error {
	id, err := pathName(r, "id")
	if err != nil {
		return err
	}
	if !do(id) {
		return errNoSession
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) push(w http.ResponseWriter, r *http.Request) error {
	id, err := pathName(r, "id")
	if err != nil {
		return err
	}
	m, err := s.readMessage(w, r)
	if err != nil {
		return err
	}
	switch err := s.o.Sessions.Push(id, m); {
	case errors.Is(err, ErrNotFound):
		return errNoSession
	case errors.Is(err, ErrUnsupported):
		return mediaType("the session's protocol cannot carry this kind of message")
	case errors.Is(err, ErrFull):
		return &problem{
			status: http.StatusTooManyRequests, code: codeOverCapacity,
			message: "the session's queue is full", retryAfter: 1,
		}
	case err != nil:
		return fmt.Errorf("push: %w", err)
	}
	writeCounts(w, 1, 0)
	return nil
}

func (s *Server) kickUser(w http.ResponseWriter, r *http.Request) error {
	user, err := pathName(r, "user")
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]int{"ended": s.o.Sessions.KickUser(user)})
	return nil
}

func (s *Server) pushUser(w http.ResponseWriter, r *http.Request) error {
	user, err := pathName(r, "user")
	if err != nil {
		return err
	}
	m, err := s.readMessage(w, r)
	if err != nil {
		return err
	}
	sent, refused := s.o.Sessions.PushUser(user, m)
	writeCounts(w, sent, refused)
	return nil
}

func (s *Server) pushAll(w http.ResponseWriter, r *http.Request) error {
	v, err := parseQuery(r.URL.RawQuery, "state", "user")
	if err != nil {
		return err
	}
	f, err := parseFilter(v)
	if err != nil {
		return err
	}
	m, err := s.readMessage(w, r)
	if err != nil {
		return err
	}
	sent, refused := s.o.Sessions.PushAll(f, m)
	writeCounts(w, sent, refused)
	return nil
}

func (s *Server) drain(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	s.log.Info("an operator asks for a drain", "remote", r.RemoteAddr)
	s.o.Drain()
	writeJSON(w, http.StatusAccepted, map[string]bool{"draining": true})
	return nil
}

// writeCounts says what became of a push.
func writeCounts(w http.ResponseWriter, sent, refused int) {
	writeJSON(w, http.StatusOK, map[string]int{"sent": sent, "refused": refused})
}

// pathName is an ID or a user in a request's path, which takes no parameters then.
func pathName(r *http.Request, wildcard string) (string, error) {
	name, err := url.PathUnescape(r.PathValue(wildcard))
	if err != nil || name == "" || len(name) > nameBytesMax {
		return "", badRequest(fmt.Sprintf("%s is not 1 to %d bytes", wildcard, nameBytesMax))
	}
	return name, noQuery(r)
}

// noQuery refuses parameters where there are none.
func noQuery(r *http.Request) error {
	_, err := parseQuery(r.URL.RawQuery)
	return err
}
