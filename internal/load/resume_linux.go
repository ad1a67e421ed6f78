package load

import (
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

const (
	// dropPart is the part of all connections that is dropped each second, one in so many, where
	// the profile drops any.
	dropPart = 10
	// dropAfter is when the first one is: sessions are to have said something before.
	dropAfter = 5 * beat
	// returnAfter is how long one waits that could not come back, before it tries again, and
	// returnTimeout for how long it tries.
	returnAfter, returnTimeout = 200 * time.Millisecond, 10 * time.Second
)

// retry is a connection that is begun anew soon.
type retry struct {
	peer    peer
	session session
	at      time.Duration
}

// dropDue drops the connections whose turn it is, one after the other.
func (r *run) dropDue(now time.Duration) {
	if r.plan.Profile != ProfileReconnect || !r.running || r.draining {
		return
	}
	for {
		due, ok := r.dropped.next()
		if !ok || due > now {
			return
		}
		r.dropped.taken++
		for range r.c.conns {
			r.cursor = (r.cursor + 1) % len(r.c.conns)
			slot := uint32(r.cursor)
			n, p := &r.c.conns[slot], &r.peers[slot]
			// Without sessions, a message in flight could never be answered.
			if n.state == open && !p.replays && (r.v != nil || !p.inFlight) {
				r.leaveAndReturn(slot, now)
				break
			}
		}
	}
}

// leaveAndReturn resets a connection and begins another for the same session.
func (r *run) leaveAndReturn(slot uint32, now time.Duration) {
	p := r.peers[slot]
	p.returns, p.since = true, now
	p.queued, p.visited = false, 0
	var s session
	if r.v != nil {
		s = *r.v.at(slot)
	}
	waits := p.inFlight
	r.dropOurs(slot)
	if waits {
		r.inFlight++
	}
	r.part.Resume.Dropped++
	r.comeBack(p, s, now)
}

// comeBack begins the connection of a session that is to be resumed.
func (r *run) comeBack(p peer, s session, now time.Duration) {
	slot, err := r.c.begin(now)
	if err != nil {
		r.again(p, s, now, reason(err))
		return
	}
	r.seat(slot, p)
	r.visitAt(slot, now+connectTimeout)
	if r.v != nil {
		*r.v.at(slot) = s
	}
}

// again has one try again that could not come back.
func (r *run) again(p peer, s session, now time.Duration, why string) {
	result.Count(&r.part.Errors, why, 1)
	if now >= p.since+returnTimeout {
		r.part.Connect.Failed++
		r.strand(&p)
		return
	}
	r.retries = append(r.retries, retry{peer: p, session: s, at: now + returnAfter})
}

// retry begins the connections whose pause is over.
func (r *run) retry(now time.Duration) {
	waiting := r.retries
	r.retries = nil
	for _, w := range waiting {
		switch {
		case w.at > now:
			r.retries = append(r.retries, w)
		case w.peer.returns:
			r.comeBack(w.peer, w.session, now)
		case r.owes(now):
			r.dialing++
			r.begin(w.peer, now)
		}
	}
}

// owes says whether messages are due that a connection which is still to come could send.
func (r *run) owes(now time.Duration) bool {
	if !r.draining {
		return true
	}
	_, due := r.messages.next()
	return due && now < r.drainEnd
}

// strand counts what a session loses that does not come back.
func (r *run) strand(p *peer) {
	if p.inFlight {
		p.inFlight = false
		r.inFlight--
		if p.warm {
			r.part.Sent++
		}
		r.part.Lost++
		r.intervals.live.Bad++
	}
	r.fare(p)
}

// returned takes a connection in that came back.
func (r *run) returned(slot uint32, now time.Duration) {
	p := &r.peers[slot]
	p.returns = false
	p.freed = now
	r.part.Connect.OK++
	r.part.Connect.Latency.Record(now - r.c.conns[slot].due)
	if r.v == nil { // there is no session to resume
		r.free(slot, now)
		return
	}
	s := r.v.at(slot)
	if !s.lives() {
		r.part.Resume.Changed++
		r.strand(p)
		s.id, s.seq = s.ack.SessionID, s.ack.Seq
		r.free(slot, now)
		return
	}
	r.part.Resume.Resumed++
	r.part.Resume.Latency.Record(now - p.since)
	if s.ack.Gap {
		r.part.Resume.Gaps++
		s.jumps = true
	}
	p.replays = true
	if p.inFlight {
		r.visitAt(slot, max(now, p.written+ReplyTimeout))
	}
	r.caughtUp(slot)
}

// caughtUp looks whether a session that was resumed has all that it missed. What is unanswered then
// never reached the server, or is being answered: it is sent again, and the server knows which.
func (r *run) caughtUp(slot uint32) {
	p, s := &r.peers[slot], r.v.at(slot)
	if s.seq < s.ack.Seq && (!s.ack.Gap || !s.jumps) {
		return
	}
	p.replays = false
	if p.inFlight {
		r.write(slot)
		return
	}
	r.free(slot, r.c.clock.now())
}

// notReturned takes note of a connection that was to come back and did not open.
func (r *run) notReturned(slot uint32, why string) {
	p := &r.peers[slot]
	if r.v != nil && len(why) > len(helloRefused) && why[:len(helloRefused)] == helloRefused {
		r.part.Resume.Refused++
		result.Count(&r.part.Errors, why, 1)
		r.strand(p)
		return
	}
	var s session
	if r.v != nil {
		s = *r.v.at(slot)
	}
	r.again(*p, s, r.c.clock.now(), why)
}
