package conform

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	parallelDefault = 16
	parallelMax     = 256
	timeoutDefault  = 900 * time.Millisecond
)

// Options say how a run goes. The zero value runs every case once.
type Options struct {
	// Only is the ID of a case, or a glob as of [path.Match] ("6.*", "7.9.*"). "" is all.
	Only string

	// Parallel is how many cases run side by side, 1 to 256. 0 is 16. Of the cases that move
	// many bytes no more than four run at once.
	Parallel int

	// Timeout is for how long a connection may be silent before its case is judged: what is
	// missing then is not coming. 0 is 900 ms. It grows by what the distance to the server costs.
	Timeout time.Duration

	// Subprotocol is asked for in each handshake, "" none. Several are separated by commas.
	Subprotocol string

	// Header holds further header fields of each handshake.
	Header http.Header

	// TLS is the configuration for wss:// URLs; nil verifies the server as usual.
	TLS *tls.Config

	// CutEach repeats each case that sends at most 256 bytes once for each byte: cut there into
	// two writes with a moment between them. The case fails if any of these runs does.
	CutEach bool

	// Progress, where not nil, is called with each result as it comes. Calls do not overlap.
	Progress func(Result)
}

func (o Options) withDefaults() Options {
	if o.Parallel == 0 {
		o.Parallel = parallelDefault
	}
	if o.Timeout == 0 {
		o.Timeout = timeoutDefault
	}
	return o
}

func (o Options) validate() error {
	var problems []error
	if o.Parallel < 1 || o.Parallel > parallelMax {
		problems = append(problems, fmt.Errorf("conform: Parallel is %d, must be 1 to %d",
			o.Parallel, parallelMax))
	}
	if o.Timeout < 0 {
		problems = append(problems, fmt.Errorf("conform: Timeout is %v, must be positive",
			o.Timeout))
	}
	return errors.Join(problems...)
}
