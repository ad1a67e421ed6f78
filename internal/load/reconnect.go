package load

import (
	"errors"
	"time"
)

// ReconnectOptions say how to drop the connections of sessions that can be resumed, all at once,
// and to resume the sessions.
type ReconnectOptions struct {
	// Messages is how many each session sends, and sees answered, before the drop. 0: 3.
	Messages int
	// Unseen is how many more the server has answered, without the session having seen it, when the
	// connections are dropped, up to 48: those answers must be replayed. 0: none.
	Unseen int
	// Bytes is the size of a message, 12 to 64 KiB. 0: 32.
	Bytes int
	// GiveUp is how long to wait while nothing happens. 0: 10 s.
	GiveUp time.Duration
}

// unseenMax leaves room in the 64 frames that are kept for replay for those which the client has,
// and has not acknowledged.
const unseenMax = 64 - ackEveryDefault

func (o ReconnectOptions) withDefaults() ReconnectOptions {
	if o.Messages == 0 {
		o.Messages = 3
	}
	if o.Bytes == 0 {
		o.Bytes = 32
	}
	if o.GiveUp == 0 {
		o.GiveUp = 10 * time.Second
	}
	return o
}

func (o ReconnectOptions) validate() error {
	switch {
	case o.Messages < 0 || o.Unseen < 0 || o.Unseen > unseenMax:
		return errors.New("load: reconnect with a wrong number of messages")
	case o.Bytes < 12 || o.Bytes > bytesMax:
		return errors.New("load: reconnect with messages that are too short or too long")
	}
	return nil
}

// ReconnectReport says what became of sessions whose connections were dropped. It is exact: each
// session stands in one of Resumed, Changed, Refused and Lost.
type ReconnectReport struct {
	Sessions int `json:"sessions"`
	Resumed  int `json:"resumed"` // under the ID that they had
	Changed  int `json:"changed"` // welcomed as another session
	Refused  int `json:"refused"` // Errors says why
	Lost     int `json:"lost"`    // without an answer
	Gaps     int `json:"gaps"`    // resumed with frames missing, says the server
	Replayed int `json:"replayed"`
	Missing  int `json:"missing"`  // answers that had to be replayed, and were not
	Wrong    int `json:"wrong"`    // frames that were not the next answer, or not under its number
	Answered int `json:"answered"` // sessions that had one message more answered afterwards
	Broken   int `json:"broken"`   // connections that ended otherwise; Errors says how
	Retries  int `json:"retries"`  // connections that were begun again; Errors says why
	// Wall is from the drop to the last answer to a hello, Replay to the last frame replayed.
	Wall   time.Duration `json:"wall"`
	Replay time.Duration `json:"replay"`
	// Hello is from sending a hello to its answer, Connect from beginning the connection.
	Hello   Latency        `json:"hello"`
	Connect Latency        `json:"connect"`
	Errors  map[string]int `json:"errors,omitempty"`
}

// Kept says which sessions or frames did not come back, or nil.
func (r ReconnectReport) Kept() error {
	var found []error
	if r.Sessions != r.Resumed+r.Changed+r.Refused+r.Lost {
		found = append(found, errors.New("sessions do not add up"))
	}
	if r.Resumed == 0 || r.Resumed != r.Sessions {
		found = append(found, errors.New("not all were resumed"))
	}
	if r.Answered != r.Sessions {
		found = append(found, errors.New("not all answer afterwards"))
	}
	return errors.Join(append(found, allZero(map[string]int{
		"gaps": r.Gaps, "missing": r.Missing, "wrong": r.Wrong, "broken": r.Broken,
	})...)...)
}
