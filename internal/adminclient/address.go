package adminclient

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/curfew-go/curfew/internal/screen"
)

// DefaultAddress is where a daemon listens that was not told otherwise.
const DefaultAddress = "http://127.0.0.1:8080"

const unixPrefix = "unix:"

// address is where a daemon's API is.
type address struct {
	base   *url.URL // without a slash at its end
	socket string   // the unix socket; "": by TCP
	text   string   // as it is shown
}

// errUser is the error of an address with a user in it. It does not show the password that may be
// there.
var errUser = errors.New("an address holds no user and password here: a token is given by " +
	"--admin-token-file")

// parseAddress reads a URL, HOST:PORT, or unix:PATH.
func parseAddress(text string) (address, error) {
	if text == "" {
		text = DefaultAddress
	}
	shown := screen.Safe(text, 200)
	if socket, ok := strings.CutPrefix(text, unixPrefix); ok {
		if socket == "" || socket[0] == '@' || strings.ContainsRune(socket, 0) {
			return address{}, fmt.Errorf("%s: unix: is followed by the path of a socket", shown)
		}
		base := &url.URL{Scheme: "http", Host: "localhost"}
		return address{base: base, socket: socket, text: shown}, nil
	}
	if strings.Contains(text, "://") {
		return parseURL(text)
	}
	isPath := text[0] == '.' || text[0] == '/' && !strings.HasPrefix(text, "//")
	host, port, err := net.SplitHostPort(text)
	switch {
	case isPath:
		return address{}, fmt.Errorf("%s: write the path of a socket as unix:%s", shown, shown)
	case strings.Contains(text, "@"):
		return address{}, errUser
	case err != nil:
		return address{}, fmt.Errorf("%s: must be a URL, HOST:PORT or unix:PATH", shown)
	case strings.ContainsFunc(host, notInHost):
		return address{}, fmt.Errorf("%s: this is no name or address of a host", shown)
	}
	if err := checkPort(port); err != nil {
		return address{}, fmt.Errorf("%s: %w", shown, err)
	}
	base := &url.URL{Scheme: "http", Host: net.JoinHostPort(reachable(host), port)}
	return address{base: base, text: base.String()}, nil
}

// notInHost says whether a name or an address of a host cannot hold a character.
func notInHost(r rune) bool {
	lower := r | 0x20
	return !strings.ContainsRune("-.:%_", r) && (r < '0' || r > '9') && (lower < 'a' || lower > 'z')
}

// parseURL reads an address that has a scheme. What it cannot read it does not show: there may be a
// password in it.
func parseURL(text string) (address, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme == "":
		return address{}, errors.New("this is no URL: one looks like " + DefaultAddress)
	case u.Scheme != "http" && u.Scheme != "https":
		return address{}, fmt.Errorf("%s is no scheme of the admin API: http, https and unix: are",
			screen.Safe(u.Scheme, 40))
	case u.User != nil:
		return address{}, errUser
	case u.Hostname() == "":
		return address{}, errors.New("the URL names no host: one looks like " + DefaultAddress)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return address{}, errors.New("a URL ends with its path here: leave out ? and # and what " +
			"follows")
	}
	if p := u.Port(); p != "" {
		if err := checkPort(p); err != nil {
			return address{}, err
		}
	}
	if host := u.Hostname(); reachable(host) != host {
		u.Host = strings.TrimSuffix(net.JoinHostPort(reachable(host), u.Port()), ":")
	}
	u = u.JoinPath("/")
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return address{base: u, text: screen.Safe(u.String(), 200)}, nil
}

func checkPort(port string) error {
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return fmt.Errorf("%s is no port", screen.Safe(port, 40))
	case n == 0:
		return errors.New("port 0 is any port: the log of curfewd says which one it was given")
	}
	return nil
}

// reachable is the host to ask where a daemon listens at host, which may be all of its addresses.
func reachable(host string) string {
	if host == "" {
		return "127.0.0.1"
	}
	a, err := netip.ParseAddr(host)
	switch {
	case err != nil || !a.IsUnspecified():
		return host
	case a.Is4():
		return "127.0.0.1"
	}
	return "::1"
}

// isLoopback says whether requests stay on this machine.
func (a address) isLoopback() bool {
	host := strings.ToLower(a.base.Hostname())
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return a.socket != "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
