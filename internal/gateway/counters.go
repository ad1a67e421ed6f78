package gateway

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
)

// reasons are all of them, in the order of their counters.
var reasons = [...]Reason{
	ReasonIdle, ReasonLifetime, ReasonWindow, ReasonBye, ReasonClosed, ReasonLost, ReasonSlow,
	ReasonRevoked, ReasonEvicted, ReasonPolicy, ReasonDrained,
}

// number is the place of a reason among all of them.
func (r Reason) number() int { return slices.Index(reasons[:], r) }

// refusalNames are all names of refusals, in the order of their counters.
var refusalNames = [...]string{
	refusedInvalid.name, refusedMissing.name, refusedUnauthorized.name, refusedUnknown.name,
	refusedLimit.name, refusedUnavailable.name, refusedTakeover(0).name,
	refusedEnded(ReasonWindow).name, refusedEnded(ReasonIdle).name,
	refusedEnded(ReasonLifetime).name, refusedEnded(ReasonRevoked).name,
	refusedEnded(ReasonEvicted).name, refusedEnded(ReasonDrained).name,
	refusedEnded(ReasonPolicy).name,
}

// refusedBy counts refused hellos by the name of the refusal.
type refusedBy [len(refusalNames)]atomic.Uint64

func (c *refusedBy) note(r refusal) { c[slices.Index(refusalNames[:], r.name)].Add(1) }

// counts are all of them by name, those at 0 too.
func (c *refusedBy) counts() map[string]uint64 {
	m := make(map[string]uint64, len(c))
	for i := range c {
		m[refusalNames[i]] = c[i].Load()
	}
	return m
}

// outcome is what came of a call of a tool.
type outcome uint8

const (
	outcomeOK       outcome = iota
	outcomeError            // the tool or the application failed
	outcomeTimeout          // it took too long
	outcomeRefused          // it did not run: it was no proper call, of no tool, or one too many
	outcomeCanceled         // its session ended, or the daemon
	outcomes                // how many there are
)

var outcomeNames = [outcomes]string{"ok", "error", "timeout", "refused", "canceled"}

// outcomeOf is the outcome of a call that ran, or was to run, with a context.
func outcomeOf(ctx context.Context, err error) outcome {
	var e *backend.Error
	said := func(c backend.Code) bool { return errors.As(err, &e) && e.Code == c }
	switch {
	case err == nil:
		return outcomeOK
	case errors.Is(ctx.Err(), context.Canceled):
		return outcomeCanceled
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), said(backend.CodeTimeout):
		return outcomeTimeout
	case said(backend.CodeToolNotFound):
		return outcomeRefused
	}
	return outcomeError
}

// counters are what Counts are made of that nothing else knows. They order nothing.
type counters struct {
	detached atomic.Int64 // sessions that are
	graced   atomic.Int64 // those of them that the table has in grace

	created       atomic.Uint64
	rejected      atomic.Uint64
	ended         [len(reasons)]atomic.Uint64
	detachedEver  atomic.Uint64
	resumed       atomic.Uint64
	takenOver     atomic.Uint64
	helloRefused  refusedBy
	resumeRefused refusedBy

	replayed      atomic.Uint64
	replayedBytes atomic.Uint64
	replayGaps    atomic.Uint64

	pushed, pushRefused atomic.Uint64

	calls   [outcomes]atomic.Uint64
	waiting atomic.Int64
}

// rejects counts a newcomer for whom there is no session, if that is since the table is full.
func (c *counters) rejects(err error) {
	if errors.Is(err, engine.ErrFull) {
		c.rejected.Add(1)
	}
}

// toll is what the ends of some sessions change in the counters, which is added at once.
type toll struct {
	ended    [len(reasons)]uint32
	detached int
	graced   int
}

// end counts an end.
func (t *toll) end(why Reason) { t.ended[why.number()]++ }

// add adds a toll.
func (c *counters) add(t *toll) {
	for i, n := range t.ended {
		if n > 0 {
			c.ended[i].Add(uint64(n))
		}
	}
	if t.detached > 0 {
		c.detached.Add(-int64(t.detached))
	}
	if t.graced > 0 {
		c.graced.Add(-int64(t.graced))
	}
}

// arrivedLocked counts out a session that is detached, if it is: it is on a connection again, or
// has ended.
func (t *toll) arrivedLocked(st *state) {
	if st.leaveBy.Swap(0) != 0 {
		t.detached++
	}
	if st.graced {
		st.graced = false
		t.graced++
	}
}

// regrace is regraceLocked for a session that may have been touched.
func (g *Gateway) regrace(s engine.Session[link]) {
	if g.o.Grace == 0 {
		return
	}
	if l, ok := s.Value(); ok && l.state != nil {
		l.state.mu.Lock()
		g.counters.graced.Add(g.regraceLocked(s, l.state))
		l.state.mu.Unlock()
	}
}

// regraceLocked looks whether a detached session is in grace, and says what that changes in how
// many are. It is called after all that may change it: the loss of the connection, what the table
// says of grace, an operator's touch. So whoever comes last finds it as it is. What else touches a
// session without a connection, the end of a request, does so to one that was busy, and thus not in
// grace.
func (g *Gateway) regraceLocked(s engine.Session[link], st *state) (change int64) {
	if g.o.Grace == 0 || st.leaveBy.Load() == 0 {
		return 0
	}
	v, ok := s.View()
	if is := ok && v.State == engine.StateGrace; is != st.graced {
		st.graced = is
		if is {
			return 1
		}
		return -1
	}
	return 0
}
