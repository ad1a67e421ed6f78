package admin

import "time"

// EventType says what happened to a session.
type EventType string

// The types of events.
const (
	EventCreate     EventType = "create"
	EventResume     EventType = "resume"
	EventDetach     EventType = "detach"
	EventExpire     EventType = "expire"     // time ended it
	EventDisconnect EventType = "disconnect" // something else did
)

// Event is something that happened to a session.
type Event struct {
	Type     EventType
	At       time.Time
	Session  string
	User     string // "" where it has none
	Remote   string // "" where it has no connection
	Protocol string // "" where that is not known
	Reason   string // of an end or of a loss; "" otherwise
}
