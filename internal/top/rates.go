package top

import "github.com/curfew-go/curfew/internal/adminclient"

// rates are what happened between two statuses, a second. The zero value knows none.
type rates struct {
	known   bool
	seconds float64

	created, ended, rejected, resumed, revived float64
	reasons                                    []named // of ends, the most frequent first

	accepted, refused, closed float64
	closes                    []named // the most frequent first

	messagesIn, messagesOut, bytesIn, bytesOut float64
	dropped, pushed                            float64

	calls, requests float64
	busy            []float64 // of each loop, 0 to 1
}

// named is a rate of something.
type named struct {
	name string
	rate float64
}

// sameProcess says whether two statuses are of one process, in this order.
func sameProcess(a, b *adminclient.Status) bool {
	return a != nil && b != nil && a.PID == b.PID && a.StartedAt.Equal(b.StartedAt) &&
		b.Now.After(a.Now)
}

// between gives the rates between two statuses; none where they are not of one process.
func between(a, b *adminclient.Status) rates {
	if !sameProcess(a, b) {
		return rates{}
	}
	r := rates{known: true, seconds: b.Now.Sub(a.Now).Seconds()}
	one := func(before, after uint64) float64 {
		if after <= before {
			return 0 // it does not run backwards, whatever is said
		}
		return float64(after-before) / r.seconds
	}
	s, t := &a.Sessions, &b.Sessions
	r.created, r.rejected = one(s.Created, t.Created), one(s.Rejected, t.Rejected)
	r.resumed, r.revived = one(s.Resumed, t.Resumed), one(s.Revived, t.Revived)
	for _, n := range each(s.Ended, t.Ended, one) {
		r.reasons = append(r.reasons, n)
		r.ended += n.rate
	}
	r.accepted = one(a.Connections.Accepted, b.Connections.Accepted)
	for _, n := range each(a.Connections.Refused, b.Connections.Refused, one) {
		r.refused += n.rate
	}
	r.closes = each(byCode(a.Connections.Closed), byCode(b.Connections.Closed), one)
	for _, n := range r.closes {
		r.closed += n.rate
	}
	x, y := &a.Traffic, &b.Traffic
	r.messagesIn, r.messagesOut = one(x.MessagesIn, y.MessagesIn), one(x.MessagesOut, y.MessagesOut)
	r.bytesIn, r.bytesOut = one(x.BytesIn, y.BytesIn), one(x.BytesOut, y.BytesOut)
	r.dropped, r.pushed = one(x.Dropped, y.Dropped), one(x.Pushed, y.Pushed)
	for _, n := range each(a.Application.Calls, b.Application.Calls, one) {
		r.calls += n.rate
	}
	for _, n := range each(a.Application.Requests, b.Application.Requests, one) {
		r.requests += n.rate
	}
	r.busy = utilisation(a.Loops, b.Loops, r.seconds)
	return r
}

// utilisation is the part of the time that each loop did not wait.
func utilisation(a, b []adminclient.Loop, seconds float64) []float64 {
	if len(a) != len(b) {
		return nil
	}
	busy := make([]float64, len(a))
	for i := range a {
		busy[i] = min(max((b[i].BusySeconds-a[i].BusySeconds)/seconds, 0), 1)
	}
	return busy
}
