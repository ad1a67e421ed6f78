package netloop

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// parseHead runs scanner and parser as upgrade does.
func parseHead(head string) (*Request, *Refusal) {
	var s headScanner
	end, r := s.scan([]byte(head))
	if r != nil || end == 0 {
		return nil, r
	}
	p := headParser{
		paths: []string{"/ws", "/"}, protocols: []string{"curfew.v1", "curfew.raw"},
		origin: SameOrigin([]string{"https://app.example.com"}, false),
	}
	return p.parse([]byte(head[:end]))
}

// TestHead_Answers has a line for each rule: what is changed in a proper handshake, and the answer.
func TestHead_Answers(t *testing.T) {
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
		{"the server's own origin", "Host", "Origin: http://localhost\r\nHost", 101},
		{"a listed origin", "Host", "Origin: https://APP.example.com:443\r\nHost", 101},

		{"another origin", "Host", "Origin: https://evil.example.com\r\nHost", 403},
		{"an opaque origin", "Host", "Origin: null\r\nHost", 403},
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
		{"a fragment", "/ws", "/ws#x", 400},
		{"a method that is none", "GET", "G@T", 400},
		{"a target that is none", "/ws", "ws", 400},
		{"nothing", netlooptest.Handshake("/ws"), "\r\n", 400},
	} {
		head := strings.Replace(netlooptest.Handshake("/ws"), c.old, c.new, 1)
		_, r := parseHead(head)
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

func TestHead_Request(t *testing.T) {
	r, refusal := parseHead(netlooptest.Handshake("http://localhost:8079/?node=n2",
		"Origin: http://localhost", "Authorization: Bearer x", "User-Agent: test",
		"Sec-WebSocket-Protocol: soap", "Sec-WebSocket-Protocol: curfew.raw, curfew.v1"))
	if refusal != nil {
		t.Fatal(refusal)
	}
	want := Request{
		Path: "/", Query: "node=n2", Host: "localhost", Origin: "http://localhost",
		Authorization: "Bearer x", UserAgent: "test", Protocol: "curfew.raw", key: netlooptest.Key,
	}
	if *r != want {
		t.Errorf("request %+v, want %+v", *r, want)
	}
}

// TestHeadScanner_AnySplit cuts heads at each byte: the verdict comes at the same place.
func TestHeadScanner_AnySplit(t *testing.T) {
	for _, head := range []string{
		netlooptest.Handshake("/ws") + "more",
		"GET / HTTP/1.1\r\nHost: x\nmore",
		"GET / HTTP/1.1\r\n" + strings.Repeat("a:b\r\n", headerLinesMax+1),
		strings.Repeat("a", headBytesMax),
	} {
		b := []byte(head)
		var whole headScanner
		wantEnd, wantRefusal := whole.scan(b)
		for size := range 50 {
			var s headScanner
			var end int
			var r *Refusal
			for n := 0; n < len(head) && end == 0 && r == nil; {
				n = min(n+size+1, len(head))
				end, r = s.scan(b[:n])
			}
			if end != wantEnd || (r == nil) != (wantRefusal == nil) ||
				r != nil && r.Status != wantRefusal.Status {
				t.Errorf("%.40q in pieces of %d: %d, %v, want %d, %v",
					head, size+1, end, r, wantEnd, wantRefusal)
			}
		}
	}
}

func TestSwitchProtocols(t *testing.T) {
	answer, err := switchProtocols(
		&Request{Path: "/ws", Host: "x", Protocol: "curfew.raw", key: netlooptest.Key}, "A: b\r\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"HTTP/1.1 101 Switching Protocols\r\n",
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
		"Sec-WebSocket-Protocol: curfew.raw\r\n", "A: b\r\n",
	} {
		if !bytes.Contains(answer, []byte(want)) {
			t.Errorf("the answer %q lacks %q", answer, want)
		}
	}
}

func TestSameOrigin(t *testing.T) {
	for _, c := range []struct {
		allowed      []string
		loopback     bool
		origin, host string
		want         bool
	}{
		{nil, false, "https://a.example", "a.example", true},
		{nil, false, "https://a.example", "a.example:443", true},
		{nil, false, "http://A.example:8079", "a.example:8079", true},
		{nil, false, "http://a.example:8080", "a.example:8079", false},
		{nil, false, "http://a.example", "b.example", false},
		{nil, false, "http://a.example", "a.example:8079", false},
		{nil, false, "null", "a.example", false},
		{nil, false, "", "", false},
		{nil, true, "http://localhost:8079", "localhost:8079", true},
		{nil, true, "http://127.0.0.1:8079", "127.0.0.1:8079", true},
		{nil, true, "http://[::1]", "[::1]", true},
		{nil, true, "http://rebound.example:8079", "rebound.example:8079", false},
		{[]string{"https://a.example"}, true, "https://a.example", "localhost", true},
		{[]string{"https://a.example:443"}, false, "HTTPS://A.example", "x", true},
		{[]string{"https://a.example"}, false, "http://a.example", "x", false},
		{[]string{"https://a.example"}, false, "http://b.example", "b.example", true},
		{[]string{"null"}, false, "null", "x", true},
		{[]string{"*"}, true, "http://evil.example", "x", true},
	} {
		if got := SameOrigin(c.allowed, c.loopback)(c.origin, c.host); got != c.want {
			t.Errorf("SameOrigin(%q, %v)(%q, %q) = %v, want %v",
				c.allowed, c.loopback, c.origin, c.host, got, c.want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false,
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := IsLoopback(a); got != want {
			t.Errorf("IsLoopback(%s) = %v, want %v", addr, got, want)
		}
	}
	if IsLoopback(&net.UnixAddr{Name: "/x"}) {
		t.Error("a path is taken for a loopback address")
	}
}

// FuzzHead looks for heads that crash the parser, or whose verdict depends on how they are cut.
func FuzzHead(f *testing.F) {
	f.Add(netlooptest.Handshake("/ws", "Sec-WebSocket-Protocol: a, curfew.raw"), 3)
	f.Add(netlooptest.Handshake("http://[::1]:80?x", "Content-Length: 0", "Origin: null"), 100)
	f.Add("GET / HTTP/1.1\r\n\r\n", 1)
	f.Add("\r\n", 1)
	f.Fuzz(func(t *testing.T, head string, size int) {
		if size < 1 {
			t.Skip()
		}
		r, refusal := parseHead(head)
		if r != nil {
			if _, err := switchProtocols(r, ""); err != nil {
				t.Errorf("%q is a proper handshake, and gobwas/ws says %v", head, err)
			}
		}
		var s headScanner
		var end int
		var cut *Refusal
		for n := 0; n < len(head) && end == 0 && cut == nil; {
			n = min(n+size, len(head))
			end, cut = s.scan([]byte(head[:n]))
		}
		var whole headScanner
		wholeEnd, wholeRefusal := whole.scan([]byte(head))
		if end != wholeEnd || (cut == nil) != (wholeRefusal == nil) && len(head) < headBytesMax {
			t.Errorf("%q in pieces of %d: %d, %v, in one: %d, %v (%v)",
				head, size, end, cut, wholeEnd, wholeRefusal, refusal)
		}
	})
}
