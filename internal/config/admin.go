package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// unixPrefix begins the address of a unix socket.
const unixPrefix = "unix:"

// unixPathMax is how long a unix socket's path can be on Linux, its end not counted.
const unixPathMax = 107

// adminAddress is host:port, unix:PATH, or nothing.
type adminAddress struct{ at func(*Config) *string }

func (f adminAddress) parse(c *Config, values []string) error {
	v := values[0]
	switch path, isUnix := strings.CutPrefix(v, unixPrefix); {
	case v == "":
	case !isUnix:
		if err := checkHostPort(v); err != nil {
			return fmt.Errorf("%w, unix:PATH or empty", err)
		}
	case path == "":
		return errors.New("unix: needs a path")
	case strings.HasPrefix(path, "@"), strings.Contains(path, "\x00"):
		return errors.New("a socket that is no file can be opened by every user of the machine")
	case len(path) > unixPathMax:
		return fmt.Errorf("the path of a unix socket has at most %d bytes", unixPathMax)
	}
	*f.at(c) = v
	return nil
}

func (f adminAddress) show(c *Config) string {
	if *f.at(c) == "" {
		return "(off)"
	}
	return *f.at(c)
}

func (f adminAddress) where(c *Config) any { return f.at(c) }

// oldPortOnly turns the port that the old daemon was monitored at into an address.
func oldPortOnly(v string) (string, error) {
	if _, err := strconv.ParseUint(v, 10, 16); err != nil {
		return "", fmt.Errorf("%q is not a port", v)
	}
	return net.JoinHostPort("127.0.0.1", v), nil
}

// settleAdmin refuses an operator's API that others could reach without a secret, and one that
// cannot be where clients are served.
func (l *Loaded) settleAdmin() (problems []string) {
	if l.Admin == "" || strings.HasPrefix(l.Admin, unixPrefix) {
		return nil
	}
	origin := l.origins["admin"]
	_, given := l.origins["admin-token"]
	_, fileGiven := l.origins["admin-token-file"]
	if !given && !fileGiven && !isLoopback(l.Admin) {
		problems = append(problems, fmt.Sprintf("%s: others can reach %s: it needs "+
			"--admin-token-file or --admin-token beside it", origin, l.Admin))
	}
	if collide(l.Admin, l.Listen) {
		who, remedy := origin, "give --listen another"
		if who == byDefault {
			who = l.origins["listen"]
			remedy = "give --admin another address than this default, or --admin= for none"
		}
		problems = append(problems, fmt.Sprintf("%s: --admin %s and --listen %s want the same "+
			"port: %s", who, l.Admin, l.Listen, remedy))
	}
	return problems
}

// isLoopback says whether only this machine can reach an address. A name counts as localhost only.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}

// collide says whether two addresses cannot both be listened at: their ports are the same, and
// their hosts are not known to be different ones.
func collide(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	port := portNumber(portA)
	if errA != nil || errB != nil || port != portNumber(portB) || port == 0 {
		return false // at 0 each gets a port of its own
	}
	ipA, errA := netip.ParseAddr(hostA)
	ipB, errB := netip.ParseAddr(hostB)
	different := errA == nil && errB == nil && ipA.Unmap() != ipB.Unmap() &&
		!ipA.IsUnspecified() && !ipB.IsUnspecified()
	return !different
}

func portNumber(port string) uint64 {
	n, _ := strconv.ParseUint(port, 10, 16) // it was checked
	return n
}
