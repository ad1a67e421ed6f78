package gateway

import (
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// numbered is a frame of the kind that a session can have replayed. The zero value is none.
type numbered struct {
	op        string
	requestID []byte // nil: none
	// ran says that the request ran: asked again, it gets the same frame again.
	ran bool

	// What the frame says, depending on op.
	data   []byte          // of message and message_res
	result *backend.Result // of call_tool_res
	err    *backend.Error  // of error
}

// append appends the frame, and says where in it the request_id stands, 0 where there is none; seq
// is its number, 0 where the session cannot be resumed.
func (n *numbered) append(b []byte, seq uint64) (frame []byte, requestIDAt int) {
	if n.err != nil {
		return appendError(b, seq, n.requestID, n.err)
	}
	b, requestIDAt = appendHead(b, n.op, seq, n.requestID)
	if n.result != nil {
		b = appendField(b, "outputs", n.result.Outputs)
		b = appendField(b, "text", quote(n.result.Text))
	} else {
		b = appendField(b, "data", n.data)
	}
	return append(b, '}'), requestIDAt
}

// errorTo is the error in place of an answer.
func errorTo(requestID []byte, e *backend.Error) numbered {
	return numbered{op: "error", requestID: requestID, err: e}
}

// deliver queues a frame for the client of a session, wherever it is connected now, and keeps it
// for replay. c may be the connection of the callback that the caller is in; the zero Conn: none.
func (g *Gateway) deliver(st *state, c netloop.Conn, n numbered) {
	st.mu.Lock()
	defer st.mu.Unlock()
	g.deliverLocked(st, c, n)
}

func (g *Gateway) deliverLocked(st *state, c netloop.Conn, n numbered) {
	if st.phase == ended || n.op == "" {
		return
	}
	buf := borrow()
	defer giveBack(buf)
	if st.resumable() {
		st.seq++
	}
	frame, at := n.append((*buf)[:0], st.seq)
	*buf = frame
	if st.resumable() {
		var k kept
		if n.ran {
			k = kept{idAt: uint32(at), idSize: uint32(len(n.requestID))}
		}
		g.keep(st, frame, k)
	}
	g.sendLocked(st, c, frame)
}

// keep keeps a frame for replay.
func (g *Gateway) keep(st *state, frame []byte, k kept) {
	if st.replay == nil {
		st.replay = new(replay)
	}
	st.replay.add(frame, k, g.replayBytesMax, &g.replays)
}

// sendLocked queues a frame where the session is connected. What cannot be queued ends the
// connection, unless the policy is to drop it; where the session can be resumed, its client then
// comes back for it.
func (g *Gateway) sendLocked(st *state, c netloop.Conn, frame []byte) {
	if st.conn == 0 {
		return
	}
	if c == (netloop.Conn{}) || c.ID() != st.conn {
		var ok bool
		if c, ok = g.net.Conn(st.conn); !ok {
			return
		}
	}
	c.Send(netloop.Text, frame)
}

// hears says whether a frame that arrived on a connection is to be heard: not when the session has
// moved to another one. Once one is, the client has its newest resume token.
func (st *state) hears(id netloop.ID) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.phase == ended || st.conn != id {
		return false
	}
	if st.recent != nil {
		if st.recent.spare = (tokenHash{}); len(st.recent.takeovers) == 0 {
			st.recent = nil
		}
	}
	return true
}

// stateOf gives the session of a connection its state, if it had none. It is called in a callback
// about c; false: the session has ended.
func (g *Gateway) stateOf(c netloop.Conn) (*state, bool) {
	s := g.session(c)
	l, ok := s.Value()
	if !ok || l.state != nil {
		return l.state, ok
	}
	st := &state{ref: s.Ref(), conn: c.ID(), wants: l.wants, epoch: 1, phase: greeted}
	if info, ok := s.Info(); ok && info.IdleTimeout != g.o.IdleTimeout {
		st.idle = info.IdleTimeout
	}
	return st, s.SetValue(link{state: st})
}

// rest lets the idle timeout of a session run again, from now.
func (g *Gateway) rest(st *state) {
	s := g.table.At(st.ref)
	s.Touch()
	s.SetIdleTimeout(st.idle)
}

// hold stops the idle timeout of a session.
func (g *Gateway) hold(st *state) { g.table.At(st.ref).SetIdleTimeout(forever) }
