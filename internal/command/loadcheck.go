package command

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/load/fleet"
)

const (
	repeatMax    = 1000
	intervalMin  = 10 * time.Millisecond
	intervalsMax = 10_000
	// fileBytesMax is the most that is read of a file that a flag names.
	fileBytesMax = 4 << 20
)

// settle makes the plan of the flags, or says everything that is wrong with them.
func (f *loadFlags) settle(given *pflag.FlagSet, args []string) (load.Plan, error) {
	p := f.plan
	f.checkURL(&p, args)
	f.checkProtocol(&p)
	f.checkSecrets(&p, given)
	f.checkTLS(&p)
	f.checkRun(&p, given)
	f.checkSources(&p)
	f.checkOutputs()
	if err := asKnown(p).WithDefaults().Validate(); err != nil {
		f.problems = append(f.problems, err)
	}
	return p, errors.Join(f.problems...)
}

// asKnown is a plan as it will be once the server was asked how it speaks, as far as that is known.
func asKnown(p load.Plan) load.Plan {
	if p.Protocol == "" && p.AskIdle > 0 {
		p.Protocol = load.SpeakJSON
	}
	return p
}

// detect asks the server how it speaks, where nobody said it.
func detect(ctx context.Context, p *load.Plan) error {
	if p.Protocol != "" {
		return nil
	}
	var err error
	if p.Protocol, err = load.Detect(ctx, p.WithDefaults()); err != nil {
		return fleet.Public(p, err)
	}
	if p.AskIdle == 0 || p.Protocol == load.SpeakJSON {
		return nil
	}
	// Of a server that is not there nothing can be said.
	if err := reach(ctx, p.URL); err != nil {
		return err
	}
	return errors.New("--ask-idle asks what only json can, and the server did not answer to a " +
		"hello: give --expect-idle instead, or --token-file where it wants a secret")
}

// reachMax is how long a server may take to take a connection.
const reachMax = 5 * time.Second

// reach says why a server cannot be connected to.
func reach(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return err
	}
	port := cmp.Or(u.Port(), map[string]string{"ws": "80", "wss": "443"}[u.Scheme])
	d := net.Dialer{Timeout: reachMax}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w: start it, or mend the URL", err)
	}
	return c.Close()
}

// unjudged says what a run cannot tell, since it is not known when sessions must end; "" for none.
func unjudged(p *load.Plan) string {
	if p.ExpectIdle > 0 || p.AskIdle > 0 {
		return ""
	}
	switch p.Profile {
	case load.ProfileIdle, load.ProfileChatty, load.ProfileStorm:
		if p.Protocol == load.SpeakJSON {
			return fmt.Sprintf("only sessions that the server says end within the run are waited "+
				"for: --ask-idle D asks for that, --expect-idle D waits (--duration is %v)",
				p.Duration)
		}
		return "connections are only held: --expect-idle D says when the server must end them"
	case load.ProfileHalfOpen:
		return "how long the server bears the dead is only looked at: --expect-idle D says by " +
			"when it must have noticed"
	case load.ProfileEcho, load.ProfileChurn, load.ProfileSlowReader, load.ProfileSlowloris,
		load.ProfileReconnect:
	}
	return ""
}

// exampleURL stands for one that is missing or wrong, so that what depends on it is not found
// wrong as well.
const exampleURL = "ws://127.0.0.1:8079/ws"

// checkURL takes the URL. What it may hold that is secret is not repeated.
func (f *loadFlags) checkURL(p *load.Plan, args []string) {
	p.URL = exampleURL
	if len(args) != 1 {
		f.problem("give one URL, such as %s, not %d", exampleURL, len(args))
		return
	}
	raw := args[0]
	u, err := url.Parse(raw)
	shown := fleet.PublicURL(raw)
	switch {
	case err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		f.problem("%s is no WebSocket URL: write ws%s", shown, strings.TrimPrefix(shown, "http"))
	case err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "":
		f.problem("this is no WebSocket URL%s", similar(raw))
	default:
		f.takeUser(p, u)
		p.URL = u.String()
	}
}

// takeUser makes the user of a URL a field of the upgrade, as browsers do.
func (f *loadFlags) takeUser(p *load.Plan, u *url.URL) {
	if u.User == nil {
		return
	}
	if p.Header.Get("Authorization") != "" {
		f.problem("the URL has a user, and --header gives Authorization: leave one out")
		return
	}
	password, _ := u.User.Password()
	r := http.Request{Header: p.Header.Clone()}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.SetBasicAuth(u.User.Username(), password)
	p.Header, u.User = r.Header, nil
}

// similar is the URL that somebody may have meant.
func similar(raw string) string {
	u, err := url.Parse("ws://" + raw)
	if err != nil || strings.Contains(raw, "://") || u.Hostname() == "" {
		return ": give one such as " + exampleURL
	}
	return ": write " + fleet.PublicURL("ws://"+raw)
}

// protocols are the ways to speak that a subprotocol stands for.
var protocols = map[string]string{"curfew.v1": load.SpeakJSON, "curfew.raw": load.SpeakRaw}

