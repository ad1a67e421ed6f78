package load

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// stage is how far a reconnectTask is.
type stage uint8

const (
	talking   stage = iota // messages are sent and answered
	dropping               // connections are reset
	returning              // sessions are resumed
)

// returner is a session that loses its connection and comes back.
type returner struct {
	session
	sent  uint32 // messages
	heard uint32 // answers, in order
	seen  uint32 // answers that the session knows of at the drop
	back  bool   // it is resumed
}

// reconnectTask drops all connections at once and resumes their sessions.
type reconnectTask struct {
	c        *Client
	v        *v1
	o        ReconnectOptions
	report   ReconnectReport
	all      []returner
	who      []int // by slot: the index in all, -1: none of them
	queue    []int // those who are still to come back
	stage    stage
	awaited  int           // answers
	dropped  time.Duration // when
	moved    time.Duration // when something last went well
	hello    result.Histogram
	connect  result.Histogram
	expected []byte
}

// Reconnect drops all connections that are open and resumes their sessions as fast as
// [Options.Dialing] lets it. What went wrong is in the report and no error.
func (c *Client) Reconnect(o ReconnectOptions) (ReconnectReport, error) {
	o = o.withDefaults()
	v, ok := c.dialect.(*v1)
	if !ok || !v.resume || c.open == 0 {
		return ReconnectReport{}, errors.New("load: reconnect without sessions that can be resumed")
	}
	if err := o.validate(); err != nil {
		return ReconnectReport{}, err
	}
	t := &reconnectTask{
		c: c, v: v, o: o, moved: c.clock.now(), expected: filler(o.Bytes),
		who: make([]int, len(c.conns)),
	}
	for slot := range c.conns {
		t.who[slot] = -1
		if c.conns[slot].state == open {
			t.who[slot] = len(t.all)
			t.all = append(t.all, returner{})
		}
	}
	t.report.Sessions = len(t.all)
	c.task = t
	defer func() { c.task, v.deaf = idle{}, false }()
	err := t.run()
	t.report.Hello, t.report.Connect = latencyOf(&t.hello), latencyOf(&t.connect)
	return t.report, err
}

func (t *reconnectTask) run() error {
	for range t.o.Messages {
		if err := t.exchange(); err != nil {
			return err
		}
	}
	for i := range t.all {
		t.all[i].seen = t.all[i].heard
	}
	t.v.deaf = true
	for range t.o.Unseen {
		if err := t.exchange(); err != nil {
			return err
		}
	}
	t.v.deaf = false
	t.drop()
	if err := t.comeBack(); err != nil {
		return err
	}
	t.account()
	t.stage = talking
	if err := t.exchange(); err != nil {
		return err
	}
	for _, i := range t.who {
		if i >= 0 && t.all[i].heard == t.all[i].sent {
			t.report.Answered++
		}
	}
	return nil
}

// exchange sends a message over each connection and waits for the answers.
func (t *reconnectTask) exchange() error {
	for slot, i := range t.who {
		if i < 0 {
			continue
		}
		r := &t.all[i]
		r.sent++
		t.awaited++
		stamp(t.expected, uint32(i), r.sent)
		t.c.send(uint32(slot), t.expected)
	}
	t.moved = t.c.clock.now()
	for t.awaited > 0 && t.c.clock.now() < t.moved+t.o.GiveUp {
		if err := t.c.turn(t.moved + t.o.GiveUp); err != nil {
			return err
		}
	}
	return nil
}

// drop resets all connections.
func (t *reconnectTask) drop() {
	t.stage = dropping
	t.dropped = t.c.clock.now()
	for slot, i := range t.who {
		if i >= 0 {
			t.c.drop(uint32(slot), "dropped by us")
		}
	}
	for i := range t.all {
		t.all[i].heard = t.all[i].seen
		t.queue = append(t.queue, i)
	}
	t.awaited = 0
}

// comeBack resumes the sessions, and waits for what is replayed to them.
func (t *reconnectTask) comeBack() error {
	t.stage = returning
	t.moved = t.c.clock.now()
	for len(t.queue)+t.c.dialing+t.awaited > 0 {
		now := t.c.clock.now()
		if now >= t.moved+t.o.GiveUp {
			break
		}
		until := t.moved + t.o.GiveUp
		for len(t.queue) > 0 && t.c.dialing < t.c.o.Dialing {
			if err := t.begin(now); err != nil {
				t.again(reason(err), t.queue[0])
				t.queue = t.queue[1:]
				until = now + soakTick // there may be room for it then
				break
			}
		}
		if err := t.c.turn(until); err != nil {
			return err
		}
	}
	return nil
}

// begin connects for the next in the queue.
func (t *reconnectTask) begin(now time.Duration) error {
	slot, err := t.c.begin(now)
	if err != nil {
		return err
	}
	for int(slot) >= len(t.who) {
		t.who = append(t.who, -1)
	}
	t.who[slot] = t.queue[0]
	*t.v.at(slot) = t.all[t.queue[0]].session
	t.queue = t.queue[1:]
	return nil
}

// again puts a session at the end of the queue whose connection failed.
func (t *reconnectTask) again(why string, i int) {
	t.report.Retries++
	count(&t.report.Errors, why)
	t.queue = append(t.queue, i)
}

// account counts who and what did not come back.
func (t *reconnectTask) account() {
	t.stage = dropping
	t.c.giveUp()
	r := &t.report
	r.Lost = r.Sessions - r.Resumed - r.Changed - r.Refused
	for i := range t.all {
		if one := &t.all[i]; one.back {
			r.Missing += int(one.sent - one.heard)
		}
	}
	t.awaited = 0
}

func (t *reconnectTask) opened(slot uint32, now time.Duration) {
	i, s := t.who[slot], t.v.at(slot)
	r := &t.all[i]
	t.moved = now
	t.report.Wall = now - t.dropped
	t.hello.Record(now - s.asked)
	t.connect.Record(now - t.c.conns[slot].due)
	if !s.lives() {
		t.report.Changed++
		t.who[slot] = -1
		return
	}
	r.back = true
	t.report.Resumed++
	if s.ack.Gap {
		t.report.Gaps++
	}
	t.awaited += int(r.sent - r.heard)
}

func (t *reconnectTask) message(slot uint32, payload []byte, now time.Duration) {
	if int(slot) >= len(t.who) || t.who[slot] < 0 {
		return // it is no session of ours, or another one by now
	}
	r := &t.all[t.who[slot]]
	stamp(t.expected, uint32(t.who[slot]), r.heard+1)
	if r.heard == r.sent || !bytes.Equal(payload, t.expected) {
		t.report.Wrong++
		return
	}
	r.heard++
	t.awaited--
	t.moved = now
	if t.stage == returning {
		t.report.Replayed++
		t.report.Replay = now - t.dropped
	}
}

func (t *reconnectTask) closed(slot uint32, was state, why string) {
	if int(slot) >= len(t.who) || t.who[slot] < 0 {
		return
	}
	i := t.who[slot]
	t.who[slot] = -1
	r := &t.all[i]
	switch {
	case t.stage == dropping:
	case was == open:
		t.report.Broken++
		count(&t.report.Errors, why)
		t.awaited -= int(r.sent - r.heard)
	case strings.HasPrefix(why, helloRefused):
		t.report.Refused++
		count(&t.report.Errors, why)
		return
	default:
		t.again(why, i)
		return
	}
	r.session = *t.v.at(slot)
}
