package load

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// StormOptions say how to have the sessions of all open connections fall due together.
type StormOptions struct {
	// Idle is after what silence the server must end a session, and not before.
	Idle time.Duration
	// Spread is over how long the sessions are touched for the last time. 0: all as fast as that
	// goes.
	Spread time.Duration
	// Late is how late a session may end. 0: 5 s.
	Late time.Duration
	// Bytes is the size of the message that touches, 12 to 64 KiB. 0: 32.
	Bytes int
}

func (o StormOptions) withDefaults() StormOptions {
	if o.Late == 0 {
		o.Late = 5 * time.Second
	}
	if o.Bytes == 0 {
		o.Bytes = 32
	}
	return o
}

func (o StormOptions) validate() error {
	switch {
	case o.Idle <= 0 || o.Late < 0 || o.Spread < 0:
		return errors.New("load: storm without an idle timeout, or with a negative duration")
	case o.Spread >= o.Idle:
		return errors.New("load: storm that takes longer than an idle timeout")
	case o.Bytes < 12 || o.Bytes > bytesMax:
		return errors.New("load: storm with messages that cannot be told apart, or too long ones")
	}
	return nil
}

// StormReport is the ledger of a storm. It is exact: each session stands in one of Expired, Dropped
// and Missing.
type StormReport struct {
	Sessions int `json:"sessions"`
	Answered int `json:"answered"` // messages that touched
	Wrong    int `json:"wrong"`    // frames that were no such answer
	Expired  int `json:"expired"`  // closed with 4200
	Told     int `json:"told"`     // of these: after session_expired, where the protocol has it
	Early    int `json:"early"`    // of these: sooner than the touch's sending and Idle allow
	Dropped  int `json:"dropped"`  // ended in any other way: Closes says how
	Missing  int `json:"missing"`  // not ended when they had to be
	// Lateness runs from when a session was due, counted from just before its touch was sent: what
	// the message took to the server, and the close to us, is in it.
	Lateness Latency `json:"lateness"`
	// FromAnswer is the same counted from when the touch's answer came, which was after the touch.
	FromAnswer Latency `json:"from_answer"`
	// Touching is how long it took to send the touches, Ending from the first session due to the
	// last one's end.
	Touching time.Duration  `json:"touching"`
	Ending   time.Duration  `json:"ending"`
	Closes   map[string]int `json:"closes,omitempty"`
}

// Kept says which promise was broken, or nil. How late is late is for the caller.
func (r StormReport) Kept() error {
	var found []error
	if r.Sessions != r.Expired+r.Dropped+r.Missing {
		found = append(found, errors.New("sessions do not add up"))
	}
	if r.Expired == 0 || r.Told != r.Sessions || r.Answered != r.Sessions {
		found = append(found, errors.New("not all were answered and told"))
	}
	return errors.Join(append(found, allZero(map[string]int{
		"wrong": r.Wrong, "early": r.Early, "dropped": r.Dropped, "missing": r.Missing,
	})...)...)
}

// allZero says which of what must be 0 is not, in order.
func allZero(figures map[string]int) []error {
	var found []error
	for _, what := range slices.Sorted(maps.Keys(figures)) {
		if figures[what] != 0 {
			found = append(found, errors.New(what+" is not 0"))
		}
	}
	return found
}
