package backend

import (
	"strconv"
	"sync/atomic"
)

// event is what a request tells the application or asks of it.
type event uint8

const (
	eventConnect event = iota
	eventMessage
	eventCall
	eventDisconnect
	eventExpire
	eventTools
	events // how many there are
)

// eventHeaders are the values of the header Curfew-Event, shared by all requests, which only read
// them.
var eventHeaders = [events][]string{
	{"connect"}, {"message"}, {"call"}, {"disconnect"}, {"expire"}, {"tools"},
}

func (e event) header() []string { return eventHeaders[e] }

// String is the event's name.
func (e event) String() string { return eventHeaders[e][0] }

// outcome is what came of a request.
type outcome uint8

const (
	outcomeOK       outcome = iota
	outcomeRefused          // a status from 300 to 499
	outcomeFailed           // no answer, a broken one, or a status from 500 on
	outcomeUnusable         // an answer that is not what was asked for, or too large
	outcomeTimeout          // no answer in time
	outcomeCanceled         // whoever asked gave up
	outcomeHeld             // not sent, since the breaker was open
	outcomes                // how many there are
)

var outcomeNames = [outcomes]string{
	"ok", "refused", "failed", "unusable", "timeout", "canceled", "held",
}

// String is the outcome's name.
func (o outcome) String() string {
	if o < outcomes {
		return outcomeNames[o]
	}
	return "outcome(" + strconv.Itoa(int(o)) + ")"
}

// HTTPStats is what an HTTP backend has done.
type HTTPStats struct {
	Requests    []RequestCount // of each event and outcome, those at 0 too
	InFlight    int
	BreakerOpen bool
	EndsWaiting int       // ends of sessions that are not delivered yet
	EndsDropped uint64    // ends that were given up
	Latency     []Latency // of each event
}

// RequestCount is how many requests with that event had that outcome.
type RequestCount struct {
	Event   string // connect, message, call, disconnect, expire, tools
	Outcome string // ok, refused, failed, unusable, timeout, canceled, held
	Count   uint64
}

// counts are the requests by event and outcome, for statistics only.
type counts [events][outcomes]atomic.Uint64

func (c *counts) add(e event, o outcome) { c[e][o].Add(1) }

func (c *counts) list() []RequestCount {
	all := make([]RequestCount, 0, int(events)*int(outcomes))
	for e := range events {
		for o := range outcomes {
			all = append(all, RequestCount{e.String(), o.String(), c[e][o].Load()})
		}
	}
	return all
}

// Stats is what was done so far.
func (h *HTTP) Stats() HTTPStats {
	waiting, dropped := h.ends.stats()
	return HTTPStats{
		Requests:    h.counts.list(),
		InFlight:    len(h.link.slots),
		BreakerOpen: h.link.breaker.isOpen(),
		EndsWaiting: waiting,
		EndsDropped: dropped,
		Latency:     h.link.latencies.list(),
	}
}
