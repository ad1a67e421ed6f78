package gateway

import (
	"context"
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
// evenly over the window (0: at once), each told when to come back. It returns when the last one
// is gone, or with ctx's error.
func (g *Gateway) Drain(ctx context.Context, window time.Duration) error {
	g.draining.Store(true)
	g.net.Stop()
	start := now()
	conns := slices.Collect(g.net.All())
	for i := 0; i < len(conns); {
		for due := dueBy(now().Sub(start), window, len(conns)); i < due; i++ {
			g.goodbye(conns[i], i)
		}
		if i < len(conns) && !g.pause(ctx, drainStep) {
			break
		}
	}
	for n := len(conns); g.pause(ctx, lateStep); n++ {
		for c := range g.net.All() { // whoever was in the middle of the upgrade
			g.goodbye(c, n)
		}
	}
	return g.net.Wait(ctx)
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

// goodbye lets the i-th client go.
func (g *Gateway) goodbye(c netloop.Conn, i int) {
	if c.Tag() != 0 {
		g.end(c, ReasonDrained)
		if c.Protocol() != ProtocolRaw {
			sendGoodbye(c, spread(i))
		}
	}
	c.Close(codeDraining, "draining")
}

// spread is the i-th of many waits that lie evenly within retrySpread, however many there are.
func spread(i int) time.Duration {
	_, part := math.Modf(float64(i) * math.Phi)
	return time.Duration(part * float64(retrySpread))
}

// Close ends the gateway at once. Who is connected gets a close frame where it can still be
// written. After Close no callback runs.
func (g *Gateway) Close() error {
	g.draining.Store(true)
	g.net.Stop()
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
	return g.table.Close()
}
