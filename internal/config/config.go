// Package config finds out what the daemon is to run with.
//
// Values come from four places, the first that has one wins:
//
//	flags  >  environment  >  --config FILE (YAML)  >  defaults
//
// [Load] reads all of them and either gives a whole [Config] or an [Error] that names every bad
// value as it was given: the flag, the variable, or the file and its key. A value that another
// place overrides is checked all the same, so that nothing bad lies in wait. [Loaded.Explain]
// shows each value and where it came from; it never shows a secret.
//
// One table, in settings.go, holds each setting's name, default, range and help; flags, variables,
// YAML keys and the help text are all derived from it.
package config

import (
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/realip"
)

// Config is what the daemon runs with. Every value in it has been checked.
type Config struct {
	// Listen is the address that clients dial, as host:port.
	Listen string
	// Paths are the request paths that are served, at least one.
	Paths []string
	// Admin is the address of the operator's API, as host:port or unix:PATH; "" is none.
	Admin string
	// AdminTokens are the secrets of which an operator must show one. There may be none where only
	// this machine can reach Admin.
	AdminTokens []string
	// AdminTokenFile is where AdminTokens were read from; "" when they came from elsewhere.
	AdminTokenFile string
	// AdminReadOnly says that the operator's API changes nothing.
	AdminReadOnly bool
	// IdleTimeout ends a session this long after its last message.
	IdleTimeout time.Duration
	// Grace keeps a session recoverable this long after its idle timeout; 0 is none.
	Grace time.Duration
	// MaxLifetime ends a session this long after its creation; 0 is never.
	MaxLifetime time.Duration
	// ResumeWindow is how long a session that can be resumed outlives its connection; 0 is not at
	// all.
	ResumeWindow time.Duration
	// MaxSessions is how many sessions may live at once; 0 is as many as memory holds.
	MaxSessions int
	// OnSessionLimit is what happens at MaxSessions: "reject" the newcomer, or "evict-idle".
	OnSessionLimit string
	// MaxSessionsPerUser is how many sessions one user may have; 0 is no limit.
	MaxSessionsPerUser int
	// OnUserLimit is what happens at MaxSessionsPerUser: "reject" or "evict-idle".
	OnUserLimit string
	// MaxConnectionsPerIP is how many connections one address may have; 0 is no limit.
	MaxConnectionsPerIP int
	// MaxRefusedHellos is how many refused hellos an address may have in a minute.
	MaxRefusedHellos int
	// SummaryInterval is how often the count of ended sessions is logged.
	SummaryInterval time.Duration
	// Tick is the resolution of expiry.
	Tick time.Duration
	// Wheel is the timing wheel's implementation: "native" or "russellluo".
	Wheel string
	// Tokens are the shared secrets of which a client must show one; none: nobody is asked.
	Tokens []string
	// TokenFile is where Tokens were read from; "" when they came from elsewhere.
	TokenFile string
	// Origins are the Origin headers that are welcome beside the server's own.
	Origins []string
	// HelloTimeout bounds upgrade and hello together, from accept.
	HelloTimeout time.Duration
	// PingInterval is how long a connection may be silent before it is pinged; 0 is no pings.
	PingInterval time.Duration
	// PingTimeout is how long a pinged connection has to show life.
	PingTimeout time.Duration
	// MaxMessageBytes bounds one message of a client.
	MaxMessageBytes int
	// SessionMaxInflight is how many calls of one session may run at once.
	SessionMaxInflight int
	// GlobalMaxInflight is how many calls of all sessions may run at once.
	GlobalMaxInflight int
	// WriteBufferBytes bounds what waits for one client.
	WriteBufferBytes int
	// OnSlow is what happens at WriteBufferBytes: "close", "drop-newest" or "drop-oldest".
	OnSlow string
	// BufferTotalBytes bounds all unfinished messages and all that waits for clients together. It
	// is at least MaxMessageBytes and WriteBufferBytes.
	BufferTotalBytes int64
	// Compression says whether permessage-deflate is agreed to.
	Compression bool
	// Mode is how connections are served: "epoll", on Linux and without TLS, or "goroutine".
	Mode string
	// Loops is how many loops Mode "epoll" has; 0 is one a core.
	Loops int
	// TLSCert and TLSKey are the PEM files of the certificate; both are "" without TLS.
	TLSCert, TLSKey string
	// ProxyProtocol is whose connections begin with a PROXY protocol header.
	ProxyProtocol realip.Networks
	// TrustedProxies is whose X-Forwarded-For is believed.
	TrustedProxies realip.Networks
	// Backend is the application: [BackendEcho], or the http or https URL that it listens at. A
	// query in it may be a secret.
	Backend string
	// BackendTimeout is how long the application may take for an answer.
	BackendTimeout time.Duration
	// BackendToken is the secret that the application is shown; "" is none.
	BackendToken string
	// BackendTokenFile is where BackendToken was read from.
	BackendTokenFile string
	// TouchOn says what keeps a session alive: "message", or "any" frame.
	TouchOn string
	// DrainWindow is the time over which a draining daemon spreads its closes; 0 is at once.
	DrainWindow time.Duration
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
	// LogFormat is "text" or "json".
	LogFormat string
	// AuditLog is the file that ends of sessions and actions of operators are added to; "-" is
	// standard output, "" is none.
	AuditLog string

	token      string // --token; Load moves it into Tokens
	adminToken string // --admin-token; Load moves it into AdminTokens
}

