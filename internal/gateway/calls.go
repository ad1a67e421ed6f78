package gateway

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// progressEvery is how often a client hears that its call goes on.
const progressEvery = 8 * time.Second

// calls counts what all sessions have in flight.
type calls struct {
	running atomic.Int64
	all     sync.WaitGroup
}

// call is one request for a tool, or for the list of tools, that is in flight.
type call struct {
	requestID []byte // nil: none
	cancel    context.CancelFunc
}

// toolSuffixes are dropped from the names of tools, as by the daemon that Curfew replaces.
var toolSuffixes = []string{"_EXAI-WS", "-EXAI-WS", "_EXAI_WS", "-EXAI_WS"}

func toolName(name string) string {
	for _, suffix := range toolSuffixes {
		if s, ok := strings.CutSuffix(name, suffix); ok {
			return s
		}
	}
	return name
}

// call runs a tool.
func (g *Gateway) call(c netloop.Conn, r *request) {
	st, ok := g.stateOf(c)
	if !ok {
		return
	}
	refuse := func(e *backend.Error) {
		g.counters.calls[outcomeRefused].Add(1)
		g.refuseRequest(c, st, r.requestID, e)
	}
	if r.name == nil || !isString(r.name) || len(r.name) == len(`""`) {
		refuse(invalidRequest("call_tool needs a name"))
		return
	}
	in := backend.Call{Name: toolName(unquote(r.name)), Arguments: []byte("{}")}
	if r.arguments != nil && !isNull(r.arguments) {
		if !isObject(r.arguments) {
			refuse(invalidRequest("arguments must be an object"))
			return
		}
		in.Arguments = bytes.Clone(r.arguments)
	}
	if g.prompt {
		if err := g.hasTool(g.asking, in.Name); err != nil {
			refuse(g.problem(err))
			return
		}
	}
	in.RequestID = bytes.Clone(r.requestID)
	ctx, k, e := g.launch(c, st, in.RequestID)
	switch {
	case e != nil:
		refuse(e)
		return
	case k == nil:
		return
	case g.prompt:
		g.accepted(c, &in)
	}
	g.calls.all.Go(func() { g.runCall(ctx, st, k, &in) })
}

// launch counts a call in, or says why there is no room for it; it gives neither a call nor an
// error where it need not run. Who launches one lands it.
func (g *Gateway) launch(
	c netloop.Conn, st *state, requestID []byte,
) (context.Context, *call, *backend.Error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !g.isNewLocked(c, st, requestID) {
		return nil, nil, nil
	}
	f, limits := g.inFlight(st), g.limits.Load()
	switch {
	case st.going:
		return nil, nil, errShuttingDown
	case len(f.calls) >= limits.SessionMaxInflight:
		return nil, nil, overCapacity("too many calls of this session are in flight")
	case g.calls.running.Add(1) > int64(limits.GlobalMaxInflight):
		g.calls.running.Add(-1)
		return nil, nil, overCapacity("too many calls are in flight")
	}
	ctx, cancel := context.WithTimeout(g.asking, g.o.BackendTimeout)
	k := &call{requestID: requestID, cancel: cancel}
	if !st.busy() {
		g.hold(st)
	}
	f.calls = append(f.calls, k)
	return ctx, k, nil
}

// land counts a call out, and queues what its client is told. Both happen at once, so that the same
// request never runs beside its own answer.
func (g *Gateway) land(st *state, k *call, n numbered) {
	k.cancel()
	g.calls.running.Add(-1)
	st.mu.Lock()
	defer st.mu.Unlock()
	f := st.flight
	f.calls = slices.DeleteFunc(f.calls, func(other *call) bool { return other == k })
	if st.phase != ended && !st.busy() {
		g.rest(st)
	}
	g.deliverLocked(st, netloop.Conn{}, n)
}

// accepted says that a call runs.
func (g *Gateway) accepted(c netloop.Conn, in *backend.Call) {
	sendCallAck(c, in.RequestID, in.Name, g.o.BackendTimeout)
	sendProgress(c, in.RequestID, in.Name, now())
}

// runCall runs a call to its end.
func (g *Gateway) runCall(ctx context.Context, st *state, k *call, in *backend.Call) {
	st.mu.Lock()
	who := st.flight.whose(st)
	st.mu.Unlock()
	if !g.prompt {
		if err := g.hasTool(ctx, in.Name); err != nil {
			g.counters.calls[outcomeOf(ctx, err)].Add(1)
			g.land(st, k, errorTo(in.RequestID, g.problem(err)))
			return
		}
		if c, ok := g.connOf(st); ok {
			g.accepted(c, in)
		}
	}
	stop := each(progressEvery, func() { g.progress(st, k, in) })
	result, err := g.callTool(ctx, who, in)
	stop()
	g.counters.calls[outcomeOf(ctx, err)].Add(1)
	n := numbered{op: "call_tool_res", requestID: in.RequestID, result: &result}
	if err != nil {
		n = errorTo(in.RequestID, g.problem(err))
	}
	n.ran = true
	g.land(st, k, n)
}

// progress says that a call goes on, unless it has landed meanwhile.
func (g *Gateway) progress(st *state, k *call, in *backend.Call) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.flight == nil || !slices.Contains(st.flight.calls, k) {
		return
	}
	if c, ok := g.net.Conn(st.conn); ok {
		sendProgress(c, in.RequestID, in.Name, now())
	}
}

// callTool has the application run a tool.
func (g *Gateway) callTool(
	ctx context.Context, who backend.Session, in *backend.Call,
) (r backend.Result, err error) {
	defer caught(&err)
	return g.o.Backend.Call(ctx, who, *in)
}

// caught makes a panic of the application an error. It is deferred.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}

// hasTool asks the application whether there is a tool.
func (g *Gateway) hasTool(ctx context.Context, name string) (err error) {
	defer caught(&err)
	return g.o.Backend.HasTool(ctx, name)
}

// tools asks the application for its tools.
func (g *Gateway) tools(ctx context.Context) (tools []backend.Tool, err error) {
	defer caught(&err)
	return g.o.Backend.Tools(ctx)
}

// connOf is the connection that a session is on now.
func (g *Gateway) connOf(st *state) (netloop.Conn, bool) {
	st.mu.Lock()
	conn := st.conn
	st.mu.Unlock()
	return g.net.Conn(conn)
}

// listTools lists the tools.
func (g *Gateway) listTools(c netloop.Conn, r *request) {
	if g.prompt {
		tools, err := g.tools(g.asking)
		g.tellTools(c, r.requestID, tools, err)
		return
	}
	st, ok := g.stateOf(c)
	if !ok {
		return
	}
	requestID := bytes.Clone(r.requestID)
	ctx, k, e := g.launch(c, st, nil)
	switch {
	case e != nil:
		sendError(c, requestID, e)
		return
	case k == nil:
		return
	}
	id := c.ID()
	g.calls.all.Go(func() {
		tools, err := g.tools(ctx)
		if c, ok := g.net.Conn(id); ok {
			g.tellTools(c, requestID, tools, err)
		}
		g.land(st, k, numbered{})
	})
}

func (g *Gateway) tellTools(
	c netloop.Conn, requestID []byte, tools []backend.Tool, err error,
) {
	if err != nil {
		sendError(c, requestID, g.problem(err))
		return
	}
	sendTools(c, requestID, tools)
}
