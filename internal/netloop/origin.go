package netloop

import (
	"net"
	"net/netip"
	"strings"
)

// SameOrigin is the rule for browsers: a page may connect when its Origin names the host that it
// connects to, or is on the list; "*" on the list lets every page in. The scheme is not compared
// with the server's own, since TLS may end in front of it. A page that reaches a loopback listener
// under a name other than localhost got there by DNS, so loopback lets only localhost and IP
// addresses count as the same.
func SameOrigin(allowed []string, loopback bool) func(origin, host string) bool {
	return func(origin, host string) bool {
		for _, a := range allowed {
			if a == "*" || strings.EqualFold(trimPort(a), trimPort(origin)) {
				return true
			}
		}
		scheme, at, ok := strings.Cut(origin, "://")
		if !ok || at == "" {
			return false
		}
		if !strings.EqualFold(withPort(at, scheme), withPort(host, scheme)) {
			return false
		}
		return !loopback || isLocal(host)
	}
}

// IsLoopback says whether only this machine can reach a listener's address.
func IsLoopback(addr net.Addr) bool {
	a, err := netip.ParseAddrPort(addr.String())
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// defaultPorts are those that an Origin or a Host header leaves out.
var defaultPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}

// withPort is host:port, with the scheme's own port where there is none.
func withPort(host, scheme string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), defaultPorts[strings.ToLower(scheme)])
}

// trimPort is an origin without its scheme's own port.
func trimPort(origin string) string {
	scheme, _, _ := strings.Cut(origin, "://")
	return strings.TrimSuffix(origin, ":"+defaultPorts[strings.ToLower(scheme)])
}

func isLocal(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
