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

// dueTick is the tick at which a line may be written for what was counted, or never.
func (s *summary) dueTick(c *clock) uint64 {
	if s.idle+s.lifetime == 0 {
		return never
	}
	return uint64(satAdd(s.last, int64(summaryInterval))/c.tick) + 1
}

// write writes a line if something was counted and none was written for summaryInterval.
func (s *summary) write(c *core) {
	if !s.wrote || c.clock.now()-s.last >= int64(summaryInterval) {
		s.flush(c)
	}
}

// flush writes a line if something was counted.
func (s *summary) flush(c *core) {
	if s.idle+s.lifetime == 0 {
		return
	}
	c.logger.Info("sessions expired", "expired", s.idle+s.lifetime,
		"idle", s.idle, "lifetime", s.lifetime, "live", c.live.Load())
	*s = summary{last: c.clock.now(), wrote: true}
}
