package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// The subprotocols. A client that asks for none speaks ProtocolJSON.
const (
	ProtocolJSON = "curfew.v1"
	ProtocolRaw  = "curfew.raw"
)

// Close codes of this package's own; those in hello.go belong to refused hellos.
const (
	codeDraining netloop.Code = 4100
	codeIdle     netloop.Code = 4200
	codeLifetime netloop.Code = 4201
	codeWindow   netloop.Code = 4202
	codeUnknown  netloop.Code = 4203
	codeTaken    netloop.Code = 4300
	codeRevoked  netloop.Code = 4301
	codeLimit    netloop.Code = 4302
	codePolicy   netloop.Code = 4303
)

// TouchOn says what keeps a session alive besides its messages.
type TouchOn uint8

const (
	// TouchMessage is messages only.
	TouchMessage TouchOn = iota
	// TouchAny is WebSocket pings and pongs as well.
	TouchAny
)

// Options are what a [Gateway] is made of.
type Options struct {
	// IdleTimeout, Grace, MaxLifetime, Tick, MaxSessions and Wheel are those of engine.Options.
	IdleTimeout time.Duration
	Grace       time.Duration
	MaxLifetime time.Duration
	Tick        time.Duration
	MaxSessions int
	Wheel       engine.WheelKind

	// ResumeWindow is how long a session that can be resumed outlives its connection. 0: none can.
	ResumeWindow time.Duration
	// EvictIdle ends the session that is idle longest where the table is full; otherwise the
	// newcomer is refused.
	EvictIdle bool
	// MaxSessionsPerUser is how many sessions a user may have, as the application names users; 0:
	// any number. EvictUsersIdle ends that of them that is idle longest; otherwise the newcomer is
	// refused.
	MaxSessionsPerUser int
	EvictUsersIdle     bool
	// SessionMaxInflight and GlobalMaxInflight are how many calls a session, and all together, may
	// have in flight; 0: 8 and 24.
	SessionMaxInflight int
	GlobalMaxInflight  int
	// BackendTimeout bounds what the application may take for one request; 0: 30 s.
	BackendTimeout time.Duration

	// Net are the options of the network side; its Handler and Protocols are the Gateway's own.
	Net netloop.Options
	// Backend is the application; nil: backend.Echo.
	Backend backend.Backend
	// Tokens are what clients must show; nil: nobody is asked.
	Tokens *Tokens
	// TouchOn says what touches a session.
	TouchOn TouchOn
	// MaxRefusedHellos is how many hellos of one address may be refused in a minute for what they
	// say; above it the address gets 429 until the minute ends. 0: any.
	MaxRefusedHellos int
	// OnEnd is called once for each session that ended, from whatever goroutine ended it, with no
	// lock held; nil: nobody is told.
	OnEnd func(End)
	// OnEvent is called for what happens to sessions, with no lock held, while Watched says true;
	// nil: nobody is told, or somebody always. It must not wait. Of a session the first event is
	// its creation, and one is its end, which follows the last message on its way to the
	// application; what happens at the same time comes in any order.
	OnEvent func(Event)
	Watched func() bool
	// Logger gets one line an event; nil: slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.IdleTimeout == 0 {
		o.IdleTimeout = engine.DefaultIdleTimeout
	}
	if o.Backend == nil {
		o.Backend = backend.Echo{}
	}
	if o.Tokens == nil {
		o.Tokens = new(Tokens)
	}
	if o.SessionMaxInflight == 0 {
		o.SessionMaxInflight = 8
	}
	if o.GlobalMaxInflight == 0 {
		o.GlobalMaxInflight = 24
	}
	if o.BackendTimeout == 0 {
		o.BackendTimeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Gateway serves clients, each with a session.
type Gateway struct {
	// Set by New, then only read.
	o              Options
	log            *slog.Logger
	table          *engine.Table[link]
	net            *netloop.Server
	started        time.Time
	node           string // names this process to clients that resume
	prompt         bool   // the application never lets anybody wait
	replayBytesMax int

	limits     atomic.Pointer[Limits] // replaced as a whole by SetLimits
	refusals   refusals
	arrivals   arrivals
	users      users
	idlest     idlest
	deadlines  deadlines
	tombstones tombstones
	replays    budget  // memory of all replay buffers
	waits      budget  // messages that wait for the application
	workers    workers // pass messages on
	asks       workers // ask whether sessions may begin; nobody's messages wait for that
	entrance   sync.Mutex
	pending    atomic.Int64 // sessions about which the application is being asked
	calls      calls
	counters   counters
	draining   atomic.Bool // set once: no session begins any more

	expiring []expired // memory for onExpire, which runs once at a time

	// asking is what requests to the application derive from; giveUp ends them all.
	asking context.Context
	giveUp context.CancelFunc
}

// New makes a gateway. Its error names every bad option.
func New(o Options) (*Gateway, error) {
	o = o.withDefaults()
	g := &Gateway{
		o: o, log: o.Logger, started: now(), node: newNode(), prompt: o.Backend.Prompt(),
		replays: budget{max: replayTotalMax}, waits: budget{max: waitingTotalMax},
		workers: workers{limit: workersMax}, asks: workers{limit: asksMax},
	}
	g.limits.Store(o.limits())
	g.refusals.limit.Store(int64(o.MaxRefusedHellos))
	g.asking, g.giveUp = context.WithCancel(context.Background())
	o.Net.Handler, o.Net.Shares = g, !g.prompt
	o.Net.Protocols = []string{ProtocolJSON, ProtocolRaw}
	if o.Net.Logger == nil {
		o.Net.Logger = o.Logger
	}
	var netErr error
	g.net, netErr = netloop.New(o.Net)
	g.replayBytesMax = replayBytesMax
	if b := o.Net.WriteBufferBytes; b > 0 {
		g.replayBytesMax = min(replayBytesMax, b)
	}
	table, err := engine.New(engine.Options[link]{
		IdleTimeout: o.IdleTimeout, Grace: o.Grace, MaxLifetime: o.MaxLifetime,
		Tick: o.Tick, MaxSessions: g.places(), Wheel: o.Wheel,
		OnExpire: g.onExpire, OnGrace: g.onGrace,
		Logger: slog.New(withoutSummary{o.Logger.Handler()}),
	})
	if err := errors.Join(netErr, err); err != nil {
		if table != nil {
			err = errors.Join(err, table.Close())
		}
		return nil, err
	}
	g.table = table
	return g, nil
}

// Serve accepts connections from l until Drain or Close, then gives nil. It closes l.
func (g *Gateway) Serve(l net.Listener) error { return g.net.Serve(l) }

// ServeConn serves one connection, whatever it is made of, and returns when it is gone.
func (g *Gateway) ServeConn(nc net.Conn) { g.net.ServeConn(nc) }

// Stats are the numbers of the session table. Lateness has all ends by time: those of resume
// windows, and of lifetimes that the application shortened, too.
func (g *Gateway) Stats() engine.Stats {
	s := g.table.Stats()
	s.Lateness = g.deadlines.lateness(s.Lateness)
	return s
}

// LoopsTurned says whether each loop of the network side has turned since the last call; see
// netloop.
func (g *Gateway) LoopsTurned() bool { return g.net.LoopsTurned() }

// NetStats are the numbers of the network side.
func (g *Gateway) NetStats() netloop.Stats { return g.net.Stats() }

// newNode makes a name for a process.
func newNode() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends instead
	return tokenEncoding.EncodeToString(b[:])
}

