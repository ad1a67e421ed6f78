package adminclient

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// timeoutDefault is how long one request may take.
	timeoutDefault = 10 * time.Second
	// answerBytesMax is for a page of sessions, the largest answer that there is.
	answerBytesMax = 16 << 20
	headerBytesMax = 64 << 10
	// tokenBytesMax is what the daemon's own limit for headers leaves room for.
	tokenBytesMax = 16 << 10
)

// errSlow is why a request is cut off that takes too long.
var errSlow = errors.New("adminclient: no answer in time")

// Options are what a [Client] is made of.
type Options struct {
	// Address is a URL, HOST:PORT as the daemon's own --admin has it, or unix:PATH; "":
	// [DefaultAddress].
	Address string
	// Token is shown with each request; "": none is.
	Token string
	// Timeout is how long a request may take, its answer included; 0: 10 s.
	Timeout time.Duration
	// RootCAs are whose certificates are good; nil: the system's.
	RootCAs *x509.CertPool
	// Version is that of the program, for the daemon's log.
	Version string
}

// Client asks one daemon.
type Client struct {
	at      address
	token   string
	agent   string
	timeout time.Duration
	http    *http.Client
}

// New makes a client. It asks nobody yet; its error says what is wrong with the options.
func New(o Options) (*Client, error) {
	at, err := parseAddress(o.Address)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("a token is visible ASCII without spaces")
	case len(o.Token) > tokenBytesMax:
		return nil, fmt.Errorf("a token has at most %d bytes", tokenBytesMax)
	case o.Timeout < 0:
		return nil, errors.New("a timeout is above 0")
	}
	c := &Client{
		at: at, token: o.Token, agent: "curfew/" + cmp.Or(o.Version, "unknown"),
		timeout: cmp.Or(o.Timeout, timeoutDefault),
	}
	c.http = &http.Client{
		Transport: c.transport(o.RootCAs),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token is shown to nobody else
		},
	}
	return c, nil
}

func (c *Client) transport(roots *x509.CertPool) *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    c.timeout,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second, // less than the daemon's
		MaxResponseHeaderBytes: headerBytesMax,
		DisableCompression:     true, // so that what is bounded is what came
	}
	if c.at.isLoopback() {
		t.Proxy = nil
	}
	if c.at.socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.at.socket)
		}
	}
	return t
}

// Close gives up the connections that nothing uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Address is where it asks, as it can be shown.
func (c *Client) Address() string { return c.at.text }

// request is one request. Its path is escaped.
type request struct {
	method, path string
	query        url.Values
	kind         string // of the body; "": there is none
	body         []byte
}

// answer is the answer to one.
type answer struct {
	status int
	body   []byte
	at     time.Time // when it was given, by the other's clock and to the second; zero: not said
}

// send sends a request and waits for the beginning of its answer.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	target := c.at.base.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("adminclient: %w", err)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		return nil, c.unreachable(ctx, err)
	}
	return resp, nil
}

// do sends a request and reads its answer, which has a status of success then.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errSlow)
	defer cancel()
	resp, err := c.send(ctx, r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // what was needed is read
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return answer{}, c.unreachable(ctx, err)
	case err != nil:
		return answer{}, c.broken(err)
	case len(body) > answerBytesMax:
		return answer{}, c.foreign(resp.StatusCode,
			fmt.Sprintf("it sends more than %d bytes", answerBytesMax), nil)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return answer{}, c.refusal(resp.StatusCode, resp.Header, body)
	}
	a := answer{status: resp.StatusCode, body: bytes.TrimSpace(body)}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.at = at
	}
	return a, nil
}

// ask is do for what answers with JSON, which is read into v.
func (c *Client) ask(ctx context.Context, r request, v any) (answer, error) {
	a, err := c.do(ctx, r)
	if err != nil {
		return answer{}, err
	}
	return a, c.decode(a.body, v)
}

// decode reads JSON of the API.
func (c *Client) decode(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType):
		what := "what it sent"
		if wrongType.Field != "" {
			what = strconv.Quote(wrongType.Field)
		}
		article := "a"
		if wrongType.Value == "array" || wrongType.Value == "object" {
			article = "an"
		}
		return c.foreign(0, fmt.Sprintf("%s is %s %s", what, article, wrongType.Value), err)
	}
	return c.foreign(0, "what it sent is not JSON", err)
}
