package admin

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// net/http/pprof enters its handlers in http.DefaultServeMux, too, which nothing here serves.

const (
	// profileSecondsMax and traceSecondsMax bound how long is recorded. A trace is large: it grows
	// for as long as its reader takes.
	profileSecondsMax = 60
	traceSecondsMax   = 10
	// recordTimeout is how long a recording may take, until the last of it is written.
	recordTimeout = profileSecondsMax*time.Second + writeTimeout
	// stacksMax is of how many goroutines all stacks are written as text, for which all of them
	// stand still.
	stacksMax = 10_000
	// blockNanos and mutexFraction are what is sampled while contention is recorded: a wait of so
	// many nanoseconds, one of so many.
	blockNanos    = 10_000
	mutexFraction = 100
)

// profileKind is a profile that is served.
type profileKind struct {
	name, about string
	handler     http.Handler
	parameters  []string
	// always: it is of some time, whether or not seconds are given.
	always     bool
	secondsMax float64
}

// The profile cmdline is not among them: arguments may hold tokens.
var profileKinds = []profileKind{
	snapshot("allocs", "where memory was allocated"),
	snapshot("block", "where goroutines wait; nothing without seconds"),
	snapshot("goroutine", "stacks of all goroutines"),
	snapshot("heap", "where memory in use was allocated", "gc"),
	snapshot("mutex", "who holds locks that others wait for; nothing without seconds"),
	{
		name: "profile", about: "where the processor's time goes",
		handler: http.HandlerFunc(pprof.Profile), parameters: []string{"seconds"},
		always: true, secondsMax: profileSecondsMax,
	},
	{
		name: "symbol", about: "names of addresses: ?0x1+0x2",
		handler: http.HandlerFunc(pprof.Symbol),
	},
	snapshot("threadcreate", "what made threads"),
	{
		name: "trace", about: "what the scheduler did",
		handler: http.HandlerFunc(pprof.Trace), parameters: []string{"seconds"},
		always: true, secondsMax: traceSecondsMax,
	},
}

func snapshot(name, about string, parameters ...string) profileKind {
	return profileKind{
		name: name, about: about, handler: pprof.Handler(name),
		parameters: append(parameters, "seconds", "debug"), secondsMax: profileSecondsMax,
	}
}

// profiles is a page of what there is.
func (s *Server) profiles(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	var page strings.Builder
	page.WriteString("<!doctype html>\n<title>Profiles of curfewd</title>\n<ul>\n")
	for _, k := range profileKinds {
		fmt.Fprintf(&page, "<li><a href=\"%s\">%s</a>: %s\n", profiles+k.name, k.name, k.about)
	}
	page.WriteString("</ul>\n")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	_, _ = w.Write([]byte(page.String()))
	return nil
}

// profile takes one.
func (s *Server) profile(w http.ResponseWriter, r *http.Request) error {
	for _, k := range profileKinds {
		if k.name == r.PathValue("profile") {
			return s.take(w, r, k)
		}
	}
	return errNoPath
}

func (s *Server) take(w http.ResponseWriter, r *http.Request, k profileKind) error {
	lasts := false
	if k.name != "symbol" { // whose query is no parameters
		var err error
		if lasts, err = k.check(r.URL.RawQuery); err != nil {
			return err
		}
	}
	if r.Method == http.MethodHead { // which is not worth to take one
		w.Header().Set("Content-Type", "application/octet-stream")
		return nil
	}
	if lasts {
		return s.record(w, r, k)
	}
	done, err := s.turn(r.Context(), s.snapshots)
	if err != nil {
		return err
	}
	defer done()
	return byHandler(k.handler)(w, r)
}

// record takes a profile of some time. One at a time: most can only be taken by one, and each costs
// those who are served.
func (s *Server) record(w http.ResponseWriter, r *http.Request, k profileKind) error {
	select {
	case s.recording <- struct{}{}:
		defer func() { <-s.recording }()
	default:
		return &problem{
			status: http.StatusConflict, code: codeConflict, retryAfter: profileSecondsMax,
			message: "another profile is being recorded",
		}
	}
	s.log.Info("an operator records a profile", "profile", k.name, "remote", r.RemoteAddr)
	switch k.name {
	case "block":
		runtime.SetBlockProfileRate(blockNanos)
		defer runtime.SetBlockProfileRate(0)
	case "mutex":
		defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(mutexFraction))
	}
	ctx, release := s.lift(w, r)
	defer release()
	// Who does not read what is recorded must not keep others from recording.
	_ = http.NewResponseController(w).SetWriteDeadline(now().Add(recordTimeout))
	return byHandler(k.handler)(w, r.WithContext(ctx))
}

// check refuses what the profile does not take, and says whether it is of some time.
func (k *profileKind) check(rawQuery string) (lasts bool, err error) {
	v, err := parseQuery(rawQuery, k.parameters...)
	if err != nil {
		return false, err
	}
	if text := v.Get("seconds"); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		whole := n == float64(int(n)) || k.name == "trace"
		if err != nil || !(n > 0 && n <= k.secondsMax) || !whole {
			return false, badRequest(fmt.Sprintf("seconds is not a number up to %v", k.secondsMax))
		}
		lasts = true
	}
	return lasts || k.always, k.checkForm(v, lasts)
}

// checkForm refuses what is wrong about the parameters that say how a profile is written.
func (k *profileKind) checkForm(v url.Values, lasts bool) error {
	switch v.Get("gc") {
	case "", "0", "1":
	default:
		return badRequest("gc is not 0 or 1")
	}
	switch v.Get("debug") {
	case "", "0":
	case "1", "2":
		if lasts {
			return badRequest("a profile of some seconds is not written as text: leave out debug")
		}
	default:
		return badRequest("debug is not 0, 1 or 2")
	}
	n := runtime.NumGoroutine()
	if k.name == "goroutine" && v.Get("debug") == "2" && n > stacksMax {
		return &problem{
			status: http.StatusConflict, code: codeConflict,
			message: fmt.Sprintf("%d goroutines would all stand still for long: use debug=1", n),
		}
	}
	return nil
}