// elapsed is the time since the gateway was made.
func (g *Gateway) elapsed() time.Duration { return since(g.started) }

// Open begins the session of a raw connection. That of the others begins with their hello.
func (g *Gateway) Open(
	c netloop.Conn, r *netloop.Request, header []byte,
) ([]byte, *netloop.Refusal) {
	if c.Tag() != 0 {
		return g.opened(c, header) // it had to wait for the application
	}
	if g.draining.Load() {
		return nil, unavailable("shutting down")
	}
	if wait := g.refusals.blocked(c.Remote().Addr()); wait > 0 {
		return nil, &netloop.Refusal{
			Status: http.StatusTooManyRequests, Reason: "too many refused hellos",
			Header: retryAfterLine(wait),
		}
	}
	if c.Protocol() != ProtocolRaw {
		if !g.prompt {
			g.arrivals.put(c.ID(), g.arrive(c, r))
		}
		return header, nil
	}
	if !g.o.Tokens.Allow(string(bearer(r.Authorization))) {
		g.refusals.note(c.Remote().Addr())
		return nil, &refusedBearer
	}
	if !g.prompt {
		if err := g.ask(c, g.arrive(c, r), 0); err != nil {
			return nil, unavailable("no session is free")
		}
		return nil, nil // Open is called again
	}
	s, err := g.create(c, link{conn: c.ID()})
	if err != nil {
		return nil, unavailable("no session is free")
	}
	g.began(c, s)
	return appendSessionHeader(header, s), nil
}

