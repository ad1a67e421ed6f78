package handshake

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// testRules are what the tests keep to.
var testRules = &Rules{
	Paths: []string{"/ws", "/"}, Protocols: []string{"curfew.v1", "curfew.raw"},
	Origin: SameOrigin([]string{"https://app.example.com"}, false), Compression: true,
}

// parseHead runs scanner and parser as their callers do. Neither a request nor a refusal means that
// the head is not whole.
func parseHead(p *Parser, head string) (*Request, *Refusal) {
	var s Scanner
	end, r := s.Scan([]byte(head))
	if r != nil || end == 0 {
		return nil, r
	}
	return p.Parse(testRules, []byte(head[:end]))
}

// TestParse_Answers has a line for each rule: what is changed in a proper handshake, and what is
// answered.
func TestParse_Answers(t *testing.T) {
	var p Parser
	many := strings.Repeat("X: y\r\n", headerLinesMax-5)
	for _, c := range []struct {
		name     string
		old, new string // replaced in the handshake
		want     int
	}{
		{"proper", "", "", 101},
		{"query", "/ws", "/ws?a=b", 101},
		{"absolute form", "/ws", "http://localhost/ws", 101},
		{"absolute form of the root", "/ws", "http://localhost?x", 101},
		{"repeated list headers", "Connection: ", "Connection: x\r\nConnection: a, ", 101},
		{"upgrade among others", "Upgrade: websocket", "Upgrade: h2c, WebSocket", 101},
		{"names in lower case", "Sec-WebSocket-Key", "sec-websocket-key", 101},
		{"no content", "Host", "Content-Length: 0\r\nHost", 101},
		{"high bytes in a value", "Host", "X: \x80\xff\r\nHost", 101},
		{"a tab in a value", "Host", "X:\ta\tb\t\r\nHost", 101},
		{"64 header lines", "Host", many + "Host", 101},
		{"one of two subprotocols", "Host", "Sec-WebSocket-Protocol: x, curfew.raw\r\nHost", 101},
		{"the target's host before the header's", "/ws", "http://a.example/ws", 101},
		{"a target with the origin's host", "/ws HTTP/1.1", "http://a.example/ws HTTP/1.1\r\n" +
			"Origin: http://a.example", 101},
		{"an IPv6 host", "localhost", "[::1]:8079", 101},
		{"a host with an empty port", "localhost", "localhost:", 101},
		{"a list with holes", "Host", "Sec-WebSocket-Protocol: ,curfew.v1,\r\nHost", 101},
		{"an empty list of protocols", "Host", "Sec-WebSocket-Protocol:\r\nHost", 101},
		{"an unknown extension", "Host", "Sec-WebSocket-Extensions: x; y=1\r\nHost", 101},
		{"a malformed extension", "Host", "Sec-WebSocket-Extensions: ;;\r\nHost", 101},
		{"many zeros of content", "Host", "Content-Length: 000\r\nHost", 101},
		{"a connection with more to it", "Connection: ", "Connection: keep-alive, ", 101},
		{"a cookie of 7 KiB", "Host", "Cookie: " + strings.Repeat("a", 7<<10) + "\r\nHost", 101},

		{"the server's own origin", "Host", "Origin: http://localhost\r\nHost", 101},
		{"a listed origin", "Host", "Origin: https://APP.example.com:443\r\nHost", 101},

		{"another origin", "Host", "Origin: https://evil.example.com\r\nHost", 403},
		{"an opaque origin", "Host", "Origin: null\r\nHost", 403},
		{"an empty origin", "Host", "Origin:\r\nHost", 403},
		{
			"an origin that is only the header's host", "/ws HTTP/1.1",
			"http://a.example/ws HTTP/1.1\r\nOrigin: http://localhost", 403,
		},
		{"a path in another spelling", "/ws", "/%77s", 404},
		{"a path with two slashes", "/ws", "//localhost/ws", 404},
		{"a method in lower case", "GET", "get", 405},
		{"a long method", "GET", strings.Repeat("G", 7<<10), 405},
		{
			"a body in chunks, with a length of none", "Host",
			"Content-Length: 0\r\nTransfer-Encoding: chunked\r\nHost", 413,
		},
		{"an empty transfer encoding", "Host", "Transfer-Encoding:\r\nHost", 413},
		{
			"a length beyond all numbers", "Host",
			"Content-Length: 99999999999999999999999\r\nHost", 413,
		},
		{"two versions in a line", ": 13", ": 13, 8", 426},
		{"upgrade to what looks like it", "Upgrade: websocket", "Upgrade: websoc\u212aet", 426},
		{"upgrade to something longer", "Upgrade: websocket", "Upgrade: websocket/13", 426},

		{"another path", "/ws", "/other", 404},
		{"a path below", "/ws", "/ws/", 404},
		{"another method", "GET", "POST", 405},
		{"a body", "Host", "Content-Length: 5\r\nHost", 413},
		{"a body in chunks", "Host", "Transfer-Encoding: chunked\r\nHost", 413},
		{"an old version", ": 13", ": 8", 426},
		{"no version", "Sec-WebSocket-Version: 13\r\n", "", 426},
		{"no upgrade", "Upgrade: websocket\r\n", "", 426},
		{"upgrade to something else", "Upgrade: websocket", "Upgrade: h2c", 426},
		{"no connection header", "Connection: Upgrade\r\n", "", 426},
		{"65 header lines", "Host", many + "X: y\r\nHost", 431},
		{"an old HTTP", "HTTP/1.1", "HTTP/1.0", 505},
		{"a new HTTP", "HTTP/1.1", "HTTP/2.0", 505},

		{"bare line feeds", "\r\nHost", "\nHost", 400},
		{"a line feed first", "GET", "\nGET", 400},
		{"a folded line", "Host: localhost", "Host: localhost\r\n folded", 400},
		{"space before the colon", "Host:", "Host :", 400},
		{"a line without a colon", "Host", "Junk\r\nHost", 400},
		{"no name", "Host", ": x\r\nHost", 400},
		{"a carriage return in a value", "localhost", "local\rhost", 400},
		{"a zero byte", "localhost", "local\x00host", 400},
		{"no host", "Host: localhost\r\n", "", 400},
		{"two hosts", "Host", "Host: localhost\r\nHost", 400},
		{"two keys", "Sec-WebSocket-Key", "sec-websocket-key: x\r\nSec-WebSocket-Key", 400},
		{"two versions", "Sec-WebSocket-V", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-V", 400},
		{"two origins", "Host", "Origin: http://localhost\r\nOrigin: null\r\nHost", 400},
		{"a strange host", "Host: localhost", "Host: a@b", 400},
		{"no key", "Sec-WebSocket-Key: " + netlooptest.Key + "\r\n", "", 400},
		{"a key of 15 bytes", netlooptest.Key, "AAAAAAAAAAAAAAAAAAAA", 400},
		{"a key that is no base64", netlooptest.Key, "dGhlIHNhbXBsZSBub25jZQ!!", 400},
		{"a key with stray bits", netlooptest.Key, "dGhlIHNhbXBsZSBub25jZR==", 400},
		{"unknown subprotocols", "Host", "Sec-WebSocket-Protocol: x, y\r\nHost", 400},
		{"a malformed subprotocol", "Host", "Sec-WebSocket-Protocol: a b\r\nHost", 400},
		{"a length that is none", "Host", "Content-Length: +5\r\nHost", 400},
		{"two spaces", "GET /ws", "GET  /ws", 400},
		{"no version of HTTP", " HTTP/1.1", "", 400},
		{"junk for HTTP", "HTTP/1.1", "HTTP/1.1x", 400},
		{"two lengths", "Host", "Content-Length: 0\r\nContent-Length: 0\r\nHost", 400},
		{"two lengths in a line", "Host", "Content-Length: 0, 0\r\nHost", 400},
		{"an empty length", "Host", "Content-Length:\r\nHost", 400},
		{"two authorizations", "Host", "Authorization: a\r\nauthorization: a\r\nHost", 400},
		{"an empty host", "Host: localhost", "Host:", 400},
		{"a host of a port", "Host: localhost", "Host: :80", 400},
		{"two hosts in a line", "Host: localhost", "Host: localhost, a.example", 400},
		{"a host with a strange port", "Host: localhost", "Host: localhost:80a", 400},
		{"a host with two ports", "Host: localhost", "Host: localhost:80:81", 400},
		{"a host with a path", "Host: localhost", "Host: localhost/ws", 400},
		{"a host in high bytes", "Host: localhost", "Host: l\xc3\xb6cal", 400},
		{"a host in brackets", "Host: localhost", "Host: [localhost]", 400},
		{"an IPv6 host without brackets", "Host: localhost", "Host: ::1", 400},
		{"an IPv6 host and more", "Host: localhost", "Host: [::1]a:80", 400},
		{"an encoded host", "Host: localhost", "Host: local%68ost", 400},
		{
			"no host beside that of the target", "/ws HTTP/1.1\r\nHost: localhost",
			"http://localhost/ws HTTP/1.1", 400,
		},
		{"a target without a host", "/ws", "http:///ws", 400},
		{"a target with a user", "/ws", "http://me@localhost/ws", 400},
		{"a target of another kind", "/ws", "ftp://localhost/ws", 400},
		{"a target of no kind", "/ws", "://localhost/ws", 400},
		{"a target that is a host", "/ws", "localhost:80", 400},
		{"a target that is an asterisk", "/ws", "*", 400},
		{"a tab for a space", "GET /ws", "GET\t/ws", 400},
		{"a space at the end", "HTTP/1.1", "HTTP/1.1 ", 400},
		{"http in lower case", "HTTP/1.1", "http/1.1", 400},
		{"a high byte in the target", "/ws", "/ws?\xff", 400},
		{"a high byte in a name", "Host", "X\xff: y\r\nHost", 400},
		{"a line of spaces", "Host", "  \r\nHost", 400},
		{"a line first", "GET", "\r\nGET", 400},
		{"a delete in a value", "Host", "X: \x7f\r\nHost", 400},

		{"a fragment", "/ws", "/ws#x", 400},
		{"a method that is none", "GET", "G@T", 400},
		{"a target that is none", "/ws", "ws", 400},
		{"nothing", netlooptest.Handshake("/ws"), "\r\n", 400},
	} {
		head := strings.Replace(netlooptest.Handshake("/ws"), c.old, c.new, 1)
		_, r := parseHead(&p, head)
		got := 101
		if r != nil {
			got = r.Status
		}
		if got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
		if got == 426 && !strings.Contains(r.Header, "Sec-WebSocket-Version: 13\r\n") {
			t.Errorf("%s: the 426 does not name the version", c.name)
		}
	}
}

func TestParse_Request(t *testing.T) {
	var p Parser
	r, refusal := parseHead(&p, netlooptest.Handshake("http://localhost:8079/?node=n2",
		"Origin: http://localhost:8079", "Authorization: Bearer x", "User-Agent: test",
		"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For:", "x-forwarded-for: 192.0.2.2, 192.0.2.3",
		"Sec-WebSocket-Protocol: soap", "Sec-WebSocket-Protocol: curfew.raw, curfew.v1",
		"Sec-WebSocket-Extensions: x", "Sec-WebSocket-Extensions: permessage-deflate"))
	if refusal != nil {
		t.Fatal(refusal)
	}
	want := &Request{
		Path: []byte("/"), Query: []byte("node=n2"), Host: []byte("localhost:8079"),
		Origin: []byte("http://localhost:8079"), Authorization: []byte("Bearer x"),
		UserAgent: []byte("test"), ForwardedFor: []byte("192.0.2.1,,192.0.2.2, 192.0.2.3"),
		Protocol: "curfew.raw", Deflate: 15,
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("request %q, want %q", r, want)
	}
	r, refusal = parseHead(&p, netlooptest.Handshake("/ws"))
	want = &Request{Path: []byte("/ws"), Host: []byte("localhost")}
	if refusal != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("the next request: %q, %v, want %q: nothing of the last one", r, refusal, want)
	}
}

