package engine_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

const summaryLine = "sessions expired"

func TestContract_SummaryLine(t *testing.T) {
	var book logbook
	o := engine.Options[int]{
		IdleTimeout: time.Second, MaxLifetime: 4 * time.Second, Logger: slog.New(&book),
	}
	inWorlds(t, o, func(w *world) {
		book.mu.records = nil
		for i := range 100 { // Of which each tenth is kept until its lifetime ends.
			w.create(i)
			w.sleep(50 * time.Millisecond)
			for s := range w.tab.All() {
				if v, _ := s.Value(); v%10 == 0 {
					s.Touch()
				}
			}
		}
		w.sleep(time.Minute)
		st := w.tab.Stats()
		checkSummary(w, book.lines(true), map[string]int64{
			"expired": 100, "idle": int64(st.Idle), "lifetime": int64(st.Lifetime),
		})
		if others := book.lines(false); len(others) != 0 {
			w.Errorf("logged %q", others[0].Message)
		}
	})
}

// checkSummary checks that lines come a second apart at least and add up.
func checkSummary(w *world, lines []slog.Record, want map[string]int64) {
	w.Helper()
	if len(lines) < 5 || len(lines) > 12 {
		w.Errorf("%d lines, want one a second", len(lines))
	}
	sum := map[string]int64{}
	for i, r := range lines {
		if i > 0 && r.Time.Sub(lines[i-1].Time) < time.Second {
			w.Errorf("a line %v after another", r.Time.Sub(lines[i-1].Time))
		}
		a := attrs(r)
		for _, key := range []string{"expired", "idle", "lifetime", "live"} {
			v, ok := asInt(a[key])
			if !ok {
				w.Errorf("%s = %v, want an integer", key, a[key])
			}
			sum[key] += v
		}
		if len(a) != 4 || r.Level != slog.LevelInfo {
			w.Errorf("level %v, attributes %v, want info and four", r.Level, a)
		}
	}
	for key, n := range want {
		if sum[key] != n {
			w.Errorf("the lines' %s add up to %d, want %d", key, sum[key], n)
		}
	}
	if live, _ := asInt(attrs(lines[len(lines)-1])["live"]); live != 0 {
		w.Errorf("live in the last line = %d, want 0", live)
	}
}

func asInt(v slog.Value) (int64, bool) {
	switch v.Kind() {
	case slog.KindInt64:
		return v.Int64(), true
	case slog.KindUint64:
		return int64(v.Uint64()), true
	}
	return 0, false
}

func TestContract_NoSummaryOfNothing(t *testing.T) {
	var book logbook
	o := engine.Options[int]{IdleTimeout: time.Second, Logger: slog.New(&book)}
	inWorlds(t, o, func(w *world) {
		book.mu.records = nil
		s := w.create(1)
		s.Remove()
		s = w.create(2)
		for range 20 {
			w.sleep(500 * time.Millisecond)
			s.Touch()
		}
		if n := len(book.lines(true)); n != 0 {
			w.Errorf("%d lines, want none", n)
		}
	})
}
