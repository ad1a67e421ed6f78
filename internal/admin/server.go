package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"time"
)

// The paths that need no token.
const (
	livez  = "/livez"
	readyz = "/readyz"
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
	// scansMax is how many requests may look at all sessions at once; others wait.
	scansMax = 4
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
	handler  http.Handler
	http     *http.Server

	scans chan struct{} // one in it for each request that looks at all sessions
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
		refusals: &refusals{log: o.Logger}, scans: make(chan struct{}, scansMax),
	}
	if err := s.guard.setTokens(o.Tokens); err != nil {
		return nil, err
	}
	s.handler = s.routes()
	s.http = &http.Server{
		Handler:                      s,
		DisableGeneralOptionsHandler: true, // it would answer before the guard
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               headerBytesMax,
		ErrorLog:                     slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	return s, nil
}

// SetTokens replaces the tokens, for requests that begin after it returned. On error the old ones
// stay.
func (s *Server) SetTokens(tokens []string) error { return s.guard.setTokens(tokens) }

// Serve serves l, whose address must be Options.Addr, until Shutdown, and gives nil then. It closes
// l.
func (s *Server) Serve(l net.Listener) error {
	if a := l.Addr(); a.Network() != s.o.Addr.Network() || a.String() != s.o.Addr.String() {
		return errors.Join(fmt.Errorf("admin: serve %v: not the address %v of the options",
			a, s.o.Addr), l.Close())
	}
	err := s.http.Serve(newBounded(l, connectionsMax))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin: serve: %w", err)
}

// Shutdown closes the listener, waits for the requests that are under way, and cuts off those that
// are not done when ctx ends; its error is ctx's then. Twice is fine.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if ctx.Err() == nil {
		return err
	}
	return errors.Join(err, s.http.Close())
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun, rec := now(), &recorder{ResponseWriter: w}
	h := rec.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch p := s.guard.check(rec, r); {
	case p != nil:
		s.refusals.add(r, p)
		p.write(rec)
	case !isClean(r.URL.EscapedPath()):
		errNoPath.write(rec) // the mux would answer with where it is instead
	default:
		s.handler.ServeHTTP(rec, escaped(r))
	}
	// Neither headers nor parameters: a token may be among them.
	s.log.Debug("operator's request", "method", r.Method, "path", logPath(r),
		"remote", r.RemoteAddr, "status", rec.status, "took", since(begun))
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

// isClean says whether a path is one way to write itself.
func isClean(p string) bool { return path.Clean(p) == p }
