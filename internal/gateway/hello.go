package gateway

import (
	"errors"
	"math"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/netloop"
)

// retryAfter is how long a client is told to wait when no session is free.
const retryAfter = 5 * time.Second

// refusal is why a hello does not get a session.
type refusal struct {
	name       string
	code       netloop.Code
	retryAfter time.Duration
	guilty     bool // it is counted against its address
}

var (
	refusedInvalid      = refusal{name: "invalid_hello", code: 4000, guilty: true}
	refusedMissing      = refusal{name: "missing_hello", code: 4001, guilty: true}
	refusedUnauthorized = refusal{name: "unauthorized", code: 4003, guilty: true}
	refusedUnknown      = refusal{name: "resume_unknown", code: 4203, guilty: true}
	refusedLimit        = refusal{name: "session_limit", code: 4302, retryAfter: retryAfter}
	refusedUnavailable  = refusal{name: "unavailable", code: netloop.CodeTryAgain}
)

// hello is what the first frame of a client says.
type hello struct {
	token  string
	resume bool          // it brought a resume token
	idle   time.Duration // the idle timeout that it wants; 0: the server's
	wants  wants
}

// parseHello takes the first frame of a client apart; ok is false where it is no proper hello.
func parseHello(payload []byte) (h hello, r refusal, ok bool) {
	o, ok := parseObject(payload)
	if !ok {
		return h, refusedInvalid, false
	}
	var op string
	named, good := false, true
	o.each(func(name, value []byte) {
		if string(name) == "op" && isString(value) {
			op, named = unquote(value), true
		}
	})
	switch {
	case !named:
		return h, refusedInvalid, false
	case op != "hello":
		return h, refusedMissing, false
	}
	o.each(func(name, value []byte) {
		if isNull(value) {
			return // as if it were not there
		}
		switch string(name) {
		case "token":
			if good = good && isString(value); good {
				h.token = unquote(value)
			}
		case "resume":
			h.resume = true
			good = good && isObject(value) && goodResume(object(value))
		case "want":
			good = good && isObject(value) && h.want(object(value))
		}
	})
	return h, refusedInvalid, good
}

// goodResume says whether the resume part of a hello has the right types.
func goodResume(o object) bool {
	good := true
	o.each(func(name, value []byte) {
		switch string(name) {
		case "token":
			good = good && isString(value)
		case "seq":
			good = good && isNumber(value)
		}
	})
	return good
}

// want takes the wishes of a hello and says whether they have the right types.
func (h *hello) want(o object) bool {
	good := true
	o.each(func(name, value []byte) {
		switch string(name) {
		case "resume":
			good = good && isBool(value)
		case "expiring":
			good = good && isBool(value)
			if value[0] == 't' {
				h.wants |= wantsExpiring
			} else {
				h.wants &^= wantsExpiring
			}
		case "idle_s":
			seconds := number(value)
			if good = good && isNumber(value) && seconds > 0; good {
				h.idle = max(1, time.Duration(min(seconds*float64(time.Second), math.MaxInt64/2)))
			}
		}
	})
	return good
}

// greet answers the first frame of a client: with a session, or with why there is none.
func (g *Gateway) greet(c netloop.Conn, payload []byte) {
	h, r, ok := parseHello(payload)
	switch {
	case !ok:
		g.refuse(c, r)
		return
	case g.draining.Load():
		g.refuse(c, refusedUnavailable)
		return
	case !g.o.Tokens.Allow(h.token):
		g.refuse(c, refusedUnauthorized)
		return
	case h.resume:
		g.refuse(c, refusedUnknown)
		return
	}
	s, err := g.begin(c, h.wants)
	switch {
	case errors.Is(err, engine.ErrFull):
		g.refuse(c, refusedLimit)
		return
	case err != nil:
		g.refuse(c, refusedUnavailable)
		return
	}
	idle := g.o.IdleTimeout
	if h.idle > 0 && h.idle < idle && s.SetIdleTimeout(h.idle) {
		idle = h.idle
	}
	sendHelloAck(c, s, idle)
}

// refuse says why and closes.
func (g *Gateway) refuse(c netloop.Conn, r refusal) {
	if r.guilty {
		g.refusals.note(c.Remote().Addr())
	}
	g.log.Debug("hello refused", "remote", c.Remote(), "error", r.name)
	sendHelloRefusal(c, r)
	c.Close(r.code, r.name)
}
