package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
)

// target is a server as a URL names it.
type target struct {
	address netip.AddrPort
	host    string // for the Host header
	path    string // with the query
	tls     *tls.Config
}

// findTarget takes the URL of a plan apart and resolves its host, IPv4 first.
func findTarget(ctx context.Context, p Plan) (target, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return target{}, fmt.Errorf("load: %w", err)
	}
	t := target{host: u.Host, path: u.RequestURI()}
	if u.Scheme == "wss" {
		if t.tls, err = tlsConfig(p, u.Hostname()); err != nil {
			return target{}, err
		}
	}
	if p.Address != "" {
		if t.address, err = netip.ParseAddrPort(p.Address); err != nil {
			return target{}, fmt.Errorf("load: %q is no IP address and port", p.Address)
		}
		return t, nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return target{}, fmt.Errorf("%q is no port: give 1 to 65535", port)
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return target{}, fmt.Errorf("%s has no address: mend the URL's host: %w", u.Hostname(), err)
	}
	best := found[0].Unmap()
	for _, a := range found {
		if a = a.Unmap(); a.Is4() {
			best = a
			break
		}
	}
	t.address = netip.AddrPortFrom(best, uint16(number))
	return t, nil
}

func tlsConfig(p Plan, host string) (*tls.Config, error) {
	c := &tls.Config{
		ServerName: host, InsecureSkipVerify: p.Insecure, NextProtos: []string{"http/1.1"},
	}
	if len(p.Roots) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(p.Roots) {
			return nil, errors.New("load: the file of --ca holds no certificate in PEM")
		}
	}
	return c, nil
}

const (
	// portsPerSource is how many connections one source address is used for. The usual range has
	// 28,000 ports, of which Linux gives connections every other one first: it finds a free one at
	// once while few of these are taken, and later it has to search.
	portsPerSource = 10000
	// sourcesMax is how many addresses of the loopback network are used.
	sourcesMax = 200
)

// sourcesFor are the addresses to connect from: those that the plan names, or for a server on the
// loopback network as many of its addresses as the connections need.
func sourcesFor(p Plan, server netip.Addr) []netip.Addr {
	if len(p.Sources) > 0 || !server.Is4() || !server.IsLoopback() ||
		p.Connections <= portsPerSource {
		return p.Sources
	}
	n := min(p.Connections/portsPerSource+1, sourcesMax)
	all := make([]netip.Addr, n)
	for i := range all {
		all[i] = netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)})
	}
	return all
}

// header is the further header of the upgrade.
func (p Plan) header() http.Header {
	h := p.Header.Clone()
	if p.Token != "" && p.Protocol != SpeakJSON && h.Get("Authorization") == "" {
		if h == nil {
			h = http.Header{}
		}
		h.Set("Authorization", "Bearer "+p.Token)
	}
	return h
}
