package gateway

import (
	"context"

	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// request is one JSON frame of a client that has a session. Its parts are as they came.
type request struct {
	op        string
	requestID []byte // nil: none
	data      []byte // nil: none
	problem   string // why it cannot be understood
}

// parseRequest takes a frame apart. What is wrong with it is in problem.
func parseRequest(payload []byte) (r request) {
	o, ok := parseObject(payload)
	if !ok {
		return request{problem: "not a JSON object"}
	}
	named := false
	o.each(func(name, value []byte) {
		switch string(name) {
		case "op":
			if named = isString(value); named {
				r.op = unquote(value)
			}
		case "request_id":
			switch {
			case isNull(value):
				r.requestID = nil
			case isString(value), isNumber(value):
				r.requestID = value
			default:
				r.problem = "request_id must be a string or a number"
			}
		case "data":
			r.data = value
		}
	})
	if !named && r.problem == "" {
		r.problem = "op must be a string"
	}
	return r
}

// operate does what a client with a session asks for.
func (g *Gateway) operate(c netloop.Conn, payload []byte) {
	r := parseRequest(payload)
	if r.op != "session_info" && r.op != "ack" && !g.session(c).Touch() {
		return // the session is over, and its client is about to be told
	}
	if r.problem != "" {
		sendError(c, codeInvalidRequest, r.problem, r.requestID)
		return
	}
	switch r.op {
	case "message":
		g.message(c, r)
	case "ping":
		sendPong(c, now())
	case "session_info":
		if info, ok := g.session(c).Info(); ok {
			sendSessionInfo(c, info)
		}
	case "health":
		t := now()
		sendHealth(c, health{now: t, uptime: t.Sub(g.started), sessions: g.table.Len()})
	case "bye":
		g.end(c, ReasonBye)
		c.Close(netloop.CodeNormal, "")
	case "hello":
		sendError(c, codeProtocol, "hello was said already", r.requestID)
	default:
		sendError(c, codeInvalidRequest, "unknown op", r.requestID)
	}
}

// message passes a message to the application and its answer back.
func (g *Gateway) message(c netloop.Conn, r request) {
	if r.data == nil {
		sendError(c, codeInvalidRequest, "message needs data", r.requestID)
		return
	}
	answer, err := g.o.Backend.Message(context.Background(), backend.Session{},
		backend.Message{Kind: backend.JSON, Data: r.data})
	if err != nil {
		g.log.Error("the application failed", "error", err)
		sendError(c, codeInternal, "the application failed", r.requestID)
		return
	}
	sendMessageRes(c, r.requestID, answer.Data)
}
