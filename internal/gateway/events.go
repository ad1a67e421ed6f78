package gateway

import (
	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/netloop"
)

// EventType says what happened to a session.
type EventType string

// The types of events.
const (
	EventCreate EventType = "create"
	EventResume EventType = "resume"
	EventDetach EventType = "detach"
	EventEnd    EventType = "end"
)

// Event is something that happened to a session.
type Event struct {
	Type     EventType
	Session  string
	User     string // "" where it has none
	Remote   string // "" where it has no connection
	Protocol string // "" where that is not known
	Reason   Reason // of an end or of the loss of a connection
}

// watched says whether somebody wants to know what happens to sessions.
func (g *Gateway) watched() bool {
	return g.o.OnEvent != nil && (g.o.Watched == nil || g.o.Watched())
}

// tell tells of an event about a session that is, or was last, on a connection; the zero Conn: on
// none. No lock is held.
func (g *Gateway) tell(e Event, c netloop.Conn) {
	if c != (netloop.Conn{}) {
		if a := c.Remote(); a.IsValid() {
			e.Remote = a.String()
		}
		if e.Protocol = c.Protocol(); e.Protocol == "" {
			e.Protocol = ProtocolJSON
		}
	}
	g.o.OnEvent(e)
}

// tellCreated tells that a session has begun, before others than its client can see it: so that is
// told before its end.
func (g *Gateway) tellCreated(c netloop.Conn, s engine.Session[link]) {
	if g.watched() {
		g.tell(Event{Type: EventCreate, Session: s.ID()}, c)
	}
}
