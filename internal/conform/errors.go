package conform

import (
	"errors"
	"fmt"
)

var (
	// ErrNoServer is returned when no WebSocket connection to the server could be opened before
	// the first case: nobody listens, the handshake was refused, or there was no answer.
	ErrNoServer = errors.New("conform: no server")

	// ErrNoEcho is returned when the server answered the first message by another one or by a
	// close frame with a code of an application: it may be a WebSocket server, but none that
	// echoes, and no case would say anything about it.
	ErrNoEcho = errors.New("conform: no echo server")

	// ErrNoCase is returned when Options.Only is neither the ID of a case nor a glob that
	// matches one.
	ErrNoCase = errors.New("conform: no such case")
)

// RefusedError is in the chain of an [ErrNoServer] where the server did answer the handshake, but
// not by the WebSocket that was asked for.
type RefusedError struct {
	// StatusCode is that of the answer, 0 where it was not HTTP.
	StatusCode int

	// Location is where the answer sends the client, "" nowhere.
	Location string

	// TLS says that the answer was in TLS, or asked for it, on a ws:// URL.
	TLS bool

	// Subprotocol says that all was well but the choice of the subprotocol.
	Subprotocol bool

	reason string
}

// Error says what the server answered.
func (e *RefusedError) Error() string { return e.reason }

func refusedFor(format string, args ...any) *RefusedError {
	return &RefusedError{reason: fmt.Sprintf(format, args...)}
}

// noCaseError is ErrNoCase with the pattern.
type noCaseError struct {
	only string
	why  string // it is no pattern; "" it is one
}

// Error names the pattern.
func (e *noCaseError) Error() string {
	if e.why != "" {
		return fmt.Sprintf("%v: %q: %s", ErrNoCase, e.only, e.why)
	}
	return fmt.Sprintf("%v: %q", ErrNoCase, e.only)
}

// Unwrap is ErrNoCase.
func (e *noCaseError) Unwrap() error { return ErrNoCase }
