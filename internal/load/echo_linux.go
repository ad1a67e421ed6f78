package load

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// echoTask sends messages and compares what comes back.
type echoTask struct {
	c        *Client
	o        EchoOptions
	report   EchoReport
	latency  result.Histogram
	ready    ring // connections that take part and have nothing in flight
	inFlight int
	start    time.Duration
	due      int           // messages that were taken from the schedule
	last     time.Duration // when the last answer came
	moved    time.Duration // when a message was last sent or answered
	buf      []byte        // the message to send or to compare with
}

// Echo sends messages over the connections that are open and waits for each to come back. What went
// wrong is in the report and no error.
func (c *Client) Echo(o EchoOptions) (EchoReport, error) {
	o = o.withDefaults(c.open)
	if err := o.validate(); err != nil {
		return EchoReport{}, err
	}
	t := &echoTask{c: c, o: o, ready: newRing(o.Connections), buf: filler(o.Bytes)}
	c.task = t
	defer func() { c.task = idle{} }()
	for slot := range c.conns {
		n := &c.conns[slot]
		n.chosen = n.state == open && t.ready.n < o.Connections
		n.inFlight = false
		if n.chosen {
			t.ready.push(uint32(slot))
		}
	}
	t.start = c.clock.now()
	t.last = t.start
	t.moved = t.start
	for {
		now := c.clock.now()
		next, done := t.pump(now)
		if done && t.inFlight == 0 || t.ready.n+t.inFlight == 0 {
			break
		}
		if t.inFlight > 0 {
			giveUp := t.moved + o.GiveUp
			if now >= giveUp {
				break
			}
			if done || next > giveUp {
				next = giveUp
			}
		}
		if err := c.turn(next); err != nil {
			return t.result(), err
		}
	}
	return t.result(), nil
}

func (t *echoTask) result() EchoReport {
	r := t.report
	r.Lost = r.Sent - r.Received
	r.Wall = t.last - t.start
	r.Latency = latencyOf(&t.latency)
	for t.o.Rate > 0 {
		if at, ok := t.next(0); !ok || at > t.c.clock.now() {
			break
		}
		t.due++
		r.Unsent++
	}
	return r
}

// pump sends what is due. It says when to look again, and whether nothing will be due any more.
func (t *echoTask) pump(now time.Duration) (next time.Duration, done bool) {
	for {
		at, ok := t.next(now)
		if !ok {
			return 0, true
		}
		if at > now {
			return at, false
		}
		if t.ready.n == 0 || t.inFlight >= t.o.InFlight {
			return t.deadline(now), false
		}
		t.due++
		t.moved = now
		t.send(t.ready.pop(), at)
	}
}

// next is when the next message is due, if there is one. Without a rate that is at once.
func (t *echoTask) next(now time.Duration) (at time.Duration, ok bool) {
	at = now
	if t.o.Rate > 0 {
		at = t.start + time.Duration(float64(t.due)/t.o.Rate*float64(time.Second))
	}
	if t.o.Count > 0 && t.due >= t.o.Count {
		return 0, false
	}
	return at, t.o.Duration == 0 || at < t.start+t.o.Duration
}

// deadline is how long the loop may wait for answers with more messages due.
func (t *echoTask) deadline(now time.Duration) time.Duration {
	if t.o.Duration > 0 && t.o.Rate == 0 {
		return t.start + t.o.Duration
	}
	return now + t.o.GiveUp
}

func (t *echoTask) send(slot uint32, due time.Duration) {
	n := &t.c.conns[slot]
	n.seq++
	n.due, n.inFlight = due, true
	t.inFlight++
	t.report.Sent++
	t.c.send(slot, t.expected(slot))
}

// expected is the message in flight: who sent it and which one it is, as far as that fits, and a
// filler.
func (t *echoTask) expected(slot uint32) []byte {
	stamp(t.buf, slot, t.c.conns[slot].seq)
	return t.buf
}

func (t *echoTask) opened(uint32, time.Duration) {}

func (t *echoTask) message(slot uint32, payload []byte, now time.Duration) {
	n := &t.c.conns[slot]
	if !n.chosen || !n.inFlight || !bytes.Equal(payload, t.expected(slot)) {
		t.report.Wrong++
		return
	}
	n.inFlight = false
	t.inFlight--
	t.report.Received++
	t.last, t.moved = now, now
	t.latency.Record(now - n.due)
	t.ready.push(slot)
	if t.o.Rate == 0 {
		t.pump(now)
	}
}

func (t *echoTask) closed(slot uint32, _ state, why string) {
	n := &t.c.conns[slot]
	if t.report.Closes == nil {
		t.report.Closes = map[string]int{}
	}
	t.report.Closes[why]++
	if n.inFlight {
		t.inFlight--
	} else if n.chosen {
		t.ready.remove(slot)
	}
}

// stampBytes is how long a stamp is.
const stampBytes = 12

// stamp writes which message it is, and who sent it, over its start, as far as that fits. who has
// 25 bits.
func stamp(message []byte, who, which uint32) {
	var id [stampBytes]byte
	writeDigits(id[:whichDigits], which)
	writeDigits(id[whichDigits:], who)
	copy(message, id[:])
}

// readStamp is what stamp wrote.
func readStamp(message []byte) (who, which uint32, ok bool) {
	if len(message) < stampBytes {
		return 0, 0, false
	}
	which, ok = readDigits(message[:whichDigits])
	who, okToo := readDigits(message[whichDigits:stampBytes])
	return who, which, ok && okToo
}

const (
	whichDigits = 7
	digitBits   = 5
	digits      = "0123456789abcdefghijklmnopqrstuv"
)

// writeDigits writes the lowest digit first, so that a message is text too and one that is cut
// short differs from the one before it.
func writeDigits(b []byte, v uint32) {
	for i := range b {
		b[i] = digits[v&(1<<digitBits-1)]
		v >>= digitBits
	}
}

func readDigits(b []byte) (v uint32, ok bool) {
	for i, c := range b {
		d := strings.IndexByte(digits, c)
		if d < 0 {
			return 0, false
		}
		v |= uint32(d) << (digitBits * i)
	}
	return v, true
}

// filler is n bytes of text that do not repeat within a line of cache.
func filler(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := 0; len(b) < n; i++ {
		b = strconv.AppendInt(b, int64(i)*7919, 36)
	}
	return b[:n]
}
