package load

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Profile is what the connections of a run do.
type Profile string

// The profiles.
const (
	ProfileEcho       Profile = "echo"        // all talk
	ProfileIdle       Profile = "idle"        // nobody talks, all must be expired
	ProfileChatty     Profile = "chatty"      // half talk, exactly the others must be expired
	ProfileChurn      Profile = "churn"       // connect, talk, leave, and be replaced
	ProfileStorm      Profile = "storm"       // all connect at once, all fall due together
	ProfileSlowReader Profile = "slow-reader" // half talk, the others send and do not read
	ProfileSlowloris  Profile = "slowloris"   // half talk, the others send bytes one by one
	ProfileHalfOpen   Profile = "half-open"   // half talk, the others are gone without a word
	ProfileReconnect  Profile = "reconnect"   // all talk, lose their connections, and resume
)

// Profiles are all profiles, in the order in which they are listed.
func Profiles() []Profile {
	return []Profile{
		ProfileEcho, ProfileIdle, ProfileChatty, ProfileChurn, ProfileStorm, ProfileSlowReader,
		ProfileSlowloris, ProfileHalfOpen, ProfileReconnect,
	}
}

// The ways to speak to a server.
const (
	SpeakJSON  = "json"  // curfew.v1
	SpeakRaw   = "raw"   // curfew.raw
	SpeakPlain = "plain" // any server that echoes
)

// ReplyTimeout is after how long a message without an answer is lost.
const ReplyTimeout = 5 * time.Second

// Plan is what the processes of a run do together. All of them are given the same one, but for
// Process. It is plain data and can be sent as JSON.
type Plan struct {
	// URL is the server's: ws://HOST:PORT/PATH or wss://.
	URL string
	// Address is the IP address and port to connect to. "": what URL's host and port resolve to.
	Address string
	Profile Profile
	// Protocol is SpeakJSON, SpeakRaw or SpeakPlain.
	Protocol string
	// Subprotocol is offered, with commas between several, and one of them must then be taken.
	// "": that of the protocol; plain has none.
	Subprotocol string
	// Header holds further fields of the upgrade.
	Header http.Header
	// Token is the server's shared secret: in the hello of SpeakJSON, as Authorization in others.
	Token string
	// Insecure accepts any certificate; Roots are further certificates to trust, in PEM.
	Insecure bool
	Roots    []byte

	// Connections is how many to hold, over all processes.
	Connections int
	// Ramp is how many to begin a second, over all processes. 0: as fast as the server takes them.
	Ramp float64
	// Rate is how many messages fall due a second, over all processes and all connections that
	// talk. Profiles that do not talk ignore it.
	Rate float64
	// Size is the size of a message, in bytes. Those below 12 are not told apart well.
	Size int
	// Duration is how long messages fall due, the warm-up not counted. Where sessions must be
	// expired the run ends a second after the last of them was due, if that is later.
	Duration time.Duration
	// Warmup is for how long messages fall due before that; their latency does not count.
	Warmup time.Duration
	// ExpectIdle is after what silence the server must end a session. 0: what AskIdle says, or else
	// the answer to the hello, as far as that falls into Duration; where there is none, never.
	ExpectIdle time.Duration
	// AskIdle is after what silence the server is asked to end a session, in whole seconds; it can
	// only shorten what the server does by itself. Only SpeakJSON can ask.
	AskIdle time.Duration
	// Seed decides what the messages hold and who does what.
	Seed uint64
	// Sources are the addresses to connect from, in turn. nil: what the system chooses, and for a
	// loopback server as many of 127.0.0.0/8 as its ports need.
	Sources []netip.Addr

	// Process is which one of Processes this is, from 0.
	Process, Processes int
	// Interval is how long an interval of the report is. 0: 100 ms.
	Interval time.Duration
}

// Talks says whether messages fall due at a rate.
func (p Profile) Talks() bool { return p != ProfileIdle && p != ProfileStorm }

// Splits says whether half of the connections do something else than the others.
func (p Profile) Splits() bool {
	return p == ProfileChatty || p == ProfileSlowReader || p == ProfileSlowloris ||
		p == ProfileHalfOpen
}

