package gateway

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/curfew-go/curfew/internal/netloop"
)

const (
	// retrySpread is the time over which drained clients are asked to spread their return.
	retrySpread = 5 * time.Second
	// drainStep is how often a drain looks at what is due.
	drainStep = 10 * time.Millisecond
	// lateStep is how often it then looks for clients who were in the middle of the upgrade.
	lateStep = 100 * time.Millisecond
	// abortPatience is how long Close waits for last words to be written.
	abortPatience = 500 * time.Millisecond
)

// Drain ends serving: no connection is accepted, no session begins, and the connections are closed
// evenly over the window (0: at once), each told when to come back. Who has something in flight is
// let go when that is answered, or when the application had all the time for it. Drain returns when
// the last one is gone, every session has ended and the application has been asked everything, or
// with ctx's error.
func (g *Gateway) Drain(ctx context.Context, window time.Duration) error {
	g.draining.Store(true)
	g.net.Stop()
	start := now()
	conns := slices.Collect(g.net.All())
	g.endDetached()
	var busy []netloop.Conn
	for i := 0; i < len(conns); {
		for due := dueBy(now().Sub(start), window, len(conns)); i < due; i++ {
			if !g.goodbye(conns[i], i) {
				busy = append(busy, conns[i])
			}
		}
		busy = slices.DeleteFunc(busy, func(c netloop.Conn) bool { return g.goodbye(c, i) })
		if i < len(conns) && !g.pause(ctx, drainStep) {
			break
		}
	}
	patience := window + 2*g.o.BackendTimeout
	for n := len(conns); g.pause(ctx, lateStep); n++ {
		if now().Sub(start) > patience {
			g.giveUp() // the application does not answer: nothing stays in flight
		}
		for c := range g.net.All() { // who was busy, or in the middle of the upgrade
			g.goodbye(c, n)
		}
	}
	if err := g.net.Wait(ctx); err != nil {
		return err
	}
	g.endAll()
	return g.waitForWork(ctx)
}

// endDetached ends the sessions that have no connection: nobody can resume them here any more.
func (g *Gateway) endDetached() {
	for s := range g.table.All() {
		if l, ok := s.Value(); ok && l.state != nil {
			g.finish(s, ReasonDrained, 0, func(st *state) bool { return st.conn == 0 })
		}
	}
}

// endAll ends what is left when no connection is.
func (g *Gateway) endAll() {
	for s := range g.table.All() {
		g.finish(s, ReasonDrained, 0, nil)
	}
}

// waitForWork returns when nothing is being asked of the application.
func (g *Gateway) waitForWork(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		g.calls.all.Wait()
		g.workers.close()
		g.asks.close()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause waits a step. It gives false when there is nothing more to wait for.
func (g *Gateway) pause(ctx context.Context, step time.Duration) bool {
	select {
	case <-g.net.Gone():
		return false
	case <-ctx.Done():
		return false
	case <-after(step):
		return true
	}
}

// dueBy is how many of n closes, spread over the window, are due once some of it has passed. The
// first is due at once.
func dueBy(passed, window time.Duration, n int) int {
	if passed >= window {
		return n
	}
	return min(n, 1+int(float64(n)*float64(passed)/float64(window)))
}

// goodbye lets the i-th client go, unless it has something in flight.
func (g *Gateway) goodbye(c netloop.Conn, i int) bool {
	if c.Tag() != 0 {
		s := g.session(c)
		l, ok := s.Value()
		if ok && l.state != nil && !l.state.leave() {
			return false
		}
		g.end(c, ReasonDrained)
		if c.Protocol() != ProtocolRaw {
			sendGoodbye(c, spread(i))
		}
	}
	c.Close(codeDraining, "draining")
	return true
}

// spread is the i-th of many waits that lie evenly within retrySpread, however many there are.
func spread(i int) time.Duration {
	_, part := math.Modf(float64(i) * math.Phi)
	return time.Duration(part * float64(retrySpread))
}

// Close ends the gateway at once, with what is left of sessions and requests. Who is connected gets
// a close frame where it can still be written. After Close no callback runs.
func (g *Gateway) Close() error {
	g.draining.Store(true)
	g.net.Stop()
	g.giveUp()
	for c := range g.net.All() {
		c.Close(netloop.CodeGoingAway, "going away")
	}
	select {
	case <-g.net.Gone():
	case <-after(abortPatience):
	}
	if err := g.net.Close(); err != nil {
		return err
	}
	g.deadlines.close()
	g.endAll()
	err := g.waitForWork(context.Background())
	return errors.Join(err, g.table.Close())
}
