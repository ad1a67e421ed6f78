package conform

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
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

	// Header holds further header fields of each handshake. Host takes the place of the URL's;
	// what the handshake itself consists of is refused. No report shows their values.
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
	for token := range strings.SplitSeq(o.Subprotocol, ",") {
		if o.Subprotocol != "" && !isToken(strings.TrimSpace(token)) {
			problems = append(problems, fmt.Errorf("conform: Subprotocol %q is no list of names",
				o.Subprotocol))
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Header)) {
		switch {
		case !isToken(name):
			problems = append(problems, fmt.Errorf("conform: %q is no name of a header field",
				name))
		case slices.Contains(ownFields, http.CanonicalHeaderKey(name)):
			problems = append(problems, fmt.Errorf("conform: the header field %s is the suite's "+
				"own", name))
		case slices.ContainsFunc(o.Header[name], badValue):
			problems = append(problems, fmt.Errorf("conform: the value of the header field %s "+
				"holds what no header may hold", name))
		}
	}
	return errors.Join(problems...)
}

// ownFields are the header fields that are what the handshake is about.
var ownFields = []string{
	"Connection", "Content-Length", "Sec-Websocket-Extensions", "Sec-Websocket-Key",
	"Sec-Websocket-Protocol", "Sec-Websocket-Version", "Transfer-Encoding", "Upgrade",
}

// isToken says whether a string is a name in HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	odd := func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	}
	return s != "" && !strings.ContainsFunc(s, odd)
}

// badValue says whether a string is no value of a header field (RFC 9110, 5.5).
func badValue(s string) bool {
	return strings.ContainsAny(s, "\r\n\x00")
}