// BackendEcho is the Config.Backend that is built in: it answers a message with itself.
const BackendEcho = "echo"

// Loaded is a Config together with what is worth telling about how it came to be.
type Loaded struct {
	Config

	// Command is what the arguments ask for: "" (run), "version", "help", "config check" or
	// "config explain".
	Command string
	// Output is how a command is to print: "table", or "json" where it can.
	Output string
	// Warnings are one line each: variables that are not read, and what is seldom meant. Like a
	// problem, each begins with the name of what was given.
	Warnings []string

	file       string            // that --config names, "" where it does not
	fileOrigin string            // who named it
	fileEmpty  bool              // nothing at all is in it
	unread     []string          // warnings about variables
	origins    map[string]string // setting's name to where its value came from
}

// Error says what is wrong with the configuration, all of it.
type Error struct {
	// Problems are one line each and begin with the name of what was given.
	Problems []string
}

// Error returns all problems, one a line.
func (e *Error) Error() string { return strings.Join(e.Problems, "\n") }

// given is one value as somebody wrote it.
type given struct {
	setting *setting
	values  []string // more than one only where the setting is a list
	origin  string   // how messages name it: --tick, CURFEW_TICK, or FILE: tick
	problem string   // why it cannot be taken, where that is known before it is parsed
}

// Load reads flags and commands from args (without the program's name), variables from env
// (KEY=value), the file that --config names, and the files that settings name. Its error is an
// *[Error].
func Load(args, env []string) (*Loaded, error) {
	l := &Loaded{origins: make(map[string]string)}
	var problems []string

	flags, words, bad := parseArgs(args)
	problems = append(problems, bad...)
	l.Command, l.Output = words.command, words.output
	if l.Command == "help" || l.Command == "version" {
		return l, nil
	}
	variables, unread := parseEnv(env)
	l.unread = unread
	var file []given
	if path, origin := configFile(flags, variables); path != "" {
		l.file, l.fileOrigin = path, origin
		file, bad = l.parseFile(path, origin)
		problems = append(problems, bad...)
	}

	// From the weakest to the strongest, so that the strongest stays.
	for _, layer := range [][]given{defaults(), file, variables, flags} {
		problems = append(problems, l.apply(layer)...)
	}
	problems = append(problems, l.finish()...)
	if len(problems) > 0 {
		return l, &Error{Problems: problems}
	}
	l.Warnings = slices.Concat(l.unread, l.risks(thisMachine()))
	return l, nil
}

// apply parses each value of a layer into the Config and says what was wrong with which.
func (l *Loaded) apply(layer []given) (problems []string) {
	for _, g := range layer {
		if g.problem == "" {
			if err := g.setting.field.parse(&l.Config, g.values); err != nil {
				g.problem = err.Error()
			}
		}
		if g.problem != "" {
			problems = append(problems, g.origin+": "+g.problem)
			continue
		}
		l.origins[g.setting.name] = g.origin
	}
	return problems
}

// finish settles what needs more than one value.
func (l *Loaded) finish() []string {
	return slices.Concat(l.settleTokens(), l.settleAdmin(), l.settleBackend(), l.settleTLS(),
		l.settleMode(runtime.GOOS), l.settleBuffers())
}

// configFile is the file that flags or variables name, and who named it.
func configFile(layers ...[]given) (path, origin string) {
	for _, layer := range layers {
		for _, g := range layer {
			if g.setting.name == "config" && g.problem == "" && g.values[0] != "" {
				path, origin = g.values[0], g.origin
			}
		}
		if path != "" {
			return path, origin
		}
	}
	return "", ""
}
