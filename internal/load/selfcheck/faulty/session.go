package faulty

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// session is what outlasts a connection.
type session struct {
	id string

	// Guarded by the server's mutex.
	token string // what resumes it; "": nothing does
	conn  *conn  // nil: it is detached

	mu struct {
		sync.Mutex
		resumes  bool // frames are numbered and kept
		seq      uint64
		kept     []keptFrame
		answered map[string]uint64 // which number answers a request
	}
}

// keptFrame is a frame that its client may ask for again.
type keptFrame struct {
	seq   uint64
	frame []byte
}

// request is any frame of a client of curfew.v1.
type request struct {
	Op        string          `json:"op"`
	Data      json.RawMessage `json:"data"`
	RequestID json.RawMessage `json:"request_id"`
	Seq       uint64          `json:"seq"`
	Resume    *struct {
		Token string `json:"token"`
		Seq   uint64 `json:"seq"`
	} `json:"resume"`
	Want struct {
		Resume bool    `json:"resume"`
		IdleS  float64 `json:"idle_s"`
	} `json:"want"`
}

// textFrame appends a text frame.
func textFrame(b []byte, format string, args ...any) []byte {
	return wsframe.Server.AppendFrame(b, wsframe.OpText, true, fmt.Appendf(nil, format, args...))
}

// newSession makes a session, and says whether the fault strikes it.
func (s *Server) newSession(resumes bool) (n *session, struck bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newSessionLocked(resumes)
}

func (s *Server) newSessionLocked(resumes bool) (n *session, struck bool) {
	s.mu.made++
	n = &session{id: fmt.Sprintf("session-%024d", s.mu.made)}
	n.mu.resumes, n.mu.answered = resumes, map[string]uint64{}
	return n, s.strikesLocked(sessions, s.mu.made)
}

// receivedV1 takes a frame of curfew.v1, and says whether the connection goes on.
func (c *conn) receivedV1(payload []byte) bool {
	var r request
	if json.Unmarshal(payload, &r) != nil {
		return c.send(textFrame(nil, `{"op":"error","error":{"code":"INVALID_REQUEST",`+
			`"message":"not an object with an op"}}`))
	}
	switch {
	case r.Op == "hello" && c.session == nil:
		return c.hello(&r)
	case c.session == nil:
		c.send(wsframe.Server.AppendClose(nil, 4001, "hello first"))
		c.linger()
		return false
	}
	if c.s.takenOver(c) {
		return false
	}
	switch r.Op {
	case "message":
		if frame := c.session.again(r.RequestID); frame != nil {
			c.touched = now()
			return c.send(frame)
		}
		return c.message(reply{
			c: c, op: wsframe.OpText, data: r.Data, requestID: r.RequestID,
		})
	case "ack":
		c.session.acknowledged(r.Seq)
		return true
	case "ping":
		c.touched = now()
		return c.send(textFrame(nil, `{"op":"pong","t":%d}`, now().Unix()))
	case "bye":
		c.send(wsframe.Server.AppendClose(nil, wsframe.CodeNormal, "bye"))
		c.linger()
		return false
	}
	return c.send(textFrame(nil, `{"op":"error","error":{"code":"INVALID_REQUEST",`+
		`"message":"unknown op"}}`))
}

// takenOver says whether a connection's session was resumed by another one. Nothing more of it
// counts.
func (s *Server) takenOver(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.session.conn != c
}

// again is the answer to a request that was answered before, nil where it was not.
func (n *session) again(requestID []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	seq := n.mu.answered[string(requestID)]
	if requestID == nil || seq == 0 {
		return nil
	}
	for _, k := range n.mu.kept {
		if k.seq == seq {
			return k.frame
		}
	}
	return nil
}

func (n *session) acknowledged(seq uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acknowledgedLocked(seq)
}

func (n *session) acknowledgedLocked(seq uint64) {
	for len(n.mu.kept) > 0 && n.mu.kept[0].seq <= seq {
		n.mu.kept = n.mu.kept[1:]
	}
}

// frame is the frame of a reply.
func (n *session) frame(r reply) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := []byte(`{"op":"message_res"`)
	b = n.numberLocked(b)
	if r.requestID != nil {
		b = append(append(b, `,"request_id":`...), r.requestID...)
	}
	b = append(append(b, `,"data":`...), r.data...)
	if n.mu.resumes && r.requestID != nil {
		n.mu.answered[string(r.requestID)] = n.mu.seq
	}
	return n.keepLocked(append(b, '}'))
}