// TestParse_ForwardedFor: a header that is there and empty is not nil, which means none.
func TestParse_ForwardedFor(t *testing.T) {
	var p Parser
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{""}, ""},
		{[]string{"", ""}, ","},
		{[]string{"a"}, "a"},
		{[]string{"a", "b", "c"}, "a,b,c"},
	} {
		var headers []string
		for _, v := range c.values {
			headers = append(headers, "X-Forwarded-For: "+v)
		}
		r, _ := parseHead(&p, netlooptest.Handshake("/ws", headers...))
		if r == nil || r.ForwardedFor == nil || string(r.ForwardedFor) != c.want {
			t.Errorf("of %q: %+v, want %q", c.values, r, c.want)
		}
	}
}

// TestParse_Compression holds the parser against wsframe, which negotiates from a string.
func TestParse_Compression(t *testing.T) {
	plain := *testRules
	plain.Compression = false
	for _, offers := range [][]string{
		nil,
		{"permessage-deflate"},
		{"permessage-deflate; client_max_window_bits"},
		{wsframe.DeflateOffer},
		{"permessage-deflate; server_max_window_bits=10"},
		{"permessage-deflate; server_max_window_bits=\"9\", permessage-deflate"},
		{"permessage-deflate; unknown, permessage-deflate; server_max_window_bits=11"},
		{"permessage-deflate; unknown", "x", "permessage-deflate; server_max_window_bits=12"},
		{"permessage-deflate; server_max_window_bits=7"},
		{"permessage-deflate; server_max_window_bits=010"},
		{"permessage-deflate; a; b; c; d; e; f; g; h; i; j"},
		{"permessage-deflate", "=;"},
		{"permessage-deflate, x;="},
		{"x", "y; z"},
		{""},
	} {
		var headers []string
		for _, o := range offers {
			headers = append(headers, "Sec-WebSocket-Extensions: "+o)
		}
		head := []byte(netlooptest.Handshake("/ws", headers...))
		var p Parser
		r, refusal := p.Parse(testRules, head)
		if refusal != nil {
			t.Fatalf("%q: %v", offers, refusal)
		}
		d, accepted := wsframe.NegotiateDeflate(strings.Join(offers, ","))
		got := answerTo(t, &p).Get("Sec-WebSocket-Extensions")
		if r.Deflate != d || got != accepted {
			t.Errorf("%q: %d, %q, want %d, %q", offers, r.Deflate, got, d, accepted)
		}
		if r, _ = p.Parse(&plain, head); r.Deflate.On() {
			t.Errorf("%q: compression is on against the rules", offers)
		}
		if got := answerTo(t, &p).Get("Sec-WebSocket-Extensions"); got != "" {
			t.Errorf("%q: answered %q against the rules", offers, got)
		}
	}
}

// answerTo is the header of the answer to what was parsed last.
func answerTo(t *testing.T, p *Parser) http.Header {
	t.Helper()
	b, err := p.AppendAnswer(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, b).Header
}
