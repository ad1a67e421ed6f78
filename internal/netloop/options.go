package netloop

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/curfew-go/curfew/internal/handshake"
	"github.com/curfew-go/curfew/internal/realip"
)

// loopsMax is how many loops there may be: their number is a byte of an ID.
const loopsMax = 255

// Mode is how connections are served.
type Mode uint8

// The modes.
const (
	// ModeGoroutine gives each connection a goroutine.
	ModeGoroutine Mode = iota
	// ModeEpoll has a loop a processor, each with very many connections; Linux only, and TCP
	// without TLS only: what else a listener gives is served by goroutines.
	ModeEpoll
)

// Options are what a [Server] is made of. All times and limits must be set, by the rules below.
type Options struct {
	// Handler is told of everything; required.
	Handler Handler
	// Mode is how connections are served.
	Mode Mode
	// Loops is how many loops there are with ModeEpoll, at most 255; 0: GOMAXPROCS.
	Loops int

	// Shares says that what answers the peers are other goroutines, so that a loop with nothing to
	// do gives its processor to them at once. Otherwise one that was busy lingers for what comes
	// next.
	Shares bool

	// TLS is what connections speak TLS by, with ModeGoroutine; nil: they do not.
	TLS *tls.Config

	// Paths are the request paths that are served; at least one.
	Paths []string
	// Protocols are the subprotocols that may be asked for; at most 255.
	Protocols []string
	// Compression lets clients negotiate permessage-deflate, without context takeover.
	Compression bool
	// Origin decides about a request with an Origin header; nil: [handshake.SameOrigin] with no
	// others.
	Origin func(origin, host []byte) bool

	// ProxyProtocol are the networks from which each connection begins with a header of the PROXY
	// protocol, which says who the peer is.
	ProxyProtocol realip.Networks
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies realip.Networks
	// MaxConnectionsPerIP bounds the connections of one address; 0: no bound. Further ones are
	// answered 429.
	MaxConnectionsPerIP int

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
	// WriteBufferBytes bounds what waits for one connection; above 0. As much again may wait while
	// nothing is being written, since its peer had no chance to be slow.
	WriteBufferBytes int
	// OnSlow is what happens to a connection for which more would wait.
	OnSlow SlowPolicy
	// BufferTotalBytes bounds all unfinished messages and all that waits to be written, together;
	// above it the largest holder is closed with 4101. 0: no bound.
	BufferTotalBytes int64

	// Logger gets what no connection can be told; nil: slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Origin == nil {
		o.Origin = handshake.SameOrigin(nil, false)
	}
	if o.Loops == 0 {
		o.Loops = min(runtime.GOMAXPROCS(0), loopsMax)
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
	check(o.Loops >= 0 && o.Loops <= loopsMax, "Loops must be from 0 to 255")
	check(len(o.Protocols) <= 255, "Protocols has more than 255")
	check(o.MaxConnectionsPerIP >= 0, "MaxConnectionsPerIP is negative")
	check(o.OnSlow <= SlowDropOldest, "OnSlow is no policy")
	check(o.BufferTotalBytes >= 0, "BufferTotalBytes is negative")
	check(o.Mode == ModeGoroutine || o.Mode == ModeEpoll && loopsAvailable,
		"Mode is not available here")
	check(o.Mode == ModeGoroutine || o.TLS == nil, "TLS needs ModeGoroutine")
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
