package engine

import "errors"

var (
	// ErrFull is returned when the table holds as many sessions as it may. Sessions that are
	// there are not affected.
	ErrFull = errors.New("engine: table is full")

	// ErrClosed is returned by what would change a table that was closed.
	ErrClosed = errors.New("engine: table is closed")

	// ErrNotFound is returned by Renew when no session has the ID.
	ErrNotFound = errors.New("engine: session not found")

	// ErrBadID is returned for an ID that is empty or longer than 255 bytes.
	ErrBadID = errors.New("engine: session ID must be 1 to 255 bytes")
)
