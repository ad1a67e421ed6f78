package config

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// application is BackendEcho or an http or https URL. What was given is not repeated in messages,
// since there may be a password in it.
type application struct{ at func(*Config) *string }

func (f application) parse(c *Config, values []string) error {
	if values[0] != BackendEcho {
		if err := checkBackendURL(values[0]); err != nil {
			return err
		}
	}
	*f.at(c) = values[0]
	return nil
}

// show leaves a query out, which is where some applications want their secret.
func (f application) show(c *Config) string {
	address, _, hasQuery := strings.Cut(*f.at(c), "?")
	if hasQuery {
		return address + "?(not shown)"
	}
	return address
}

func (f application) where(c *Config) any { return f.at(c) }

func checkBackendURL(v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("is neither echo nor a URL such as http://127.0.0.1:9000/events")
	case u.User != nil:
		return errors.New("the URL must not hold a user or password: use --backend-token-file")
	case strings.Contains(v, "#"):
		return errors.New("the URL must not have a fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("port %q is not between 1 and 65535", port)
		}
	}
	return nil
}

// settleBackend reads the one secret that the application is shown.
func (l *Loaded) settleBackend() []string {
	if l.BackendTokenFile == "" {
		return nil
	}
	tokens, err := ReadTokens(l.BackendTokenFile)
	switch {
	case err != nil:
	case len(tokens) > 1:
		err = fmt.Errorf("%s: holds more than one token", l.BackendTokenFile)
	case strings.ContainsFunc(tokens[0], func(r rune) bool { return r <= ' ' || r > '~' }):
		err = fmt.Errorf("%s: holds a token that is not visible ASCII", l.BackendTokenFile)
	default:
		l.BackendToken = tokens[0]
	}
	if err != nil {
		return []string{l.origins["backend-token-file"] + ": " + err.Error()}
	}
	return nil
}
