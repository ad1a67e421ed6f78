package netloop

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	headBytesMax   = 8 << 10
	headerLinesMax = 64
	keyBytes       = 16 // of a Sec-WebSocket-Key, decoded
)

// Request is a proper WebSocket handshake.
type Request struct {
	Path          string // as it was sent, without the query
	Query         string // what follows the ?
	Host          string
	Origin        string // "" where the client sent none
	Authorization string
	UserAgent     string
	Protocol      string // the subprotocol that was chosen, "" where none was asked for

	key string
}

// headScanner finds the end of a head while it arrives, and what is wrong with it early.
type headScanner struct {
	seen  int // bytes looked at
	start int // of the line that is under way
	lines int
}

// scan looks at what is new in b, the head so far. end is the head's length, 0 while it is not
// whole.
func (s *headScanner) scan(b []byte) (end int, r *Refusal) {
	for {
		i := bytes.IndexByte(b[s.seen:], '\n')
		if i < 0 {
			s.seen = len(b)
			if len(b) >= headBytesMax {
				return 0, refuse(http.StatusRequestHeaderFieldsTooLarge, "request is too large")
			}
			return 0, nil
		}
		lf := s.seen + i
		s.seen = lf + 1
		if lf == 0 || b[lf-1] != '\r' {
			return 0, refuse(http.StatusBadRequest, "line does not end in CR LF")
		}
		if lf-1 == s.start {
			return lf + 1, nil
		}
		s.start = lf + 1
		if s.lines++; s.lines > 1+headerLinesMax {
			return 0, refuse(http.StatusRequestHeaderFieldsTooLarge, "too many header lines")
		}
	}
}

// headParser takes a head apart, strictly: whatever two readers of HTTP might understand
// differently is refused.
type headParser struct {
	paths     []string
	protocols []string
	origin    func(origin, host string) bool

	req        Request
	seen       map[string]int // how often each known header came
	upgrade    bool           // Upgrade holds websocket
	connection bool           // Connection holds upgrade
	version    string
	offered    bool // some subprotocol was asked for
	body       bool
}

// parse takes a whole head and gives a proper handshake, or why it is none.
func (p *headParser) parse(head []byte) (*Request, *Refusal) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if r := p.requestLine(line); r != nil {
		return nil, r
	}
	p.seen = make(map[string]int, 16)
	for {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		if r := p.headerLine(line); r != nil {
			return nil, r
		}
	}
	if r := p.judge(); r != nil {
		return nil, r
	}
	return &p.req, nil
}

func (p *headParser) requestLine(line []byte) *Refusal {
	method, rest, ok1 := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok1 || !ok2 || !isToken(method) || !isTarget(target) || !isVersion(version) {
		return refuse(http.StatusBadRequest, "malformed request line")
	}
	if string(version) != "HTTP/1.1" {
		return refuse(http.StatusHTTPVersionNotSupported, "only HTTP/1.1 is spoken")
	}
	if string(method) != http.MethodGet {
		r := refuse(http.StatusMethodNotAllowed, "only GET is understood")
		r.Header = "Allow: GET\r\n"
		return r
	}
	text := string(target)
	if !strings.HasPrefix(text, "/") {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme == "" {
			return refuse(http.StatusBadRequest, "malformed request target")
		}
		text = text[strings.Index(text, "://")+len("://"):]
		i := strings.IndexAny(text, "/?")
		switch {
		case i < 0:
			text = "/"
		case text[i] == '?':
			text = "/" + text[i:]
		default:
			text = text[i:]
		}
	}
	p.req.Path, p.req.Query, _ = strings.Cut(text, "?")
	return nil
}

func (p *headParser) headerLine(line []byte) *Refusal {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isToken(name) { // a folded line and a space before the colon end here
		return refuse(http.StatusBadRequest, "malformed header line")
	}
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return refuse(http.StatusBadRequest, "control character in a header")
		}
	}
	key := strings.ToLower(string(name))
	p.seen[key]++
	return p.known(key, string(value))
}

