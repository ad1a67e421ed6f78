package netloop

import "github.com/curfew-go/curfew/internal/handshake"

// ID names a connection of a [Server]. It is never given to another connection of the same Server.
//
// The highest byte is the number of its loop, from 1, or 0 for one with a goroutine. Of a loop's
// connections the next three bytes are the slot, and the rest is the slot's generation.
type ID uint64

func (id ID) loop() int { return int(id >> 56) }

// Kind is what a frame carries.
type Kind uint8

// The kinds of frames. Text and Binary are messages, Ping and Pong are control frames.
const (
	Text Kind = iota + 1
	Binary
	Ping
	Pong
)

// Code is the code of a WebSocket close frame.
type Code uint16

// Close codes of RFC 6455, and those that this package closes with for reasons of its own.
const (
	CodeNormal       Code = 1000
	CodeGoingAway    Code = 1001
	CodeProtocol     Code = 1002
	CodeUnsupported  Code = 1003
	CodeBadData      Code = 1007
	CodeTooBig       Code = 1009
	CodeInternal     Code = 1011
	CodeTryAgain     Code = 1013
	CodeHelloTimeout Code = 4002
	CodeSlow         Code = 4101
	CodeNoPong       Code = 4102
)

// Cause says why a connection ended.
type Cause uint8

// The causes. The first that applies is the one.
const (
	CauseClosed   Cause = iota + 1 // the handler called Close
	CausePeer                      // the peer sent a close frame
	CauseLost                      // the connection broke off
	CauseSilent                    // no sign of life within the ping timeout
	CauseSlow                      // the peer did not read what was sent, or it held too much
	CauseProtocol                  // the peer broke the protocol or a limit
	CauseHello                     // Ready was not called within the hello timeout
	CausePanic                     // the handler panicked

	causes = iota + 1
)

var causeNames = [...]string{
	"", "closed", "peer", "lost", "silent", "slow", "protocol", "hello", "panic",
}

// String is the cause in one word, as in logs.
func (c Cause) String() string { return causeNames[c] }

// End is how a connection ended.
type End struct {
	Cause Cause
	Code  Code // of the close frame that came first, from either side; 0 where there was none
}

// Refusal is an HTTP answer other than 101.
type Refusal = handshake.Refusal

// Request is a proper handshake.
type Request = handshake.Request

// Handler is what a [Server] does with its connections. Payloads and requests are only valid during
// the call, and so is the Conn: it belongs to the goroutine that calls. Where a connection is
// needed later or elsewhere, its ID is kept and [Server.Conn] asked. The methods must not wait for
// anything: other connections may depend on the same goroutine.
type Handler interface {
	// Open is asked when a client has sent a proper handshake, before it is answered. The answer
	// is a Refusal, after which the Handler hears nothing more of c, or header lines (each ended
	// by \r\n) that go with the 101, appended to header. What Open sends follows the 101.
	//
	// Where Open holds c and gives no Refusal, the request is not answered and header does not
	// count. After the release Open is called again, with the same request; c is as it was, its
	// tag and what was sent to it included. Open then decides, or holds again.
	Open(c Conn, r *Request, header []byte) ([]byte, *Refusal)
	// Message brings a whole message, Text or Binary. Text is valid UTF-8.
	Message(c Conn, kind Kind, payload []byte)
	// Control tells of a Ping, which is answered already, or a Pong.
	Control(c Conn, kind Kind)
	// Released tells that c, which Message or Released held, is released. What has come meanwhile
	// is handled after it.
	Released(c Conn)
	// Closed tells once that c has ended; no other call about c follows. It is due for each
	// connection that Open was asked about, except where Open has answered with a Refusal: so it
	// comes too where Open panics, and where c ends, or the server stops, while Open holds it.
	// Then the cause is CauseLost if nothing else ended c. That the peer has gone is found out no
	// later than at the release, where reading or answering fails.
	Closed(c Conn, end End)
}
