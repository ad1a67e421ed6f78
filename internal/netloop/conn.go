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
	hold(id ID)
	queued(id ID) int
	send(id ID, kind Kind, payload []byte) bool
	offer(id ID, kind Kind, payload []byte) bool
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

// Hold lets the connection wait until [Server.Release] is called for it, once. It is for the calls
// of Open, Message and Released. After the call nothing more is read from the connection, nothing
// about it comes but Closed, and its deadlines rest, other than that of a write: the time that is
// held counts for none of them. What was read already is kept. Sending and closing go on as usual;
// a Close ends the holding too. Where Open holds, it is called again; see [Handler].
//
// Who will release must not be able to do so before Hold is called: that would be no release, and
// the connection would wait for ever. Holding again what is held and not released does nothing, nor
// does holding a connection that has ended.
func (c Conn) Hold() { c.on.hold(c.id) }

// Queued is how many bytes wait to be written to the peer, about: what the kernel has taken does
// not count, but of a connection with a goroutine all that is being written does; a message that
// was sent from outside the loop counts for some bytes more than it has. It is 0 for a connection
// that has ended.
func (c Conn) Queued() int { return c.on.queued(c.id) }

// Send queues a Text or Binary message. It copies payload and never waits. It gives false when the
// connection has ended, or when too much waits for its peer already, or for all connections of a
// loop: what becomes of the connection then is for [Options.OnSlow] to say, so with SlowClose it
// ends. Who rather wants to be refused uses Offer.
//
// What is sent to a connection leaves in the order of the calls of Send and Close, whoever makes
// them and from wherever, where something orders these calls. Neither calls the Handler.
func (c Conn) Send(kind Kind, payload []byte) bool { return c.on.send(c.id, kind, payload) }

// Offer is Send for a message that need not be sent: where too much waits it gives false, and ends
// and drops nothing, whatever OnSlow says. It takes a little less than Send: what it takes must not
// leave Send without room. One of any size is taken where nothing else waits.
func (c Conn) Offer(kind Kind, payload []byte) bool { return c.on.offer(c.id, kind, payload) }

// Close ends the connection: what is queued is still written, then a close frame, which is empty
// where the code is 0. Closing an ended connection does nothing. One that is held by Open has its
// request refused, unless it is closed before Open returns. Close panics where no close frame may
// hold the code.
func (c Conn) Close(code Code, reason string) {
	if code != 0 && !wsframe.Code(code).Valid() {
		panic("netloop: no close frame may hold this code")
	}
	c.on.close(c.id, End{CauseClosed, code}, reason)
}
