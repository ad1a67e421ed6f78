package load

import (
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// dialDue begins the connections that are due, as far as may be begun at once.
func (r *run) dialDue(now time.Duration) {
	for range dialBurst {
		due, ok := r.dials.next()
		if !ok || due > now || !r.mayDial() {
			return
		}
		r.dials.taken++
		if r.plan.Ramp == 0 {
			due = now // as fast as that goes
		} else {
			r.part.TimingError.Record(r.c.clock.now() - due)
		}
		r.begun++
		r.dialing++
		id := uint32((r.begun-1)*r.plan.Processes + r.plan.Process)
		first, _ := r.plan.habitOf(id)
		if first == trickles {
			r.dialing--
		}
		r.begin(peer{id: id, habit: first}, due)
	}
}

// giveUpDialing lets all connections fail that are still to come, where the first ones had no
// answer within the timeout and none was opened: the others would wait as long, as many at a time.
func (r *run) giveUpDialing() {
	if r.part.Connect.OK > 0 || r.running {
		return
	}
	for share := r.plan.share(r.plan.Connections); r.begun < share; r.begun++ {
		r.part.Connect.Failed++
		result.Count(&r.part.Errors, "never_begun", 1)
	}
}

// mayDial says whether another connection may be begun.
func (r *run) mayDial() bool {
	return r.begun < r.plan.share(r.plan.Connections) && r.dialing < r.c.o.Dialing
}

// begin begins a connection for a peer.
func (r *run) begin(p peer, due time.Duration) {
	r.c.receiveBytes = 0
	if _, then := r.plan.habitOf(p.id); then == neverReads {
		r.c.receiveBytes = slowReceiveBytes
	}
	slot, err := r.c.begin(due)
	if err != nil {
		result.Count(&r.part.Errors, reason(err), 1)
		if p.habit != trickles {
			r.dialing--
			r.part.Connect.Failed++
			r.replace(p.habit)
		}
		return
	}
	r.seat(slot, p)
	r.visitAt(slot, due+connectTimeout)
	if p.habit == trickles {
		r.peers[slot].since = due
		r.visitAt(slot, due+trickleEvery)
	}
}

// seat gives a slot to a peer.
func (r *run) seat(slot uint32, p peer) {
	if n := int(slot) + 1 - len(r.peers); n > 0 {
		r.peers = append(r.peers, make([]peer, n)...)
	}
	r.peers[slot] = p
}

// replace begins a connection in the place of one that left, or never came, where the profile wants
// that: soon, and not at once, so that a server which refuses all is not asked without end.
func (r *run) replace(h habit) {
	if h != leaves || !r.running || r.ending {
		return
	}
	r.begun++
	id := uint32((r.begun-1)*r.plan.Processes + r.plan.Process)
	r.retries = append(r.retries, retry{
		peer: peer{id: id, habit: h}, at: r.c.clock.now() + replaceAfter,
	})
}

// replaceAfter is how long a place stays empty.
const replaceAfter = 10 * time.Millisecond

// judgesIdle says whether sessions are waited for to end, however long that takes.
func (p Plan) judgesIdle() bool { return p.ExpectIdle > 0 || p.AskIdle > 0 }

// expect has the server's end of a silent session awaited.
func (r *run) expect(slot uint32) {
	p := &r.peers[slot]
	if p.idle == 0 {
		return
	}
	p.expected = true
	r.awaited++
	r.part.Expiry.Expected++
	if r.plan.judgesIdle() {
		r.lastDue = max(r.lastDue, p.touched+p.idle)
	}
}

// ended takes note of an open connection that the server ended.
func (r *run) ended(slot uint32, why string, now time.Duration) {
	p, n := &r.peers[slot], &r.c.conns[slot]
	code := why[0] >= '0' && why[0] <= '9'
	if code {
		result.Count(&r.part.Closes, why, 1)
	}
	if n.parting && (code || why == endOfStream) {
		r.fare(p)
		r.replace(p.habit)
		return
	}
	expiry := why == "4200" || r.plan.Protocol == SpeakPlain && p.idle > 0
	if p.inFlight {
		if expiry && p.idle > 0 && now >= p.proved+p.idle && now < p.written+crossing {
			r.crossed(p)
		} else {
			r.countLost(slot)
		}
	}
	r.fare(p)
	switch {
	case p.expected:
		r.expired(p, expiry, why, now)
	case expiry:
		r.expiredUnasked(p, now)
	case why != "4201": // its lifetime is over
		r.part.Cut++
	}
	if r.v != nil && why == "4200" && !r.v.told(slot) {
		result.Count(&r.part.Errors, "expired_without_a_word", 1)
	}
	if !code {
		result.Count(&r.part.Errors, why, 1)
	}
	r.replace(p.habit)
}

// crossing is how long a message may have been on its way when the end of its session came.
const crossing = 200 * time.Millisecond

// crossed takes a message back that met the end of its session on the way: the server was in its
// right, and cannot have seen it. What proves that the session lived is then the last answer.
func (r *run) crossed(p *peer) {
	p.inFlight = false
	p.touched = p.proved
	r.inFlight--
	if !p.warm {
		r.part.Sent--
	}
}

// expired judges the end of a session that had to end.
func (r *run) expired(p *peer, expiry bool, why string, now time.Duration) {
	r.awaited--
	switch {
	case expiry:
		r.part.Expiry.Observed++
		r.intervals.live.Expired++
		late := now - p.touched - p.idle
		if late < 0 {
			r.part.Expiry.Early++
			return
		}
		r.part.Expiry.Lateness.Record(late)
	case why == "4201": // its lifetime was over before that
		r.part.Expiry.Expected--
	default:
		r.part.Expiry.Missing++
	}
}

// expiredUnasked judges the end of a session that nobody had silenced: in time only where the
// schedule left it alone for that long.
func (r *run) expiredUnasked(p *peer, now time.Duration) {
	if r.draining && p.idle > 0 && now >= p.touched+p.idle {
		return // nobody talks any more, and nobody looks
	}
	r.part.Expiry.Observed++
	r.intervals.live.Expired++
	if p.idle > 0 && now < p.touched+p.idle || r.plan.Profile == ProfileChatty {
		r.part.Expiry.Early++
		return
	}
	r.part.Expiry.Expected++
}

// fareAnswersMin is of how many answers a connection's mean says anything: more than one that
// leaves has.
const fareAnswersMin = leaverSays + 1

// fare counts how a connection fared that is gone, or at the end.
func (r *run) fare(p *peer) {
	if p.answered >= fareAnswersMin {
		r.part.Fairness.Record(p.sum / time.Duration(p.answered))
		p.answered, p.sum = 0, 0
	}
}
