package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

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
	if err := noBody(w, r); err != nil {
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
	if err := noBody(w, r); err != nil {
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
	done, err := s.turn(r.Context(), s.scans)
	if err != nil {
		return err
	}
	defer done()
	sent, refused := s.o.Sessions.PushAll(f, m)
	writeCounts(w, sent, refused)
	return nil
}

func (s *Server) drain(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if err := noBody(w, r); err != nil {
		return err
	}
	s.o.Drain()
	writeJSON(w, http.StatusAccepted, map[string]bool{"draining": true})
	return nil
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.o.Status())
	return nil
}

func (s *Server) settings(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	settings, warnings := s.o.Settings(), s.o.Warnings()
	if settings == nil {
		settings = []Setting{}
	}
	if warnings == nil {
		warnings = []string{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"settings": settings, "warnings": warnings})
	return nil
}

// turn waits until one more may do what is bounded, unless ctx ends first or many wait already:
// they hold connections. What it gives says that it is done.
func (s *Server) turn(ctx context.Context, bound chan struct{}) (done func(), err error) {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > waitingMax {
		return nil, &problem{
			status: http.StatusTooManyRequests, code: codeOverCapacity, retryAfter: 1,
			message: "too many requests that take long wait already",
		}
	}
	select {
	case bound <- struct{}{}:
		return func() { <-bound }, nil
	case <-ctx.Done():
		return nil, errGaveUp
	}
}

// writeCounts says what became of a push.
func writeCounts(w http.ResponseWriter, sent, refused int) {
	writeJSON(w, http.StatusOK, struct {
		Sent    int `json:"sent"`
		Refused int `json:"refused"`
	}{sent, refused})
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
