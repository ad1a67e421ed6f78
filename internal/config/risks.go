package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// This file knows what is allowed and seldom meant: what is unsafe, and what has no effect beside
// something else. Each is told in one sentence with the remedy, by the name of what was given.
// What nobody gave is no reason for a warning.

// machine is what risks depend on besides the settings.
type machine struct {
	goos  string
	files uint64 // that the process may have open; 0: that is not known
	alone bool   // nobody else is on it: it is a container, whose first process this is
}

func thisMachine() machine { return machine{runtime.GOOS, openFiles(), os.Getpid() == 1} }

// OpenFiles is how many files this process may have open, and with them connections; 0: that is
// not known.
func OpenFiles() uint64 { return openFiles() }

// Bounds beyond which a value is told of.
const (
	fullMessagesMin  = 16      // largest messages that --buffer-total-bytes is to have room for
	inflatedBytesMax = 1 << 20 // what one compressed message had better be below
	goroutinesMany   = 100_000 // sessions for which --mode goroutine takes much more memory
	ticksPerTimeout  = 10      // how much finer than the idle timeout a tick had better be
	filesSpare       = 64      // files that the daemon needs besides connections
	othersMayRead    = 0o007   // of a file's mode
)

// risk is one of them: problem gives the sentence after the name of what was given, "" where all is
// well. Of several settings that make it the first that was given names it.
type risk struct {
	settings []string
	problem  func(l *Loaded, m machine) string
}

func (l *Loaded) risks(m machine) []string {
	var all []string
	for _, group := range [][]risk{reachRisks, secretRisks, timeRisks, sizeRisks} {
		for _, r := range group {
			if problem := r.problem(l, m); problem != "" {
				all = append(all, l.named(r.settings)+": "+problem)
			}
		}
	}
	if m.alone { // where orchestrators put files with secrets that have the mode 0444
		return all
	}
	return append(all, l.fileRisks()...)
}

// isGiven says whether somebody gave a setting, whatever to.
func (l *Loaded) isGiven(name string) bool {
	return l.origins[name] != "" && !strings.HasPrefix(l.origins[name], byDefault)
}

// named is how the first of some settings that was given is named.
func (l *Loaded) named(names []string) string {
	for _, name := range names {
		if l.isGiven(name) {
			return l.origins[name]
		}
	}
	return "--" + names[0]
}

// reachRisks are about who can reach the daemon, and as whom.
var reachRisks = []risk{
	{[]string{"listen"}, func(l *Loaded, _ machine) string {
		if isLoopback(l.Listen) || len(l.Tokens) > 0 || l.Backend != BackendEcho {
			return ""
		}
		return fmt.Sprintf("others can reach %s and nobody is asked for a token: give "+
			"--token-file, or a --backend that decides who may connect", l.Listen)
	}},
	{[]string{"listen"}, func(l *Loaded, _ machine) string {
		proxied := len(l.ProxyProtocol)+len(l.TrustedProxies) > 0
		if isInside(l.Listen) || len(l.Tokens) == 0 || l.TLSCert != "" || proxied {
			return ""
		}
		return "tokens of clients cross the network in clear: give --tls-cert and --tls-key, or " +
			"have a proxy speak TLS and name it by --trusted-proxies"
	}},
	{[]string{"admin"}, func(l *Loaded, _ machine) string {
		if l.Admin == "" || strings.HasPrefix(l.Admin, unixPrefix) || isInside(l.Admin) {
			return ""
		}
		return "tokens of operators cross the network in clear to " + l.Admin + ": use " +
			"127.0.0.1 or unix:PATH, and a proxy that speaks TLS in front of it"
	}},
	{[]string{"origin"}, func(l *Loaded, _ machine) string {
		if !slices.Contains(l.Origins, "*") {
			return ""
		}
		return "* lets every page that a browser shows connect: name the origins of your own pages"
	}},
	{[]string{"origin"}, func(l *Loaded, _ machine) string {
		if !slices.Contains(l.Origins, "null") {
			return ""
		}
		return "null is the origin of any page in a sandbox or a file, whoever made it: name " +
			"the origins of your own pages"
	}},
	{[]string{"trusted-proxies"}, func(l *Loaded, _ machine) string {
		if !holdsAll(l.TrustedProxies) {
			return ""
		}
		return "everybody may claim any address by X-Forwarded-For: name only your proxies"
	}},
	{[]string{"proxy-protocol"}, func(l *Loaded, _ machine) string {
		if !holdsAll(l.ProxyProtocol) {
			return ""
		}
		return "everybody may claim any address by a PROXY header: name only your proxies"
	}},
	{[]string{"ping-interval"}, func(l *Loaded, _ machine) string {
		if l.PingInterval > 0 || len(l.ProxyProtocol)+len(l.TrustedProxies) == 0 {
			return ""
		}
		return "without pings proxies cut off clients that are silent: give an interval below " +
			"the proxies' timeouts"
	}},
}

