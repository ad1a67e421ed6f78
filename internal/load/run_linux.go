package load

import (
	"context"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/wheel"
)

const (
	// beat is how often the loop looks after itself, and how it notices that it was held up.
	beat = 10 * time.Millisecond
	// stopped is by how much a beat is late only where the process was held up.
	stopped = 100 * time.Millisecond
	// timerTick is the resolution of what single connections do next.
	timerTick = time.Millisecond
	// connectTimeout is how long one may take to open.
	connectTimeout = 10 * time.Second
	// sendBurst and dialBurst are how many messages are sent, and connections begun, before the
	// loop reads again.
	sendBurst, dialBurst = 32, 16
)

// peer is what a run knows of a connection beside its slot. It holds no pointer.
type peer struct {
	id       uint32 // its number, over all processes
	habit    habit
	inFlight bool
	warm     bool // the message in flight is not counted
	expected bool // its end is awaited
	returns  bool // it is to resume a session
	replays  bool // frames that it missed are still to come
	asked    bool // of one that vanished: whether the server still has it
	owed     bool // of a storm: it is touched when its answer has come
	full     bool // of a flood: the socket took no more
	queued   bool // it stands in the queue of those that may send
	seq      uint32
	base     uint32        // where a flood began
	heard    uint32        // the newest message that was answered
	answered uint32        // how many were
	said     int           // messages answered; of a flood, those that were left out
	due      time.Duration // when the message in flight was
	written  time.Duration // when it was, first
	visited  time.Duration // when it is next; 0: it is not
	touched  time.Duration // just before its last sign of life was sent
	proved   time.Duration // the same of the last one that was answered
	freed    time.Duration // since when it could send the next one
	idle     time.Duration // after what silence it is expired; 0: not known
	sum      time.Duration // of its latencies, from when messages were written
	since    time.Duration // when it began to misbehave, or lost its connection
	cursor   int           // of one that trickles
}

// run is the task of a worker: what the connections of one process do, and what came of it.
type run struct {
	c         *Client
	v         *v1 // the dialect, where it is that one
	plan      Plan
	part      result.Part
	intervals intervals
	peers     []peer // by slot
	ready     queue  // connections that may send
	timers    *wheel.Wheel
	visits    []uint32
	messages  schedule
	dials     schedule
	filler    []byte
	buf       []byte // the message to send
	large     []byte // the message of a flood
	bulk      []byte // several of them
	crumbs    map[uint32][]byte

	measured time.Duration // from when on messages count
	lastDue  time.Duration // when the last session that must be expired is due
	awaited  int           // sessions that must be
	begun    int           // connections, of those that the plan asks for
	dialing  int           // of them, not open and not failed yet
	inFlight int
	leaving  int // connections that said that they part
	nextBeat time.Duration
	turning  time.Duration // when the phase is over that is on
	spun     time.Duration // time spent looking for what was not there yet
	dropped  schedule      // of connections that are dropped on purpose
	cursor   int           // the slot that is dropped, or touched, next
	given    past          // messages that were given up
	retries  []retry
	running  bool          // the run has begun
	draining bool          // nothing falls due any more
	owed     int           // connections of a storm that are still to be touched
	asked    int           // connections whose server was asked whether it has them
	probeEnd time.Duration // when it is not waited for any more
	drainEnd time.Duration // when nothing that was due is sent any more
	ending   bool          // connections are closed by us
}

func newRun(c *Client, p Plan, out func(result.Interval)) *run {
	r := &run{
		c: c, plan: p, timers: wheel.New(0), visits: make([]uint32, 256),
		intervals: intervals{
			out: out, length: p.Interval, live: result.Interval{Latency: result.Coarse()},
		},
		filler: seeded(p.Seed, p.floodSize()+fillerShift), buf: make([]byte, p.Size),
		crumbs: map[uint32][]byte{},
	}
	r.v, _ = c.dialect.(*v1)
	if r.v != nil {
		r.v.lenient = true
		r.v.named = p.Profile == ProfileReconnect
	}
	r.nextBeat = c.clock.now()
	c.task = r
	c.keepsBack = func(slot uint32) bool { return r.peers[slot].habit == trickles }
	return r
}

// loop turns until done says so, or the context ends.
func (r *run) loop(ctx context.Context, done func(now time.Duration) bool) error {
	for {
		now := r.c.clock.now()
		if now >= r.nextBeat {
			r.beat(now)
			if ctx.Err() != nil {
				r.part.Interrupted = true
				return nil
			}
		}
		r.dialDue(now)
		r.pump(now)
		if done(now) {
			return nil
		}
		if err := r.c.turnOnTime(r.next(), &r.spun); err != nil {
			return err
		}
	}
}

// beat does what is done every few milliseconds.
func (r *run) beat(now time.Duration) {
	// While connections are begun as fast as that goes nothing is due, and only a loop that was
	// stopped is late.
	if late := now - r.nextBeat; r.running || r.plan.Ramp > 0 || late > stopped {
		r.part.TimingError.Record(late)
	}
	r.nextBeat = now + beat
	r.advance(now)
	r.dropDue(now)
	r.retry(now)
	r.intervals.roll(now, r.c.open)
}

