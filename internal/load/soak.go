package load

import (
	"errors"
	"time"
)

// SoakOptions say how to keep a server busy with connections that come, talk, flood, fall silent
// and go. A third of the connections talk all the time, and one in 32 of those floods; a third say
// one thing and fall silent; a third say a few things and leave. Who goes is replaced.
type SoakOptions struct {
	// Connections is how many to hold.
	Connections int
	// Rate is how many to begin a second, at most. 0: 1000.
	Rate float64
	// Duration is how long. Answers are waited for after it.
	Duration time.Duration
	// Bytes is the size of a message, 12 to 64 KiB. 0: 32.
	Bytes int
	// Pause is from one message of a connection to its next. 0: a quarter of Idle.
	Pause time.Duration
	// Burst is how many messages a flood has, all sent before an answer is read. 0: 64.
	Burst int
	// Idle is after what silence the server must close a connection with 4200, and not before.
	Idle time.Duration
	// Late is how late it may be. 0: 5 s, since the client may be held up too.
	Late time.Duration
	// GiveUp is how long to wait for answers, and for the end of what we part from. 0: 5 s.
	GiveUp time.Duration
}

func (o SoakOptions) withDefaults() SoakOptions {
	if o.Rate == 0 {
		o.Rate = 1000
	}
	if o.Bytes == 0 {
		o.Bytes = 32
	}
	if o.Pause == 0 {
		o.Pause = o.Idle / 4
	}
	if o.Burst == 0 {
		o.Burst = 64
	}
	if o.Late == 0 {
		o.Late = 5 * time.Second
	}
	if o.GiveUp == 0 {
		o.GiveUp = 5 * time.Second
	}
	return o
}

func (o SoakOptions) validate() error {
	switch {
	case o.Connections < 1 || o.Duration <= 0 || o.Idle <= 0:
		return errors.New("load: soak without connections, a duration or an idle timeout")
	case o.Bytes < 12 || o.Bytes > bytesMax:
		return errors.New("load: soak with messages that cannot be told apart, or too long ones")
	case o.Rate < 0 || o.Burst < 1 || o.Pause <= 0 || o.Pause >= o.Idle:
		return errors.New("load: soak at a negative rate, without bursts, or with too long a pause")
	}
	return nil
}

// SoakReport is the ledger of a soak. It is exact: each connection that was opened stands in one of
// Expired, Parted, Dropped and Open, and each message that was sent in Received or Lost.
type SoakReport struct {
	Opened   int `json:"opened"`
	Expired  int `json:"expired"`  // closed with 4200
	Parted   int `json:"parted"`   // left, and the server agreed
	Dropped  int `json:"dropped"`  // ended in any other way: Closes says how
	Open     int `json:"open"`     // at the end
	Failed   int `json:"failed"`   // did not open: Errors says why
	Sent     int `json:"sent"`     // messages
	Received int `json:"received"` // right answers, in order
	Wrong    int `json:"wrong"`    // messages that were not the next answer
	Lost     int `json:"lost"`     // without an answer when their connection ended, or the soak
	Floods   int `json:"floods"`
	Early    int `json:"early"`   // expired sooner than the last message and the idle timeout allow
	Missing  int `json:"missing"` // not expired when they had to be; among Dropped
	// Lateness is of those that expired, from when they were due by our clock.
	Lateness Latency        `json:"lateness"`
	Closes   map[string]int `json:"closes,omitempty"`
	Errors   map[string]int `json:"errors,omitempty"`
}

// Balanced says what is wrong with the ledger, or nil.
func (r SoakReport) Balanced() error {
	var found []error
	if r.Opened != r.Expired+r.Parted+r.Dropped+r.Open {
		found = append(found, errors.New("connections do not add up"))
	}
	if r.Sent != r.Received+r.Lost {
		found = append(found, errors.New("messages do not add up"))
	}
	return errors.Join(append(found, allZero(map[string]int{
		"dropped": r.Dropped, "failed": r.Failed, "wrong": r.Wrong, "lost": r.Lost,
		"early": r.Early, "missing": r.Missing,
	})...)...)
}
