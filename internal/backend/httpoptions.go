package backend

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"
)

const (
	defaultTimeout     = 30 * time.Second
	defaultConcurrency = 256
	concurrencyMax     = 1 << 16
)

// HTTPOptions say which application NewHTTP is for.
type HTTPOptions struct {
	// URL is where events are posted: http or https, a host, no user, no fragment.
	URL string

	// Token is sent with every request as Authorization: Bearer. "" sends none.
	Token string

	// Timeout is the time for one event, waiting for its turn included. 0 means 30 s.
	Timeout time.Duration

	// Concurrency is the most requests at once, 1 to 65,536. 0 means 256.
	Concurrency int

	// Logger gets what goes wrong: a line of a kind and second at most. nil means slog.Default().
	Logger *slog.Logger

	dial  dialer         // for tests; nil: a net.Dialer
	roots *x509.CertPool // for tests; nil: the system's
}

// withDefaults replaces what is zero by its default.
func (o HTTPOptions) withDefaults() HTTPOptions {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.dial == nil {
		o.dial = (&net.Dialer{Timeout: o.Timeout}).DialContext
	}
	return o
}

// validate names every field that is out of its range, and never what it holds where that may be a
// secret. It gives the URL.
func (o HTTPOptions) validate() (*url.URL, error) {
	u, err := parseURL(o.URL)
	errs := []error{err}
	if !visible(o.Token) {
		errs = append(errs, errors.New("backend: HTTPOptions.Token must be visible ASCII"))
	}
	if o.Timeout < 0 {
		errs = append(errs, fmt.Errorf(
			"backend: HTTPOptions.Timeout is %v, must be 0 (30s) or more", o.Timeout))
	}
	if o.Concurrency < 0 || o.Concurrency > concurrencyMax {
		errs = append(errs, fmt.Errorf(
			"backend: HTTPOptions.Concurrency is %d, must be 0 (%d) or from 1 to %d",
			o.Concurrency, defaultConcurrency, concurrencyMax))
	}
	return u, errors.Join(errs...)
}

// parseURL says all that is wrong with a URL. It does not repeat it: it may hold a password.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("backend: HTTPOptions.URL is no URL")
	}
	var errs []error
	bad := func(is bool, must string) {
		if is {
			errs = append(errs, errors.New("backend: HTTPOptions.URL must "+must))
		}
	}
	bad(u.Scheme != "http" && u.Scheme != "https", "begin with http:// or https://")
	bad(u.Hostname() == "", "have a host")
	bad(u.User != nil, "have no user or password; a token goes by Token")
	bad(u.Fragment != "", "have no fragment")
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		bad(err != nil || n == 0, "have a port from 1 to 65535")
	}
	return u, errors.Join(errs...)
}
