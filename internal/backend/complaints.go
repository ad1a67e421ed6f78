package backend

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// complaintEvery is how often one complaint may be logged.
const complaintEvery = time.Second

// complaints writes warnings, of each kind at most one a second, so that an application in trouble
// does not fill the disk.
type complaints struct {
	log *slog.Logger

	mu struct {
		sync.Mutex
		kinds map[string]*complaint // by message, of which there are few
	}
}

type complaint struct {
	last    time.Time
	skipped int
}

// warn logs a message, with how many of the same were left out before it.
func (c *complaints) warn(message string, attrs ...slog.Attr) {
	skipped, ok := c.admit(message)
	if !ok {
		return
	}
	if skipped > 0 {
		attrs = append(attrs, slog.Int("skipped", skipped))
	}
	c.log.LogAttrs(context.Background(), slog.LevelWarn, message, attrs...)
}

func (c *complaints) admit(message string) (skipped int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.mu.kinds[message]
	if k == nil {
		if c.mu.kinds == nil {
			c.mu.kinds = map[string]*complaint{}
		}
		k = &complaint{}
		c.mu.kinds[message] = k
	} else if now().Sub(k.last) < complaintEvery {
		k.skipped++
		return 0, false
	}
	skipped = k.skipped
	k.last, k.skipped = now(), 0
	return skipped, true
}
