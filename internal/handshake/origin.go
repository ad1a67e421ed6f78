package handshake

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
)

// afterScheme stands between a scheme and a host.
var afterScheme = []byte("://")

// SameOrigin is the rule for browsers: a page may connect when its Origin names the host that it
// connects to, or is one of others; "*" among them lets every page in. The scheme is not compared
// with the server's own, since TLS may end in front of it. A page that reaches a loopback listener
// under a name other than localhost got there by DNS, so loopback lets only localhost and IP
// addresses count as the same.
func SameOrigin(others []string, loopback bool) func(origin, host []byte) bool {
	everybody := slices.Contains(others, "*")
	allowed := make([][]byte, len(others))
	for i, o := range others {
		allowed[i] = trimPort([]byte(o))
	}
	return func(origin, host []byte) bool {
		if everybody {
			return true
		}
		trimmed := trimPort(origin)
		for _, a := range allowed {
			if equalFold(a, trimmed) {
				return true
			}
		}
		scheme, at, ok := bytes.Cut(origin, afterScheme)
		return ok && sameHost(at, host, defaultPort(scheme)) && (!loopback || isLocal(host))
	}
}

// sameHost says whether two hosts are the same, where a port may be left out.
func sameHost(a, b []byte, defaultPort string) bool {
	hostA, portA := splitPort(a)
	hostB, portB := splitPort(b)
	return len(hostA) > 0 && equalFold(hostA, hostB) &&
		(bytes.Equal(portA, portB) ||
			len(portA) == 0 && string(portB) == defaultPort ||
			len(portB) == 0 && string(portA) == defaultPort)
}

// IsLoopback says whether only this machine can reach a listener's address.
func IsLoopback(addr net.Addr) bool {
	a, err := netip.ParseAddrPort(addr.String())
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// defaultPort is what an Origin or a Host header leaves out, "" where that is not known.
func defaultPort(scheme []byte) string {
	switch {
	case equalFold(scheme, "http"), equalFold(scheme, "ws"):
		return "80"
	case equalFold(scheme, "https"), equalFold(scheme, "wss"):
		return "443"
	}
	return ""
}

// trimPort is an origin without its scheme's own port.
func trimPort(origin []byte) []byte {
	scheme, _, _ := bytes.Cut(origin, afterScheme)
	port := defaultPort(scheme)
	n := len(origin) - len(port) - 1
	if port != "" && n > 0 && origin[n] == ':' && string(origin[n+1:]) == port {
		return origin[:n]
	}
	return origin
}

// splitPort cuts what follows the colon off a host. An IPv6 address keeps its brackets.
func splitPort(b []byte) (host, port []byte) {
	end := 0
	if len(b) > 0 && b[0] == '[' {
		end = bytes.IndexByte(b, ']') + 1
	}
	if i := bytes.IndexByte(b[end:], ':'); i == 0 || i > 0 && end == 0 {
		return b[:end+i], b[end+i+1:]
	}
	return b, nil
}

// isHost says whether b is a host with or without a port (RFC 9110 section 7.2). No name is empty,
// since an http URI has no such one, and none is percent-encoded, since DNS has no such one.
func isHost(b []byte) bool {
	host, port := splitPort(b)
	for _, c := range port {
		if !isDigit(c) {
			return false
		}
	}
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		a, err := netip.ParseAddr(string(host[1 : len(host)-1]))
		return err == nil && a.Is6() && a.Zone() == ""
	}
	return len(host) > 0 && all(host, nameChar)
}

func isLocal(host []byte) bool {
	host, _ = splitPort(host)
	if equalFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(string(bytes.Trim(host, "[]")))
	return err == nil
}
