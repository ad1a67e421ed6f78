package server

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/curfew-go/curfew/internal/audit"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/netloop"
)

// summary logs how many sessions time ended, at its own pace: that of the cleanups of the daemon
// that Curfew replaces, though here nothing waits for it. It belongs to one goroutine at a time.
type summary struct {
	log    *slog.Logger
	counts func() gateway.Counts
	pace   chan time.Duration // another interval, from then on; nil: never

	idle, lifetime, window uint64 // as of the last line
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
		case interval = <-s.pace:
			t.Reset(interval)
		}
	}
}

// write writes a line about what expired since the last one, if anything did.
func (s *summary) write() {
	now := s.counts()
	ended := func(why gateway.Reason, last *uint64) (n uint64) {
		n = now.Ended[why] - *last
		*last = now.Ended[why]
		return n
	}
	idle, lifetime := ended(gateway.ReasonIdle, &s.idle), ended(gateway.ReasonLifetime, &s.lifetime)
	window := ended(gateway.ReasonWindow, &s.window)
	expired := idle + lifetime + window
	if expired == 0 {
		return
	}
	s.log.Info("sessions expired", "expired", expired, "idle", idle, "lifetime", lifetime,
		"window", window, "live", now.Live+now.Detached+now.Grace)
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

// auditSummary is what became of the entries of the audit log; nothing where there is none.
func auditSummary(l *audit.Log) slog.Value {
	if l == nil {
		return slog.GroupValue()
	}
	s := l.Stats()
	return slog.GroupValue(slog.Uint64("written", s.Written), slog.Uint64("lost", s.Lost),
		slog.Uint64("errors", s.Errors))
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
