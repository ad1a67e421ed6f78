package admin

import (
	"context"
	"net/http"
)

func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	q, err := parseList(r.URL.RawQuery)
	if err != nil {
		return err
	}
	shown, next, err := s.scan(r.Context(), q)
	if err != nil {
		return err
	}
	sessions := make([]sessionJSON, 0, len(shown))
	for i := range shown {
		if session, ok := s.o.Sessions.At(shown[i].Ref); ok {
			session.State, session.LastActivity = shown[i].State, shown[i].LastActivity
			session.Deadline = shown[i].Deadline // as it was when it was put where it stands
			sessions = append(sessions, session.forJSON())
		}
	}
	writeJSON(w, http.StatusOK, struct {
		Sessions []sessionJSON `json:"sessions"`
		Next     string        `json:"next_cursor"`
	}{sessions, next})
	return nil
}

// scan looks for the page that q asks for, unless ctx ends first. Where the page need not be sorted
// or filtered, that takes a look at what is on it; else at all sessions.
func (s *Server) scan(ctx context.Context, q listQuery) (shown []entry, next string, err error) {
	if q.order.by != byPlace || q.filter != (Filter{}) {
		done, err := s.turn(ctx, s.scans)
		if err != nil {
			return nil, "", err
		}
		defer done()
	}
	p, n := page{listQuery: q}, 0
	for o := range s.o.Sessions.Outlines(q.place()) {
		if n++; n%scanStep == 0 && ctx.Err() != nil {
			return nil, "", errGaveUp
		}
		if p.filter.match(&o) && !p.offer(o) {
			break
		}
	}
	shown, next = p.close()
	return shown, next, nil
}
