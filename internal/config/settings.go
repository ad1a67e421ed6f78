package config

import (
	"runtime"
	"time"

	"github.com/curfew-go/curfew/internal/realip"
)

// setting is one thing that can be set: the flag --name, the variable CURFEW_NAME, the YAML key
// name, and the names that the daemon which Curfew replaces had for it.
type setting struct {
	name     string
	arg      string // stands for the value in the help text
	def      string // as somebody would write it; unset where there is none
	old      []oldName
	list     bool // may be given more than once
	secret   bool // never shown, never in a message
	flagOnly bool // no YAML key
	bare     bool // a flag without a value means true; one with a value is --name=value
	live     bool // a change is taken over while the daemon runs; see Take
	field    field
	help     string
}

// oldName is a variable of the daemon that Curfew replaces.
type oldName struct {
	name    string
	convert func(string) (string, error) // to how the flag would say it
}

// The oldest listen variables are two that make one value; parseEnv joins them.
const (
	oldHost = "EXAI_WS_HOST"
	oldPort = "EXAI_WS_PORT"
)

// limits that do not come from the engine or the wire.
const (
	tickMin         = time.Millisecond
	tickMax         = time.Minute
	messageBytesMax = 1 << 30
	bufferTotalMax  = 1 << 50
	loopsMax        = 255 // as netloop's
)

// The two ways to serve connections.
const (
	modeEpoll     = "epoll"
	modeGoroutine = "goroutine"
)

// Values that others ask for by name.
const (
	wheelRussellLuo = "russellluo"
	touchAny        = "any"
)

// What happens at a limit of sessions.
const (
	limitReject    = "reject"
	limitEvictIdle = "evict-idle"
)

var limitChoices = []string{limitReject, limitEvictIdle}

