package faulty

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Fault is what a server does wrong.
type Fault string

// The faults, by what they strike.
const (
	None Fault = "" // nothing is wrong

	// Messages, instead of or beside their answer.
	Withhold   Fault = "withhold"    // never answered
	Flip       Fault = "flip"        // one byte in the middle is another
	FlipFirst  Fault = "flip-first"  // the first byte is another
	Truncate   Fault = "truncate"    // the last byte is missing
	Extend     Fault = "extend"      // there is a byte too many
	Empty      Fault = "empty"       // answered by nothing at all
	Twice      Fault = "twice"       // answered twice at once
	TwiceLater Fault = "twice-later" // answered again after the next answer
	Swap       Fault = "swap"        // gets the answer of another connection, which gets its
	Reorder    Fault = "reorder"     // answered only after the next message was
	Late       Fault = "late"        // answered after Delay
	Push       Fault = "push"        // answered, and something else comes too
	Reset      Fault = "reset"       // the connection is reset
	Vanish     Fault = "vanish"      // the connection ends without a close frame
	VanishIdle Fault = "vanish-idle" // answered, and then as Vanish
	Close      Fault = "close"       // a close frame, 1011
	CloseIdle  Fault = "close-idle"  // answered, and then as Close
	Breach     Fault = "breach"      // a frame with a reserved opcode
	Deaf       Fault = "deaf"        // nothing is read any more
	Expire     Fault = "expire"      // answered, and the session is ended although it is alive

	// Connections.
	Refuse      Fault = "refuse"      // the upgrade is answered by 503
	Subprotocol Fault = "subprotocol" // the upgrade takes a subprotocol that nobody offered
	Slow        Fault = "slow"        // each answer takes Delay

	// Sessions.
	Early    Fault = "early"    // ended after half the time
	Stay     Fault = "stay"     // never ended
	Overdue  Fault = "overdue"  // ended Delay too late
	Untold   Fault = "untold"   // ended without saying session_expired
	Misnamed Fault = "misnamed" // ended by the name of another
	Miscode  Fault = "miscode"  // ended by a close code that means something else

	// Resumes.
	Forget   Fault = "forget"   // refused
	Change   Fault = "change"   // welcomed to another session
	Omit     Fault = "omit"     // a frame is not replayed, and nothing is said
	Lose     Fault = "lose"     // a frame is not replayed, and that is said
	Replay   Fault = "replay"   // a frame is replayed twice
	FalseGap Fault = "falsegap" // nothing is missing, and it is said that something is
	Falter   Fault = "falter"   // not answered, and the connection ends

	// The server as a whole.
	Stall     Fault = "stall"     // nothing is answered for Delay of each Period
	Indulgent Fault = "indulgent" // whoever stalls, trickles or is gone is kept
	Awkward   Fault = "awkward"   // no fault: answers in fragments, in pieces, with pings between
)

// kind is what a fault strikes.
type kind uint8

const (
	nothing kind = iota
	messages
	connections
	sessions
	resumes
	whole
)

var kinds = map[Fault]kind{
	None: nothing, Awkward: nothing, Stall: whole, Indulgent: whole,
	Withhold: messages, Flip: messages, FlipFirst: messages, Truncate: messages,
	Extend: messages, Empty: messages, Twice: messages, TwiceLater: messages, Swap: messages,
	Reorder: messages, Late: messages, Push: messages, Reset: messages, Vanish: messages,
	VanishIdle: messages, Close: messages, CloseIdle: messages, Breach: messages, Deaf: messages,
	Expire: messages,
	Refuse: connections, Subprotocol: connections, Slow: connections,
	Early: sessions, Stay: sessions, Overdue: sessions, Untold: sessions, Misnamed: sessions,
	Miscode: sessions,
	Forget:  resumes, Change: resumes, Omit: resumes, Lose: resumes, Replay: resumes,
	FalseGap: resumes, Falter: resumes,
}

// Faults are all faults, sorted by their names.
func Faults() []Fault { return slices.Sorted(maps.Keys(kinds)) }

// Options say how a server behaves. The zero value echoes in plain frames, and has no fault. They
// can be sent as JSON.
type Options struct {
	// V1 has it speak curfew.v1.
	V1 bool
	// Idle is after what silence a session ends; in plain frames a connection is a session. 0:
	// never.
	Idle time.Duration
	// Patience is how long a client may take for the upgrade, leave a frame unfinished, not read,
	// or not answer a ping. 0: ten seconds.
	Patience time.Duration
	// Ping is after what silence a client is pinged. 0: never.
	Ping time.Duration
	// Latency is how long an answer is on its way. One that is when its connection is lost can be
	// had by resuming.
	Latency time.Duration

	Fault Fault
	// At is what the fault strikes first, counted from 1. 0: 1.
	At uint64
	// Every is how many further on it strikes again. 0: it strikes once.
	Every uint64
	// Delay is for faults that take time. 0: 200 ms.
	Delay time.Duration
	// Period is how often it stalls. 0: 1 s.
	Period time.Duration
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Patience, 10 * time.Second},
		{&o.Delay, 200 * time.Millisecond},
		{&o.Period, time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	o.At = max(o.At, 1)
	return o
}

func (o Options) validate() error {
	kind, known := kinds[o.Fault]
	var bad []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			bad = append(bad, fmt.Errorf("faulty: "+format, args...))
		}
	}
	refuse(!known, "there is no fault %q; there are %q", o.Fault, Faults())
	refuse(min(o.Idle, o.Patience, o.Ping, o.Latency, o.Delay, o.Period) < 0,
		"a negative duration")
	refuse(kind == sessions && o.Idle == 0, "%s: give Idle, for sessions never end", o.Fault)
	refuse(kind == resumes && !o.V1, "%s: set V1, for plain frames resume nothing", o.Fault)
	refuse(o.Fault == Stall && o.Delay >= o.Period, "a stall of %v does not fit into %v",
		o.Delay, o.Period)
	return errors.Join(bad...)
}

// strikes says whether the fault strikes the n-th of what it is about.
func (o *Options) strikes(k kind, n uint64) bool {
	if kinds[o.Fault] != k || n < o.At {
		return false
	}
	return n == o.At || o.Every > 0 && (n-o.At)%o.Every == 0
}

// Counted says whether a fault strikes now and then, so that the ledger counts how often.
func (f Fault) Counted() bool { return kinds[f] != nothing && kinds[f] != whole }
