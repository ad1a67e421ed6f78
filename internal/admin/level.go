package admin

import (
	"log/slog"
	"net/http"
)

// levels are those that the log can be set to, by name.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn,
	"error": slog.LevelError,
}

// levelJSON is the level of the log.
type levelJSON struct {
	Level string `json:"level"`
}

func (s *Server) level(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	s.writeLevel(w)
	return nil
}

func (s *Server) setLevel(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	var wanted levelJSON
	if err := readJSON(w, r, &wanted, `{"level":"debug"}`); err != nil {
		return err
	}
	level, ok := levels[wanted.Level]
	if !ok {
		return badRequest("level is not debug, info, warn or error")
	}
	old := s.o.LogLevel.Level()
	s.o.LogLevel.Set(min(old, level)) // so that the line is in the log where either shows it
	s.log.Info("an operator sets the level of the log", "from", nameOf(old), "to", wanted.Level,
		"remote", r.RemoteAddr)
	s.o.LogLevel.Set(level)
	s.writeLevel(w)
	return nil
}

func (s *Server) writeLevel(w http.ResponseWriter) {
	writeJSON(w, http.StatusOK, levelJSON{nameOf(s.o.LogLevel.Level())})
}

// nameOf is the name of the level that shows as much as l does.
func nameOf(l slog.Level) string {
	switch {
	case l <= slog.LevelDebug:
		return "debug"
	case l <= slog.LevelInfo:
		return "info"
	case l <= slog.LevelWarn:
		return "warn"
	}
	return "error"
}
