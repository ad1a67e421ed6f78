package handshake

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/gobwas/httphead"
)

const (
	keyBytes = 16 // of a Sec-WebSocket-Key, decoded
	keyChars = 24
)

var (
	lineEnd      = []byte("\r\n")
	space        = []byte(" ")
	question     = []byte("?")
	root         = []byte("/")
	strictBase64 = base64.StdEncoding.Strict()
	ownOrigin    = SameOrigin(nil, false)
)

// Parser takes heads apart, strictly: whatever two readers of HTTP might understand differently is
// refused. It also answers the one that it read last. The zero value is ready; a Parser must not be
// copied after its first use.
type Parser struct {
	req   Request
	found found

	forwarded list // X-Forwarded-For
	offers    list // Sec-WebSocket-Extensions

	answer answer
}

// found is what a head says besides what the [Request] holds.
type found struct {
	seen       uint16 // a bit for each field that came
	target     []byte // the host that the target names; nil: none
	key        []byte
	version    []byte
	upgrade    bool // Upgrade holds websocket
	connection bool // Connection holds upgrade
	offered    bool // some subprotocol was asked for
	body       bool
}

func (f *found) has(x field) bool { return f.seen&(1<<x) != 0 }

// Parse takes a whole head, as [Scanner.Scan] found it, and gives a proper handshake, or why it is
// none. The Request is the parser's own and valid until the next Parse.
func (p *Parser) Parse(rules *Rules, head []byte) (*Request, *Refusal) {
	p.req, p.found = Request{}, found{}
	p.forwarded.reset()
	p.offers.reset()
	p.answer.reset()
	r := p.lines(rules, head)
	if r == nil {
		r = p.judge(rules)
	}
	if r != nil {
		return nil, r
	}
	p.req.ForwardedFor = p.forwarded.b
	if rules.Compression {
		p.negotiate()
	}
	p.answer.prepare(&p.req, p.found.key)
	return &p.req, nil
}

// lines reads all lines and leaves to judge what they amount to.
func (p *Parser) lines(rules *Rules, head []byte) *Refusal {
	line, rest, _ := bytes.Cut(head, lineEnd)
	if r := p.requestLine(line); r != nil {
		return r
	}
	for {
		if line, rest, _ = bytes.Cut(rest, lineEnd); len(line) == 0 {
			return nil
		}
		if r := p.headerLine(rules, line); r != nil {
			return r
		}
	}
}

func (p *Parser) requestLine(line []byte) *Refusal {
	method, rest, ok1 := bytes.Cut(line, space)
	target, version, ok2 := bytes.Cut(rest, space)
	if !ok1 || !ok2 || !isToken(method) || len(target) == 0 || !all(target, targetChar) ||
		!isVersion(version) {
		return refusedRequestLine
	}
	if string(version) != "HTTP/1.1" {
		return refusedHTTP
	}
	if string(method) != "GET" {
		return refusedMethod
	}
	if target[0] != '/' {
		if target = p.absolute(target); target == nil {
			return refusedTarget
		}
	}
	p.req.Path, p.req.Query, _ = bytes.Cut(target, question)
	if len(p.req.Path) == 0 {
		p.req.Path = root
	}
	return nil
}

