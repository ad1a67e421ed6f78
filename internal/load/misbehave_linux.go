package load

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/netloop/poll"
	"github.com/curfew-go/curfew/internal/wsframe"
)

const (
	// trickleEvery is how long one that trickles waits from byte to byte.
	trickleEvery = 200 * time.Millisecond
	// floodEvery is how often one that never reads sends.
	floodEvery = 100 * time.Millisecond
	// floodBytesMax is how much it sends then, and floodRate how many bytes a second all of them
	// send together: a machine can do that beside, and what lies between here and the server is
	// filled within seconds.
	floodBytesMax, floodRate = 256 << 10, 100 << 20
	// floodMessageBytes is how long its messages are at least: it is bytes that fill buffers.
	floodMessageBytes = 16 << 10
	// slowReceiveBytes is the receive buffer of one that never reads: a server is to notice soon.
	slowReceiveBytes = 4 << 10
)

// misbehave begins what the connections are to do from the run's begin on.
func (r *run) misbehave(now time.Duration) {
	for slot := range r.c.conns {
		n, p := &r.c.conns[slot], &r.peers[slot]
		if n.state == free || p.habit == trickles {
			if n.state != free {
				r.part.Fault.Injected++
			}
			continue // it has begun
		}
		_, then := r.plan.habitOf(p.id)
		if n.state != open || then != neverReads && then != vanishes {
			continue
		}
		p.heard = p.seq
		if p.inFlight { // its answer is not waited for
			p.inFlight = false
			r.inFlight--
			r.given.add(messageKey(p.id, p.seq))
		}
		p.habit, p.since = then, now
		r.part.Fault.Injected++
		n.deaf = true
		switch then {
		case neverReads:
			p.base, p.said = p.heard, 0
			if r.c.watch(uint32(slot), poll.Read) {
				r.flood(uint32(slot), now)
			}
		case vanishes:
			r.vanish(uint32(slot))
		case talks, isSilent, leaves, trickles:
		}
	}
}

