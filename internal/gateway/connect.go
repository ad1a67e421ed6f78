package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// arrival is a client on its way to a session, where the application takes its time to decide about
// that. While it is asked, the connection is held, and its session stands in the table, so that its
// place is sure and the application can name it.
type arrival struct {
	newcomer backend.Newcomer
	hello    hello              // of one that speaks JSON
	cancel   context.CancelFunc // gives up asking; nil: nobody is being asked
	size     int                // what asking takes of what may wait
	since    time.Time          // when it began to wait

	// What came of asking. It is written before the connection is released, and read after.
	refused *backend.Error // nil: it was let in
	full    bool           // its user has too many sessions
}

// arrivals are all of them, by their connection. Its methods may be called at the same time.
type arrivals struct {
	mu struct {
		sync.Mutex
		byConn map[netloop.ID]*arrival
	}
}

func (a *arrivals) put(id netloop.ID, x *arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.byConn == nil {
		a.mu.byConn = make(map[netloop.ID]*arrival)
	}
	a.mu.byConn[id] = x
}

// take gives the arrival of a connection and forgets it; nil: there is none.
func (a *arrivals) take(id netloop.ID) *arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.mu.byConn[id]
	delete(a.mu.byConn, id)
	return x
}

// arrive notes what only the upgrade says of a client.
func (g *Gateway) arrive(c netloop.Conn, r *netloop.Request) *arrival {
	a := &arrival{newcomer: backend.Newcomer{
		Remote: c.Remote().String(), Subprotocol: c.Protocol(),
		Origin: string(r.Origin), UserAgent: string(r.UserAgent),
	}}
	if !g.o.Tokens.Any() {
		a.newcomer.Token = string(bearer(r.Authorization))
	}
	return a
}

// places is how many sessions the table may have; 0: any number. Where the idlest make room and the
// application decides, that is more than there may be: who is being asked about puts nobody out.
func (g *Gateway) places() int {
	if g.o.MaxSessions > 0 && g.o.EvictIdle && !g.prompt {
		return g.o.MaxSessions + asksMax + tasksMax
	}
	return g.o.MaxSessions
}

// evictToAsk makes room in a full table for who is to be asked about, where it has no places beyond
// MaxSessions since evicting began later, and says whether that may have helped.
func (g *Gateway) evictToAsk(err error) bool {
	return g.places() == g.o.MaxSessions && g.evictIdlest(err)
}

// makeRoom makes room for a session that the application has let in, and says whether there is.
func (g *Gateway) makeRoom() bool {
	if g.places() == g.o.MaxSessions {
		return true // it has had its place since it asked
	}
	for range evictTries {
		if g.table.Len()-int(g.pending.Load()) < g.o.MaxSessions {
			return true
		}
		if !g.evictIdlest(engine.ErrFull) {
			break
		}
	}
	return g.table.Len()-int(g.pending.Load()) < g.o.MaxSessions
}

// ask has the application asked whether a client may have a session, and holds its connection. The
// error says why it cannot even be asked; then nothing has happened.
func (g *Gateway) ask(c netloop.Conn, a *arrival, w wants) error {
	n := &a.newcomer
	a.since = now()
	a.size = len(n.Token) + len(n.Origin) + len(n.UserAgent) + waitingOverhead
	if !g.waits.take(a.size) {
		return errBusy
	}
	st := &state{
		conn: c.ID(), wants: w, epoch: 1, phase: asking, raw: c.Protocol() == ProtocolRaw,
	}
	g.pending.Add(1)
	s, err := g.enter(link{state: st})
	for n := 0; err != nil && n < evictTries && g.evictToAsk(err); n++ {
		s, err = g.enter(link{state: st})
	}
	if err != nil {
		g.counters.rejects(err)
		g.pending.Add(-1)
		g.waits.take(-a.size)
		return err
	}
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(g.asking)
	s.SetIdleTimeout(forever)
	c.SetTag(uint64(s.Ref()))
	c.Hold()
	id := c.ID()
	g.arrivals.put(id, a)
	if !g.asks.do(func() { g.admit(ctx, id, s, st, a) }) {
		a.refused = &backend.Error{Code: backend.CodeOverCapacity}
		g.answered(id, a)
	}
	return nil
}

// errBusy is for a client about which the application cannot be asked, since too many wait for
// that.
var errBusy = errors.New("gateway: too many wait to be let in")

// answered says that a client is not being asked about any more, and lets its connection go on.
func (g *Gateway) answered(id netloop.ID, a *arrival) {
	a.cancel()
	g.waits.take(-a.size)
	g.net.Release(id)
}

// admit asks the application, and lets the connection go on.
func (g *Gateway) admit(
	ctx context.Context, id netloop.ID, s engine.Session[link], st *state, a *arrival,
) {
	defer g.answered(id, a)
	who := backend.Session{ID: s.ID()}
	if who.ID == "" || ctx.Err() != nil {
		a.refused = g.problem(context.Canceled) // the client has gone again
		return
	}
	ctx, cancel := context.WithDeadline(ctx, a.since.Add(g.o.BackendTimeout))
	defer cancel()
	granted, err := g.connect(ctx, who, a.newcomer)
	if err != nil {
		a.refused = g.problem(err)
		return
	}
	who.User = granted.User
	watched := g.watched()
	room, lives := g.letIn(st, granted, who.ID, watched)
	switch {
	case !room:
		a.full = true
		g.o.Backend.Ended(who, backend.End{Reason: string(ReasonPolicy)})
	case !lives:
		g.o.Backend.Ended(who, backend.End{Reason: string(ReasonLost)})
	default:
		if watched {
			g.tellEntered(id, st, who)
		}
		if granted.Lifetime > 0 {
			g.dieAfter(s, st, granted.Lifetime)
		}
		g.idlest.add(g, s)
		g.log.Debug("session began", "session", who.ID, "remote", a.newcomer.Remote)
	}
}

