package conform

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// acceptGUID is what a server appends to the key (RFC 6455, 1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// sampleKey is the key of RFC 6455, 1.3. Its randomness protects from caches, and there is none
// between a test and its server.
const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// target is where the server is and how it wants to be asked.
type target struct {
	url         *url.URL
	host        string // what the header field Host says
	address     string // host:port to dial
	tls         *tls.Config
	header      http.Header
	subprotocol string
}

func newTarget(raw string, o Options) (*target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The error holds the URL, which may hold a password.
		return nil, errors.New("this is no URL: want ws://host:port/path")
	}
	t := &target{url: u, host: u.Host, header: o.Header.Clone(), subprotocol: o.Subprotocol}
	if host := t.header.Get("Host"); host != "" {
		t.host = host
		t.header.Del("Host")
	}
	port := "80"
	switch u.Scheme {
	case "ws":
	case "wss":
		port = "443"
		t.tls = o.TLS.Clone()
		if t.tls == nil {
			t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if t.tls.ServerName == "" {
			t.tls.ServerName = u.Hostname()
		}
	default:
		return nil, fmt.Errorf("%q is no WebSocket URL: it begins with ws:// or wss://",
			u.Redacted())
	}
	switch {
	case u.User != nil:
		return nil, errors.New("a WebSocket URL holds no user: pass one as a header field")
	case u.Hostname() == "", u.Fragment != "":
		return nil, fmt.Errorf("%q is no WebSocket URL: want ws://host:port/path", t.shown())
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.address = net.JoinHostPort(u.Hostname(), port)
	return t, nil
}

// shown is the URL without what may be a secret: the values of its query.
func (t *target) shown() string {
	u := *t.url
	if u.RawQuery != "" {
		q := u.Query()
		for name := range q {
			q[name] = []string{"xxxxx"}
		}
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// dial opens a connection, without a handshake.
func (t *target) dial(ctx context.Context) (net.Conn, error) {
	if t.tls == nil {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", t.address)
	}
	return (&tls.Dialer{Config: t.tls}).DialContext(ctx, "tcp", t.address)
}

// edit changes one line of a handshake request, for cases whose handshake must be refused.
type edit struct {
	name  string // of the header field; "" is the request line
	value string // "" leaves the field out; %s in a request line is the path
}

// String says what an edit makes of a request.
func (e edit) String() string {
	switch {
	case e.name == "":
		return "the request line " + strconv.Quote(e.value)
	case e.value == "":
		return "no " + e.name
	}
	return e.name + ": " + e.value
}

// request returns the handshake request (RFC 6455, 4.1).
func (t *target) request(extensions string, edits ...edit) string {
	lines := []edit{
		{"", "GET %s HTTP/1.1"},
		{"Host", t.host},
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Key", sampleKey},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Protocol", t.subprotocol},
		{"Sec-WebSocket-Extensions", extensions},
	}
	for i := range lines {
		for _, e := range edits {
			if e.name == lines[i].name {
				lines[i].value = e.value
			}
		}
	}
	var b strings.Builder
	for _, l := range lines {
		switch {
		case l.value == "":
		case l.name == "":
			b.WriteString(strings.Replace(l.value, "%s", t.url.RequestURI(), 1) + "\r\n")
		default:
			b.WriteString(l.name + ": " + l.value + "\r\n")
		}
	}
	_ = t.header.Write(&b) // A strings.Builder takes all.
	b.WriteString("\r\n")
	return b.String()
}

// tlsAlert is the first byte by which a TLS server answers what is not TLS.
const tlsAlert = 0x15

// errHandshake is in the chain of whatever a server's answer was refused for.
var errHandshake = errors.New("handshake")

// upgrade performs the handshake within a time. What the server sends after its answer is left in
// the reader.
func (t *target) upgrade(
	conn net.Conn, within time.Duration, offers []offer,
) (*bufio.Reader, *agreed, error) {
	r := bufio.NewReaderSize(conn, 32<<10)
	res, err := t.ask(conn, r, within, t.request(offerLine(offers)))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	if no := t.accepted(res); no != nil {
		_ = conn.SetDeadline(deadline(min(within, bodyPatience)))
		no.addBody(res)
		return nil, nil, fmt.Errorf("%w: %w", errHandshake, no)
	}
	a, err := agree(offers, res.Header)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return r, a, nil
}

// ask sends a request and reads the answer's head.
func (t *target) ask(
	conn net.Conn, r *bufio.Reader, within time.Duration, request string,
) (*http.Response, error) {
	if err := conn.SetDeadline(deadline(within)); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		return nil, short(err)
	}
	first, err := r.Peek(1)
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", short(err))
	}
	if first[0] == tlsAlert {
		no := refusedFor("the server answered in TLS")
		no.TLS = true
		return nil, no
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, refusedFor("the answer is no HTTP: %v", short(err))
	}
	return res, conn.SetDeadline(time.Time{})
}

