package load

import (
	"bytes"
	"math/rand/v2"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// fillerShift is by how much what two messages hold may be shifted, so that a part of one that
// turns up in another is found.
const fillerShift = 256

// seeded is n bytes of text that JSON need not escape, from a seed.
func seeded(seed uint64, n int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	from := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[from.IntN(len(letters))]
	}
	return b
}

// body is what a message holds after its stamp, n bytes.
func (r *run) body(id, seq uint32, n int) []byte {
	shift := (id*31 + seq*17) % fillerShift
	return r.filler[shift : int(shift)+n]
}

// compose writes a message over b, which is as long as a message.
func (r *run) compose(b []byte, id, seq uint32) {
	stamp(b, id, seq)
	if len(b) > stampBytes {
		copy(b[stampBytes:], r.body(id, seq, len(b)-stampBytes))
	}
}

// is says whether a payload is the message of size bytes that a connection sent as its seq-th.
func (r *run) is(payload []byte, size int, id, seq uint32) bool {
	if len(payload) != size || r.c.inOp != r.c.op {
		return false
	}
	var mark [stampBytes]byte
	stamp(mark[:], id, seq)
	n := min(len(payload), stampBytes)
	return bytes.Equal(payload[:n], mark[:n]) && bytes.Equal(payload[n:], r.body(id, seq, size-n))
}

// pump sends what is due, as far as connections are free for it, and not too much at once.
func (r *run) pump(now time.Duration) {
	if !r.running || r.draining && (now >= r.drainEnd || r.part.Interrupted) {
		return
	}
	if r.touching() {
		r.touchSome()
		return
	}
	for range sendBurst {
		due, ok := r.messages.next()
		if !ok || due > now {
			return
		}
		slot, ok := r.takeReady()
		if !ok {
			return
		}
		r.messages.taken++
		now = r.c.clock.now()
		r.part.TimingError.Record(now - max(due, r.peers[slot].freed))
		r.send(slot, due)
	}
}

// takeReady gives a connection that is free for a message.
func (r *run) takeReady() (slot uint32, ok bool) {
	for {
		key, ok := r.ready.pop()
		if !ok {
			return 0, false
		}
		slot := uint32(key)
		n, p := &r.c.conns[slot], &r.peers[slot]
		if n.key(slot) != key {
			continue // it is gone
		}
		p.queued = false
		if n.state == open && !p.inFlight && p.habit.speaks() && !n.parting {
			return slot, true
		}
	}
}

// mayBeReady says whether a connection may be free for a message.
func (r *run) mayBeReady() bool { return r.ready.head < len(r.ready.all) }

// send sends a connection's next message.
func (r *run) send(slot uint32, due time.Duration) {
	p := &r.peers[slot]
	p.seq++
	p.inFlight, p.due = true, due
	r.part.Written++
	p.warm = !r.running || due < r.measured
	r.inFlight++
	if !p.warm {
		r.part.Sent++
		r.intervals.live.Sent++
	}
	p.written = r.c.clock.now()
	r.write(slot)
}

// write writes the message in flight, for the first time or again.
func (r *run) write(slot uint32) {
	p := &r.peers[slot]
	r.compose(r.buf, p.id, p.seq)
	p.touched = r.c.clock.now() // before the write, so that no end which is in time looks early
	if p.visited == 0 || p.visited > p.touched+ReplyTimeout {
		r.visitAt(slot, p.touched+ReplyTimeout)
	}
	if r.v != nil && r.v.named {
		stamp(r.v.name[:], p.id, p.seq)
	}
	r.c.send(slot, r.buf)
}

