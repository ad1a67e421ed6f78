package engine_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// A logbook is a handler that keeps what is logged.
type logbook struct {
	mu struct {
		sync.Mutex
		records []slog.Record
	}
}

func (*logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l *logbook) WithGroup(string) slog.Handler          { return l }

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.records = append(l.mu.records, r.Clone())
	return nil
}

// lines are the summary lines, or all other records.
func (l *logbook) lines(summaries bool) []slog.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.mu.records), func(r slog.Record) bool {
		return (r.Message == summaryLine) != summaries
	})
}

// attrs are the attributes of a record.
func attrs(r slog.Record) map[string]slog.Value {
	m := map[string]slog.Value{}
	r.Attrs(func(a slog.Attr) bool {
		m[a.Key] = a.Value.Resolve()
		return true
	})
	return m
}
