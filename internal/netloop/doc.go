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
// write, the peer's close frame, the socket itself) follows, at most five seconds long.
//
// # Design
//
// A connection goes through three stages:
//
//	upgrade ──> open ──> closing ──> gone
//	   └──────────────────────────────┘  refused, or nothing asked
//
//	upgrade   the head is gathered, checked, and answered
//	open      frames go to the Handler, its frames go to the queue
//	closing   a close frame waits or was sent; the Handler was told, or is about to be
//
// Each connection has one goroutine that reads. Its read deadline is its only timer: it stands at
// the earliest of hello, ping and close deadlines, and frames that arrive do not move it; when it
// passes, the reader looks at what is really due and sets it anew. A second goroutine writes while
// the queue holds something and is gone when it is empty, so whoever sends never waits for a peer.
//
// Package wsframe reads and writes the frames: bytes in, events out, at any split. Nothing above it
// knows that a connection has a goroutine; the interfaces [Conn] and [Handler] are all that the
// gateway sees, so loops over epoll can stand where the goroutines stand.
//
// gobwas/ws does the handshake. What it leaves to its user is done here: limits on the head before
// anything is allocated, strict HTTP, bytes that follow the head, and answers to every malformed
// request.
//
// # Concurrency
//
// All methods of [Server] and [Conn] may be called from any goroutine, and from callbacks, except
// that a callback must not call [Server.Wait] or [Server.Close]: they wait for it. The Handler's
// methods are called with no lock held, for one connection one after the other, for different ones
// at the same time.
//
// # Limits
//
// A head has at most 8 KiB and 64 header lines. What one connection holds is bounded: at most its
// head before the upgrade; after it a buffer to read into, for an unfinished message less than
// twice what has come of it, which [Options.MaxMessageBytes] bounds, and
// [Options.WriteBufferBytes] of queue; one larger message may wait when nothing else does.
package netloop
