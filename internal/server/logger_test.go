package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

// later is a duration that is only made when a line is written.
type later time.Duration

func (l later) LogValue() slog.Value { return slog.DurationValue(time.Duration(l)) }

// Durations read the same in both formats, wherever in a line they stand.
func TestLogger_WritesDurationsAlike(t *testing.T) {
	t.Parallel()
	lines := map[string]string{}
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log := newLogger(format, slog.LevelInfo, &b).With("before", 90*time.Second)
		log.Info("event", "window", 30*time.Second, slog.Group("of", "took", 1500*time.Microsecond),
			"pause", later(time.Hour), "none", time.Duration(0), "sessions", 30_000,
			"why", "idle")
		lines[format] = b.String()
	}
	const text = ` level=INFO msg=event before=1m30s window=30s of.took=1.5ms pause=1h0m0s ` +
		`none=0s sessions=30000 why=idle` + "\n"
	if !strings.HasSuffix(lines["text"], text) {
		t.Errorf("text is %q, want it to end in %q", lines["text"], text)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines["json"]), &got); err != nil {
		t.Fatal(err)
	}
	at, _ := got["time"].(string)
	if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
		t.Errorf("the time of a line is %v", got["time"])
	}
	delete(got, "time")
	want := map[string]any{
		"level": "INFO", "msg": "event", "before": "1m30s", "window": "30s",
		"of": map[string]any{"took": "1.5ms"}, "pause": "1h0m0s", "none": "0s",
		"sessions": 30_000.0, "why": "idle",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("JSON is %v, want %v", got, want)
	}
}
