package gateway

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// state is what a session has beyond its link, if it needs more: where it can be resumed, has been
// admitted by an application that takes its time, or has called a tool.
//
// Its lock is held while its frames are queued, so that their order is that of their numbers.
// Nothing waits while it is held; doc.go has the order of locks.
type state struct {
	ref engine.Ref // set under the lock when the session is made, then only read

	// leaveBy is when the resume window ends, since the gateway began; 0: it is not detached.
	// It is written under the lock.
	leaveBy atomic.Int64
	// dieAt is when the lifetime ends that the application gave it; 0: it gave none.
	dieAt atomic.Int64

	mu     sync.Mutex
	conn   netloop.ID    // 0: it is detached
	newest tokenHash     // of the newest resume token; zero: it cannot be resumed
	replay *replay       // nil: nothing is kept
	seq    uint64        // of the last numbered frame
	idle   time.Duration // its own idle timeout; 0: the gateway's
	recent *recent       // nil: nothing that matters still
	grant  *grant        // nil: the application has said nothing
	flight *flight       // nil: nothing was ever asked of the application
	epoch  uint32        // how many connections it has had
	wants  wants
	phase  phase
	raw    bool // it speaks ProtocolRaw
	going  bool // it is to be let go as soon as nothing is in flight
	graced bool // it is counted as detached and in grace
}

// phase is how far a session with a state has come.
type phase uint8

const (
	begun    phase = iota // its client has not been answered yet: nobody else sees it
	asking                // the application was asked whether it may begin and has not answered
	entering              // it was let in, and who watches is being told: see tellEntered
	greeted               // its client has been answered
	ended
)

// recent is what matters for seconds after a resume.
type recent struct {
	spare      tokenHash // of the token before the newest; zero: it is not good any more
	spareUntil time.Duration
	takeovers  []time.Duration // when the newest ones were, the oldest first
	watched    bool            // the deadlines have a moment at which it is looked at
}

// grant is what the application said when it let a session begin.
type grant struct {
	user *user         // nil: none
	at   int           // where in the user's sessions it stands; of users
	idle time.Duration // the longest idle timeout; 0: the gateway's
}

// seen says whether others than its client may see it.
func (st *state) seen() bool { return st.phase == greeted }

// resumable says whether it can be resumed.
func (st *state) resumable() bool { return st.newest != tokenHash{} }

// flight is what the application has been asked for and has not answered.
type flight struct {
	session string // its ID, which the table forgets when it ends
	calls   []*call
	waiting []waiting // messages, the oldest first; the first of them is at the application
	bytes   int       // of waiting
	working bool      // somebody takes care of waiting
	held    bool      // its client is not read until there is room
	last    *End      // of the session, which is reported when nothing waits any more
}

// waiting is a message on its way to the application.
type waiting struct {
	requestID []byte // nil: none
	message   backend.Message
	since     time.Time
}

// waitingOverhead is about what a waiting message takes beside its bytes.
const waitingOverhead = 256

// size is what the message counts for.
func (w *waiting) size() int { return len(w.requestID) + len(w.message.Data) + waitingOverhead }

// busy says whether it waits for the application. Then it has no idle deadline.
func (st *state) busy() bool {
	return st.flight != nil && len(st.flight.calls)+len(st.flight.waiting) > 0
}

// leave has it take no more requests, and says whether nothing is in flight.
func (st *state) leave() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.going = true
	return !st.busy()
}

// asked says whether a request with that ID is in flight.
func (st *state) asked(requestID []byte) bool {
	if st.flight == nil || requestID == nil {
		return false
	}
	for _, c := range st.flight.calls {
		if bytes.Equal(c.requestID, requestID) {
			return true
		}
	}
	for _, m := range st.flight.waiting {
		if bytes.Equal(m.requestID, requestID) {
			return true
		}
	}
	return false
}

// user is the name of the session's user, "" where it has none.
func (st *state) user() string {
	if st.grant == nil || st.grant.user == nil {
		return ""
	}
	return st.grant.user.name
}

// userNow is user for who does not hold the lock.
func (st *state) userNow() string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.user()
}

// forget gives the memory of the replay buffer back.
func (st *state) forget(b *budget) {
	if st.replay != nil {
		st.replay.free(b)
		st.replay = nil
	}
}