// pushed is the frame of a message that answers nothing.
func (n *session) pushed() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.numberLocked([]byte(`{"op":"message"`))
	return n.keepLocked(append(b, `,"data":"nobody asked for this"}`...))
}

func (n *session) numberLocked(b []byte) []byte {
	if !n.mu.resumes {
		return b
	}
	n.mu.seq++
	return strconv.AppendUint(append(b, `,"seq":`...), n.mu.seq, 10)
}

func (n *session) keepLocked(payload []byte) []byte {
	frame := wsframe.Server.AppendFrame(nil, wsframe.OpText, true, payload)
	if n.mu.resumes {
		n.mu.kept = append(n.mu.kept, keptFrame{n.mu.seq, frame})
	}
	return frame
}

// hello answers the first frame of a client, and says whether the connection goes on.
func (c *conn) hello(r *request) bool {
	answer, granted := c.s.greet(c, r)
	if answer == nil {
		c.linger()
		return false
	}
	if ok := c.send(answer); !granted {
		c.linger()
	} else {
		return ok
	}
	return false
}

// greet gives a connection a session: a new one, or that which it resumes. Where it has no answer
// the connection ends.
func (s *Server) greet(c *conn, r *request) (answer []byte, granted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n *session
	hit := false
	if r.Resume != nil {
		n = s.mu.sessions[r.Resume.Token]
		hit = n != nil && s.resumeLocked(n, r.Resume.Seq)
		if n == nil || hit && s.o.Fault == Forget {
			b := textFrame(nil, `{"op":"hello_ack","ok":false,"error":"resume_unknown"}`)
			return wsframe.Server.AppendClose(b, 4203, "resume unknown"), false
		}
		if hit && s.o.Fault == Falter {
			return nil, false
		}
		delete(s.mu.sessions, n.token)
	}
	struck := false
	resumed := n != nil && (!hit || s.o.Fault != Change)
	if !resumed {
		n, struck = s.newSessionLocked(r.Want.Resume || r.Resume != nil)
	} else {
		s.mu.ledger.Resumed++
		if n.conn != nil {
			_ = n.conn.net.Close()
		}
	}
	c.begin(n, struck)
	if r.Want.IdleS > 0 && c.idle > 0 {
		c.idle = min(c.idle, time.Duration(r.Want.IdleS*float64(time.Second)))
	}
	n.conn = c
	return s.welcomeLocked(n, r, resumed, hit), true
}

// resumeLocked counts a resume and says whether the fault strikes it. Faults that are about what is
// replayed count those where something is.
func (s *Server) resumeLocked(n *session, seen uint64) bool {
	switch s.o.Fault {
	case Omit, Lose, Replay:
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(n.mu.kept) == 0 || n.mu.kept[len(n.mu.kept)-1].seq <= seen {
			return false
		}
	}
	s.mu.resumes++
	return s.strikesLocked(resumes, s.mu.resumes)
}

// welcomeLocked is the answer to a hello that was granted, with what is to be replayed.
func (s *Server) welcomeLocked(n *session, r *request, resumed, hit bool) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	idle := s.o.Idle
	if idle == 0 {
		idle = time.Hour
	}
	if !n.mu.resumes {
		return textFrame(nil, `{"op":"hello_ack","ok":true,"session_id":%q,"idle_s":%g}`,
			n.id, idle.Seconds())
	}
	s.mu.tokens++
	n.token = fmt.Sprintf("%s.%d", n.id, s.mu.tokens)
	s.mu.sessions[n.token] = n
	gap := hit && (s.o.Fault == Lose || s.o.Fault == FalseGap)
	b := textFrame(nil, `{"op":"hello_ack","ok":true,"session_id":%q,"idle_s":%g,`+
		`"resume_token":%q,"resumed":%v,"gap":%v,"seq":%d,"resume_window_s":120}`,
		n.id, idle.Seconds(), n.token, resumed, gap, n.mu.seq)
	if !resumed {
		return b
	}
	return append(b, s.replayLocked(n, r.Resume.Seq, hit)...)
}

// replayLocked is what a session has for a client that saw everything up to a number. What is lost
// is forgotten, so that a request which is sent again is answered anew.
func (s *Server) replayLocked(n *session, seen uint64, hit bool) (b []byte) {
	n.acknowledgedLocked(seen)
	if hit && (s.o.Fault == Omit || s.o.Fault == Lose) {
		n.mu.kept = n.mu.kept[1:]
	}
	for i, k := range n.mu.kept {
		b = append(b, k.frame...)
		if i == 0 && hit && s.o.Fault == Replay {
			b = append(b, k.frame...)
		}
		s.mu.ledger.Replayed++
	}
	return b
}