// connect asks the application.
func (g *Gateway) connect(
	ctx context.Context, who backend.Session, n backend.Newcomer,
) (granted backend.Grant, err error) {
	defer caught(&err)
	return g.o.Backend.Connect(ctx, who, n)
}

// tellEntered tells that a session has begun that was let in, and lets it begin. If it ends
// meanwhile, that is told after it.
func (g *Gateway) tellEntered(id netloop.ID, st *state, who backend.Session) {
	c, _ := g.net.Conn(id)
	g.tell(Event{Type: EventCreate, Session: who.ID, User: who.User}, c)
	var last *End
	st.mu.Lock()
	if st.phase == entering {
		st.phase = begun
	} else {
		last = st.flight.last
	}
	st.mu.Unlock()
	if last != nil {
		g.report(*last, id)
	}
}

// letIn makes a session one that has begun, or that is about to where that is watched, if there is
// room for it and its client is still there.
func (g *Gateway) letIn(
	st *state, granted backend.Grant, session string, watched bool,
) (room, lives bool) {
	g.entrance.Lock() // or two could take the same place
	defer g.entrance.Unlock()
	if !g.makeRoom() {
		g.counters.rejects(engine.ErrFull)
		return false, true
	}
	if !g.let(st, granted) {
		return false, true
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.phase == ended {
		return true, false
	}
	st.phase = begun
	if watched {
		st.phase, st.flight = entering, &flight{session: session}
	}
	g.pending.Add(-1)
	g.counters.created.Add(1)
	return true, true
}

// let gives a session what the application said of it, and makes it one of its user; false: the
// user has too many.
func (g *Gateway) let(st *state, granted backend.Grant) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if granted.User == "" && granted.Idle == 0 {
		return true
	}
	st.grant = &grant{}
	if granted.Idle > 0 && granted.Idle < g.o.IdleTimeout {
		st.grant.idle, st.idle = granted.Idle, granted.Idle
	}
	if granted.User == "" || st.phase == ended {
		return true
	}
	l := g.limits.Load()
	if g.users.join(st, granted.User, l.MaxSessionsPerUser) {
		return true
	}
	return l.EvictUsersIdle && g.replaceLocked(st, granted.User, l.MaxSessionsPerUser)
}

// replaceLocked makes a session one of a user who has as many as may be, or more since that was
// lowered: then several go for one that comes, until it is so. It says whether there is room, or
// need be none since the session has ended. The lock is free meanwhile.
func (g *Gateway) replaceLocked(st *state, name string, limit int) bool {
	had := len(g.users.of(name))
	for range evictTries {
		st.mu.Unlock()
		evicted := g.evictOf(name)
		st.mu.Lock()
		switch {
		case st.phase == ended:
			return true
		case g.users.join(st, name, limit):
			return true
		case !evicted:
			return g.users.join(st, name, had)
		}
	}
	return g.users.join(st, name, had)
}

// Released goes on with a client about whom the application was asked, or that had to wait.
func (g *Gateway) Released(c netloop.Conn) {
	a := g.arrivals.take(c.ID())
	if a == nil {
		return
	}
	s := g.session(c)
	st, r, ok := g.outcome(s, a)
	if !ok {
		c.SetTag(0)
		g.refuse(c, r, &g.counters.helloRefused)
		return
	}
	c.Ready()
	s.Touch()
	s.SetIdleTimeout(st.idle)
	g.welcomeTo(c, s, st, &a.hello)
}

// outcome gives the state of a session that may begin, or takes down that of one that may not.
func (g *Gateway) outcome(s engine.Session[link], a *arrival) (st *state, r refusal, ok bool) {
	l, alive := s.Value()
	switch {
	case a.full:
		r = refusedLimit
	case a.refused != nil && a.refused.Code == backend.CodeUnauthorized:
		r = refusedUnauthorized
	case a.refused != nil || !alive:
		r = refusedUnavailable
	default:
		return l.state, refusal{}, true
	}
	g.finish(s, ReasonPolicy, 0, nil) // it never began: nobody is told
	return nil, r, false
}

// opened answers the upgrade of a raw client about whom the application was asked.
func (g *Gateway) opened(c netloop.Conn, header []byte) ([]byte, *netloop.Refusal) {
	a := g.arrivals.take(c.ID())
	s := g.session(c)
	st, r, ok := g.outcome(s, a)
	if ok {
		st.mu.Lock()
		if st.phase == begun {
			st.phase = greeted // what is sent from now on follows the answer
		}
		st.mu.Unlock()
		c.Ready()
		s.Touch()
		s.SetIdleTimeout(st.idle)
		return appendSessionHeader(header, s), nil
	}
	c.SetTag(0)
	if r != refusedUnauthorized {
		return nil, unavailable(r.name)
	}
	g.refusals.note(c.Remote().Addr())
	if a.refused.Status == http.StatusForbidden {
		return nil, &netloop.Refusal{Status: http.StatusForbidden, Reason: "refused"}
	}
	return nil, &refusedBearer
}

// problem is an error of the application as its client is told it.
func (g *Gateway) problem(err error) *backend.Error {
	var e *backend.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &backend.Error{Code: backend.CodeTimeout, Message: "the application took too long"}
	case errors.Is(err, context.Canceled):
		return &backend.Error{Code: backend.CodeUnavailable, Message: "the request was given up"}
	}
	g.log.Error("the application failed", "error", err)
	return &backend.Error{Code: backend.CodeInternal, Message: "the application failed"}
}
