package server

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// summary logs how many sessions expired, at its own pace: that of the cleanups of the daemon that
// Curfew replaces, though here nothing waits for it. It belongs to one goroutine at a time.
type summary struct {
	log   *slog.Logger
	stats func() engine.Stats

	idle, lifetime uint64 // as of the last line
}

// run writes a line every interval in which something expired, until ctx ends.
func (s *summary) run(ctx context.Context, interval time.Duration) {
	t := newTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.write()
		}
	}
}

// write writes a line about what expired since the last one, if anything did.
func (s *summary) write() {
	now := s.stats()
	idle, lifetime := now.Idle-s.idle, now.Lifetime-s.lifetime
	if idle+lifetime == 0 {
		return
	}
	s.idle, s.lifetime = now.Idle, now.Lifetime
	s.log.Info("sessions expired", "expired", idle+lifetime, "idle", idle, "lifetime", lifetime,
		"live", now.Live)
}

// networkSummary is what the network side did, for the last line of the log.
func networkSummary(s netloop.Stats) slog.Value {
	attrs := []slog.Attr{
		slog.Uint64("accepted", s.Accepted), slog.Uint64("upgraded", s.Upgraded),
		slog.Uint64("starved", s.Starved), slog.Uint64("dropped", s.Dropped),
		slog.Uint64("evicted", s.Evicted),
	}
	for _, status := range slices.Sorted(maps.Keys(s.Refused)) {
		attrs = append(attrs, slog.Uint64(strconv.Itoa(status), s.Refused[status]))
	}
	for _, cause := range slices.Sorted(maps.Keys(s.Ended)) {
		attrs = append(attrs, slog.Uint64(cause.String(), s.Ended[cause]))
	}
	return slog.GroupValue(attrs...)
}

// applicationSummary is what an application over HTTP was asked, by event and outcome, and how many
// ends of sessions it will not hear of; nothing where there is none.
func applicationSummary(b backend.Backend) slog.Value {
	h, ok := b.(*backend.HTTP)
	if !ok {
		return slog.GroupValue()
	}
	stats := h.Stats()
	attrs := []slog.Attr{slog.Uint64("ends_dropped", stats.EndsDropped)}
	for _, r := range stats.Requests {
		if r.Count > 0 {
			attrs = append(attrs, slog.Uint64(r.Event+"_"+r.Outcome, r.Count))
		}
	}
	return slog.GroupValue(attrs...)
}
