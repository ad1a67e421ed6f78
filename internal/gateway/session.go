package gateway

import (
	"context"
	"log/slog"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/netloop"
)

// link is the value of a session: who it belongs to. It holds no pointer, so the table's memory is
// nothing to the collector.
type link struct {
	conn  netloop.ID
	wants wants
}

// wants are the wishes of a client.
type wants uint8

const wantsExpiring wants = 1 << iota // to be told when grace begins

// Reason is why a session ended.
type Reason string

// The reasons. The first two are time's.
const (
	ReasonIdle     Reason = "idle"     // its idle timeout and grace passed
	ReasonLifetime Reason = "lifetime" // its lifetime passed
	ReasonBye      Reason = "bye"      // the client said bye
	ReasonClosed   Reason = "closed"   // the client closed its connection
	ReasonLost     Reason = "lost"     // the connection broke, or showed no life
	ReasonSlow     Reason = "slow"     // the client did not read
	ReasonPolicy   Reason = "policy"   // the client broke the protocol or a limit
	ReasonDrained  Reason = "drained"  // the daemon is going away
)

func reasonOf(r engine.Reason) Reason {
	if r == engine.ReasonLifetime {
		return ReasonLifetime
	}
	return ReasonIdle
}

// End is the one event that each session ends in.
type End struct {
	Session string
	Reason  Reason
}

// begin makes a session for a connection.
func (g *Gateway) begin(c netloop.Conn, w wants) (engine.Session[link], error) {
	s, err := g.table.Create(link{conn: c.ID(), wants: w})
	if err != nil {
		return s, err
	}
	c.SetTag(uint64(s.Ref()))
	c.Ready()
	if g.log.Enabled(context.Background(), slog.LevelDebug) {
		g.log.Debug("session began", "session", s.ID(), "remote", c.Remote())
	}
	return s, nil
}

// session is the session of a connection. Its methods say whether it lives.
func (g *Gateway) session(c netloop.Conn) engine.Session[link] {
	return g.table.At(engine.Ref(c.Tag()))
}

// end ends the session of a connection, if it has one that lives.
func (g *Gateway) end(c netloop.Conn, why Reason) {
	s := g.session(c)
	var id string
	if g.reports() {
		id = s.ID() // afterwards it has none
	}
	if _, ok := s.Remove(); ok {
		g.ended(id, why)
	}
}

// reports says whether anybody asks for the ends of sessions.
func (g *Gateway) reports() bool {
	return g.o.OnEnd != nil || g.log.Enabled(context.Background(), slog.LevelDebug)
}

// ended reports an end. Only who ended the session calls it.
func (g *Gateway) ended(id string, why Reason) {
	g.log.Debug("session ended", "session", id, "reason", why)
	if g.o.OnEnd != nil {
		g.o.OnEnd(End{Session: id, Reason: why})
	}
}

// onExpire tells the clients whose sessions time has ended and closes their connections.
func (g *Gateway) onExpire(batch []engine.Expired[link]) {
	for i := range batch {
		e := batch[i]
		if g.reports() {
			g.ended(e.ID(), reasonOf(e.Reason))
		}
		c, ok := g.net.Conn(e.Value.conn)
		if !ok {
			continue // it ended by itself at the same moment
		}
		if c.Protocol() != ProtocolRaw {
			sendExpired(c, e)
		}
		if e.Reason == engine.ReasonLifetime {
			c.Close(codeLifetime, "session lifetime")
		} else {
			c.Close(codeIdle, "session idle")
		}
	}
}

// onGrace warns the clients who asked for it.
func (g *Gateway) onGrace(batch []engine.Session[link]) {
	for _, s := range batch {
		l, ok := s.Value()
		if !ok || l.wants&wantsExpiring == 0 {
			continue
		}
		info, ok := s.Info()
		if !ok || info.State != engine.StateGrace {
			continue // it was touched meanwhile
		}
		if c, ok := g.net.Conn(l.conn); ok {
			sendExpiring(c, info.Deadline.Sub(now()))
		}
	}
}
