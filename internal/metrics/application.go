package metrics

import (
	"slices"

	"github.com/curfew-go/curfew/internal/backend"
)

// applicationFamilies are about what is asked of the application behind the daemon.
var applicationFamilies = []family{
	{
		name: "calls_total", kind: counter, labels: []string{"outcome"},
		help: "Calls of tools, by what came of them.",
		read: func(sn *snapshot, e emit) { byName(e, callOutcomes, text, sn.gateway.Calls) },
	},
	{
		name: "calls_running",
		help: "Calls of tools at the moment.",
		read: one(func(sn *snapshot) int { return sn.gateway.CallsRunning }),
	},
	{
		name: "messages_waiting",
		help: "Messages of clients that wait for the application.",
		read: one(func(sn *snapshot) int { return sn.gateway.Waiting }),
	},
	{
		name: "application_requests_total", kind: counter, labels: []string{"event", "outcome"},
		help: "Requests to an application over HTTP, by what came of them; held were not sent, " +
			"since it was to be left alone.",
		read: func(sn *snapshot, e emit) { requests(e, sn.backend.Requests) },
	},
	{
		name: "application_request_duration_seconds", kind: histogram, labels: []string{"event"},
		help: "How long the application took for requests that were sent.",
		readHistograms: func(sn *snapshot, e emitHistogram) {
			latencies(e, sn.backend.Latency)
		},
	},
	{
		name: "application_requests_running",
		help: "Requests to the application at the moment.",
		read: one(func(sn *snapshot) int { return sn.backend.InFlight }),
	},
	{
		name: "application_breaker_open",
		help: "1 while the application is left alone since it did not answer, else 0.",
		read: one(func(sn *snapshot) int { return oneIf(sn.backend.BreakerOpen) }),
	},
	{
		name: "application_ends_waiting",
		help: "Ends of sessions that the application has not been told of yet.",
		read: one(func(sn *snapshot) int { return sn.backend.EndsWaiting }),
	},
	{
		name: "application_ends_dropped_total", kind: counter,
		help: "Ends of sessions that the application will not be told of.",
		read: one(func(sn *snapshot) uint64 { return sn.backend.EndsDropped }),
	},
}

// requests gives the requests by event and outcome.
func requests(e emit, all []backend.RequestCount) {
	by := make(map[string]map[string]uint64, len(events)+1)
	for _, r := range all {
		event := r.Event
		if !slices.Contains(events, event) {
			event = other
		}
		if by[event] == nil {
			by[event] = make(map[string]uint64, len(outcomes))
		}
		by[event][r.Outcome] += r.Count
	}
	for _, event := range events {
		byName(e, outcomes, text, by[event], event)
	}
	var unknown uint64
	for _, n := range by[other] {
		unknown += n
	}
	e(float64(unknown), other, other)
}

// latencies gives the latency by event.
func latencies(e emitHistogram, all []backend.Latency) {
	by := make(map[string]*backend.Latency, len(all))
	for i := range all {
		by[all[i].Event] = &all[i]
	}
	for _, event := range events {
		e(fromBackend(by[event]), event)
	}
}
