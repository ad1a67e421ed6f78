package gateway

import (
	"bytes"
	"context"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

const (
	// waitingMax and waitingBytesMax bound the messages of a session on their way to an application
	// that takes its time. One of any size may be.
	waitingMax      = 64
	waitingBytesMax = 1 << 20
	// waitingTotalMax bounds those of all sessions together.
	waitingTotalMax = 64 << 20
)

// message passes a message to the application, and its answer back.
func (g *Gateway) message(c netloop.Conn, st *state, r *request) {
	switch {
	case r.data == nil:
		g.refuseRequest(c, st, r.requestID, invalidRequest("message needs data"))
	case g.prompt:
		g.messageNow(c, st, r)
	default:
		m := backend.Message{Kind: backend.JSON, Data: r.data}
		if e := g.queue(c, st, r.requestID, m); e != nil {
			g.refuseRequest(c, st, r.requestID, e)
		}
	}
}

// errShuttingDown is for requests of a session that is being let go.
var errShuttingDown = &backend.Error{
	Code: backend.CodeUnavailable, Message: "shutting down: come back elsewhere",
}

func overCapacity(message string) *backend.Error {
	return &backend.Error{Code: backend.CodeOverCapacity, Message: message}
}

// messageNow is message for an application that answers at once.
func (g *Gateway) messageNow(c netloop.Conn, st *state, r *request) {
	if st != nil {
		st.mu.Lock()
		defer st.mu.Unlock()
		if !g.isNewLocked(c, st, r.requestID) {
			return
		}
	}
	answer, err := g.o.Backend.Message(g.asking, backend.Session{},
		backend.Message{Kind: backend.JSON, Data: r.data})
	n := g.answerTo(r.requestID, answer, err)
	switch {
	case st != nil:
		g.deliverLocked(st, c, n)
	case n.op != "":
		buf := borrow()
		*buf, _ = n.append((*buf)[:0], 0)
		c.Send(netloop.Text, *buf)
		giveBack(buf)
	}
}

// dataOf is a message as JSON data; false: there is no message, or it cannot be JSON.
func dataOf(m backend.Message) (data []byte, ok bool) {
	switch m.Kind {
	case backend.JSON:
		return bytes.TrimSpace(m.Data), true
	case backend.Text:
		return quote(string(m.Data)), true
	}
	return nil, false
}

// answerTo is the frame that answers a message that ran, or none.
func (g *Gateway) answerTo(requestID []byte, m backend.Message, err error) numbered {
	data, ok := dataOf(m)
	switch {
	case err == nil && m.Kind == 0:
		return numbered{}
	case err == nil && !ok:
		err = &backend.Error{
			Code:    backend.CodeUnavailable,
			Message: "the application answered with something binary",
		}
	}
	n := numbered{op: "message_res", requestID: requestID, ran: true, data: data}
	if err != nil {
		n = errorTo(requestID, g.problem(err))
		n.ran = true
	}
	return n
}

// queue has a message passed on when those before it have been answered, or says why it cannot be.
// The session has a state, since the application takes its time.
func (g *Gateway) queue(
	c netloop.Conn, st *state, requestID []byte, m backend.Message,
) *backend.Error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !g.isNewLocked(c, st, requestID) {
		return nil
	}
	if st.going {
		return errShuttingDown
	}
	f := g.inFlight(st)
	w := waiting{requestID: requestID, message: m, since: now()}
	if f.full(w.size()) || !g.waits.take(w.size()) {
		return errTooManyWait
	}
	w.requestID, w.message.Data = bytes.Clone(requestID), bytes.Clone(m.Data)
	idle := !st.busy()
	if !f.working {
		if !g.workers.do(func() { g.work(st) }) {
			g.waits.take(-w.size())
			return errTooManyWait
		}
		f.working = true
	}
	f.waiting = append(f.waiting, w)
	g.counters.waiting.Add(1)
	f.bytes += w.size()
	if idle {
		g.hold(st)
	}
	if c.Protocol() == ProtocolRaw && f.full(g.o.Net.MaxMessageBytes) {
		f.held = true // it is not read until there is room
		c.Hold()
	}
	return nil
}

var errTooManyWait = overCapacity("too many messages wait")

// full says whether a message more is too many.
func (f *flight) full(bytes int) bool {
	return len(f.waiting) >= waitingMax || f.bytes > 0 && f.bytes+bytes > waitingBytesMax
}

// inFlight gives the state of a session room for requests. It is called under its lock.
func (g *Gateway) inFlight(st *state) *flight {
	if st.flight == nil {
		st.flight = &flight{session: g.table.At(st.ref).ID()}
	}
	return st.flight
}

