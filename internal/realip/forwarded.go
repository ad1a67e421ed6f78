package realip

import (
	"bytes"
	"net/netip"
	"strconv"
)

const (
	// forwardedMax is how many proxies are looked past.
	forwardedMax = 32
	// elementBytesMax is the longest element: an IPv6 address whose end is an IPv4 one, in
	// brackets, with a port.
	elementBytesMax = len("[0000:0000:0000:0000:0000:0000:255.255.255.255]:65535")
)

// Forwarded is the client on whose behalf peer speaks. list holds the values of all X-Forwarded-For
// headers in their order, joined by commas.
//
// Each proxy appends who spoke to it, so the list is true from its right end for as long as those
// who wrote it are trusted: the client is the first address from the right that is no trusted
// proxy. What stands to the left of it is the client's own tale. The walk ends early, at the last
// address that was understood, where an element is no address or too many have been passed. Empty
// elements do not count. A peer that is not trusted is the client itself.
//
// An element is 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or [2001:db8::1]:80.
func Forwarded(trusted Networks, peer netip.Addr, list []byte) netip.Addr {
	client := peer.Unmap()
	for hops := 0; len(list) > 0 && hops < forwardedMax && trusted.Contains(client); {
		comma := bytes.LastIndexByte(list, ',')
		element := bytes.Trim(list[comma+1:], " \t")
		list = list[:max(comma, 0)]
		if len(element) == 0 {
			continue
		}
		a, ok := parseElement(element)
		if !ok {
			break
		}
		client = a
		hops++
	}
	return client
}

// parseElement reads one element of X-Forwarded-For. A port is checked and dropped.
func parseElement(e []byte) (netip.Addr, bool) {
	if len(e) > elementBytesMax {
		return netip.Addr{}, false
	}
	if e[0] == '[' {
		host, port, closed := bytes.Cut(e[1:], []byte("]"))
		a, ok := parseAddr(host)
		if !closed || !ok || bytes.IndexByte(host, ':') < 0 {
			return netip.Addr{}, false
		}
		return a, len(port) == 0 || port[0] == ':' && isPort(port[1:])
	}
	host, port, more := bytes.Cut(e, []byte(":"))
	if !more || bytes.IndexByte(port, ':') >= 0 {
		return parseAddr(e)
	}
	a, ok := parseAddr(host)
	return a, ok && isPort(port)
}

// parseAddr reads an address without a zone, which would mean something on another machine only.
func parseAddr(b []byte) (netip.Addr, bool) {
	if bytes.IndexByte(b, '%') >= 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(string(b))
	return a.Unmap(), err == nil
}

func isPort(b []byte) bool {
	_, ok := parsePort(b)
	return ok
}

// parsePort reads a port as programs write it: without a sign or a leading zero.
func parsePort(b []byte) (uint16, bool) {
	if len(b) == 0 || len(b) > 5 || b[0] < '0' || len(b) > 1 && b[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b), 10, 16)
	return uint16(n), err == nil
}
