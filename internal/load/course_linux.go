package load

import (
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// start begins the run, at a moment that is the same for all processes.
func (r *run) start(at time.Duration) {
	r.running = true
	r.measured = at
	if r.plan.Profile.Talks() {
		r.measured += r.plan.Warmup
	}
	end := r.measured + r.plan.Duration
	r.messages = schedule{
		start: at, end: end, rate: r.plan.Rate,
		offset: r.plan.Process, processes: r.plan.Processes,
	}
	if !r.plan.Profile.Talks() {
		r.messages.end = at
	}
	r.dropped = schedule{
		start: at + dropAfter, end: end, rate: max(float64(r.plan.Connections)/dropPart, 1),
		offset: r.plan.Process, processes: r.plan.Processes,
	}
	r.turning = end
	r.misbehave(at)
	if r.plan.Profile.Talks() && r.awaited > 0 && r.lastDue > 0 {
		r.messages.end = max(end, r.lastDue+expiryGrace)
	}
	r.cursor = 0
}

// touching says whether connections of a storm are still to be touched.
func (r *run) touching() bool {
	return r.plan.Profile == ProfileStorm && r.running && r.cursor < len(r.c.conns)
}

// touchSome sends a message over the next connections of a storm, which are silent from then on.
// Each message is due when its turn comes.
func (r *run) touchSome() {
	for range sendBurst {
		if !r.touching() || r.draining {
			return
		}
		slot := uint32(r.cursor)
		r.cursor++
		n, p := &r.c.conns[slot], &r.peers[slot]
		if n.state != open {
			continue
		}
		// One that waits for an answer, by which it was kept alive, is touched when that has come.
		if p.inFlight {
			p.owed = true
			r.owed++
			continue
		}
		r.touch(slot)
	}
}

// touch sends the message of a storm over one connection.
func (r *run) touch(slot uint32) {
	p := &r.peers[slot]
	r.settleOwed(p)
	p.habit = isSilent
	r.send(slot, r.c.clock.now())
	if r.c.conns[slot].state == open {
		r.expect(slot)
	}
}

// settleOwed takes note that a connection of a storm is touched, or gone.
func (r *run) settleOwed(p *peer) {
	if p.owed {
		p.owed = false
		r.owed--
	}
}

// over says whether the run's end has come: no connection is left, or its duration is over and a
// moment has passed since the last session was due that must be expired.
func (r *run) over(now time.Duration) bool {
	end := r.measured + r.plan.Duration
	switch {
	case r.touching(), r.owed > 0:
		return false
	case r.c.open == 0 && r.c.dialing == 0 && len(r.retries) == 0:
		return true
	}
	if r.lastDue > 0 {
		end = max(end, r.lastDue+expiryGrace)
	}
	return now >= end
}

// drain ends what falls due, and lets those read that never did.
func (r *run) drain() {
	now := r.c.clock.now()
	r.draining, r.drainEnd = true, now+drainMax
	if r.part.Interrupted { // what has waited for a moment only had no chance
		r.messages.end = min(r.messages.end, now-expiryGrace)
	}
	switch r.plan.Profile {
	case ProfileSlowReader:
		r.listen()
	case ProfileHalfOpen:
		r.reappear()
	case ProfileEcho, ProfileIdle, ProfileChatty, ProfileChurn, ProfileStorm, ProfileSlowloris,
		ProfileReconnect:
	}
}

// drained says when nothing is worth waiting for any more.
func (r *run) drained(now time.Duration) bool {
	if r.asked > 0 && now < r.probeEnd {
		return false
	}
	late := now >= r.drainEnd
	if r.inFlight > r.trickling() && (!late || r.returning() == 0) {
		return now >= r.drainEnd+drainMax // before that, each is answered or given up
	}
	if late {
		return true
	}
	_, due := r.messages.next()
	switch {
	case due && r.mayBeReady() && !r.part.Interrupted:
		return false
	case r.leaving > 0:
		return false
	case due && r.plan.Profile == ProfileChurn && r.c.open+r.dialing+len(r.retries) > 0:
		return false // they are parting, or come in the place of those that left
	case r.plan.Profile == ProfileSlowReader:
		return !r.unheard()
	}
	return r.returning() == 0
}

// trickling is how many messages are in flight over connections that trickle.
func (r *run) trickling() (n int) {
	if r.plan.Profile != ProfileSlowloris {
		return 0
	}
	for i := range r.peers {
		if p := &r.peers[i]; p.habit == trickles && p.inFlight {
			n++
		}
	}
	return n
}

// unheard says whether answers to a flood are still to come.
func (r *run) unheard() bool {
	for i := range r.peers {
		if p := &r.peers[i]; p.habit == neverReads && p.heard < p.seq {
			return true
		}
	}
	return false
}

// returning is how many sessions are on their way back.
func (r *run) returning() (n int) {
	for i := range r.peers {
		if r.peers[i].returns {
			n++
		}
	}
	for i := range r.retries {
		if r.retries[i].peer.returns {
			n++
		}
	}
	return n
}

// finish closes the ledger.
func (r *run) finish(now time.Duration) {
	r.ending = true
	r.part.Unsent += r.messages.left()
	for slot := range r.peers {
		p := &r.peers[slot]
		if r.c.conns[slot].state == free {
			continue
		}
		if p.returns {
			r.part.Connect.Failed++
			r.strand(p)
			continue
		}
		switch p.habit {
		case trickles:
			r.part.Fault.Held++
			continue
		case vanishes:
			r.part.Fault.Held++
		case neverReads:
			r.part.Fault.Held++
			r.settle(p)
			continue
		case talks, leaves, isSilent:
			if p.inFlight && r.running {
				r.countLost(uint32(slot))
			}
			if r.c.conns[slot].parting {
				result.Count(&r.part.Errors, "no_answer_to_close", 1)
			}
			r.fare(p)
		}
		r.unended(p, now)
	}
	for i := range r.retries {
		if w := &r.retries[i]; w.peer.returns {
			r.part.Connect.Failed++
			r.strand(&w.peer)
		}
	}
	if r.v != nil && r.v.holes > 0 {
		result.Count(&r.part.Errors, "numbers_left_out", r.v.holes)
	}
}

// unended counts a session that should have ended as missing, unless the run was over, by right or
// by interruption, before it had to.
func (r *run) unended(p *peer, now time.Duration) {
	switch {
	case !p.expected:
	case now < p.touched+p.idle+expiryGrace && (r.part.Interrupted || !r.plan.judgesIdle()):
		r.part.Expiry.Expected--
	default:
		r.part.Expiry.Missing++
	}
}
