// Package realip finds out who a peer really is when proxies stand in between.
//
// A proxy tells in one of two ways: by a PROXY protocol header in front of all other bytes
// ([ParseProxy]), or by the X-Forwarded-For headers of the request ([Forwarded]). Anybody can write
// either, so both count only from peers in [Networks] that the operator names.
//
//	h, n, err := realip.ParseProxy(received) // again with more bytes while n is 0
//	client := realip.Forwarded(trusted, peer, xForwardedFor)
//
// The package is pure: bytes in, addresses out, no state, no I/O. Addresses come out unmapped:
// ::ffff:192.0.2.1 is 192.0.2.1, so that what counts by address counts a peer once.
package realip

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Networks are address ranges. None contains nothing.
type Networks []netip.Prefix

// ParseNetworks reads ranges that commas separate, each as 192.0.2.0/24 or as one address. Its
// error names every one that is bad. IPv4 and IPv6 are apart: ::/0 holds no IPv4 address.
func ParseNetworks(list string) (Networks, error) {
	var networks Networks
	var problems []string
	for item := range strings.SplitSeq(list, ",") {
		p, err := parseNetwork(strings.TrimSpace(item))
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		networks = append(networks, p)
	}
	if len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	return networks, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	bad := func() (netip.Prefix, error) {
		return netip.Prefix{}, fmt.Errorf("%q is not a network such as 10.0.0.0/8 or an address", s)
	}
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return bad()
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return bad()
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return bad()
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	// A range that is written with the address of a host in it may be meant as that host.
	if m := p.Masked(); m != p {
		return netip.Prefix{}, fmt.Errorf("%q names a host inside its network: write %v or %v",
			s, m, p.Addr())
	}
	return p, nil
}

// Contains says whether an address is in one of the ranges. A zone does not count.
func (n Networks) Contains(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range n {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// String is the ranges as ParseNetworks reads them.
func (n Networks) String() string {
	var b strings.Builder
	for i, p := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if p.IsSingleIP() {
			b.WriteString(p.Addr().String())
		} else {
			b.WriteString(p.String())
		}
	}
	return b.String()
}