// work passes the next message of a session on. Where more wait, others get their turn before, if
// there is room to wait for another one.
func (g *Gateway) work(st *state) {
	for g.workOnce(st) && !g.workers.do(func() { g.work(st) }) {
	}
}

// workOnce passes the next message of a session on, and says whether more wait.
func (g *Gateway) workOnce(st *state) (more bool) {
	st.mu.Lock()
	w := st.flight.waiting[0]
	who := st.flight.whose(st)
	raw := st.raw
	st.mu.Unlock()

	answer, err := g.passOn(who, &w)
	if raw {
		g.answerRaw(st, answer, err)
		return g.worked(st, numbered{})
	}
	return g.worked(st, g.answerTo(w.requestID, answer, err))
}

// whose names the session to the application.
func (f *flight) whose(st *state) backend.Session {
	return backend.Session{ID: f.session, User: st.user()}
}

// passOn gives a message to the application.
func (g *Gateway) passOn(
	who backend.Session, w *waiting,
) (answer backend.Message, err error) {
	defer caught(&err)
	ctx, cancel := context.WithDeadline(g.asking, w.since.Add(g.o.BackendTimeout))
	defer cancel()
	if err := ctx.Err(); err != nil {
		return backend.Message{}, err // it has waited too long
	}
	return g.o.Backend.Message(ctx, who, w.message)
}

// worked takes the message out that was answered, queues the answer, and says whether more wait.
func (g *Gateway) worked(st *state, answer numbered) (more bool) {
	st.mu.Lock()
	f := st.flight
	size := f.waiting[0].size()
	f.bytes -= size
	g.waits.take(-size)
	f.waiting[0] = waiting{}
	f.waiting = f.waiting[1:]
	g.counters.waiting.Add(-1)
	more = len(f.waiting) > 0
	f.working = more
	var last *End
	if !more {
		f.waiting, last = nil, f.last
		if !st.busy() && st.phase != ended {
			g.rest(st)
		}
	}
	conn := netloop.ID(0)
	if f.held && !f.full(g.o.Net.MaxMessageBytes) {
		f.held, conn = false, st.conn
	}
	g.deliverLocked(st, netloop.Conn{}, answer)
	st.mu.Unlock()
	if conn != 0 {
		g.net.Release(conn)
	}
	if last != nil {
		g.report(*last, 0)
	}
	return more
}

// raw passes a message on as it is.
func (g *Gateway) raw(c netloop.Conn, kind netloop.Kind, payload []byte) {
	s := g.session(c)
	if !s.Touch() {
		return // it is over, and its client is about to be told
	}
	m := backend.Message{Kind: backend.Binary, Data: payload}
	if kind == netloop.Text {
		m.Kind = backend.Text
	}
	if !g.prompt {
		g.queueRaw(c, s, m)
		return
	}
	answer, err := g.o.Backend.Message(g.asking, backend.Session{}, m)
	if err != nil {
		g.failRaw(c, err)
		return
	}
	if answer.Kind != 0 {
		c.Send(kindOf(answer), answer.Data)
	}
}

func (g *Gateway) queueRaw(c netloop.Conn, s engine.Session[link], m backend.Message) {
	l, ok := s.Value()
	if !ok {
		return
	}
	switch e := g.queue(c, l.state, nil, m); e {
	case nil:
	case errShuttingDown:
		c.Hold() // until it is closed: that tells its client what was not answered
	default:
		g.end(c, ReasonEvicted)
		c.Close(netloop.CodeTryAgain, e.Message)
	}
}

// kindOf is the kind of frame that a message goes in where there is no envelope.
func kindOf(m backend.Message) netloop.Kind {
	if m.Kind == backend.Binary {
		return netloop.Binary
	}
	return netloop.Text
}

// answerRaw sends the answer to a message where there is no envelope.
func (g *Gateway) answerRaw(st *state, m backend.Message, err error) {
	st.mu.Lock()
	conn := st.conn
	st.mu.Unlock()
	c, ok := g.net.Conn(conn)
	switch {
	case !ok:
	case err != nil:
		g.failRaw(c, err)
	case m.Kind != 0:
		c.Send(kindOf(m), m.Data)
	}
}

// failRaw ends a connection that has no other way to learn that a message was lost.
func (g *Gateway) failRaw(c netloop.Conn, err error) {
	e := g.problem(err)
	g.end(c, ReasonClosed)
	if e.Code == backend.CodeInternal {
		c.Close(netloop.CodeInternal, e.Message)
		return
	}
	c.Close(netloop.CodeTryAgain, e.Message)
}
