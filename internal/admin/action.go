package admin

import "time"

// Action is a request that changed something, or was to.
type Action struct {
	At     time.Time
	Method string
	Path   string // as it was sent, without parameters, cut at 512 bytes
	Remote string // address and port; of a unix socket what the system says
	Status int    // what it was answered
	Error  string // the code of the answer; "" where it was done
	// Missed is how many requests before it were refused by a guard and not told of, so that those
	// who send them do not fill what is written down.
	Missed int
}
