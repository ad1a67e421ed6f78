package netloop

import (
	"errors"
	"log/slog"
	"math"
	"time"
)

// Options are what a [Server] is made of. All times and limits must be set, by the rules below.
type Options struct {
	// Handler is told of everything; required.
	Handler Handler
	// Paths are the request paths that are served; at least one.
	Paths []string
	// Protocols are the subprotocols that may be asked for.
	Protocols []string
	// Origin decides about a request with an Origin header; nil: [SameOrigin] with no others.
	Origin func(origin, host string) bool
	// HelloTimeout bounds the time from accept to [Conn.Ready]; above 0.
	HelloTimeout time.Duration
	// PingInterval is how long a connection may be silent before it is pinged; 0: no pings, and
	// a message must be whole after 40 s.
	PingInterval time.Duration
	// PingTimeout is how long a pinged connection has to complete a message or send a control
	// frame; above 0.
	PingTimeout time.Duration
	// MaxMessageBytes bounds one message; above 0.
	MaxMessageBytes int
	// WriteBufferBytes bounds what waits for one connection; above 0.
	WriteBufferBytes int
	// Logger gets what no connection can be told; nil: slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Origin == nil {
		o.Origin = SameOrigin(nil, false)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	check := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New("netloop: "+text))
		}
	}
	check(o.Handler != nil, "Handler is missing")
	check(len(o.Paths) > 0, "Paths is empty")
	check(o.HelloTimeout > 0, "HelloTimeout must be above 0")
	check(o.PingInterval >= 0, "PingInterval is negative")
	check(o.PingTimeout > 0, "PingTimeout must be above 0")
	check(o.MaxMessageBytes > 0, "MaxMessageBytes must be above 0")
	check(o.WriteBufferBytes > 0, "WriteBufferBytes must be above 0")
	return errors.Join(errs...)
}

// writeTimeout is how long one write may take: as long as a silent peer may live.
func (o *Options) writeTimeout() time.Duration {
	if o.PingInterval == 0 {
		return unfinishedMax
	}
	if sum := o.PingInterval + o.PingTimeout; sum > 0 {
		return sum
	}
	return math.MaxInt64
}
