package wsframe

// Kind says what an [Event] is.
type Kind uint8

const (
	// None is no event: all bytes are taken and more are needed.
	None Kind = iota

	// Text is a whole message of text.
	Text

	// Binary is a whole message of anything.
	Binary

	// Ping is a control frame. It is answered by a pong with the same payload.
	Ping

	// Pong is a control frame that answers a ping, or nothing.
	Pong

	// Closing is a close frame, well formed. It is answered by one with the same code.
	Closing

	// Failed is a breach of the protocol or of a limit: Fault says which, and Code is what the
	// close frame that answers it holds.
	Failed
)

// Event is what the bytes of a connection amount to.
type Event struct {
	Kind  Kind
	Fault Fault // for Failed, else FaultNone

	// Code is for Closing what the peer sent, NoCode where it sent none, and for Failed what to
	// send. In both cases it is what [Role.AppendClose] takes.
	Code Code

	// Frames is how many frames began in the bytes since the last event, of whatever kind: those
	// whose headers were whole and proper. So the sum of them, None's included, is how many came.
	Frames uint32

	// Payload is a message, what a ping or pong holds, or the reason of a close frame. It is valid
	// until the next call of the parser, may be written to, and lies in the buffer that was read
	// into, or in one that the parser kept.
	Payload []byte
}

// Fault is why a connection failed.
type Fault uint8

// The faults, with the section of RFC 6455 (or RFC 7692) that they offend.
const (
	FaultNone         Fault = iota
	FaultOpcode             // 5.2: an opcode that is reserved
	FaultRSV                // 5.2: a reserved bit that no extension gave a meaning
	FaultMask               // 5.1: a client's frame is not masked, or a server's is
	FaultLength             // 5.2: a length that is not in its shortest form, or its top bit set
	FaultControl            // 5.5: a control frame that is longer than 125 bytes or a fragment
	FaultContinuation       // 5.4: a continuation of nothing
	FaultInterleaved        // 5.4: a message within a fragmented one
	FaultClosePayload       // 5.5.1: a close frame of one byte
	FaultCloseCode          // 7.4: a code that no close frame may hold
	FaultCloseReason        // 5.5.1: a reason that is not UTF-8
	FaultUTF8               // 8.1: a text that is not UTF-8
	FaultDeflate            // RFC 7692 7.2.2: a payload that cannot be inflated
	FaultTooBig             // 10.4: a frame or message over the limit, inflated or not
	FaultBuffer             // the owner of the buffers gave none
	faults
)

var faultText = [faults]string{
	FaultNone:         "no fault",
	FaultOpcode:       "reserved opcode",
	FaultRSV:          "reserved bit set",
	FaultMask:         "wrong masking",
	FaultLength:       "malformed length",
	FaultControl:      "malformed control frame",
	FaultContinuation: "continuation of nothing",
	FaultInterleaved:  "message within a message",
	FaultClosePayload: "close frame of one byte",
	FaultCloseCode:    "invalid close code",
	FaultCloseReason:  "close reason is not UTF-8",
	FaultUTF8:         "text is not UTF-8",
	FaultDeflate:      "malformed compressed data",
	FaultTooBig:       "message too big",
	FaultBuffer:       "out of buffers",
}

// String is the fault in a few words, fit for a log, a label or the reason of a close frame.
func (f Fault) String() string {
	if f >= faults {
		return "unknown fault"
	}
	return faultText[f]
}

// Code is the code of the close frame that answers a fault.
func (f Fault) Code() Code {
	switch f {
	case FaultNone:
		return NoCode
	case FaultUTF8, FaultCloseReason, FaultDeflate:
		return CodeInvalidPayload
	case FaultTooBig:
		return CodeTooBig
	case FaultBuffer:
		return CodeTryAgainLater
	default:
		return CodeProtocolError
	}
}

// Code is a close code.
type Code uint16

// The close codes that a frame may hold, by RFC 6455 section 7.4.1 and the registry of IANA, to
// which 1012 to 1014 were added later. Those from 3000 to 4999 are the application's.
const (
	NoCode             Code = 0 // a close frame without a code
	CodeNormal         Code = 1000
	CodeGoingAway      Code = 1001
	CodeProtocolError  Code = 1002
	CodeUnsupported    Code = 1003
	CodeInvalidPayload Code = 1007
	CodePolicy         Code = 1008
	CodeTooBig         Code = 1009
	CodeExtension      Code = 1010
	CodeInternalError  Code = 1011
	CodeServiceRestart Code = 1012
	CodeTryAgainLater  Code = 1013
	CodeBadGateway     Code = 1014
)

// Valid says whether a close frame may hold a code.
func (c Code) Valid() bool {
	switch {
	case c < CodeNormal || c >= 5000:
		return false
	case c >= 3000:
		return true
	}
	return c <= CodeUnsupported || CodeInvalidPayload <= c && c <= CodeBadGateway
}