// refusedBearer is for a raw client without a good token.
var refusedBearer = netloop.Refusal{
	Status: http.StatusUnauthorized, Reason: "a bearer token is needed",
	Header: "WWW-Authenticate: Bearer\r\n",
}

func appendSessionHeader(header []byte, s engine.Session[link]) []byte {
	header = append(header, "Curfew-Session: "...)
	return append(s.AppendID(header), '\r', '\n')
}

// bearer is the token of an Authorization header, nil where it holds none.
func bearer(header []byte) []byte {
	scheme, token, _ := bytes.Cut(header, []byte(" "))
	if !bytes.EqualFold(scheme, []byte("Bearer")) {
		return nil
	}
	return bytes.TrimSpace(token)
}

func unavailable(reason string) *netloop.Refusal {
	return &netloop.Refusal{
		Status: http.StatusServiceUnavailable, Reason: reason,
		Header: retryAfterLine(retryAfter),
	}
}

// retryAfterLine is a header line that says when to come again, in whole seconds.
func retryAfterLine(d time.Duration) string {
	return "Retry-After: " + strconv.Itoa(int(math.Ceil(d.Seconds()))) + "\r\n"
}

// Message takes what a client says.
func (g *Gateway) Message(c netloop.Conn, kind netloop.Kind, payload []byte) {
	switch {
	case c.Protocol() == ProtocolRaw:
		g.raw(c, kind, payload)
	case kind == netloop.Binary:
		g.end(c, ReasonPolicy)
		c.Close(netloop.CodeUnsupported, "JSON in text frames is spoken here")
	case c.Tag() == 0:
		g.greet(c, payload)
	default:
		g.operate(c, payload)
	}
}

// Control takes pings and pongs.
func (g *Gateway) Control(c netloop.Conn, _ netloop.Kind) {
	if g.o.TouchOn == TouchAny && c.Tag() != 0 {
		g.session(c).Touch()
	}
}

// Closed ends the session of a connection that ended, unless it has ended before, or can be
// resumed.
func (g *Gateway) Closed(c netloop.Conn, e netloop.End) {
	if !g.prompt {
		if a := g.arrivals.take(c.ID()); a != nil && a.cancel != nil {
			a.cancel()
		}
	}
	if c.Tag() == 0 {
		return
	}
	why := reasonFor(e)
	if why == ReasonClosed && e.Cause == netloop.CauseClosed && g.draining.Load() {
		why = ReasonDrained
	}
	s := g.session(c)
	if l, ok := s.Value(); ok && l.state != nil {
		g.detach(c, s, l.state, why)
	} else if ok {
		g.end(c, why)
	}
}

func reasonFor(e netloop.End) Reason {
	if e.Cause == netloop.CauseClosed && e.Code == netloop.CodeSlow {
		return ReasonSlow
	}
	switch e.Cause {
	case netloop.CauseLost, netloop.CauseSilent, netloop.CausePanic:
		return ReasonLost
	case netloop.CauseSlow:
		return ReasonSlow
	case netloop.CauseProtocol:
		return ReasonPolicy
	}
	return ReasonClosed
}

// withoutSummary keeps the table's own summary of expired sessions, which it writes as often as
// once a second, out of the log; the daemon writes one at its own pace.
type withoutSummary struct{ slog.Handler }

// Handle drops the summary.
func (h withoutSummary) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "sessions expired" {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the rule.
func (h withoutSummary) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withoutSummary{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the rule.
func (h withoutSummary) WithGroup(name string) slog.Handler {
	return withoutSummary{h.Handler.WithGroup(name)}
}
