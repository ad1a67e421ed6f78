package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/curfew-go/curfew/engine"
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
