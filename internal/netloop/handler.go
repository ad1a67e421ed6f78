package netloop

// ID names a connection of a [Server]. It is never given to another connection of the same Server.
type ID uint64

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
	CauseSlow                      // the peer did not read what was sent
	CauseProtocol                  // the peer broke the protocol or a limit
	CauseHello                     // Ready was not called within the hello timeout
	CausePanic                     // the handler panicked
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

// Conn is one open connection, as a [Handler] sees it.
type Conn interface {
	// ID names the connection.
	ID() ID
	// Remote is the peer's address.
	Remote() string
	// Protocol is the subprotocol that was agreed on, "" where the client asked for none.
	Protocol() string
	// Tag is the handler's own word about the connection, 0 until SetTag sets it.
	Tag() uint64
	// SetTag replaces the handler's word.
	SetTag(tag uint64)
	// Ready says that the client has introduced itself: the hello timeout is over.
	Ready()
	// Send queues a Text or Binary message. It copies payload and never waits. It gives false when
	// the connection has ended, or ends it because the peer does not keep up.
	Send(kind Kind, payload []byte) bool
	// Close ends the connection: what is queued is still written, then a close frame, which is
	// empty where the code is 0. Closing an ended connection does nothing. It panics where no
	// close frame may hold the code.
	Close(code Code, reason string)
}

// Refusal is an HTTP answer other than 101.
type Refusal struct {
	Status int
	Reason string // the body, one sentence
	Header string // further header lines, each ended by \r\n
}

// Handler is what a [Server] does with its connections. Payloads and requests are only valid during
// the call.
type Handler interface {
	// Open is asked when a client has sent a proper handshake, before it is answered. The answer
	// is a Refusal, after which the Handler hears nothing more of c, or header lines (each ended
	// by \r\n) to go with the 101. What Open sends follows the 101. Where Open panics, Closed is
	// called.
	Open(c Conn, r *Request) (header string, refusal *Refusal)
	// Message brings a whole message, Text or Binary. Text is valid UTF-8.
	Message(c Conn, kind Kind, payload []byte)
	// Control tells of a Ping, which is answered already, or a Pong.
	Control(c Conn, kind Kind)
	// Closed tells once that c has ended; no other call about c follows.
	Closed(c Conn, end End)
}