// settings is every setting, in the order of the help text.
var settings = []setting{
	{
		name: "listen", arg: "HOST:PORT", def: "127.0.0.1:8079",
		field: address{func(c *Config) *string { return &c.Listen }},
		help:  "address that clients dial",
	}, {
		name: "path", arg: "PATH", def: "/ws", list: true,
		field: list{func(c *Config) *[]string { return &c.Paths }, checkPath},
		help:  "request path that is served",
	}, {
		name: "admin", arg: "HOST:PORT|unix:PATH", def: "127.0.0.1:8080",
		old:   []oldName{{"MONITORING_PORT", oldPortOnly}},
		field: adminAddress{func(c *Config) *string { return &c.Admin }},
		help:  "address of the operator's API; empty: none",
	}, {
		name: "admin-token", arg: "SECRET", secret: true, live: true,
		field: secret{text{func(c *Config) *string { return &c.adminToken }}},
		help:  "secret that operators must show; others can see flags: prefer --admin-token-file",
	}, {
		name: "admin-token-file", arg: "FILE", live: true,
		field: text{func(c *Config) *string { return &c.AdminTokenFile }},
		help:  "file of operators' secrets, one a line, any is good; read again on SIGHUP",
	}, {
		name: "admin-read-only", def: "off", bare: true, live: true,
		field: boolean{toggle{func(c *Config) *bool { return &c.AdminReadOnly }}},
		help:  "the operator's API shows everything and changes nothing",
	}, {
		name: "idle-timeout", arg: "DURATION", def: "1h", old: seconds("SESSION_TIMEOUT_SECS"),
		field: duration{at: func(c *Config) *time.Duration { return &c.IdleTimeout }},
		help:  "ends a session this long after its last message",
	}, {
		name: "grace", arg: "DURATION", def: "0",
		field: duration{at: func(c *Config) *time.Duration { return &c.Grace }, zero: true},
		help:  "keeps a session recoverable this long after its idle timeout",
	}, {
		name: "max-lifetime", arg: "DURATION", def: "0",
		field: duration{at: func(c *Config) *time.Duration { return &c.MaxLifetime }, zero: true},
		help:  "ends a session this long after its creation, active or not; 0: never",
	}, {
		name: "resume-window", arg: "DURATION", def: "2m",
		field: duration{at: func(c *Config) *time.Duration { return &c.ResumeWindow }, zero: true},
		help:  "how long a session that can be resumed outlives its connection; 0: not at all",
	}, {
		name: "max-sessions", arg: "N", def: "1000000", old: same("SESSION_MAX_CONCURRENT"),
		field: integer{at: func(c *Config) *int { return &c.MaxSessions }, min: 0, max: 1<<31 - 1},
		help:  "sessions that may live at once; 0: no limit but memory",
	}, {
		name: "on-session-limit", arg: "reject|evict-idle", def: limitReject, live: true,
		field: choice{func(c *Config) *string { return &c.OnSessionLimit }, limitChoices},
		help:  "who has to go at --max-sessions: the newcomer, or the session idle longest",
	}, {
		name: "max-sessions-per-user", arg: "N", def: "0", live: true,
		field: integer{
			at:  func(c *Config) *int { return &c.MaxSessionsPerUser },
			min: 0, max: 1<<31 - 1,
		},
		help: "sessions that one user may have; 0: no limit",
	}, {
		name: "on-user-limit", arg: "reject|evict-idle", def: limitEvictIdle, live: true,
		field: choice{func(c *Config) *string { return &c.OnUserLimit }, limitChoices},
		help:  "who has to go at --max-sessions-per-user, of that user's sessions",
	}, {
		name: "max-connections-per-ip", arg: "N", def: "0", old: same("MAX_CONNECTIONS_PER_IP"),
		live: true,
		field: integer{
			at:  func(c *Config) *int { return &c.MaxConnectionsPerIP },
			min: 0, max: 1<<31 - 1,
		},
		help: "connections that one address may have; 0: no limit",
	}, {
		name: "max-refused-hellos", arg: "N", def: "20", live: true,
		field: integer{
			at:  func(c *Config) *int { return &c.MaxRefusedHellos },
			min: 1, max: 1<<31 - 1,
		},
		help: "refused hellos of one address in a minute after which it has to wait",
	}, {
		name: "summary-interval", arg: "DURATION", def: "5m", live: true,
		old:   seconds("SESSION_CLEANUP_INTERVAL"),
		field: duration{at: func(c *Config) *time.Duration { return &c.SummaryInterval }},
		help:  "how often the count of expired sessions is logged; expiry never waits for it",
	}, {
		name: "tick", arg: "DURATION", def: "10ms",
		field: duration{
			at:  func(c *Config) *time.Duration { return &c.Tick },
			min: tickMin, max: tickMax,
		},
		help: "resolution of expiry",
	}, {
		name: "wheel", arg: "native|russellluo", def: "native",
		field: choice{
			func(c *Config) *string { return &c.Wheel },
			[]string{"native", wheelRussellLuo},
		},
		help: "implementation of the timing wheel",
	}, {
		name: "token", arg: "SECRET", old: same("EXAI_WS_TOKEN"), secret: true, live: true,
		field: secret{text{func(c *Config) *string { return &c.token }}},
		help:  "shared secret that clients must show; others can see flags: prefer --token-file",
	}, {
		name: "token-file", arg: "FILE", live: true,
		field: text{func(c *Config) *string { return &c.TokenFile }},
		help:  "file of shared secrets, one a line, any is good; read again on SIGHUP",
	}, {
		name: "origin", arg: "ORIGIN", list: true, live: true,
		field: list{func(c *Config) *[]string { return &c.Origins }, checkOrigin},
		help:  "Origin of browsers that is welcome beside the server's own; *: any",
	}, {
		name: "hello-timeout", arg: "DURATION", def: "15s", old: seconds("EXAI_WS_HELLO_TIMEOUT"),
		field: duration{at: func(c *Config) *time.Duration { return &c.HelloTimeout }},
		help:  "bounds upgrade and hello together, from accept",
	}, {
		name: "ping-interval", arg: "DURATION", def: "30s", old: seconds("EXAI_WS_PING_INTERVAL"),
		field: duration{at: func(c *Config) *time.Duration { return &c.PingInterval }, zero: true},
		help:  "how long a connection may be silent before it is pinged; 0: no pings",
	}, {
		name: "ping-timeout", arg: "DURATION", def: "10s", old: seconds("EXAI_WS_PING_TIMEOUT"),
		field: duration{at: func(c *Config) *time.Duration { return &c.PingTimeout }},
		help:  "how long a pinged connection has to show life",
	}, {
		name: "max-message-bytes", arg: "N", def: "65536", old: same("EXAI_WS_MAX_BYTES"),
		field: integer{
			at:  func(c *Config) *int { return &c.MaxMessageBytes },
			min: 1, max: messageBytesMax,
		},
		help: "largest message of a client",
	}, {
		name: "session-max-inflight", arg: "N", def: "8", live: true,
		old: same("EXAI_WS_SESSION_MAX_INFLIGHT"),
		field: integer{
			at:  func(c *Config) *int { return &c.SessionMaxInflight },
			min: 1, max: 1<<31 - 1,
		},
		help: "calls of one session that may run at once",
	}, {
		name: "global-max-inflight", arg: "N", def: "24", live: true,
		old: same("EXAI_WS_GLOBAL_MAX_INFLIGHT"),
		field: integer{
			at:  func(c *Config) *int { return &c.GlobalMaxInflight },
			min: 1, max: 1<<31 - 1,
		},
		help: "calls of all sessions that may run at once",
	}, {
		name: "write-buffer-bytes", arg: "N", def: "262144",
		field: integer{
			at:  func(c *Config) *int { return &c.WriteBufferBytes },
			min: 1, max: messageBytesMax,
		},
		help: "what may wait for one client that is slow to read",
	}, {
		name: "on-slow", arg: "close|drop-newest|drop-oldest", def: "close",
		field: choice{
			func(c *Config) *string { return &c.OnSlow },
			[]string{"close", "drop-newest", "drop-oldest"},
		},
		help: "what happens to a client, or to its messages, at --write-buffer-bytes",
	}, {
		name: "buffer-total-bytes", arg: "N", def: "268435456",
		field: integer64{
			at:  func(c *Config) *int64 { return &c.BufferTotalBytes },
			min: 1, max: bufferTotalMax,
		},
		help: "what unfinished messages and waiting ones of all clients may hold together",
	}, {
		name: "compression", arg: "off|on", def: "off",
		field: toggle{func(c *Config) *bool { return &c.Compression }},
		help:  "permessage-deflate, without context takeover, for clients that offer it",
	}, {
		name: "mode", arg: "epoll|goroutine", def: defaultMode(runtime.GOOS),
		field: choice{
			func(c *Config) *string { return &c.Mode },
			[]string{modeEpoll, modeGoroutine},
		},
		help: "how connections are served: by loops, on Linux and without TLS, or a goroutine each",
	}, {
		name: "loops", arg: "N", def: "0",
		field: integer{at: func(c *Config) *int { return &c.Loops }, min: 0, max: loopsMax},
		help:  "loops of --mode epoll; 0: one a core (GOMAXPROCS)",
	}, {
		name: "tls-cert", arg: "FILE", live: true,
		field: text{func(c *Config) *string { return &c.TLSCert }},
		help:  "certificate and its chain, in PEM; read again on SIGHUP; needs --tls-key",
	}, {
		name: "tls-key", arg: "FILE", live: true,
		field: text{func(c *Config) *string { return &c.TLSKey }},
		help:  "private key of --tls-cert, in PEM; read again on SIGHUP",
	}, {
		name: "proxy-protocol", arg: "CIDR,...", list: true,
		field: networks{func(c *Config) *realip.Networks { return &c.ProxyProtocol }},
		help:  "whose connections must begin with a PROXY protocol header; others must not",
	}, {
		name: "trusted-proxies", arg: "CIDR,...", list: true,
		field: networks{func(c *Config) *realip.Networks { return &c.TrustedProxies }},
		help:  "whose X-Forwarded-For is believed",
	}, {
		name: "backend", arg: "echo|URL", def: BackendEcho,
		field: application{func(c *Config) *string { return &c.Backend }},
		help:  "the application: a URL (http, https) that events are posted to, or built-in echo",
	}, {
		name: "backend-timeout", arg: "DURATION", def: "30s",
		field: duration{at: func(c *Config) *time.Duration { return &c.BackendTimeout }},
		help:  "how long the application may take for an answer",
	}, {
		name: "backend-token-file", arg: "FILE", live: true,
		field: text{func(c *Config) *string { return &c.BackendTokenFile }},
		help:  "file of the secret that the application is shown with each event",
	}, {
		name: "touch-on", arg: "message|any", def: "message",
		field: choice{func(c *Config) *string { return &c.TouchOn }, []string{"message", touchAny}},
		help:  "what keeps a session alive: messages, or pings and pongs too",
	}, {
		name: "drain-window", arg: "DURATION", def: "30s", live: true,
		field: duration{at: func(c *Config) *time.Duration { return &c.DrainWindow }, zero: true},
		help:  "time over which a stopping daemon spreads its closes; 0: at once",
	}, {
		name: "log-level", arg: "LEVEL", def: "info", old: []oldName{{"LOG_LEVEL", oldLevel}},
		live:  true,
		field: level{},
		help:  "debug, info, warn or error",
	}, {
		name: "log-format", arg: "text|json", def: "text",
		field: choice{func(c *Config) *string { return &c.LogFormat }, []string{"text", "json"}},
		help:  "how a log line is written",
	}, {
		name: "audit-log", arg: "FILE|-",
		field: text{func(c *Config) *string { return &c.AuditLog }},
		help: "file that gets a line of JSON for each end of a session and each action of an " +
			"operator; opened again on SIGHUP; -: stdout",
	}, {
		name: "config", arg: "FILE", flagOnly: true,
		field: nothing{},
		help:  "YAML file whose keys are the flags' names",
	},
}

const (
	prefix    = "CURFEW_"
	oldPrefix = "EXAI_WS_" // variables that begin so and that no setting reads mean nothing here
)

func findSetting(name string) *setting {
	for i := range settings {
		if settings[i].name == name {
			return &settings[i]
		}
	}
	return nil
}

// defaults is the weakest layer.
func defaults() []given {
	var layer []given
	for i := range settings {
		if s := &settings[i]; s.def != "" {
			layer = append(layer, given{setting: s, values: []string{s.def}, origin: byDefault})
		}
	}
	return layer
}