// known takes the headers that mean something here.
func (p *headParser) known(key, value string) *Refusal {
	switch key {
	case "host":
		p.req.Host = value
	case "origin":
		p.req.Origin = value
	case "authorization":
		p.req.Authorization = value
	case "user-agent":
		p.req.UserAgent = value
	case "upgrade":
		p.upgrade = p.upgrade || hasItem(value, "websocket")
	case "connection":
		p.connection = p.connection || hasItem(value, "upgrade")
	case "sec-websocket-key":
		p.req.key = value
	case "sec-websocket-version":
		p.version = value
	case "sec-websocket-protocol":
		return p.offer(value)
	case "transfer-encoding":
		p.body = true
	case "content-length":
		if value == "" || strings.Trim(value, "0123456789") != "" {
			return refuse(http.StatusBadRequest, "malformed Content-Length")
		}
		p.body = p.body || strings.Trim(value, "0") != ""
	}
	return nil
}

// offer takes a list of subprotocols and keeps the first one that is known.
func (p *headParser) offer(value string) *Refusal {
	for item := range strings.SplitSeq(value, ",") {
		item = strings.Trim(item, " \t")
		if item == "" {
			continue
		}
		if !isToken([]byte(item)) {
			return refuse(http.StatusBadRequest, "malformed Sec-WebSocket-Protocol")
		}
		p.offered = true
		for _, known := range p.protocols {
			if p.req.Protocol == "" && item == known {
				p.req.Protocol = known
			}
		}
	}
	return nil
}

// once are headers of which a second one could be read differently by somebody in between.
var once = []string{
	"host", "sec-websocket-key", "sec-websocket-version", "origin", "authorization",
	"content-length",
}

// judge decides about a head whose lines are all well-formed.
func (p *headParser) judge() *Refusal {
	for _, name := range once {
		if p.seen[name] > 1 {
			return refuse(http.StatusBadRequest, "more than one "+http.CanonicalHeaderKey(name))
		}
	}
	if p.seen["host"] == 0 || strings.ContainsAny(p.req.Host, " \t,/\\?#@\"<>") {
		return refuse(http.StatusBadRequest, "missing or malformed Host")
	}
	if p.body {
		return refuse(http.StatusRequestEntityTooLarge, "a handshake has no body")
	}
	if !slices.Contains(p.paths, p.req.Path) {
		return refuse(http.StatusNotFound, "nothing is served at this path")
	}
	if !p.upgrade || !p.connection {
		return refuseVersion("this is a WebSocket endpoint")
	}
	if p.version != "13" {
		return refuseVersion("WebSocket version 13 is spoken")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(p.req.key)
	if err != nil || len(key) != keyBytes {
		return refuse(http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes of base64")
	}
	if p.offered && p.req.Protocol == "" {
		return refuse(http.StatusBadRequest, "no known subprotocol")
	}
	if p.seen["origin"] > 0 && !p.origin(p.req.Origin, p.req.Host) {
		return refuse(http.StatusForbidden, "Origin is not allowed")
	}
	return nil
}

func refuse(status int, reason string) *Refusal {
	return &Refusal{Status: status, Reason: reason}
}

func refuseVersion(reason string) *Refusal {
	return &Refusal{
		Status: http.StatusUpgradeRequired, Reason: reason,
		Header: "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
	}
}

// hasItem says whether a comma-separated list holds item, in whatever case.
func hasItem(list, item string) bool {
	for v := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(v, " \t"), item) {
			return true
		}
	}
	return false
}

// isToken is RFC 9110's token.
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}

func isTarget(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return len(b) > 0
}

func isVersion(b []byte) bool {
	return len(b) == len("HTTP/1.1") && string(b[:5]) == "HTTP/" && b[6] == '.' &&
		'0' <= b[5] && b[5] <= '9' && '0' <= b[7] && b[7] <= '9'
}
