package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// timeFormat is RFC 3339 with milliseconds, as the frames of clients have it.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// sessionJSON is how a Session is written. Nil and empty fields do not apply to it.
type sessionJSON struct {
	ID           string  `json:"session_id"`
	State        State   `json:"state"`
	User         string  `json:"user,omitempty"`
	CreatedAt    string  `json:"created_at"`
	LastActivity string  `json:"last_activity"`
	Deadline     string  `json:"deadline,omitempty"`
	IdleSeconds  float64 `json:"idle_s"`
	Remote       string  `json:"remote,omitempty"`
	Protocol     string  `json:"protocol,omitempty"`
	Resumable    bool    `json:"resumable"`
	Epoch        *uint64 `json:"epoch,omitempty"`
	Seq          *uint64 `json:"seq,omitempty"`
	InFlight     int     `json:"in_flight"`
	QueuedBytes  *int64  `json:"queued_bytes,omitempty"`
	ReplayBytes  *int64  `json:"replay_bytes,omitempty"`
}

func (s *Session) forJSON() sessionJSON {
	j := sessionJSON{
		ID: s.ID, State: s.State, User: s.User,
		CreatedAt:    formatTime(s.Created),
		LastActivity: formatTime(s.LastActivity),
		IdleSeconds:  s.IdleTimeout.Seconds(),
		Remote:       s.Remote, Protocol: s.Protocol, Resumable: s.Resumable, InFlight: s.InFlight,
	}
	if !s.Deadline.IsZero() {
		j.Deadline = formatTime(s.Deadline)
	}
	if s.Remote != "" {
		j.QueuedBytes = &s.QueuedBytes
	}
	if s.Resumable {
		j.Epoch, j.Seq, j.ReplayBytes = &s.Epoch, &s.Seq, &s.ReplayBytes
	}
	return j
}

func formatTime(t time.Time) string { return t.UTC().Format(timeFormat) }

// writeJSON answers with a value that can be written as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("admin: " + err.Error()) // only our own types come here
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // where this fails nobody is left to be told
}
