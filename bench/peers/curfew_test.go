package peers

import (
	"log/slog"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/baseline"
)

// none is the value of all sessions.
type none = struct{}

var curfewImpl = baseline.Impl{Name: "curfew", Open: openCurfew, Exact: true}

// curfew is the engine: a table with its own clock and all defaults.
type curfew struct {
	*engine.Table[none]
}

func openCurfew(c baseline.Config) baseline.Sessions {
	o := engine.Options[none]{IdleTimeout: c.Idle, Logger: slog.New(slog.DiscardHandler)}
	if c.OnExpire != nil {
		o.OnExpire = func(batch []engine.Expired[none]) {
			for i := range batch {
				c.OnExpire(batch[i].ID())
			}
		}
	}
	t, err := engine.New(o)
	if err != nil {
		panic(err)
	}
	return curfew{t}
}

func (c curfew) Create(ids []string) {
	for _, id := range ids {
		if _, created, err := c.Ensure(id, none{}); !created || err != nil {
			panic("Ensure of a new ID created none")
		}
	}
}

func (c curfew) Touch(ids []string) (alive int) {
	for _, id := range ids {
		if c.Table.Touch(id) {
			alive++
		}
	}
	return alive
}

func (c curfew) Remove(ids []string) (removed int) {
	for _, id := range ids {
		if _, ok := c.Table.Remove(id); ok {
			removed++
		}
	}
	return removed
}

func (c curfew) Bytes() int64 { return c.Stats().Bytes }

func (c curfew) Close() { _ = c.Table.Close() }
