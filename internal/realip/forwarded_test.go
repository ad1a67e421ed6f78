package realip

import (
	"net/netip"
	"strings"
	"testing"
)

func TestForwarded(t *testing.T) {
	const proxies = "10.0.0.0/8,fd00::/8"
	for _, c := range []struct {
		name, peer, list, want string
	}{
		{"peer not trusted", "192.0.2.9", "203.0.113.1", "192.0.2.9"},
		{"no header", "10.0.0.1", "", "10.0.0.1"},
		{"one", "10.0.0.1", "203.0.113.1", "203.0.113.1"},
		{"mapped peer", "::ffff:10.0.0.1", "203.0.113.1", "203.0.113.1"},
		{"peer comes out unmapped", "::ffff:192.0.2.9", "", "192.0.2.9"},
		{"the client's own tale", "10.0.0.1", "1.1.1.1, 203.0.113.1", "203.0.113.1"},
		{"a trusted one claimed by the client", "10.0.0.1", "10.9.9.9, 203.0.113.1", "203.0.113.1"},
		{"past proxies", "10.0.0.1", "203.0.113.1,10.0.0.3 ,\tfd00::1", "203.0.113.1"},
		{"all trusted: the farthest", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"empty elements", "10.0.0.1", ", 203.0.113.1 ,, ", "203.0.113.1"},
		{"only empty ones", "10.0.0.1", " ,, ", "10.0.0.1"},
		{"malformed first", "10.0.0.1", "203.0.113.1, unknown", "10.0.0.1"},
		{"malformed behind a proxy", "10.0.0.1", "203.0.113.1, _x, 10.0.0.2", "10.0.0.2"},
		{"IPv4 with a port", "10.0.0.1", "203.0.113.1:4711", "203.0.113.1"},
		{"IPv6", "10.0.0.1", "2001:db8::1", "2001:db8::1"},
		{"IPv6 in brackets", "10.0.0.1", "[2001:db8::1]", "2001:db8::1"},
		{"IPv6 with a port", "10.0.0.1", "[2001:db8::1]:65535", "2001:db8::1"},
		{"a mapped proxy", "10.0.0.1", "203.0.113.1, ::ffff:10.0.0.2", "203.0.113.1"},
		{"a port too large", "10.0.0.1", "203.0.113.1:65536", "10.0.0.1"},
		{"a port that is none", "10.0.0.1", "203.0.113.1:http", "10.0.0.1"},
		{"an empty port", "10.0.0.1", "203.0.113.1:", "10.0.0.1"},
		{"a signed port", "10.0.0.1", "203.0.113.1:+1", "10.0.0.1"},
		{"open bracket", "10.0.0.1", "[2001:db8::1", "10.0.0.1"},
		{"IPv4 in brackets", "10.0.0.1", "[203.0.113.1]", "10.0.0.1"},
		{"behind the bracket", "10.0.0.1", "[2001:db8::1]443", "10.0.0.1"},
		{"empty brackets", "10.0.0.1", "[]", "10.0.0.1"},
		{"zone", "10.0.0.1", "fe80::1%eth0", "10.0.0.1"},
		{"quoted", "10.0.0.1", `"203.0.113.1"`, "10.0.0.1"},
		{"leading zero", "10.0.0.1", "203.0.113.01", "10.0.0.1"},
		{"two with a space", "10.0.0.1", "203.0.113.1 203.0.113.2", "10.0.0.1"},
		{"endless", "10.0.0.1", strings.Repeat("1", 8000), "10.0.0.1"},
		{
			"too many proxies", "10.0.0.1",
			"203.0.113.1, 10.1.1.1, " + strings.Repeat("10.0.0.2,", forwardedMax), "10.0.0.2",
		},
	} {
		got := Forwarded(networks(t, proxies), addr(c.peer), []byte(c.list))
		if got != addr(c.want) {
			t.Errorf("%s: Forwarded(%s, %q) = %v, want %s", c.name, c.peer, c.list, got, c.want)
		}
	}
}

// FuzzForwarded holds the answer to be the peer or an address that the list names, and the peer
// where that is not trusted.
func FuzzForwarded(f *testing.F) {
	f.Add("10.0.0.1", "203.0.113.1, 10.0.0.2")
	f.Add("192.0.2.1", "203.0.113.1")
	f.Add("fd00::1", "[2001:db8::1]:1, [fd00::2], 10.0.0.1:80")
	f.Add("10.0.0.1", ",, [::ffff:10.0.0.1]:0,")
	trusted := networks(f, "10.0.0.0/8,fd00::/8")
	f.Fuzz(func(t *testing.T, peer, list string) {
		p, err := netip.ParseAddr(peer)
		if err != nil {
			return
		}
		got := Forwarded(trusted, p, []byte(list))
		if got == p.Unmap() {
			return
		}
		if !trusted.Contains(p) {
			t.Fatalf("Forwarded(%s, %q) = %v, and the peer is not trusted", peer, list, got)
		}
		if !named(list, got) {
			t.Fatalf("Forwarded(%s, %q) = %v, which nobody named", peer, list, got)
		}
	})
}

// named says whether a list holds an address, in any of the ways to write it.
func named(list string, a netip.Addr) bool {
	for e := range strings.SplitSeq(list, ",") {
		e = strings.Trim(e, " \t")
		one, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(e, "["), "]"))
		if err != nil {
			var withPort netip.AddrPort
			withPort, err = netip.ParseAddrPort(e)
			one = withPort.Addr()
		}
		if err == nil && one.Unmap() == a {
			return true
		}
	}
	return false
}