// next is the next moment at which something is to be done.
func (r *run) next() time.Duration {
	at := r.nextBeat
	if r.touching() {
		return r.c.clock.now()
	}
	if r.turning > r.c.clock.now() {
		at = min(at, r.turning)
	}
	if due, ok := r.messages.next(); ok && r.running && r.mayBeReady() {
		at = min(at, due)
	}
	if due, ok := r.dials.next(); ok && r.mayDial() {
		at = min(at, due)
	}
	return at
}

// advance visits the connections whose time has come.
func (r *run) advance(now time.Duration) {
	for done := false; !done; {
		var n int
		n, done = r.timers.Advance(wheel.Tick(now/timerTick), r.visits)
		for _, slot := range r.visits[:n] {
			if r.c.conns[slot].state != free {
				r.visit(slot, now)
			}
		}
	}
}

// visitAt has a connection visited at a moment. What was asked for before it is forgotten.
func (r *run) visitAt(slot uint32, at time.Duration) {
	r.peers[slot].visited = at
	r.timers.Schedule(slot, wheel.Tick((at+timerTick-1)/timerTick))
}

// visit looks whether a connection has waited for too long, or has something to do by itself.
func (r *run) visit(slot uint32, now time.Duration) {
	p, n := &r.peers[slot], &r.c.conns[slot]
	p.visited = 0
	switch {
	case n.state != open && p.habit != trickles:
		if now >= n.due+connectTimeout {
			r.c.drop(slot, n.state.unanswered())
			return
		}
		r.visitAt(slot, n.due+connectTimeout)
	case p.habit == trickles:
		r.trickle(slot, now)
	case p.habit == neverReads:
		r.flood(slot, now)
	case p.inFlight && now >= p.written+ReplyTimeout:
		r.giveUpMessage(slot, now)
	case p.inFlight:
		r.visitAt(slot, p.written+ReplyTimeout)
	case n.parting:
		if now >= p.since+ReplyTimeout {
			result.Count(&r.part.Errors, "no_answer_to_close", 1)
			h := p.habit
			r.fare(p)
			r.dropOurs(slot)
			r.replace(h)
			return
		}
		r.visitAt(slot, p.since+ReplyTimeout)
	case !r.running && p.habit.speaks() && p.idle > 0:
		r.keepAlive(slot, now)
	}
}

// keepAlive sends a message over a connection that has to wait for the run to begin.
func (r *run) keepAlive(slot uint32, now time.Duration) {
	p := &r.peers[slot]
	if at := p.touched + p.idle/3; now < at {
		r.visitAt(slot, at)
		return
	}
	r.send(slot, now)
}

// dropOurs drops a connection in which the server is not at fault.
func (r *run) dropOurs(slot uint32) {
	was := r.ending
	r.ending = true
	r.c.drop(slot, "dropped_by_us")
	r.ending = was
}

// opened takes a connection in over which messages can be sent.
func (r *run) opened(slot uint32, now time.Duration) {
	p, n := &r.peers[slot], &r.c.conns[slot]
	r.intervals.live.Opened++
	r.timers.Cancel(slot) // it opened in time
	p.visited = 0
	p.touched, p.freed, p.idle = n.asked, now, r.plan.ExpectIdle
	if r.v != nil {
		s := r.v.at(slot)
		p.touched = s.asked
		if p.idle == 0 {
			p.idle = time.Duration(s.ack.IdleSeconds * float64(time.Second))
		}
	}
	p.proved = p.touched
	if p.returns {
		r.returned(slot, now)
		return
	}
	if p.habit == trickles {
		r.trickle(slot, now)
		return
	}
	r.dialing--
	r.part.Connect.OK++
	r.part.Connect.Latency.Record(now - n.due)
	r.part.Connect.TCP.Record(n.since - n.due)
	r.part.Connect.Upgrade.Record(now - n.since)
	if p.habit == isSilent {
		r.expect(slot)
		return
	}
	r.free(slot, now)
}

// closed takes note of a connection that is gone, whoever ended it.
func (r *run) closed(slot uint32, was state, why string) {
	p := &r.peers[slot]
	r.timers.Cancel(slot)
	delete(r.crumbs, slot)
	if was == open {
		r.intervals.live.Closed++
	}
	if r.c.conns[slot].parting {
		r.leaving--
	}
	r.settleOwed(p)
	switch {
	case r.ending:
		if p.inFlight {
			p.inFlight = false
			r.inFlight--
		}
	case p.returns:
		r.notReturned(slot, why)
	case p.habit == trickles || p.habit == vanishes || p.habit == neverReads:
		r.cutOff(slot, was, why)
	case was != open:
		r.dialing--
		r.part.Connect.Failed++
		if was == upgrading && why == endOfStream {
			why = "upgrade_eof"
		}
		result.Count(&r.part.Errors, why, 1)
		if why == was.unanswered() {
			r.giveUpDialing()
		}
		r.replace(p.habit)
	default:
		r.ended(slot, why, r.c.clock.now())
	}
	*p = peer{}
}
