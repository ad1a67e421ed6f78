// Package netloop is the network side of the gateway: it accepts connections, upgrades them to
// WebSocket, reads and writes frames, and ends connections that are silent, slow or wrong. It knows
// nothing of sessions: what messages mean is for its [Handler].
//
//	s, err := netloop.New(netloop.Options{Handler: h, Paths: []string{"/ws"}, ...})
//	err = s.Serve(listener) // until s.Stop
//
// # Terms
//
// The head is an HTTP request up to its blank line. A turn is what one read brings: the messages
// and control frames that it completes are handled, and what the handler answers meanwhile leaves
// in one write. A sign of life is a whole message or a control frame; a fragment is none. The end
// of a connection is the moment from which nothing more is read from it; its teardown (a last
// write, the peer's close frame, the socket itself) follows, at most five seconds long. A
// connection is held from a call of the Handler that asks for it to its release: what the peer
// sends waits.
//
// # Design
//
// A connection goes through three stages:
//
//	upgrade ──> open ──> closing ──> gone
//	   └──────────────────────────────┘  refused, or nothing asked
//
//	upgrade   the head is gathered, checked, and answered; Open may hold it before the answer
//	open      frames go to the Handler, its frames go to the queue; Message may hold it
//	closing   a close frame waits or was sent; the Handler was told, or is about to be
//
// Two modes do the same with the same parts: package handshake takes heads apart and answers them,
// wsframe reads and writes frames, vitals say what is due when, the queue holds what waits, and
// holders, addresses and stats are one for all connections.
//
// [ModeEpoll] has loops, one a processor, each with a listening socket of its own (SO_REUSEPORT):
//
//	              ┌───────────────────────── loop ──────────────────────────┐
//	sockets ──────┤ poller ──> event: slot, generation ──> read, parse ──> Handler
//	others ──────>│ inbox  ──> errand: send, close                   │      │
//	              │ wheel  ──> visit: hello, ping, pong, write,      v      │
//	              │            close deadlines               out ──> write  │
//	              └───────────────────────────────────────────────┴─────────┘
//
// An idle connection is a slot: 64 bytes without pointers, and an entry in the loop's wheel. What
// is unfinished about it (a head, a message, a write, its end) lies in a busy state that it borrows
// meanwhile. So what a connection is can be written out as bytes, and the collector's work does not
// grow with idle connections. Reading is level-triggered, once an event, into a buffer that all
// connections of the loop share. What a turn sends leaves in one write; what the socket does not
// take waits in the queue until it does. A sign of life changes a number in the slot; the wheel
// learns of it when it comes to visit.
//
// Whoever is not the loop reaches its connections through the inbox: an errand is left under a lock
// that is held for the copying of its payload, and the loop does a bounded number of them a turn.
// What a handler sends while errands wait for the same connection goes the same way, so that it
// overtakes nothing. A release is an errand too. A connection that is held stays with the poller as
// it is until there is something to read; from then on the poller is not asked for that.
// A slot is used again at once, with another generation, which events, IDs and errands carry, so
// that none of them reaches the wrong connection.
//
// [ModeGoroutine] gives each connection a goroutine that reads. Its read deadline is its only
// timer: it stands at the earliest of hello, ping and close deadlines, and frames that arrive do
// not move it. A second goroutine writes while the queue holds something and is gone when it is
// empty, so whoever sends never waits for a peer. Where the connection is held the goroutine waits
// for the release. It serves TLS, pipes, and systems without epoll.
//
// # Concurrency
//
// All methods of [Server] and of a [Conn] that [Server.Conn] or [Server.All] gave may be called
// from any goroutine, and from callbacks, except that a callback must not call [Server.Wait] or
// [Server.Close], which wait for it, and that [Conn.SetTag] and [Conn.Hold] are for callbacks. A
// Conn that a callback is given is good during that call. The Handler's methods are called with no
// lock held, for one connection one after the other, for different ones at the same time. No method
// of Server or Conn calls them, so the Handler's owner may hold a lock of its own around all but
// [Server.Wait] and [Server.Close].
//
// # Limits
//
// A head has at most 8 KiB and 64 header lines. What one connection holds is bounded: at most its
// head before the upgrade; after it, for an unfinished message less than twice what has come of it,
// which [Options.MaxMessageBytes] bounds, and [Options.WriteBufferBytes] of queue; one larger
// message may wait when nothing else does. One that is held has at most one read more, of 64 KiB,
// and in the upgrade what was sent to it. All connections together hold
// [Options.BufferTotalBytes]; above it the largest holder is closed. A loop has at most 16,777,216
// connections.
package netloop