// checkProtocol settles how to speak, where the subprotocol says it, and finds contradictions.
func (f *loadFlags) checkProtocol(p *load.Plan) {
	for name := range strings.SplitSeq(p.Subprotocol, ",") {
		if p.Subprotocol != "" && !isToken(strings.TrimSpace(name)) {
			f.problem("--subprotocol %q: a name has no spaces and none of \"(),/:;<=>?@[\\]{}",
				p.Subprotocol)
			p.Subprotocol = ""
			return
		}
	}
	if p.Protocol == "" {
		p.Protocol = protocols[p.Subprotocol]
		return
	}
	for subprotocol, protocol := range protocols {
		if p.Protocol == protocol && p.Subprotocol != "" && p.Subprotocol != subprotocol {
			f.problem("--protocol %s speaks %s and not %s: leave --subprotocol out, or ask for "+
				"--protocol plain", protocol, subprotocol, p.Subprotocol)
		}
		if p.Protocol == load.SpeakPlain && p.Subprotocol == subprotocol {
			f.problem("a server that agrees on %s does not speak plain: give --protocol %s",
				subprotocol, protocol)
		}
	}
}

// checkSecrets takes the token, from wherever it is.
func (f *loadFlags) checkSecrets(p *load.Plan, given *pflag.FlagSet) {
	if given.Changed("token") && f.tokenFile != "" {
		f.problem("--token and --token-file are both given: leave one out")
		return
	}
	if given.Changed("token") && p.Token == "" {
		f.problem("--token is empty: give the secret, or leave the flag out")
	}
	if f.tokenFile != "" {
		b, err := readFile(f.tokenFile)
		p.Token = strings.TrimRight(string(b), "\r\n")
		switch {
		case err != nil:
			f.problem("--token-file: %w", err)
		case p.Token == "":
			f.problem("--token-file %s is empty: write the secret into it", f.tokenFile)
		case strings.ContainsAny(p.Token, "\r\n\x00"):
			f.problem("--token-file %s has more than one line: the secret is one", f.tokenFile)
			p.Token = ""
		}
	}
	asField := p.Protocol == load.SpeakRaw || p.Protocol == load.SpeakPlain
	if p.Token != "" && asField && p.Header.Get("Authorization") != "" {
		f.problem("--token is sent as Authorization, which --header or the URL gives too: leave " +
			"one out")
	}
}

// readFile reads a file of which one expects that it is small.
func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	b, err := io.ReadAll(io.LimitReader(file, fileBytesMax+1))
	if err == nil && len(b) > fileBytesMax {
		err = fmt.Errorf("%s has more than %d MiB: is it the right file?", name, fileBytesMax>>20)
	}
	return b, err
}

func (f *loadFlags) checkTLS(p *load.Plan) {
	plain := strings.HasPrefix(p.URL, "ws://")
	if plain && (p.Insecure || f.ca != "") {
		f.problem("--insecure and --ca are about certificates, which a server at ws:// has not: " +
			"write wss://, or leave them out")
	}
	if p.Insecure && f.ca != "" {
		f.problem("--insecure accepts any certificate, so that --ca means nothing: leave one out")
	}
	if f.ca == "" {
		return
	}
	pem, err := readFile(f.ca)
	switch {
	case err != nil:
		f.problem("--ca: %w", err)
	case !x509.NewCertPool().AppendCertsFromPEM(pem):
		f.problem("--ca %s holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", f.ca)
	default:
		p.Roots = bytes.Clone(pem)
	}
}

// checkRun finds what is too much or too little.
func (f *loadFlags) checkRun(p *load.Plan, given *pflag.FlagSet) {
	if f.repeat < 1 || f.repeat > repeatMax {
		f.problem("--repeat %d: 1 to %d", f.repeat, repeatMax)
	}
	if given.Changed("pid") && f.pid < 1 {
		f.problem("--pid %d: give the number of the server's process", f.pid)
	}
	if given.Changed("interval") && p.Interval < intervalMin {
		f.problem("--interval %v: at least %v", p.Interval, intervalMin)
	} else if n := int64(p.Duration / fleet.Intervals(*p)); n > intervalsMax {
		f.problem("--duration %v has %d intervals of --interval %v, and a report holds %d: "+
			"make them longer", p.Duration, n, p.Interval, intervalsMax)
	}
	if p.Interval > p.Duration && p.Duration > 0 {
		f.problem("--interval %v is longer than --duration %v", p.Interval, p.Duration)
	}
	if p.Ramp > 0 && float64(p.Connections)/p.Ramp > durationMax.Seconds() {
		f.problem("--ramp %v/s takes %.0f hours for %d connections: raise it", p.Ramp,
			float64(p.Connections)/p.Ramp/3600, p.Connections)
	}
}

// checkSources finds addresses that are not of this machine, or not of the server's family.
func (f *loadFlags) checkSources(p *load.Plan) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return
	}
	server := net.ParseIP(u.Hostname())
	for _, a := range p.Sources {
		if server != nil && a.Unmap().Is4() != (server.To4() != nil) {
			f.problem("--source %s and the server's %s are not of one family: IPv4 connects to "+
				"IPv4", a, u.Hostname())
			continue
		}
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: a.AsSlice(), Zone: a.Zone()})
		if err != nil {
			f.problem("--source %s is no address of this machine: `ip addr` lists them", a)
			continue
		}
		_ = l.Close()
	}
}

// checkOutputs finds two outputs that would be one.
func (f *loadFlags) checkOutputs() {
	seen := map[string]string{}
	for _, o := range []struct{ flag, name string }{
		{"json", f.json}, {"hdr", f.hdr}, {"report", f.report},
	} {
		if o.name == "" {
			continue
		}
		if o.name == "-" && o.flag != "json" {
			f.problem("--%s - : only --json can go to the standard output; give a file", o.flag)
			continue
		}
		if other := seen[o.name]; other != "" {
			f.problem("--%s and --%s both write %s: give two files", other, o.flag, o.name)
		}
		seen[o.name] = o.flag
	}
}
