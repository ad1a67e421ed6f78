package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// ErrTokenNeeded is returned when others than this machine could ask and no token is set.
var ErrTokenNeeded = errors.New("admin: an address off loopback needs a token")

// guard decides who may ask for what, before anything else looks at a request.
type guard struct {
	// Set by newGuard, then only read.
	reach reach

	readOnly atomic.Bool                         // replaced by SetReadOnly
	hashes   atomic.Pointer[[][sha256.Size]byte] // of the tokens; replaced as a whole
	guesses  budget                              // of wrong tokens that are told that they are
}

// guessesMax is how many wrong tokens a second are answered with 401.
const guessesMax = 10

// reach is from where a listener can be reached.
type reach uint8

const (
	reachAll      reach = iota // by anybody
	reachLoopback              // by this machine over TCP, and by names that lead to it
	reachSocket                // by who may open a file
)

func reachOf(a net.Addr) reach {
	if a.Network() == "unix" {
		return reachSocket
	}
	if at, err := netip.ParseAddrPort(a.String()); err == nil && at.Addr().Unmap().IsLoopback() {
		return reachLoopback
	}
	return reachAll
}

func newGuard(a net.Addr, readOnly bool) *guard {
	g := &guard{reach: reachOf(a), guesses: budget{max: guessesMax}}
	g.readOnly.Store(readOnly)
	return g
}

// setTokens replaces the secrets, of which only hashes are kept. On error the old ones stay.
func (g *guard) setTokens(tokens []string) error {
	if len(tokens) == 0 && g.reach == reachAll {
		return ErrTokenNeeded
	}
	hashes := make([][sha256.Size]byte, len(tokens))
	for i, t := range tokens {
		if t == "" {
			return errors.New("admin: a token is empty")
		}
		hashes[i] = sha256.Sum256([]byte(t))
	}
	g.hashes.Store(&hashes)
	return nil
}

// isFree says whether a request is for what everybody is shown, without a token.
func isFree(r *http.Request) bool {
	path := r.URL.EscapedPath()
	return isSafe(r.Method) && (path == livez || path == readyz || isStatic(path))
}

// check says why a request must not be done; nil: it may.
func (g *guard) check(w http.ResponseWriter, r *http.Request) *problem {
	free := isFree(r)
	if free && !isStatic(r.URL.EscapedPath()) {
		return nil // health is asked for under any name
	}
	if !free {
		if p := g.checkToken(w, r); p != nil {
			return p
		}
	}
	switch {
	case g.reach == reachLoopback && !isLocal(r.Host):
		return forbidden("on a loopback listener the Host must be a name or address of loopback")
	case isForeign(r) && (!isSafe(r.Method) || !isVisit(r)):
		return forbidden("a page of another origin must not do this")
	case isSafe(r.Method):
		return nil
	case g.readOnly.Load():
		return forbidden("this API is read-only")
	}
	return nil
}

// checkToken says why a request without a good token must not be done. Whoever shows a good one is
// never held up by those who guess: these are answered all the same, in another way when there are
// many, and lose their connections.
func (g *guard) checkToken(w http.ResponseWriter, r *http.Request) *problem {
	if g.isKnown(r) {
		return nil
	}
	if _, shown := bearer(r.Header.Values("Authorization")); shown {
		if ok, _ := g.guesses.take(now()); !ok {
			w.Header().Set("Connection", "close")
			return &problem{
				status: http.StatusTooManyRequests, code: codeOverCapacity, retryAfter: 1,
				message: "wrong tokens were shown too often: show the right one",
			}
		}
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="curfew"`)
	return &problem{
		status: http.StatusUnauthorized, code: codeUnauthorized,
		message: "show a token: Authorization: Bearer TOKEN",
	}
}

// isKnown says whether a request shows a token that is good at the moment, where one is needed.
func (g *guard) isKnown(r *http.Request) bool {
	hashes := *g.hashes.Load()
	if len(hashes) == 0 {
		return true
	}
	token, shown := bearer(r.Header.Values("Authorization"))
	return shown && allows(hashes, token)
}

// allows says whether a token is one of those hashed, in a time that tells nothing about them.
func allows(hashes [][sha256.Size]byte, token string) bool {
	given, found := sha256.Sum256([]byte(token)), 0
	for i := range hashes {
		found |= subtle.ConstantTimeCompare(given[:], hashes[i][:])
	}
	return found == 1
}

// bearer is the token in the Authorization header (RFC 6750 section 2.1), of which there must be
// one.
func bearer(headers []string) (token string, ok bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	return strings.TrimLeft(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}

// isSafe says whether a method changes nothing (RFC 9110 section 9.2.1).
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isForeign says whether a browser sent a request for a page of another origin. Both headers count,
// which http.CrossOriginProtection does not hold against each other.
func isForeign(r *http.Request) bool {
	sites := r.Header.Values("Sec-Fetch-Site")
	if slices.ContainsFunc(sites, func(site string) bool {
		return site != "" && site != "same-origin" && site != "none"
	}) {
		return true
	}
	return slices.ContainsFunc(r.Header.Values("Origin"), func(origin string) bool {
		u, err := url.Parse(origin)
		return err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host)
	})
}

// isVisit says whether a browser follows a link for its user, who then sees what is answered. What
// a page of another origin fetches without that only costs: it is not shown it.
func isVisit(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		r.Header.Get("Sec-Fetch-Dest") == "document"
}

// isLocal says whether a Host header names this machine only: localhost and what is below it,
// which no DNS answers for (RFC 6761 section 6.3), and loopback's addresses.
func isLocal(hostPort string) bool {
	if hostPort == "" {
		return false
	}
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	} else if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback() && a.Zone() == ""
	}
	host = strings.ToLower(host)
	return hostPort[0] != '[' && (host == "localhost" || strings.HasSuffix(host, ".localhost"))
}
