package server

import (
	"io"
	"log/slog"
)

// newLogger writes a line an event to w, as text or as JSON. All that the parts log goes through
// it, so it is the one place that says how a value is written.
func newLogger(format string, level slog.Leveler, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// readable writes a duration in both formats as the flags take it, 1m30s. JSON would have a bare
// number of nanoseconds, which says neither its unit nor that it is a duration.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