// isInside says whether an address is of this machine, or of a network of the operator's own, where
// proxies end TLS and what is behind them speaks without. A name is not known to be of either.
func isInside(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return isLoopback(address) || err == nil && (a.Unmap().IsPrivate() || a.IsLinkLocalUnicast())
}

// holdsAll says whether networks hold each address of one of the two kinds.
func holdsAll(networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Bits() == 0 })
}

// secretRisks are about secrets; files with secrets are in fileRisks.
var secretRisks = []risk{
	{[]string{"token"}, func(l *Loaded, _ machine) string { return l.shownToAll("token") }},
	{[]string{"admin-token"}, func(l *Loaded, _ machine) string {
		return l.shownToAll("admin-token")
	}},
	{[]string{"admin-token", "admin-token-file"}, func(l *Loaded, _ machine) string {
		both := slices.ContainsFunc(l.AdminTokens, func(t string) bool {
			return slices.Contains(l.Tokens, t)
		})
		if !both {
			return ""
		}
		return "a token of clients is one of operators too, so each client may do what an " +
			"operator may: give operators another"
	}},
	{[]string{"backend"}, func(l *Loaded, _ machine) string {
		u, err := url.Parse(l.Backend)
		if err != nil || u.Scheme != "http" || l.BackendToken == "" && u.RawQuery == "" {
			return ""
		}
		// A name without a dot is that of another container, or of a machine beside this one.
		near := !strings.ContainsAny(u.Hostname(), ".:")
		if near || isInside(net.JoinHostPort(u.Hostname(), "0")) {
			return ""
		}
		return "the secret for the application crosses the network in clear to " + u.Hostname() +
			": use an https URL"
	}},
}

// shownToAll is the sentence about a secret that was given by a flag.
func (l *Loaded) shownToAll(name string) string {
	if !strings.HasPrefix(l.origins[name], "--") {
		return ""
	}
	return "other users of this machine can see the flags of a process: use --" + name + "-file"
}

// timeRisks are about durations that undo one another.
var timeRisks = []risk{
	{[]string{"touch-on"}, func(l *Loaded, _ machine) string {
		if l.TouchOn != touchAny || l.PingInterval == 0 ||
			saturated(l.PingInterval, l.PingTimeout) > l.IdleTimeout {
			return ""
		}
		return fmt.Sprintf("pongs to the pings of each %v keep every connected client's session "+
			"alive, so --idle-timeout %v ends none: use message, or --ping-interval 0",
			l.PingInterval, l.IdleTimeout)
	}},
	{[]string{"touch-on"}, func(l *Loaded, _ machine) string {
		if l.TouchOn != touchAny || l.PingInterval == 0 ||
			saturated(l.PingInterval, l.PingTimeout) <= l.IdleTimeout {
			return ""
		}
		return fmt.Sprintf("a pong may come %v after the last message, when --idle-timeout %v has "+
			"ended the session: lower --ping-interval or --ping-timeout",
			saturated(l.PingInterval, l.PingTimeout), l.IdleTimeout)
	}},
	{[]string{"grace"}, func(l *Loaded, _ machine) string {
		if l.Grace <= l.IdleTimeout {
			return ""
		}
		return fmt.Sprintf("%v of grace is longer than the idle timeout of %v that it follows: "+
			"lower it, or raise --idle-timeout", l.Grace, l.IdleTimeout)
	}},
	{[]string{"resume-window"}, func(l *Loaded, _ machine) string {
		if !l.isGiven("resume-window") || l.ResumeWindow <= saturated(l.IdleTimeout, l.Grace) {
			return ""
		}
		return fmt.Sprintf("a detached session is ended by --idle-timeout %v before %v pass: "+
			"lower the window, or raise the timeout", l.IdleTimeout, l.ResumeWindow)
	}},
	{[]string{"max-lifetime"}, func(l *Loaded, _ machine) string {
		if l.MaxLifetime == 0 || l.MaxLifetime >= l.IdleTimeout {
			return ""
		}
		return fmt.Sprintf("a lifetime of %v ends each session before --idle-timeout %v can: "+
			"raise it, or lower the timeout", l.MaxLifetime, l.IdleTimeout)
	}},
	{[]string{"tick", "idle-timeout"}, func(l *Loaded, _ machine) string {
		if l.Tick <= l.IdleTimeout/ticksPerTimeout {
			return ""
		}
		return fmt.Sprintf("a tick of %v is coarse for sessions of %v, which end up to two ticks "+
			"late: lower --tick", l.Tick, l.IdleTimeout)
	}},
	{[]string{"wheel"}, func(l *Loaded, _ machine) string {
		if l.Wheel != wheelRussellLuo {
			return ""
		}
		return "russellluo is there to compare with, and bounds neither how late sessions end " +
			"(G2), nor what ended ones leave behind (G5), nor the work when idle (G6): use native"
	}},
}

