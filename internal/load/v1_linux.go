package load

import (
	"encoding/json"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// session is what a client of curfew.v1 has of its session.
type session struct {
	id      string
	token   string        // the newest that resumes it; "": it cannot be resumed
	seq     uint64        // of the last numbered frame that the client has
	unacked int           // numbered frames since the last acknowledgement
	asked   time.Duration // when its last hello was sent
	ack     helloAck      // what that was answered by
	told    bool          // the server has said that it is over
	jumps   bool          // the next number may be any: frames before it are missing, as was said
}

// v1 is the dialect of JSON. Numbers are checked: a frame of a session that can be resumed whose
// number is not the next one is given to the task as it came, envelope and all, so that it is no
// answer to anything.
type v1 struct {
	c        *Client
	resume   bool
	ackEvery int
	opening  opening
	sessions []session // by slot
	buf      []byte
	// deaf clients hear everything and take note of nothing: as if they had not read it.
	deaf bool
	// lenient is for a task that tells answers apart by what they say: it is given the data of all
	// frames, whatever their numbers, and holes counts the numbers that were left out.
	lenient bool
	holes   uint64
	// named messages have a request_id, by which the server knows one that is sent again.
	named bool
	name  [stampBytes]byte // of the message that is sent next
}

// at is the session of a slot.
func (v *v1) at(slot uint32) *session {
	if n := int(slot) + 1 - len(v.sessions); n > 0 {
		v.sessions = append(v.sessions, make([]session, n)...)
	}
	return &v.sessions[slot]
}

func (v *v1) upgraded(slot uint32, now time.Duration) {
	v.c.conns[slot].state = greeting
	s := v.at(slot)
	s.asked = now
	v.buf = appendHello(v.buf[:0], v.opening, s.token, s.seq)
	v.write(slot)
}

// write sends what is in buf as a frame of its own.
func (v *v1) write(slot uint32) {
	v.c.out = wsframe.Client.AppendFrame(v.c.out[:0], wsframe.OpText, true, v.buf)
	v.c.write(slot, v.c.out)
}

func (v *v1) wrap(message []byte) []byte {
	var id []byte
	if v.named {
		id = v.name[:]
	}
	v.buf = appendMessageV1(v.buf[:0], id, message)
	return v.buf
}

func (v *v1) received(slot uint32, payload []byte, now time.Duration) {
	if v.c.conns[slot].state == greeting {
		v.greeted(slot, payload, now)
		return
	}
	s := v.at(slot)
	switch f := parseV1(payload); f.op {
	case "error":
		if t, ok := v.c.task.(refusable); ok {
			v.countSeq(s, f.seq)
			t.refused(slot, f.code, now)
			return
		}
		v.numbered(slot, f, payload, now)
	case "message_res", "message":
		v.numbered(slot, f, payload, now)
	case "session_expired":
		s.told = f.sessionID == s.id && (f.reason == "idle" || f.reason == "lifetime")
	case "goodbye":
	default:
		v.c.task.message(slot, payload, now)
	}
}

// greeted takes the answer to a hello.
func (v *v1) greeted(slot uint32, payload []byte, now time.Duration) {
	var a helloAck
	if json.Unmarshal(payload, &a) != nil {
		a = helloAck{}
	}
	if why := a.judge(v.resume); why != "" {
		v.c.drop(slot, why)
		return
	}
	s := v.at(slot)
	s.ack = a
	if s.id == "" {
		s.id = a.SessionID
	}
	s.token = a.ResumeToken
	v.c.opened(slot, now)
}

// refusable is a task that wants to know which messages a server refused.
type refusable interface {
	refused(slot uint32, code string, now time.Duration)
}

// numbered takes a frame of the kind that has a number where the session can be resumed.
func (v *v1) numbered(slot uint32, f frameV1, payload []byte, now time.Duration) {
	s := v.at(slot)
	good := f.data != nil
	if v.resume && !v.deaf {
		next := v.countSeq(s, f.seq)
		good = good && (next || v.lenient)
	}
	if good {
		payload = f.data
	}
	v.c.task.message(slot, payload, now)
	// Where the connection ended meanwhile, its session is forgotten, and there is none to send.
	if s = v.at(slot); s.unacked >= v.ackEvery {
		s.unacked = 0
		v.buf = appendAck(v.buf[:0], s.seq)
		v.write(slot)
	}
}

// countSeq takes note of a frame's number, and says whether it is the next one.
func (v *v1) countSeq(s *session, seq uint64) bool {
	if !v.resume || seq == 0 {
		return false
	}
	next := seq == s.seq+1 || s.jumps
	if seq > s.seq+1 && !s.jumps {
		v.holes += seq - s.seq - 1
	}
	s.jumps = false
	s.seq = max(s.seq, seq)
	s.unacked++
	return next
}

// bye ends a session.
func (v *v1) bye(slot uint32) {
	v.buf = append(v.buf[:0], `{"op":"bye"}`...)
	v.write(slot)
}

func (v *v1) told(slot uint32) bool { return v.at(slot).told }

func (v *v1) forget(slot uint32) { *v.at(slot) = session{} }

// lives says whether a session that was to be resumed is the one that it was.
func (s *session) lives() bool { return s.ack.Resumed && s.ack.SessionID == s.id }