// absolute takes scheme and host off a target and gives the rest, which is not nil, or nil where
// the target is malformed.
func (p *Parser) absolute(target []byte) []byte {
	scheme, rest, ok := bytes.Cut(target, afterScheme)
	if !ok || defaultPort(scheme) == "" {
		return nil
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if p.found.target = rest[:end]; !isHost(p.found.target) {
		return nil
	}
	return rest[end:]
}

func (p *Parser) headerLine(rules *Rules, line []byte) *Refusal {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !isToken(line[:colon]) {
		return refusedHeader // A folded line and a space before the colon end here.
	}
	value := trim(line[colon+1:])
	if !all(value, valueChar) {
		return refusedControl
	}
	f := fieldOf(line[:colon])
	if p.found.has(f) && repeated[f] != nil {
		return repeated[f]
	}
	p.found.seen |= 1 << f
	switch f {
	case fieldContentLength:
		return p.contentLength(value)
	case fieldProtocol:
		return p.offer(rules, value)
	}
	p.take(f, value)
	return nil
}

// take keeps the value of a header that no single line of it can spoil.
func (p *Parser) take(f field, value []byte) {
	switch f {
	case fieldHost:
		p.req.Host = value
	case fieldOrigin:
		p.req.Origin = value
	case fieldAuthorization:
		p.req.Authorization = value
	case fieldUserAgent:
		p.req.UserAgent = value
	case fieldForwardedFor:
		p.forwarded.add(value)
	case fieldUpgrade:
		p.found.upgrade = p.found.upgrade || hasItem(value, "websocket")
	case fieldConnection:
		p.found.connection = p.found.connection || hasItem(value, "upgrade")
	case fieldTransferEncoding:
		p.found.body = true
	case fieldKey:
		p.found.key = value
	case fieldVersion:
		p.found.version = value
	case fieldExtensions:
		p.offers.add(value)
	}
}

func (p *Parser) contentLength(value []byte) *Refusal {
	for _, c := range value {
		if !isDigit(c) {
			return refusedLength
		}
		p.found.body = p.found.body || c != '0'
	}
	if len(value) == 0 {
		return refusedLength
	}
	return nil
}

// offer takes a list of subprotocols and keeps the first one that is known.
func (p *Parser) offer(rules *Rules, value []byte) *Refusal {
	for len(value) > 0 {
		var item []byte
		if item, value = nextItem(value); len(item) == 0 {
			continue
		}
		if !isToken(item) {
			return refusedProtocol
		}
		p.found.offered = true
		for _, known := range rules.Protocols {
			if p.req.Protocol == "" && string(item) == known {
				p.req.Protocol = known
			}
		}
	}
	return nil
}

// judge decides about a head whose lines are all well-formed.
func (p *Parser) judge(rules *Rules) *Refusal {
	if !isHost(p.req.Host) {
		return refusedHost
	}
	if p.found.target != nil {
		p.req.Host = p.found.target // RFC 9112 section 3.2.2
	}
	if p.found.body {
		return refusedBody
	}
	if !slices.ContainsFunc(rules.Paths, p.isPath) {
		return refusedPath
	}
	if !p.found.upgrade || !p.found.connection {
		return refusedNoUpgrade
	}
	if string(p.found.version) != "13" {
		return refusedVersion
	}
	if !isKey(p.found.key) {
		return refusedKey
	}
	if p.found.offered && p.req.Protocol == "" {
		return refusedProtocols
	}
	if p.found.has(fieldOrigin) {
		allowed := rules.Origin
		if allowed == nil {
			allowed = ownOrigin
		}
		if !allowed(p.req.Origin, p.req.Host) {
			return refusedOrigin
		}
	}
	return nil
}

func (p *Parser) isPath(path string) bool { return string(p.req.Path) == path }

func isKey(b []byte) bool {
	if len(b) != keyChars {
		return false
	}
	var key [keyBytes + 2]byte
	n, err := strictBase64.Decode(key[:], b)
	return err == nil && n == keyBytes
}

// negotiate takes the first offer of compression that can be kept to. Like
// wsframe.NegotiateDeflate, which allocates, it takes none where any of them cannot be parsed.
func (p *Parser) negotiate() {
	var offer httphead.Option
	last := -1
	ok := httphead.ScanOptions(p.offers.b, func(i int, name, attr, value []byte) httphead.Control {
		if i != last {
			p.consider(&offer)
			offer, last = httphead.Option{Name: name}, i
		}
		if attr != nil {
			offer.Parameters.Set(attr, value)
		}
		return httphead.ControlContinue
	})
	p.consider(&offer)
	if !ok {
		p.req.Deflate = 0
	}
}

func (p *Parser) consider(offer *httphead.Option) {
	if offer.Size() == 0 || p.req.Deflate.On() {
		return
	}
	p.answer.accepted[0], _ = p.req.Deflate.Negotiate(*offer) // It has no error to return.
}

// list joins the values of a header that may come in several lines.
type list struct {
	b      []byte // what came; nil: nothing
	own    []byte // room for more than one value, kept for the next head
	joined bool   // b is in own
}

func (l *list) reset() { l.b, l.joined = nil, false }

func (l *list) add(value []byte) {
	if l.b == nil {
		l.b = value
		return
	}
	if !l.joined {
		l.own, l.joined = append(l.own[:0], l.b...), true
	}
	l.own = append(append(l.own, ','), value...)
	l.b = l.own
}
