package bench

import (
	"log/slog"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/baseline"
	"github.com/curfew-go/curfew/internal/benchtest"
)

// none is the value of sessions that are measured: what the peers keep, too.
type none = struct{}

// impls are the engine and those peers that need no other module, behind the floor.
var impls = []baseline.Impl{
	baseline.HashImpl,
	curfewImpl,
	baseline.LockedMapImpl,
	baseline.StdTimerImpl,
	baseline.LuoImpl,
}

var curfewImpl = baseline.Impl{Name: "curfew", Open: openCurfew, Exact: true}

// curfew is the engine as baseline.Sessions: a table with its own clock and all defaults.
type curfew struct {
	*engine.Table[none]
}

func openCurfew(c baseline.Config) baseline.Sessions {
	o := engine.Options[none]{IdleTimeout: c.Idle, Logger: quiet}
	if c.OnExpire != nil {
		o.OnExpire = func(batch []engine.Expired[none]) {
			for i := range batch {
				c.OnExpire(batch[i].ID())
			}
		}
	}
	return curfew{must(engine.New(o))}
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

// newTable makes a table that is closed at the end.
func newTable(tb testing.TB, o engine.Options[none]) *engine.Table[none] {
	tb.Helper()
	o.Logger = quiet
	t := must(engine.New(o))
	tb.Cleanup(func() { _ = t.Close() })
	return t
}

// fill creates sessions with n random IDs and returns their handles in the order of creation.
func fill(t *engine.Table[none], n int) []engine.Session[none] {
	handles := make([]engine.Session[none], n)
	for i, id := range benchtest.Keys(n, 1) {
		s, _, err := t.Ensure(id, none{})
		handles[i] = must(s, err)
	}
	return handles
}

// quiet keeps the summary lines out of the results.
var quiet = slog.New(slog.DiscardHandler)

// longIdle is a timeout that does not come while something else is measured.
const longIdle = 1000 * time.Hour

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
