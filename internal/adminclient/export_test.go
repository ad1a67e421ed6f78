package adminclient

import (
	"context"
	"net"
	"net/http"
)

// SilenceMax is how long a stream may be silent.
const SilenceMax = silenceMax

// DialBy makes a client reach the daemon otherwise.
func (c *Client) DialBy(dial func() (net.Conn, error)) {
	c.http.Transport.(*http.Transport).DialContext = func(
		context.Context, string, string,
	) (net.Conn, error) {
		return dial()
	}
}