// message takes what the server sent.
func (r *run) message(slot uint32, payload []byte, now time.Duration) {
	p := &r.peers[slot]
	switch {
	case p.habit == neverReads:
		r.flooded(slot, payload)
	case p.habit == vanishes: // it was sent before
	case p.inFlight && r.is(payload, r.plan.Size, p.id, p.seq):
		if now >= p.written+ReplyTimeout {
			r.given.add(messageKey(p.id, p.seq))
			r.stray(slot, payload)
			r.giveUpMessage(slot, now)
			r.given.take(messageKey(p.id, p.seq))
			break
		}
		r.answered(slot, now)
	default:
		r.stray(slot, payload)
	}
	if p.replays {
		r.caughtUp(slot)
	}
}

// answered takes the right answer to the message in flight.
func (r *run) answered(slot uint32, now time.Duration) {
	p := &r.peers[slot]
	p.inFlight = false
	p.heard = p.seq
	p.freed = now
	p.proved = p.touched
	p.said++
	r.inFlight--
	if p.replays {
		r.part.Resume.Replayed++
	}
	if !p.warm {
		r.part.Received++
		r.intervals.live.Received++
		latency := now - p.due
		r.part.Latency.Record(latency)
		r.intervals.live.Latency.Record(latency)
		r.part.Uncorrected.Record(now - p.written)
		p.sum += now - p.written
		p.answered++
	}
	r.free(slot, now)
}

// free lets a connection send its next message, or part.
func (r *run) free(slot uint32, now time.Duration) {
	p, n := &r.peers[slot], &r.c.conns[slot]
	switch {
	case p.habit == trickles:
		r.trickle(slot, now)
	case r.running && !r.draining && r.plan.Profile == ProfileStorm && p.habit == talks:
		r.touch(slot)
	case p.habit == leaves && p.said >= leaverSays:
		n.parting, p.since = true, now
		r.leaving++
		r.c.out = wsframe.Client.AppendClose(r.c.out[:0], wsframe.CodeNormal, "")
		if r.c.write(slot, r.c.out) {
			r.visitAt(slot, now+ReplyTimeout)
		}
	case p.habit.speaks():
		if !p.queued {
			p.queued = true
			r.ready.push(n.key(slot))
		}
		if !r.running && p.idle > 0 {
			r.visitAt(slot, p.touched+p.idle/3)
		}
	}
}

// stray takes a frame that is not the answer that is awaited.
func (r *run) stray(slot uint32, payload []byte) {
	p := &r.peers[slot]
	who, which, ok := readStamp(payload)
	known := ok && who == p.id && which > 0 && which <= p.seq
	if !known || !r.is(payload, r.plan.Size, who, which) {
		r.part.Wrong++
		r.intervals.live.Bad++
		return
	}
	if r.given.take(messageKey(who, which)) {
		r.part.Late++
		if which < p.heard {
			r.part.Reordered++
			r.intervals.live.Bad++
		}
		return // that it was lost was counted
	}
	r.part.Duplicated++
	r.intervals.live.Bad++
}

// messageKey names a message.
func messageKey(who, which uint32) uint64 { return uint64(who)<<32 | uint64(which) }

// giveUpMessage counts the message in flight as lost, for it has waited too long.
func (r *run) giveUpMessage(slot uint32, now time.Duration) {
	p := &r.peers[slot]
	r.given.add(messageKey(p.id, p.seq))
	p.freed = now
	p.replays = false
	r.countLost(slot)
	r.free(slot, now)
}

// countLost counts the message in flight as lost.
func (r *run) countLost(slot uint32) {
	p := &r.peers[slot]
	p.inFlight = false
	r.inFlight--
	r.intervals.live.Bad++
	if p.warm { // it does not count, unless it is lost
		r.part.Sent++
	}
	r.part.Lost++
}

// refused takes the server's word that it does not answer the message in flight.
func (r *run) refused(slot uint32, code string, now time.Duration) {
	if code == "DUPLICATE" {
		return // it was sent again, and is being answered
	}
	result.Count(&r.part.Errors, snake("error "+code), 1)
	p := &r.peers[slot]
	if !p.inFlight {
		return
	}
	r.countLost(slot)
	p.freed = now
	r.free(slot, now)
}