// accepted returns why an answer does not open a WebSocket (RFC 6455, 4.1).
func (t *target) accepted(res *http.Response) *RefusedError {
	sum := sha1.Sum([]byte(sampleKey + acceptGUID))
	accept := base64.StdEncoding.EncodeToString(sum[:])
	chosen := res.Header.Get("Sec-WebSocket-Protocol")
	switch {
	case res.StatusCode != http.StatusSwitchingProtocols:
		no := refusedFor("the server answered %s", res.Status)
		no.StatusCode, no.Location = res.StatusCode, res.Header.Get("Location")
		return no
	case !strings.EqualFold(res.Header.Get("Upgrade"), "websocket"):
		return refusedFor("the answer's Upgrade is %q, want websocket", res.Header.Get("Upgrade"))
	case !hasToken(res.Header.Values("Connection"), "upgrade"):
		return refusedFor("the answer's Connection is %q, want Upgrade",
			res.Header.Get("Connection"))
	case res.Header.Get("Sec-WebSocket-Accept") != accept:
		return refusedFor("the answer's Sec-WebSocket-Accept is wrong")
	case chosen != "" && t.subprotocol == "":
		return wrongSubprotocol("the server chose the subprotocol %q of none", chosen)
	case t.subprotocol != "" && chosen == "":
		return wrongSubprotocol("the server chose no subprotocol of %q", t.subprotocol)
	case t.subprotocol != "" && !hasToken([]string{t.subprotocol}, chosen):
		return wrongSubprotocol("the server chose the subprotocol %q of %q", chosen,
			t.subprotocol)
	}
	return nil
}

func wrongSubprotocol(format string, args ...any) *RefusedError {
	no := refusedFor(format, args...)
	no.Subprotocol = true
	return no
}

const (
	// bodyPatience is how long the text of an error is waited for.
	bodyPatience = 200 * time.Millisecond

	// bodyMax is how much of it is told.
	bodyMax = 120
)

// addBody adds what the body of an error says in its first line.
func (e *RefusedError) addBody(res *http.Response) {
	if e.StatusCode == 0 {
		return
	}
	body := make([]byte, bodyMax)
	n, _ := io.ReadFull(res.Body, body) // What has come says something, however it ended.
	line, _, _ := strings.Cut(strings.TrimSpace(string(body[:n])), "\n")
	line = strings.TrimSpace(strings.ToValidUTF8(line, ""))
	if line == "" || strings.ContainsFunc(line, unicode.IsControl) ||
		strings.HasPrefix(line, "<") {
		return
	}
	e.reason += ": " + line
	e.TLS = strings.Contains(line, "HTTPS server")
}

func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// refuse asks for a WebSocket with a request that is none and judges the answer: an HTTP error
// (RFC 6455, 4.2.1).
func (t *target) refuse(
	ctx context.Context, within time.Duration, c *testCase, log *transcript,
) (string, error) {
	for _, e := range c.handshake {
		log.sent.add("a handshake with " + e.String())
	}
	log.expected.add("an HTTP error")
	dialing, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := t.dial(dialing)
	if err != nil {
		return "", failed("dial: %v", short(err))
	}
	defer conn.Close()
	res, err := t.ask(conn, bufio.NewReader(conn), within, t.request("", c.handshake...))
	if err != nil {
		log.seen.add(err.Error())
		return "", &verdictError{
			silent: timedOut(err),
			text:   "the server did not answer with an HTTP error: " + err.Error(),
		}
	}
	log.seen.add(res.Status)
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols && c.lenient != "":
		return "the server accepted the handshake: " + c.lenient, nil
	case res.StatusCode == http.StatusSwitchingProtocols:
		return "", failed("the server accepted the handshake")
	case res.StatusCode < 400:
		return "", failed("the server answered %s, which is no error", res.Status)
	}
	version := res.Header.Get("Sec-WebSocket-Version")
	for _, e := range c.handshake {
		if e.name == "Sec-WebSocket-Version" && e.value != "" && version == "" {
			return "", failed("the server answered %s and did not say in "+
				"Sec-WebSocket-Version what it speaks (RFC 6455, 4.2.2)", res.Status)
		}
	}
	return "the server answered " + res.Status, nil
}
