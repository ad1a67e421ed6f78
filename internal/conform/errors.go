package conform

import "errors"

var (
	// ErrNoServer is returned when no WebSocket connection to the server could be opened before
	// the first case: nobody listens, the handshake was refused, or there was no answer.
	ErrNoServer = errors.New("conform: no server")

	// ErrNoCase is returned when Options.Only is neither the ID of a case nor a glob that
	// matches one.
	ErrNoCase = errors.New("conform: no such case")
)
