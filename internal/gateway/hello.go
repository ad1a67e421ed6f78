package gateway

import (
	"errors"
	"math"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/netloop"
)

// tokenBytesMax bounds the token of a hello, since it may have to wait for the application.
const tokenBytesMax = 4 << 10

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
	refusedUnknown      = refusal{name: "resume_unknown", code: codeUnknown, guilty: true}
	refusedLimit        = refusal{name: "session_limit", code: codeLimit, retryAfter: retryAfter}
	refusedUnavailable  = refusal{name: "unavailable", code: netloop.CodeTryAgain}
)

// refusedTakeover is for a session that is resumed too often while it is connected.
func refusedTakeover(wait time.Duration) refusal {
	return refusal{name: "takeover_limit", code: netloop.CodeTryAgain, retryAfter: wait}
}

// refusedBlocked is for an address of which too many hellos were refused of late.
func refusedBlocked(wait time.Duration) refusal {
	return refusal{name: "unavailable", code: netloop.CodeTryAgain, retryAfter: wait}
}

// refusedEnded is for a session that has ended, for one who had a good token of it.
func refusedEnded(why Reason) refusal {
	switch why {
	case ReasonWindow:
		return refusal{name: "resume_window", code: codeWindow}
	case ReasonIdle:
		return refusal{name: "session_idle", code: codeIdle}
	case ReasonLifetime:
		return refusal{name: "session_lifetime", code: codeLifetime}
	case ReasonRevoked:
		return refusal{name: "session_revoked", code: codeRevoked}
	case ReasonEvicted:
		return refusal{name: "session_evicted", code: codeLimit}
	case ReasonDrained:
		return refusal{name: "session_drained", code: codeDraining}
	default:
		return refusal{name: "session_policy", code: codePolicy}
	}
}

// hello is what the first frame of a client says.
type hello struct {
	token       string
	resumes     bool // it wants a session that it had
	resumeToken string
	resumeSeq   seqNumber     // of the last frame that it has
	idle        time.Duration // the idle timeout that it wants; 0: the server's
	wants       wants
	named       wants // those wishes that it spoke of
}

// parseHello takes the first frame of a client apart; ok is false where it is no proper hello.
func parseHello(payload []byte) (h hello, r refusal, ok bool) {
	o := object(payload)
	var op string
	named, good := false, true
	valid := o.each(func(name, value []byte) {
		if string(name) == "op" {
			if named = isString(value); named {
				op = unquote(value)
			}
		}
	})
	switch {
	case !valid, !named:
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
			if good = good && isString(value) && len(value) <= tokenBytesMax; good {
				h.token = unquote(value)
			}
		case "resume":
			h.resumes = true
			good = good && isObject(value) && h.resume(object(value))
		case "want":
			good = good && isObject(value) && h.want(object(value))
		}
	})
	return h, refusedInvalid, good
}

// resume takes the resume part of a hello and says whether it has the right types.
func (h *hello) resume(o object) bool {
	good := true
	o.each(func(name, value []byte) {
		switch string(name) {
		case "token":
			if good = good && isString(value); good {
				h.resumeToken = unquote(value)
			}
		case "seq":
			if good = good && isNumber(value); good {
				h.resumeSeq, good = parseSeq(value)
			}
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
			h.wish(wantsResume, value)
		case "expiring":
			good = good && isBool(value)
			h.wish(wantsExpiring, value)
		case "idle_s":
			seconds := number(value)
			if good = good && isNumber(value) && seconds > 0; good {
				h.idle = max(1, time.Duration(min(seconds*float64(time.Second), math.MaxInt64/2)))
			}
		}
	})
	return good
}

// wish takes one wish.
func (h *hello) wish(w wants, value []byte) {
	h.named |= w
	if value[0] == 't' {
		h.wants |= w
	} else {
		h.wants &^= w
	}
}

// greet answers the first frame of a client: with a session, or with why there is none.
func (g *Gateway) greet(c netloop.Conn, payload []byte) {
	h, r, ok := parseHello(payload)
	var a *arrival
	if !g.prompt {
		a = g.arrivals.take(c.ID())
	}
	by := &g.counters.helloRefused
	if h.resumes {
		by = &g.counters.resumeRefused
	}
	if wait := g.refusals.blocked(c.Remote().Addr()); wait > 0 {
		h, r, ok = hello{}, refusedBlocked(wait), false // it may have guessed right
	}
	switch {
	case !ok:
		g.refuse(c, r, by)
	case g.draining.Load():
		g.refuse(c, refusedUnavailable, by)
	case !g.o.Tokens.Allow(h.token):
		g.refuse(c, refusedUnauthorized, by)
	case h.resumes:
		g.resume(c, &h)
	case g.prompt:
		g.welcome(c, &h)
	default:
		if !g.o.Tokens.Any() && h.token != "" {
			a.newcomer.Token = h.token
		}
		a.hello = h
		if err := g.ask(c, a, g.offered(h.wants)); err != nil {
			g.refuse(c, refusalOf(err), by)
		}
	}
}

// offered is what there is of what a client wants.
func (g *Gateway) offered(w wants) wants {
	if g.o.ResumeWindow == 0 {
		w &^= wantsResume
	}
	return w
}

// welcome gives a client a session.
func (g *Gateway) welcome(c netloop.Conn, h *hello) {
	l := link{conn: c.ID(), wants: g.offered(h.wants)}
	if l.wants&wantsResume != 0 {
		l = link{state: &state{conn: c.ID(), wants: l.wants, epoch: 1}}
	}
	s, err := g.create(c, l)
	if err != nil {
		g.refuse(c, refusalOf(err), &g.counters.helloRefused)
		return
	}
	if l.state != nil {
		g.began(c, s)
		g.welcomeTo(c, s, l.state, h)
		return
	}
	idle := g.o.IdleTimeout
	if h.idle > 0 && h.idle < idle && s.SetIdleTimeout(h.idle) {
		idle = h.idle
	}
	sendHelloAck(c, s, idle, nil)
	g.began(c, s) // before that nobody pushes to it
}

// welcomeTo answers the hello of a session with a state that has begun.
func (g *Gateway) welcomeTo(c netloop.Conn, s engine.Session[link], st *state, h *hello) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.phase == ended {
		return // its client is about to be told
	}
	g.limitIdle(s, st, h.idle)
	st.phase = greeted
	if st.wants&wantsResume != 0 {
		g.welcomeLocked(c, s, st, h)
		return
	}
	sendHelloAck(c, s, g.idleOf(st), nil)
}

// refusalOf is what a client is told where there is no session for it.
func refusalOf(err error) refusal {
	if errors.Is(err, engine.ErrFull) {
		return refusedLimit
	}
	return refusedUnavailable
}

// refuse says why and closes. It is counted by its name.
func (g *Gateway) refuse(c netloop.Conn, r refusal, by *refusedBy) {
	by.note(r)
	if r.guilty {
		g.refusals.note(c.Remote().Addr())
	}
	g.log.Debug("hello refused", "remote", c.Remote(), "error", r.name)
	sendHelloRefusal(c, r)
	c.Close(r.code, r.name)
}
