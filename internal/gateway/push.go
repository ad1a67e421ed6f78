package gateway

import (
	"errors"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// Errors of pushes.
var (
	ErrNoSession   = errors.New("gateway: no such session")
	ErrFull        = errors.New("gateway: too much waits for the client already")
	ErrUnsupported = errors.New("gateway: the session's protocol cannot carry this")
)

// Push sends a message of the application to the client of a session. Its data must be what its
// kind says. Where the client is away and can resume, it is kept for that. ErrFull ends nothing.
func (g *Gateway) Push(id string, m backend.Message) error {
	s, ok := g.find(id)
	if !ok {
		return ErrNoSession
	}
	return g.push(s, m)
}

// PushUser sends a message to all sessions that a user has at the moment, and counts those to which
// it went and those that could not take it.
func (g *Gateway) PushUser(user string, m backend.Message) (sent, refused int) {
	for _, ref := range g.users.of(user) {
		count(g.push(g.table.At(ref), m), &sent, &refused)
	}
	return sent, refused
}

// PushAll sends a message to all sessions in a state (StateLive, ...; "": in any), or only to those
// among them of a user ("": of any and of none), and counts as PushUser does.
func (g *Gateway) PushAll(state, user string, m backend.Message) (sent, refused int) {
	if state == "" && user != "" {
		return g.PushUser(user, m)
	}
	for s := range g.table.All() {
		if state != "" || user != "" {
			d, ok := g.describe(s)
			if !ok || state != "" && d.State != state || user != "" && d.User != user {
				continue
			}
		}
		count(g.push(s, m), &sent, &refused)
	}
	return sent, refused
}

// count counts one push. A session that ended meanwhile counts for nothing.
func count(err error, sent, refused *int) {
	switch {
	case err == nil:
		*sent++
	case !errors.Is(err, ErrNoSession):
		*refused++
	}
}

// push sends a message to a session, and counts that.
func (g *Gateway) push(s engine.Session[link], m backend.Message) error {
	err := g.pushed(s, m)
	switch {
	case err == nil:
		g.counters.pushed.Add(1)
	case !errors.Is(err, ErrNoSession):
		g.counters.pushRefused.Add(1)
	}
	return err
}

func (g *Gateway) pushed(s engine.Session[link], m backend.Message) error {
	l, ok := s.Value()
	if !ok {
		return ErrNoSession
	}
	if l.state == nil {
		c, ok := g.net.Conn(l.conn)
		if !ok || c.Tag() != uint64(s.Ref()) { // its hello is not answered yet
			return ErrNoSession
		}
		return g.pushTo(c, m)
	}
	st := l.state
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.seen() {
		return ErrNoSession
	}
	c, connected := g.net.Conn(st.conn)
	switch {
	case st.resumable():
	case connected:
		return g.pushTo(c, m)
	default:
		return ErrNoSession
	}
	data, ok := dataOf(m)
	if !ok {
		return ErrUnsupported
	}
	n := numbered{op: "message", data: data}
	buf := borrow()
	defer giveBack(buf)
	*buf, _ = n.append((*buf)[:0], st.seq+1)
	if connected && !c.Offer(netloop.Text, *buf) {
		if _, still := g.net.Conn(st.conn); still {
			return ErrFull // the number is free again: nobody has seen it
		}
	}
	st.seq++
	g.keep(st, *buf, kept{})
	return nil
}

// pushTo sends a message to a connection, in the way of its protocol.
func (g *Gateway) pushTo(c netloop.Conn, m backend.Message) error {
	var sent bool
	if c.Protocol() == ProtocolRaw {
		sent = c.Offer(kindOf(m), m.Data)
	} else {
		data, ok := dataOf(m)
		if !ok {
			return ErrUnsupported
		}
		n := numbered{op: "message", data: data}
		buf := borrow()
		*buf, _ = n.append((*buf)[:0], 0)
		sent = c.Offer(netloop.Text, *buf)
		giveBack(buf)
	}
	if sent {
		return nil
	}
	if _, ok := g.net.Conn(c.ID()); !ok {
		return ErrNoSession // it is ending
	}
	return ErrFull
}
