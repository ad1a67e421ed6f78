package load

import (
	"bytes"
	"slices"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/wheel"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// soakTick is the resolution of what connections do next.
const soakTick = 10 * time.Millisecond

// role is what a connection of a soak does with its life.
type role uint8

const (
	talker  role = iota // talks for ever
	flooder             // sends bursts for ever
	silent              // says one thing, and must be expired
	leaver              // says a few things and leaves
)

// leaverSays is how many messages a leaver sends.
const leaverSays = 4

// soaker is what a soak knows of a connection beside its slot.
type soaker struct {
	serial       uint32 // of all that opened; in its messages
	sent, echoed uint32
	last         time.Duration // when it last began to send
	next         time.Duration // when it does something next
	role         role
}

// soakTask holds connections that come and go.
type soakTask struct {
	c        *Client
	o        SoakOptions
	report   SoakReport
	lateness result.Histogram
	soakers  []soaker // by slot
	wheel    *wheel.Wheel
	due      []uint32
	start    time.Duration
	begun    int
	waiting  int // messages without an answer
	ending   bool
	buf      []byte
	burst    []byte
}

// Soak keeps the server busy and returns the ledger of it. Connections that were open before take
// no part, but count as held. Those of the soak are reset at the end.
func (c *Client) Soak(o SoakOptions) (SoakReport, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return SoakReport{}, err
	}
	t := &soakTask{
		c: c, o: o, wheel: wheel.New(0), due: make([]uint32, 256), start: c.clock.now(),
		buf: filler(o.Bytes), soakers: make([]soaker, len(c.conns)),
	}
	c.task = t
	defer func() { c.task = idle{} }()
	for now := t.start; now < t.start+o.Duration; now = c.clock.now() {
		t.begin(now)
		t.advance(now)
		if err := c.turn(now + soakTick); err != nil {
			return t.report, err
		}
	}
	return t.end()
}

// end waits for the last answers and closes the ledger.
func (t *soakTask) end() (SoakReport, error) {
	t.ending = true
	for now := t.c.clock.now(); t.waiting+t.c.dialing > 0; {
		if t.c.clock.now() > now+t.o.GiveUp {
			break
		}
		if err := t.c.turn(t.c.clock.now() + soakTick); err != nil {
			return t.report, err
		}
	}
	t.report.Lost += t.waiting
	t.report.Lateness = latencyOf(&t.lateness)
	t.c.giveUp()
	t.c.task = idle{}
	for slot, s := range t.soakers {
		if s.serial > 0 {
			t.report.Open++
			t.c.drop(uint32(slot), "the soak is over")
		}
	}
	return t.report, nil
}

// begin begins connections in place of those that are gone, no more than the rate allows.
func (t *soakTask) begin(now time.Duration) {
	allowed := int((now-t.start).Seconds()*t.o.Rate) + 1
	for t.begun < allowed && t.c.open+t.c.dialing < t.o.Connections && t.c.dialing < t.c.o.Dialing {
		t.begun++
		if _, err := t.c.begin(now); err != nil {
			t.fail(reason(err))
		}
	}
	t.begun = max(t.begun, allowed-t.c.o.Dialing) // what was not needed is not saved up
}

func (t *soakTask) fail(why string) {
	t.report.Failed++
	count(&t.report.Errors, why)
}

func (t *soakTask) opened(slot uint32, now time.Duration) {
	if int(slot) >= len(t.soakers) {
		t.soakers = append(t.soakers, make([]soaker, int(slot)+1-len(t.soakers))...)
	}
	t.report.Opened++
	s := &t.soakers[slot]
	roles := [...]role{talker, silent, leaver}
	*s = soaker{serial: uint32(t.report.Opened), role: roles[t.report.Opened%len(roles)]}
	if s.role == talker && t.report.Opened%96 == 0 {
		s.role = flooder
	}
	if t.ending {
		return
	}
	t.say(slot, 1)
	if s.role == silent {
		t.schedule(slot, now+t.o.Idle+t.o.Late)
		return
	}
	// The first pause is any part of one, so that those who came together do not talk together.
	t.schedule(slot, now+t.o.Pause*time.Duration(1+s.serial*7919%64)/64)
}