// WithDefaults fills in what is left out, and can be called again.
func (p Plan) WithDefaults() Plan {
	if p.Processes == 0 {
		p.Processes = 1
	}
	if p.Interval == 0 {
		p.Interval = 100 * time.Millisecond
	}
	if p.Profile == "" {
		p.Profile = ProfileEcho
	}
	if p.Protocol == "" {
		p.Protocol = SpeakPlain
	}
	if p.Subprotocol == "" {
		implied := map[string]string{SpeakJSON: protocolV1, SpeakRaw: "curfew.raw"}
		p.Subprotocol = implied[p.Protocol]
	}
	return p
}

const (
	// sizeMax is the longest message.
	sizeMax = 16 << 20
	// SpareFiles are the descriptors that a process needs beside its connections.
	SpareFiles = 64
	// RateMax is more than any machine does.
	RateMax = 1e8
)

// Validate says everything that is wrong with a plan, each with a remedy. It looks at no network.
func (p Plan) Validate() error {
	var found []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			found = append(found, fmt.Errorf(format, args...))
		}
	}
	u, err := url.Parse(p.URL)
	bad(err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "",
		"%q is no WebSocket URL: give one such as ws://127.0.0.1:8079/ws", p.URL)
	bad(err == nil && u.Fragment != "", "a WebSocket URL has no fragment (#%s)", fragment(u))
	bad(!slices.Contains(Profiles(), p.Profile), "there is no profile %q", p.Profile)
	bad(p.Protocol != SpeakJSON && p.Protocol != SpeakRaw && p.Protocol != SpeakPlain,
		"there is no protocol %q: json, raw or plain", p.Protocol)
	bad(strings.ContainsAny(p.Subprotocol+p.Token, "\r\n\x00"),
		"a subprotocol or token has a line break")
	bad(p.Connections < 1 || p.Connections > 1<<24, "--connections %d: 1 to %d",
		p.Connections, 1<<24)
	bad(p.Profile.Splits() && p.Connections < 2*p.Processes,
		"--connections %d: %s needs two for each of %d processes, one of either kind",
		p.Connections, p.Profile, p.Processes)
	bad(!(p.Ramp >= 0 && p.Ramp <= RateMax), "--ramp %v: 0 to %v a second", p.Ramp, RateMax)
	bad(!(p.Rate >= 0 && p.Rate <= RateMax), "--rate %v: up to %v a second", p.Rate, RateMax)
	bad(p.Profile.Talks() && p.Rate == 0, "--rate 0: an open loop needs a rate")
	bad(p.Size < 1 || p.Size > sizeMax, "--size %d: 1 to %d bytes", p.Size, sizeMax)
	bad(p.Duration <= 0, "--duration %v: must be above 0", p.Duration)
	pause, least := p.talkersPause()
	bad(least > 0, "--rate %v: each connection that talks would speak only every %v: %.0f/s at "+
		"least, so that none of them is idle", p.Rate, pause, least)
	bad(p.AskIdle != 0 && p.Protocol != SpeakJSON,
		"--ask-idle needs --protocol json: no other can ask")
	bad(p.AskIdle < 0 || p.AskIdle%time.Second != 0,
		"--ask-idle %v: whole seconds", p.AskIdle)
	bad(p.Warmup < 0 || p.ExpectIdle < 0, "a negative duration")
	bad(p.Process < 0 || p.Process >= p.Processes, "process %d of %d", p.Process, p.Processes)
	return errors.Join(found...)
}

// talkersPause is how long a connection of a chatty run that talks is silent in between, and the
// least rate where that is too long.
func (p Plan) talkersPause() (pause time.Duration, least float64) {
	idle := p.ExpectIdle
	if idle == 0 || p.AskIdle > 0 && p.AskIdle < idle {
		idle = p.AskIdle
	}
	talkers := float64(p.Connections+1) / 2
	if p.Profile != ProfileChatty || idle <= 0 || !(p.Rate > 0) {
		return 0, 0
	}
	seconds := talkers / p.Rate
	if seconds < idle.Seconds() {
		return 0, 0
	}
	pause = time.Duration(min(seconds, math.MaxInt32) * float64(time.Second))
	return pause.Round(time.Millisecond), math.Ceil(2 * talkers / idle.Seconds())
}

func fragment(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Fragment
}
