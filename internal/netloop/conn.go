package netloop

import (
	"net/netip"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// Conn is one open connection. It is a small value that names the connection and how to reach it;
// the zero Conn is none.
type Conn struct {
	on transport
	id ID
}

// transport is what carries connections. Where one has ended its calls do nothing.
type transport interface {
	remote(id ID) netip.AddrPort
	protocol(id ID) string
	tag(id ID) uint64
	setTag(id ID, tag uint64)
	ready(id ID)
	send(id ID, kind Kind, payload []byte) bool
	close(id ID, e End, reason string)
	evict(id ID) // ends a connection for what it holds
}

// ID names the connection.
func (c Conn) ID() ID { return c.id }

// Remote is the peer's address: where it dialed from, or what a proxy that is believed says of it.
// It is the zero address where the transport has none.
func (c Conn) Remote() netip.AddrPort { return c.on.remote(c.id) }

// Protocol is the subprotocol that was agreed on, "" where the client asked for none.
func (c Conn) Protocol() string { return c.on.protocol(c.id) }

// Tag is the handler's own word about the connection, 0 until SetTag sets it.
func (c Conn) Tag() uint64 { return c.on.tag(c.id) }

// SetTag replaces the handler's word.
func (c Conn) SetTag(tag uint64) { c.on.setTag(c.id, tag) }

// Ready says that the client has introduced itself: the hello timeout is over.
func (c Conn) Ready() { c.on.ready(c.id) }

// Send queues a Text or Binary message. It copies payload and never waits. It gives false when the
// connection has ended, or when too much waits for its peer already: what becomes of the connection
// then is for [Options.OnSlow] to say. It also gives false, and nothing else happens, where so much
// was left for all connections of a loop that no more is taken.
func (c Conn) Send(kind Kind, payload []byte) bool { return c.on.send(c.id, kind, payload) }

// Close ends the connection: what is queued is still written, then a close frame, which is empty
// where the code is 0. Closing an ended connection does nothing. It panics where no close frame may
// hold the code.
func (c Conn) Close(code Code, reason string) {
	if code != 0 && !wsframe.Code(code).Valid() {
		panic("netloop: no close frame may hold this code")
	}
	c.on.close(c.id, End{CauseClosed, code}, reason)
}
