package command

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/curfew-go/curfew/internal/load"
)

// loadFlags are the flags of `curfew load` as they were given.
type loadFlags struct {
	plan      load.Plan // what stands in flags of its own
	tokenFile string
	ca        string
	processes int
	repeat    int
	pid       int
	maxP99    time.Duration
	json      string
	hdr       string
	report    string
	quiet     bool
	problems  []error // values that make no sense
}

// problem notes what is wrong, so that all of it can be told at once.
func (f *loadFlags) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Errorf(format, args...))
}

// flagValue is a flag that notes a bad value instead of ending at the first one.
type flagValue struct {
	f      *loadFlags
	name   string
	kind   string // stands for the value in the help
	text   string // the default, in the help
	secret bool   // the value must not be repeated
	given  []string
	set    func(string) error
}

// String is the default, for the help.
func (v *flagValue) String() string { return v.text }

// Type stands for the value in the help.
func (v *flagValue) Type() string { return v.kind }

// Set takes the value, and never fails.
func (v *flagValue) Set(s string) error {
	v.given = append(v.given, s)
	err := v.set(s)
	switch {
	case err == nil:
	case v.secret:
		v.f.problem("--%s: %w", v.name, err)
	default:
		v.f.problem("--%s %q: %w", v.name, s, err)
	}
	return nil
}

// flagSpec is one flag of the command.
type flagSpec struct {
	name, kind, text string
	secret           bool
	set              func(string) error
	usage            string
}

// add makes the flags.
func (f *loadFlags) add(to *pflag.FlagSet) {
	for _, s := range slices.Concat(f.loadSpecs(), f.speechSpecs(), f.outputSpecs()) {
		to.Var(&flagValue{
			f: f, name: s.name, kind: s.kind, text: s.text, secret: s.secret, set: s.set,
		}, s.name, s.usage)
	}
	to.BoolVar(&f.plan.Insecure, "insecure", false, "accept any certificate of the server")
	to.BoolVar(&f.quiet, "quiet", false, "show neither progress nor the table, only what is wrong")
	to.SortFlags = false
}

// loadSpecs are the flags about what is done, with their defaults.
func (f *loadFlags) loadSpecs() []flagSpec {
	p := &f.plan
	p.Profile, p.Connections, p.Rate, p.Size = load.ProfileEcho, 100, 1000, 32
	p.Duration, p.Seed, f.repeat = 10*time.Second, 1, 1
	return []flagSpec{
		{
			"profile", "NAME", "echo", false, setProfile(&p.Profile),
			"what connections do: " + names(),
		},
		{
			"connections", "N", "100", false, setInt(&p.Connections),
			"how many connections",
		},
		{
			"ramp", "N/s", "", false, setRate(&p.Ramp),
			"how many to open a second (as many as the server takes)",
		},
		{
			"rate", "N/s", "1000/s", false, setRate(&p.Rate),
			"how many messages fall due a second, over all connections",
		},
		{
			"size", "BYTES", "32", false, setInt(&p.Size),
			"the size of a message",
		},
		{
			"duration", "D", "10s", false, setDuration(&p.Duration),
			"for how long messages fall due",
		},
		{
			"warmup", "D", "0s", false, setDuration(&p.Warmup),
			"for how long they do before that, not counted",
		},
		{
			"seed", "N", "1", false, setSeed(&p.Seed),
			"decides what messages hold and who does what",
		},
		{
			"processes", "N", "0", false, setInt(&f.processes),
			"processes of the harness (0: one a core, more where files run out)",
		},
		{
			"repeat", "N", "1", false, setInt(&f.repeat),
			"how often to run; load diff compares such runs",
		},
		{
			"interval", "D", "", false, setDuration(&p.Interval),
			"how long the report's intervals are (100ms, more in long runs)",
		},
	}
}