// say sends messages, all of them in one write.
func (t *soakTask) say(slot uint32, messages int) {
	s := &t.soakers[slot]
	t.burst = t.burst[:0]
	for range messages {
		s.sent++
		stamp(t.buf, s.serial, s.sent)
		t.burst = t.c.appendMessage(t.burst, t.buf)
	}
	s.last = t.c.clock.now() // before the write, so that no close which is in time looks early
	t.waiting += messages
	t.report.Sent += messages
	t.c.write(slot, t.burst)
}

func (t *soakTask) schedule(slot uint32, at time.Duration) {
	t.soakers[slot].next = at
	t.wheel.Schedule(slot, wheel.Tick((at+soakTick-1)/soakTick))
}

// advance lets connections do what is due.
func (t *soakTask) advance(now time.Duration) {
	for done := false; !done; {
		var n int
		n, done = t.wheel.Advance(wheel.Tick(now/soakTick), t.due)
		for _, slot := range t.due[:n] {
			switch s := &t.soakers[slot]; {
			case t.c.conns[slot].state != open:
			case s.next > now:
				t.schedule(slot, s.next)
			default:
				t.act(slot, now)
			}
		}
	}
}

// act does the next thing in the life of a connection.
func (t *soakTask) act(slot uint32, now time.Duration) {
	s, n := &t.soakers[slot], &t.c.conns[slot]
	serial := s.serial
	switch {
	case s.role == silent:
		t.report.Missing++
		t.c.drop(slot, "never expired")
		return
	case n.parting:
		t.c.drop(slot, "did not part")
		return
	case s.echoed < s.sent: // it waits, and must not be silent for too long
		if now > s.last+t.o.GiveUp {
			t.c.drop(slot, "no answer")
			return
		}
		t.schedule(slot, now+soakTick)
		return
	case s.role == leaver && s.sent >= leaverSays:
		n.parting = true
		t.c.out = wsframe.Client.AppendClose(t.c.out[:0], wsframe.CodeNormal, "")
		t.c.write(slot, t.c.out)
		t.scheduleLiving(slot, serial, now+t.o.GiveUp)
		return
	case s.role == flooder:
		t.report.Floods++
		t.say(slot, t.o.Burst)
	default:
		t.say(slot, 1)
	}
	t.scheduleLiving(slot, serial, now+t.o.Pause)
}

// scheduleLiving schedules unless the write before it found the connection broken.
func (t *soakTask) scheduleLiving(slot, serial uint32, at time.Duration) {
	if t.c.conns[slot].state == open && t.soakers[slot].serial == serial {
		t.schedule(slot, at)
	}
}

func (t *soakTask) message(slot uint32, payload []byte, _ time.Duration) {
	if int(slot) >= len(t.soakers) || t.soakers[slot].serial == 0 {
		return // it was open before
	}
	s := &t.soakers[slot]
	stamp(t.buf, s.serial, s.echoed+1)
	if s.echoed == s.sent || !bytes.Equal(payload, t.buf) {
		t.report.Wrong++
		return
	}
	s.echoed++
	t.waiting--
	t.report.Received++
}

func (t *soakTask) closed(slot uint32, was state, why string) {
	if was != open {
		t.fail(why)
		return
	}
	if int(slot) >= len(t.soakers) || t.soakers[slot].serial == 0 {
		return // it was open before
	}
	s, n := &t.soakers[slot], &t.c.conns[slot]
	lost := int(s.sent - s.echoed)
	t.waiting -= lost
	t.report.Lost += lost
	switch {
	case why == "4200":
		t.report.Expired++
		late := t.c.clock.now() - s.last - t.o.Idle
		if late < 0 {
			t.report.Early++
		}
		t.lateness.Record(late)
	case n.parting && slices.Contains([]string{"1000", endOfStream}, why):
		t.report.Parted++
	default:
		t.report.Dropped++
	}
	count(&t.report.Closes, why)
	s.serial = 0
}

// count counts one more of a kind.
func count(m *map[string]int, kind string) {
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[kind]++
}
