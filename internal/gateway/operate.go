package gateway

import (
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// request is one JSON frame of a client that has a session. Its parts are as they came.
type request struct {
	op        string
	requestID []byte // nil: none
	data      []byte // nil: none
	name      []byte // nil: none
	arguments []byte // nil: none
	seq       []byte // nil: none
	problem   string // why it cannot be understood
}

// requestIDMax bounds a request_id in bytes, since it is kept beside what it is for.
const requestIDMax = 1 << 10

// parseRequest takes a frame apart. What is wrong with it is in problem.
func parseRequest(payload []byte) (r request) {
	named := false
	valid := object(payload).each(func(name, value []byte) {
		switch string(name) {
		case "op":
			if named = isString(value); named {
				r.op = opName(value)
			}
		case "request_id":
			switch {
			case isNull(value):
				r.requestID = nil
			case isString(value), isNumber(value):
				if r.requestID = value; len(value) > requestIDMax {
					r.problem = "request_id is too long"
				}
			default:
				r.problem = "request_id must be a string or a number"
			}
		case "data":
			r.data = value
		case "name":
			r.name = value
		case "arguments":
			r.arguments = value
		case "seq":
			r.seq = value
		}
	})
	if !valid {
		return request{problem: "not a JSON object"}
	}
	if !named && r.problem == "" {
		r.problem = "op must be a string"
	}
	return r
}

// opName is the text of a JSON string, without garbage for the ops that come all the time.
func opName(value []byte) string {
	switch string(value) {
	case `"message"`:
		return "message"
	case `"ping"`:
		return "ping"
	case `"ack"`:
		return "ack"
	}
	return unquote(value)
}

// operate does what a client with a session asks for.
func (g *Gateway) operate(c netloop.Conn, payload []byte) {
	s := g.session(c)
	l, ok := s.Value()
	if !ok {
		return // the session is over, and its client is about to be told
	}
	st := l.state
	if st != nil && !st.hears(c.ID()) {
		return // it is on another connection by now
	}
	r := parseRequest(payload)
	if r.op != "session_info" && r.op != "ack" && !s.Touch() {
		return
	}
	if r.problem != "" {
		if r.op != "message" && r.op != "call_tool" {
			st = nil // the error stands in no answer's place, and has no number
		}
		g.refuseRequest(c, st, r.requestID, invalidRequest(r.problem))
		return
	}
	switch r.op {
	case "message":
		g.message(c, st, &r)
	case "call_tool":
		g.call(c, &r)
	case "list_tools":
		g.listTools(c, &r)
	case "ack":
		g.ack(c, st, &r)
	case "ping":
		sendPong(c, r.requestID, now())
	case "session_info":
		if d, ok := g.describe(s); ok {
			sendSessionInfo(c, r.requestID, &d)
		}
	case "health":
		g.health(c, &r)
	case "bye":
		g.end(c, ReasonBye)
		c.Close(netloop.CodeNormal, "")
	case "hello":
		sendError(c, r.requestID,
			&backend.Error{Code: backend.CodeProtocol, Message: "hello was said already"})
	default:
		sendError(c, r.requestID, invalidRequest("unknown op"))
	}
}

func invalidRequest(message string) *backend.Error {
	return &backend.Error{Code: backend.CodeInvalidRequest, Message: message}
}

func (g *Gateway) health(c netloop.Conn, r *request) {
	t := now()
	sendHealth(c, r.requestID, &health{
		now: t, uptime: t.Sub(g.started), sessions: g.table.Len(),
		capacity: g.limits.Load().GlobalMaxInflight, tools: g.o.Backend.ToolCount(),
	})
}

// ack forgets what the client has.
func (g *Gateway) ack(c netloop.Conn, st *state, r *request) {
	var seq seqNumber
	ok := r.seq != nil && isNumber(r.seq)
	if ok {
		seq, ok = parseSeq(r.seq)
	}
	if !ok {
		sendError(c, r.requestID, invalidRequest("ack needs seq, a whole number"))
		return
	}
	if st != nil {
		st.mu.Lock()
		st.acknowledge(seq, &g.replays)
		st.mu.Unlock()
	}
}

// refuseRequest says that a message or a call gets no other answer than this error. It did not run,
// so it may be sent again under the same request_id.
func (g *Gateway) refuseRequest(c netloop.Conn, st *state, requestID []byte, e *backend.Error) {
	if st == nil {
		sendError(c, requestID, e)
		return
	}
	g.deliver(st, c, errorTo(requestID, e))
}

// isNewLocked says whether a request that arrived on a connection is to run. One that is in flight
// already is a duplicate, and one whose answer is kept gets that again; one on a connection that
// the session has left meanwhile is not heard. What begins a request asks under the lock under
// which it enters it, so that none runs twice.
func (g *Gateway) isNewLocked(c netloop.Conn, st *state, requestID []byte) bool {
	switch {
	case st.phase == ended || st.conn != c.ID():
		return false
	case requestID == nil:
		return true
	case st.asked(requestID):
		sendError(c, requestID,
			&backend.Error{Code: backend.CodeDuplicate, Message: "this request is in flight"})
		return false
	case st.replay == nil:
		return true
	}
	frame := st.replay.answer(requestID)
	if frame != nil {
		g.sendLocked(st, c, frame)
	}
	return frame == nil
}
