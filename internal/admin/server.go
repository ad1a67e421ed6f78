package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"
)

// Paths that are more than a name to others in this package. The first two need no token.
const (
	livez        = "/livez"
	readyz       = "/readyz"
	assets       = "/assets/"         // the dashboard's files
	profilesHere = "/debug/pprof"     // as it is often asked for
	profiles     = profilesHere + "/" // and those below
)

// How long each part of a request may take. A longer answer lifts writeTimeout for itself, by
// http.ResponseController.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	writeTimeout  = 2 * time.Minute
	idleTimeout   = time.Minute
)

const (
	// messageBytesDefault is MaxMessageBytes where it is not given, as the daemon's own default.
	messageBytesDefault = 65536
	// headerBytesMax is for one request, its line counted. It has room for a cursor, a token and a
	// browser's cookies of other ports.
	headerBytesMax = 32 << 10
	// connectionsMax keeps operators from using up the files that clients need.
	connectionsMax = 512
	// refusedActionsMax is how many actions a second that a guard refused are told of.
	refusedActionsMax = 10
	// scansMax is how many requests may go over all sessions at once; others wait.
	scansMax = 4
	// waitingMax is how many may wait: far fewer than there are connections.
	waitingMax = 64
	// scanStep is how many sessions are looked at before it is asked whether somebody still waits.
	scanStep = 1024
)

// Options are what a [Server] is made of.
type Options struct {
	// Addr is where it will be served, that of Serve's listener: the guards depend on it. Needed.
	Addr net.Addr
	// Sessions are what it shows and changes. Needed.
	Sessions Sessions
	// Ready gives nil where newcomers are welcome, else an error whose text is the status, a word
	// such as "draining". Needed.
	Ready func() error
	// Drain makes the daemon let its clients go and end. It returns at once, and may be called
	// again. Needed.
	Drain func()
	// Status gives the daemon's numbers. It is called for every request that shows them, so it
	// must not look at sessions. Needed.
	Status func() Status
	// Settings are the values that the daemon runs with. Needed.
	Settings func() []Setting
	// Warnings say what is unsafe about them; nil: nothing ever is.
	Warnings func() []string
	// LogLevel is the level of the daemon's log, which the API shows and changes. Needed.
	LogLevel *slog.LevelVar
	// Metrics serves /metrics, and Dashboard / and what is below /assets/, to everybody who names
	// the right Host; nil: there is nothing.
	Metrics   http.Handler
	Dashboard http.Handler
	// Events are told at /v1/events; nil: there is nothing.
	Events *Events
	// OnAction is told of each request that changed something, or was to and was refused; nil:
	// nobody is.
	OnAction func(Action)
	// Tokens are the secrets of which one must be shown; none: whoever reaches Addr may ask. Needed
	// where Addr is neither loopback nor a unix socket.
	Tokens []string
	// ReadOnly refuses what would change something.
	ReadOnly bool
	// MaxMessageBytes bounds a message to clients; 0: 65536.
	MaxMessageBytes int64
	// Logger gets warnings and, at debug, a line a request; nil: slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxMessageBytes == 0 {
		o.MaxMessageBytes = messageBytesDefault
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Warnings == nil {
		o.Warnings = func() []string { return nil }
	}
	return o
}

// validate names everything that is missing or out of range.
func (o Options) validate() error {
	var problems []error
	for _, c := range []struct {
		bad     bool
		problem string
	}{
		{o.Addr == nil, "Addr is nil"},
		{o.Sessions == nil, "Sessions is nil"},
		{o.Ready == nil, "Ready is nil"},
		{o.Drain == nil, "Drain is nil"},
		{o.Status == nil, "Status is nil"},
		{o.Settings == nil, "Settings is nil"},
		{o.LogLevel == nil, "LogLevel is nil"},
		{o.MaxMessageBytes < 0, "MaxMessageBytes is negative"},
	} {
		if c.bad {
			problems = append(problems, errors.New("admin: "+c.problem))
		}
	}
	return errors.Join(problems...)
}

// Server serves the API. All methods may be called at the same time.
type Server struct {
	// Set by New, then only read.
	o        Options
	log      *slog.Logger
	guard    *guard
	refusals *refusals
	refused  budget // of actions that are told of
	handler  http.Handler
	http     *http.Server

	scans     chan struct{} // one in it for each request that goes over all sessions
	snapshots chan struct{} // likewise, of those that take a profile of the moment
	recording chan struct{} // and of those that take one of some time
	waiting   atomic.Int32  // how many wait for one of these

	closing context.Context // ends when Shutdown begins
	close   context.CancelFunc
}