// speechSpecs are the flags about how to speak to the server.
func (f *loadFlags) speechSpecs() []flagSpec {
	p := &f.plan
	return []flagSpec{
		{
			"protocol", "NAME", "", false, setText(&p.Protocol),
			"json (curfew.v1), raw (curfew.raw) or plain (any server that echoes); " +
				"else one hello is said, to see whether it is json",
		},
		{
			"subprotocol", "NAME", "", false, setText(&p.Subprotocol),
			"the WebSocket subprotocol to ask for (that of the protocol)",
		},
		{
			"header", "'K: V'", "", true, f.addHeader,
			"a further field of the upgrade (repeatable)",
		},
		{
			"token", "T", "", true, setText(&p.Token),
			"the server's shared secret (the list of processes shows it: rather --token-file)",
		},
		{
			"token-file", "FILE", "", false, setText(&f.tokenFile),
			"where the shared secret stands",
		},
		{
			"ca", "FILE", "", false, setText(&f.ca),
			"certificates (PEM) to trust as well",
		},
		{
			"source", "IP", "", false, f.addSource,
			"an address to connect from (repeatable; as the system chooses)",
		},
		{
			"expect-idle", "D", "", false, setDuration(&p.ExpectIdle),
			"after what silence the server must end a session (what its hello says)",
		},
		{
			"ask-idle", "D", "", false, setDuration(&p.AskIdle),
			"after what silence to ask the server to end a session (json only)",
		},
	}
}

// outputSpecs are the flags about what is watched and written.
func (f *loadFlags) outputSpecs() []flagSpec {
	return []flagSpec{
		{
			"pid", "PID", "", false, setInt(&f.pid),
			"the server's process, to see what it uses",
		},
		{
			"max-p99", "D", "", false, setDuration(&f.maxP99),
			"exit 1 where the latency's p99 is above",
		},
		{
			"json", "FILE", "", false, setText(&f.json),
			"write the result as JSON (-: standard output)",
		},
		{
			"hdr", "FILE", "", false, setText(&f.hdr),
			"write an HdrHistogram log (.hlog)",
		},
		{
			"report", "FILE", "", false, setText(&f.report),
			"write a page (.html)",
		},
	}
}

// profiles are the names of all profiles.
func profiles() []string {
	var all []string
	for _, p := range load.Profiles() {
		all = append(all, string(p))
	}
	return all
}

// names are those of all profiles, for a reader.
func names() string { return strings.Join(profiles(), ", ") }

func setText(to *string) func(string) error {
	return func(s string) error {
		*to = s
		return nil
	}
}

func setProfile(to *load.Profile) func(string) error {
	return func(s string) error {
		for _, p := range load.Profiles() {
			if string(p) == s {
				*to = p
				return nil
			}
		}
		return fmt.Errorf("there is no such profile: %s", names())
	}
}

func setInt(to *int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return errors.New("give a whole number, 0 or more")
		}
		*to = n
		return nil
	}
}

func setSeed(to *uint64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			return errors.New("give a whole number, 0 or more")
		}
		*to = n
		return nil
	}
}

func setRate(to *float64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseFloat(strings.TrimSuffix(s, "/s"), 64)
		if err != nil || math.IsNaN(n) || n <= 0 || n > load.RateMax {
			return errors.New("give how many a second, above 0, such as 2000/s or 2000")
		}
		*to = n
		return nil
	}
}

// durationMax is longer than any run, and short enough to be added up.
const durationMax = 30 * 24 * time.Hour

func setDuration(to *time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > durationMax {
			return errors.New("give a duration, such as 500ms, 10s or 2m, up to 720h")
		}
		*to = d
		return nil
	}
}

// owned are the fields of an upgrade that the harness writes itself.
var owned = []string{
	"Host", "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version",
	"Sec-Websocket-Protocol", "Sec-Websocket-Extensions", "Content-Length", "Transfer-Encoding",
}

// addHeader takes one field of the upgrade. Its value may be a secret and is not repeated.
func (f *loadFlags) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || !isToken(name) {
		return errors.New("give a name and a value, such as 'Origin: https://example.com'")
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("the value of %s holds a control character: leave it out", name)
	}
	name = http.CanonicalHeaderKey(name)
	for _, o := range owned {
		if name != o {
			continue
		}
		if name == "Sec-Websocket-Protocol" {
			return errors.New("give --subprotocol instead of Sec-WebSocket-Protocol")
		}
		return fmt.Errorf("the harness writes %s itself: leave it out", name)
	}
	if f.plan.Header == nil {
		f.plan.Header = http.Header{}
	}
	f.plan.Header.Add(name, value)
	return nil
}

// isToken says whether a word may be the name of a field.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

func (f *loadFlags) addSource(s string) error {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return errors.New("give an IP address of this machine, such as 127.0.0.2")
	}
	f.plan.Sources = append(f.plan.Sources, a)
	return nil
}
