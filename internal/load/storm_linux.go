package load

import (
	"bytes"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// weathered is what a storm knows of a connection.
type weathered struct {
	part     bool          // it takes part, and has not ended
	touched  bool          // the message is sent
	answered time.Duration // when the answer came; 0: not yet
	last     time.Duration // just before the message was sent
}

// stormTask touches all sessions once and waits for their ends.
type stormTask struct {
	c          *Client
	o          StormOptions
	report     StormReport
	lateness   result.Histogram
	fromAnswer result.Histogram
	all        []weathered // by slot
	left       int         // sessions that have not ended
	first      time.Duration
	expected   []byte
}

// Storm sends one message over each open connection, then nothing, and waits until the server has
// ended all sessions. What went wrong is in the report and no error.
func (c *Client) Storm(o StormOptions) (StormReport, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return StormReport{}, err
	}
	t := &stormTask{c: c, o: o, all: make([]weathered, len(c.conns)), expected: filler(o.Bytes)}
	for slot := range c.conns {
		t.all[slot].part = c.conns[slot].state == open
	}
	t.left = c.open
	t.report.Sessions = c.open
	c.task = t
	defer func() { c.task = idle{} }()
	end, err := t.touch()
	for err == nil && t.left > 0 && c.clock.now() < end {
		err = c.turn(end)
	}
	t.report.Missing = t.left
	t.report.Lateness, t.report.FromAnswer = latencyOf(&t.lateness), latencyOf(&t.fromAnswer)
	return t.report, err
}

// touch sends the messages, and gives the moment when the last session must have ended.
func (t *stormTask) touch() (end time.Duration, err error) {
	start := t.c.clock.now()
	t.first = start + t.o.Idle
	var now time.Duration
	for slot, begun := 0, 0; slot < len(t.all); slot++ {
		if !t.all[slot].part {
			continue
		}
		due := start + t.o.Spread*time.Duration(begun)/time.Duration(t.report.Sessions)
		for now = t.c.clock.now(); now < due; now = t.c.clock.now() {
			if err := t.c.turn(due); err != nil {
				return 0, err
			}
		}
		begun++
		if w := &t.all[slot]; w.part {
			stamp(t.expected, uint32(slot), 1)
			w.touched, w.last = true, t.c.clock.now()
			t.c.send(uint32(slot), t.expected)
		}
	}
	t.report.Touching = now - start
	return now + t.o.Idle + t.o.Late, nil
}

func (t *stormTask) opened(uint32, time.Duration) {}

func (t *stormTask) message(slot uint32, payload []byte, now time.Duration) {
	w := &t.all[slot]
	stamp(t.expected, slot, 1)
	if !w.touched || w.answered > 0 || !bytes.Equal(payload, t.expected) {
		t.report.Wrong++
		return
	}
	t.report.Answered++
	w.answered = now
}

func (t *stormTask) closed(slot uint32, _ state, why string) {
	w := &t.all[slot]
	if !w.part {
		return
	}
	w.part = false
	t.left--
	count(&t.report.Closes, why)
	if why != "4200" || !w.touched {
		t.report.Dropped++
		return
	}
	now := t.c.clock.now()
	t.report.Expired++
	if t.c.dialect.told(slot) {
		t.report.Told++
	}
	late := now - w.last - t.o.Idle
	if late < 0 {
		t.report.Early++
	}
	t.lateness.Record(late)
	if w.answered > 0 {
		t.fromAnswer.Record(now - w.answered - t.o.Idle)
	}
	t.report.Ending = now - t.first
}