// New makes a server. Its error names every bad option; it is ErrTokenNeeded where Addr can be
// reached by others and there is no token.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		o: o, log: o.Logger, guard: newGuard(o.Addr, o.ReadOnly),
		refusals: &refusals{log: o.Logger, budget: budget{max: refusalsMax}},
		refused:  budget{max: refusedActionsMax}, scans: make(chan struct{}, scansMax),
		snapshots: make(chan struct{}, 1), recording: make(chan struct{}, 1),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	if err := s.guard.setTokens(o.Tokens); err != nil {
		return nil, err
	}
	s.handler = s.handlerOf(s.routes())
	s.http = &http.Server{
		Handler:                      s,
		DisableGeneralOptionsHandler: true, // it would answer before the guard
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               headerBytesMax,
		ErrorLog:                     slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		ConnContext:                  withGuest,
	}
	return s, nil
}

// SetTokens replaces the tokens, for requests that begin after it returned. On error the old ones
// stay.
func (s *Server) SetTokens(tokens []string) error { return s.guard.setTokens(tokens) }

// SetReadOnly replaces Options.ReadOnly, for requests that begin after it returned.
func (s *Server) SetReadOnly(readOnly bool) { s.guard.readOnly.Store(readOnly) }

// Serve serves l, whose address must be Options.Addr, until Shutdown, and gives nil then. It closes
// l.
func (s *Server) Serve(l net.Listener) error {
	if a := l.Addr(); a.Network() != s.o.Addr.Network() || a.String() != s.o.Addr.String() {
		return errors.Join(fmt.Errorf("admin: serve %v: not the address %v of the options",
			a, s.o.Addr), l.Close())
	}
	err := s.http.Serve(newDoor(l, connectionsMax))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin: serve: %w", err)
}

// Shutdown closes the listener, waits for the requests that are under way, and cuts off those that
// are not done when ctx ends; its error is ctx's then. Events and profiles, which take long, end at
// once. Twice is fine.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close()
	err := s.http.Shutdown(ctx)
	if ctx.Err() == nil {
		return err
	}
	return errors.Join(err, s.http.Close())
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun, rec := now(), &recorder{ResponseWriter: w, unread: r.ContentLength != 0}
	guest := guestOf(r)
	if guest != nil && guest.peer != "" {
		r.RemoteAddr = guest.peer
	}
	h := rec.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	p := s.guard.check(rec, r)
	switch {
	case p != nil:
		s.refusals.add(r, p)
		p.write(rec)
	case !isClean(r.URL.EscapedPath()):
		errNoPath.write(rec) // the mux would answer with where it is instead
	default:
		if guest != nil && !isFree(r) {
			if r.ContentLength == 0 {
				guest.begin() // else when the body is there
			}
			defer guest.end()
		}
		s.handler.ServeHTTP(rec, escaped(r))
	}
	if rec.status == 0 { // nothing had to be written
		rec.WriteHeader(http.StatusOK)
	}
	if !isSafe(r.Method) && (p != nil || rec.reached) {
		s.note(r, rec, begun)
	}
	// Neither headers nor parameters: a token may be among them.
	s.log.Debug("operator's request", "method", r.Method, "path", logPath(r),
		"remote", r.RemoteAddr, "status", rec.status, "took", since(begun))
}

// note tells of what was done or refused.
func (s *Server) note(r *http.Request, rec *recorder, begun time.Time) {
	a := Action{
		At: begun, Method: r.Method, Path: logPath(r), Remote: r.RemoteAddr,
		Status: rec.status, Error: rec.code,
	}
	if s.o.OnAction == nil {
		return
	}
	if !rec.reached { // a guard refused it
		var ok bool
		if ok, a.Missed = s.refused.take(begun); !ok {
			return
		}
	}
	s.o.OnAction(a)
}

// escaped is a request whose path is the text that was sent, for the mux to match as it is: of an
// unescaped segment it would not know whether a slash in it ends it. See pathName.
func escaped(r *http.Request) *http.Request {
	u := *r.URL
	u.Path, u.RawPath = u.EscapedPath(), ""
	e := *r
	e.URL = &u
	return &e
}

// isClean says whether a path is the one way to write itself.
func isClean(p string) bool {
	return strings.HasPrefix(p, "/") && (path.Clean(p) == p || p == profiles)
}

// lift takes the limits of time from a request that lasts, and gives what ends it: that nobody
// waits any more, or that the server ends. The limit of writing is for who writes. What is called
// at the end limits how long a body that was left unread is waited for.
func (s *Server) lift(w http.ResponseWriter, r *http.Request) (context.Context, func()) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // it would end the request's context
	_ = c.SetWriteDeadline(time.Time{})
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(s.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
		_ = c.SetReadDeadline(now().Add(readTimeout))
	}
}
