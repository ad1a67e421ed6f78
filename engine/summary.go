package engine

import "time"

// summaryInterval is the least time between two summary lines.
const summaryInterval = time.Second

// A summary counts expired sessions until a line about them is written. It belongs to the
// goroutine that sweeps.
type summary struct {
	idle, lifetime uint64
	last           int64 // When the last line was written, in nanoseconds since the epoch.
	wrote          bool
}

func (s *summary) count(dead []death) {
	for i := range dead {
		if dead[i].reason == ReasonIdle {
			s.idle++
		} else {
			s.lifetime++
		}
	}
}

func (s *summary) counted() uint64 { return s.idle + s.lifetime }

// due reports whether a line is to be written: something was counted, and no line was written for
// summaryInterval.
func (s *summary) due(now int64) bool {
	return s.counted() > 0 && (!s.wrote || now-s.last >= int64(summaryInterval))
}

// dueTick is the tick at which a line may be written for what was counted, or never.
func (s *summary) dueTick(c *clock) uint64 {
	if s.counted() == 0 {
		return never
	}
	return uint64(satAdd(s.last, int64(summaryInterval))/c.tick) + 1
}

// flush writes a line about what was counted.
func (s *summary) flush(c *core) {
	c.logger.Info("sessions expired", "expired", s.counted(),
		"idle", s.idle, "lifetime", s.lifetime, "live", c.live.Load())
	*s = summary{last: c.clock.now(), wrote: true}
}
