package admin

import (
	"errors"
	"iter"
	"time"
)

// State is where in its life a session is.
type State string

// The states.
const (
	StateLive     State = "live"     // it has a connection and time left
	StateDetached State = "detached" // its connection is lost, it can be resumed
	StateGrace    State = "grace"    // its idle timeout has passed, it can still be touched
)

// Session is what an operator sees of a session: how it was at one moment.
type Session struct {
	ID    string // 1 to 255 bytes, UTF-8
	State State
	User  string // "": nobody has named one

	Created      time.Time // the same for as long as the session lives
	LastActivity time.Time
	// Deadline is when its idle timeout or its lifetime is over if nothing happens, and in grace or
	// detached when it ends; zero: never.
	Deadline    time.Time
	IdleTimeout time.Duration

	Protocol    string // the subprotocol that its client speaks
	Remote      string // its client's address and port; "" without a connection
	InFlight    int    // calls that are running
	QueuedBytes int64  // wait for the connection; 0 without one

	Resumable   bool
	Epoch       uint64 // how many connections it has had, where Resumable
	Seq         uint64 // the last frame that was numbered, where Resumable
	ReplayBytes int64  // kept for a resume, where Resumable
}

// Kind says what the data of a Message is.
type Kind uint8

// The kinds. The zero Kind is none.
const (
	JSON   Kind = iota + 1 // one JSON value, in UTF-8
	Text                   // text in UTF-8
	Binary                 // anything
)

// Message is what an operator or an application says to a client.
type Message struct {
	Kind Kind
	Data []byte // valid during the call that it is given to, and not to be changed
}

// Filter says which sessions are meant. A zero field means any.
type Filter struct {
	State State
	User  string
}

// match says whether a session is meant.
func (f Filter) match(o *Outline) bool {
	return (f.State == "" || f.State == o.State) && (f.User == "" || f.User == o.User)
}

// Outline is what lists are sorted and filtered by: cheap to have of a million sessions.
type Outline struct {
	Ref   uint64 // names the session while it lives; not 0
	State State
	User  string

	// Created, LastActivity and Deadline are those of Session.
	Created, LastActivity, Deadline time.Time
}

// What a push to one session can come to.
var (
	// ErrNotFound is returned when there is no such session.
	ErrNotFound = errors.New("admin: session not found")
	// ErrFull is returned when as much waits for the client already as may.
	ErrFull = errors.New("admin: the session's queue is full")
	// ErrUnsupported is returned when the session's protocol cannot carry the message's kind.
	ErrUnsupported = errors.New("admin: the session's protocol cannot carry this kind of message")
)

// Sessions are those that the API shows and changes. All methods may be called at the same time,
// with IDs and users of 1 to 255 bytes of anything. None waits for a client.
type Sessions interface {
	// Outlines yields every session after the one that Ref names, which may have ended, or all
	// after 0, in an order of its own, in which a session never moves: one that lives throughout
	// comes exactly once, any other at most once. No lock is held while it yields. It does not
	// touch.
	Outlines(after uint64) iter.Seq[Outline]
	// At gives the session that an outline was of, if it lives. It does not touch.
	At(ref uint64) (Session, bool)
	// Get gives the session with that ID, if there is one. It does not touch.
	Get(id string) (Session, bool)
	// Kick ends a session as revoked and says whether this call did.
	Kick(id string) bool
	// Touch is as if the client had sent something: the idle time begins anew, a session in grace
	// is live again. It says whether there was such a session.
	Touch(id string) bool
	// Push queues a message for the session's client. It gives ErrNotFound, ErrFull or
	// ErrUnsupported where it did not, and does not touch.
	Push(id string, m Message) error
	// KickUser ends all sessions of a user as revoked and says how many this call ended.
	KickUser(user string) int
	// PushUser pushes to all sessions of a user. A session that could not be given the message, for
	// whatever reason, counts as refused; one that ended meanwhile does not count.
	PushUser(user string, m Message) (sent, refused int)
	// PushAll pushes to all sessions that are meant, and counts as PushUser does.
	PushAll(f Filter, m Message) (sent, refused int)
}