// vanish makes a connection hear and say nothing: a filter that drops all packets is attached to
// its socket, so that the server's are not even acknowledged.
func (r *run) vanish(slot uint32) {
	n, p := &r.c.conns[slot], &r.peers[slot]
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	program := unix.SockFprog{Len: 1, Filter: &drop}
	err := unix.SetsockoptSockFprog(int(n.fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	if err != nil { // it is deaf all the same, though its kernel still acknowledges
		result.Count(&r.part.Errors, "half_open_still_acknowledges", 1)
	}
	r.timers.Cancel(slot)
	if r.plan.ExpectIdle > 0 {
		p.idle, p.touched = r.plan.ExpectIdle, r.c.clock.now()
		r.expect(slot)
	}
	r.c.watch(slot, poll.Read)
}

// reappear lets connections that had vanished hear again, and asks the server whether it still has
// them: one that has not answers by a reset.
func (r *run) reappear() {
	for slot := range r.c.conns {
		n := &r.c.conns[slot]
		if n.state != open || r.peers[slot].habit != vanishes {
			continue
		}
		n.deaf = false
		_ = unix.SetsockoptInt(int(n.fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
		if r.c.watch(uint32(slot), poll.Read) {
			r.peers[slot].asked = true
			r.asked++
			r.c.out = wsframe.Client.AppendFrame(r.c.out[:0], wsframe.OpPing, true, nil)
			r.c.write(uint32(slot), r.c.out)
		}
	}
	// What a server said meanwhile its kernel says again, at the latest when as much time has
	// passed as since it was said first.
	now := r.c.clock.now()
	r.probeEnd = now + max(probeTime, min(now-r.measured, probeTimeMax))
}

// ponged takes the answer of a server that still holds a connection which had vanished.
func (r *run) ponged(slot uint32) {
	if p := &r.peers[slot]; p.asked {
		p.asked = false
		r.asked--
	}
}

// trickle sends the next byte of a connection's request, or of its message.
func (r *run) trickle(slot uint32, now time.Duration) {
	p, n := &r.peers[slot], &r.c.conns[slot]
	rest := r.crumbs[slot]
	switch {
	case n.state == upgrading && p.cursor == 0:
		p.cursor = 1
		rest = r.c.request
	case n.state == open && len(rest) == 0 && !p.inFlight:
		p.seq++
		p.inFlight, p.warm, p.due = true, true, now
		r.inFlight++
		r.compose(r.buf, p.id, p.seq)
		rest = r.c.appendMessage(nil, r.buf)
	}
	r.visitAt(slot, now+trickleEvery)
	if len(rest) == 0 {
		return
	}
	r.crumbs[slot] = rest[1:]
	p.written = now
	r.c.write(slot, rest[:1])
}

// flood sends messages whose answers nobody reads, as far as the socket takes them.
func (r *run) flood(slot uint32, now time.Duration) {
	r.visitAt(slot, now+floodEvery)
	p := &r.peers[slot]
	if u := r.c.partial[slot]; u != nil && len(u.out) > 0 {
		if !p.full {
			p.full = true
			r.part.Fault.Full++
		}
		return
	}
	fair := floodRate / int(time.Second/floodEvery) / max(r.c.open/2, 1) / r.plan.Processes
	if r.large == nil {
		r.large = make([]byte, r.plan.floodSize())
	}
	r.bulk = r.bulk[:0]
	for first := true; first || len(r.bulk) < min(floodBytesMax, fair); first = false {
		p.seq++
		r.part.Written++
		r.compose(r.large, p.id, p.seq)
		r.bulk = r.c.appendMessage(r.bulk, r.large)
	}
	r.c.write(slot, r.bulk)
}

// floodSize is how long the messages are whose answers nobody reads.
func (p Plan) floodSize() int { return max(p.Size, floodMessageBytes) }

// flooded takes an answer to a flood, once it is read: they must come in order.
func (r *run) flooded(slot uint32, payload []byte) {
	p := &r.peers[slot]
	size := r.plan.floodSize()
	if p.heard < p.seq && r.is(payload, size, p.id, p.heard+1) {
		p.heard++
		return
	}
	who, which, ok := readStamp(payload)
	if ok && r.given.take(messageKey(who, which)) {
		return // it was sent before the flood
	}
	r.intervals.live.Bad++
	switch {
	case !ok || who != p.id || !r.is(payload, size, who, which):
		r.part.Wrong++
	case which <= p.heard:
		r.part.Duplicated++
	default: // what was left out is lost
		p.said += int(which - p.heard - 1)
		p.heard = which
	}
}

// settle counts what came of the flood of a connection that the server held until the end.
func (r *run) settle(p *peer) {
	sent, unanswered := uint64(p.seq-p.base), uint64(p.seq-p.heard)
	lost := unanswered + uint64(p.said)
	r.part.Fault.Sent += sent
	r.part.Fault.Lost += lost
}

// listen lets those read that never did.
func (r *run) listen() {
	for slot := range r.c.conns {
		n, p := &r.c.conns[slot], &r.peers[slot]
		if n.state != open || p.habit != neverReads {
			continue
		}
		n.deaf = false
		r.timers.Cancel(uint32(slot))
		interest := poll.Read
		if u := r.c.partial[uint32(slot)]; u != nil && len(u.out) > 0 {
			interest |= poll.Write
		}
		r.c.watch(uint32(slot), interest)
	}
}

// cutOff takes note of a connection that misbehaved and is gone.
func (r *run) cutOff(slot uint32, was state, why string) {
	p := &r.peers[slot]
	if p.inFlight {
		p.inFlight = false
		r.inFlight--
	}
	switch {
	case why[0] >= '0' && why[0] <= '9':
		result.Count(&r.part.Closes, why, 1)
	case was == connecting:
		result.Count(&r.part.Errors, why, 1)
	default: // it is what they were to provoke
		result.Count(&r.part.Fault.Reasons, why, 1)
	}
	if !r.running { // it is one that trickles, before the others begin
		r.part.Fault.Injected++
	}
	r.part.Fault.Cut++
	r.ponged(slot) // it is not awaited any more
	if p.habit == vanishes {
		if p.expected {
			r.awaited--
			r.part.Expiry.Observed++
			r.intervals.live.Expired++
		}
		return
	}
	if !r.draining { // when one that reads again notices says nothing
		r.part.Fault.After.Record(r.c.clock.now() - p.since)
	}
}
