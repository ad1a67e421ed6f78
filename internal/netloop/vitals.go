package netloop

import (
	"math"
	"time"
)

const (
	// closeTimeout bounds what follows the end of a connection: the last write, the peer's close
	// frame, and the peer letting go of the socket. A write may never take longer than
	// Options.writeTimeout, the last one neither.
	closeTimeout = 5 * time.Second
	// unfinishedMax is how long a message may take where no pings find out about its sender.
	unfinishedMax = 40 * time.Second
	// never is a moment that does not come.
	never = time.Duration(math.MaxInt64)
)

// vitals are what the deadlines of an open connection are made of. Moments are counted from the
// server's start; never is one that has not come.
type vitals struct {
	ready      bool          // the hello timeout is over
	accepted   time.Duration // when it was
	life       time.Duration // when the last whole message or control frame came
	pinged     time.Duration // when a ping went out that nothing has answered
	unfinished time.Duration // since when the bytes end inside a message
}

// note keeps the times at the end of a turn, which is t. Something whole came in it where the peer
// is alive; idle says that the bytes do not end inside a message.
func (v *vitals) note(t time.Duration, alive, idle bool) {
	if alive {
		v.life, v.pinged, v.unfinished = t, never, never
	}
	switch {
	case idle:
		v.unfinished = never
	case v.unfinished == never:
		v.unfinished = t
	}
}

// due is when somebody must look at the connection although nothing came.
func (v *vitals) due(o *Options) time.Duration {
	t := never
	if !v.ready {
		t = later(v.accepted, o.HelloTimeout)
	}
	switch {
	case o.PingInterval == 0:
		t = min(t, later(v.unfinished, unfinishedMax))
	case v.pinged == never:
		t = min(t, later(v.life, o.PingInterval))
	default:
		t = min(t, later(v.pinged, o.PingTimeout))
	}
	return t
}

// verdict is what a look at a connection comes to.
type verdict uint8

const (
	verdictAlive      verdict = iota
	verdictAsk                // it is to be pinged
	verdictNoHello            // it did not introduce itself in time
	verdictNoPong             // it showed no life in time
	verdictUnfinished         // its message took too long
)

// look is what is due at t.
func (v *vitals) look(o *Options, t time.Duration) verdict {
	switch {
	case !v.ready && t >= later(v.accepted, o.HelloTimeout):
		return verdictNoHello
	case o.PingInterval == 0:
		if t >= later(v.unfinished, unfinishedMax) {
			return verdictUnfinished
		}
	case v.pinged != never:
		if t >= later(v.pinged, o.PingTimeout) {
			return verdictNoPong
		}
	case t >= later(v.life, o.PingInterval):
		return verdictAsk
	}
	return verdictAlive
}

// end is how a connection ends for its verdict, and what it is told.
func (v verdict) end() (e End, reason string) {
	switch v {
	case verdictNoHello:
		return End{CauseHello, CodeHelloTimeout}, "no hello"
	case verdictNoPong:
		return End{CauseSilent, CodeNoPong}, "no pong"
	}
	return End{CauseSilent, CodeNoPong}, "message took too long"
}

// later is d after t, or never.
func later(t, d time.Duration) time.Duration {
	if t > never-d {
		return never
	}
	return t + d
}