// saturated is a sum of two durations that are not negative.
func saturated(a, b time.Duration) time.Duration {
	if sum := a + b; sum >= 0 {
		return sum
	}
	return 1<<63 - 1
}

// sizeRisks are about how much of something there may be.
var sizeRisks = []risk{
	{[]string{"max-message-bytes", "buffer-total-bytes"}, func(l *Loaded, _ machine) string {
		room := l.BufferTotalBytes / int64(l.MaxMessageBytes)
		if room >= fullMessagesMin {
			return ""
		}
		return fmt.Sprintf("%d messages of --max-message-bytes %d at once are more than "+
			"--buffer-total-bytes %d holds, and clients are closed with 4101: raise that, or "+
			"lower the former", room+1, l.MaxMessageBytes, l.BufferTotalBytes)
	}},
	{[]string{"max-sessions"}, func(l *Loaded, m machine) string {
		if !l.isGiven("max-sessions") || m.files == 0 ||
			l.MaxSessions > 0 && uint64(l.MaxSessions)+filesSpare <= m.files {
			return ""
		}
		sessions := fmt.Sprintf("%d sessions", l.MaxSessions)
		if l.MaxSessions == 0 {
			sessions = "any number of sessions"
		}
		who := "this process"
		if l.Command != "" { // the daemon's own limit may be another, such as its unit's
			who = "a daemon that is started as this command was"
		}
		return fmt.Sprintf("%s may live, but %s may open only %d files, one a connection: raise "+
			"the limit of open files (ulimit -n, LimitNOFILE=)", sessions, who, m.files)
	}},
	{[]string{"compression"}, func(l *Loaded, _ machine) string {
		if !l.Compression || l.MaxMessageBytes <= inflatedBytesMax {
			return ""
		}
		return fmt.Sprintf("a few bytes of a client can inflate to --max-message-bytes %d: lower "+
			"that to %d or less", l.MaxMessageBytes, inflatedBytesMax)
	}},
	{[]string{"mode", "max-sessions"}, func(l *Loaded, m machine) string {
		if m.goos != "linux" || l.Mode != modeGoroutine || !l.isGiven("max-sessions") ||
			l.MaxSessions > 0 && l.MaxSessions <= goroutinesMany {
			return ""
		}
		remedy := "use --mode epoll"
		if l.TLSCert != "" {
			remedy = "have a proxy speak TLS, and use --mode epoll"
		}
		return "a goroutine for each connection takes many times the memory of a loop: " + remedy
	}},
	{[]string{"session-max-inflight", "global-max-inflight"}, func(l *Loaded, _ machine) string {
		if l.SessionMaxInflight <= l.GlobalMaxInflight {
			return ""
		}
		return fmt.Sprintf("one session may run %d calls, but all together only %d, so one can "+
			"keep all others from theirs: lower --session-max-inflight", l.SessionMaxInflight,
			l.GlobalMaxInflight)
	}},
}

// fileRisks are about files with secrets that every user of the machine may read.
func (l *Loaded) fileRisks() []string {
	var all []string
	for _, f := range []struct{ name, path, what string }{
		{"token-file", l.TokenFile, "tokens of clients"},
		{"admin-token-file", l.AdminTokenFile, "tokens of operators"},
		{"backend-token-file", l.BackendTokenFile, "the application's token"},
		{"tls-key", l.TLSKey, "the private key"},
		{"token", l.fileOf("token"), "the token"},
		{"admin-token", l.fileOf("admin-token"), "the operators' token"},
	} {
		if f.path == "" {
			continue
		}
		info, err := os.Stat(f.path)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&othersMayRead == 0 {
			continue
		}
		all = append(all, fmt.Sprintf("%s: others can read or change %s in %s (mode %04o): "+
			"take that away by chmod 600", l.origins[f.name], f.what, f.path, info.Mode().Perm()))
	}
	return all
}

// fileOf is the configuration file that a setting was given in, "" where it was given elsewhere.
func (l *Loaded) fileOf(name string) string {
	path, ok := strings.CutSuffix(l.origins[name], ": "+name)
	if !ok {
		return ""
	}
	return path
}
