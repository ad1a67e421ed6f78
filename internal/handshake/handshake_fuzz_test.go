package handshake

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// FuzzHandshake reads requests at two splits, and holds what is accepted against net/http and
// gobwas/ws.
func FuzzHandshake(f *testing.F) {
	for _, head := range []string{
		browser,
		browser + "what follows",
		netlooptest.Handshake("/ws", "Sec-WebSocket-Protocol: a, curfew.raw"),
		netlooptest.Handshake("http://[::1]:80?x", "Content-Length: 0", "Origin: http://[::1]"),
		netlooptest.Handshake("wss://a.example/ws", "Connection: a", "Upgrade: b,,c"),
		netlooptest.Handshake("/?a b", "X-Forwarded-For: ,", "x-forwarded-for:\t::1 \t"),
		netlooptest.Handshake("/", "Authorization: \xff", "User-Agent: a", "User-Agent: b"),
		netlooptest.Handshake("/", "Sec-WebSocket-Extensions: a;b=\"c\"", "Origin: null"),
		netlooptest.Handshake("/", "Sec-WebSocket-Extensions: permessage-deflate,b,a"),
		netlooptest.Handshake("/", "Transfer-Encoding: chunked", "Content-Length: 0"),
		netlooptest.Handshake("/", " folded", "Space : x", "Bare: x\ny", "Return: x\ry"),
		netlooptest.Handshake("/", "Zero: \x00"),
		"POST / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\n\n",
		"\r\n",
	} {
		f.Add([]byte(head), uint16(3))
	}
	var p Parser
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		end, refusal := scanPieces(b, int(size)+1)
		whole, wholeRefusal := scanPieces(b, len(b)+1)
		if end != whole || refusal != wholeRefusal {
			t.Fatalf("in pieces of %d: %d, %v, in one: %d, %v",
				size+1, end, refusal, whole, wholeRefusal)
		}
		if end == 0 {
			return
		}
		r, refusal := p.Parse(testRules, b[:end])
		if refusal != nil {
			checkRefusal(t, refusal)
			return
		}
		req := checkRequest(t, b[:end], r)
		rest := bufio.NewReaderSize(bytes.NewReader(b), len(b)+16)
		if _, err := http.ReadRequest(rest); err != nil || rest.Buffered() != len(b)-end {
			t.Errorf("net/http leaves %d bytes, %v, want %d", rest.Buffered(), err, len(b)-end)
		}
		checkAnswer(t, &p, r, req)
		checkUpgrader(t, b[:end], req)
	})
}

// scanPieces scans b as it arrives.
func scanPieces(b []byte, size int) (end int, r *Refusal) {
	var s Scanner
	for n := 0; n < len(b) && end == 0 && r == nil; {
		n = min(n+size, len(b))
		end, r = s.Scan(b[:n])
	}
	return end, r
}

func checkRefusal(t *testing.T, r *Refusal) {
	t.Helper()
	if res := readAnswer(t, AppendRefusal(nil, r)); res.StatusCode != r.Status || !res.Close {
		t.Errorf("%+v is answered by %s", r, res.Status)
	}
}

// checkRequest holds a request that was accepted against what net/http makes of it.
func checkRequest(t *testing.T, head []byte, r *Request) *http.Request {
	t.Helper()
	lines := bytes.TrimSuffix(head, []byte("\r\n\r\n"))
	for line := range bytes.SplitSeq(lines, []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n\x00") || len(line) == 0 || isSpace(line[0]) {
			t.Errorf("the line %q was accepted", line)
		}
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		t.Fatalf("net/http does not accept it: %v", err)
	}
	if req.Method != http.MethodGet || req.ContentLength != 0 || req.Body != http.NoBody ||
		len(req.TransferEncoding) > 0 || len(req.Trailer) > 0 {
		t.Errorf("net/http reads %+v", req)
	}
	last := func(name string) string {
		values := req.Header.Values(name)
		return append([]string{""}, values...)[len(values)]
	}
	path := req.URL.Path
	if path == "" {
		path = "/"
	}
	for _, c := range []struct {
		what      string
		got       []byte
		want      string
		mayRepeat bool
	}{
		{"path", r.Path, path, true},
		{"query", r.Query, req.URL.RawQuery, true},
		{"host", r.Host, req.Host, true},
		{"Origin", r.Origin, last("Origin"), false},
		{"Authorization", r.Authorization, last("Authorization"), false},
		{"User-Agent", r.UserAgent, last("User-Agent"), true},
		{"X-Forwarded-For", r.ForwardedFor, strings.Join(req.Header["X-Forwarded-For"], ","), true},
		{"Sec-WebSocket-Version", []byte("13"), last("Sec-WebSocket-Version"), false},
	} {
		if string(c.got) != c.want || !c.mayRepeat && len(req.Header.Values(c.what)) > 1 {
			t.Errorf("%s is %q, and net/http reads %q %q", c.what, c.got, c.want,
				req.Header.Values(c.what))
		}
	}
	if (r.ForwardedFor == nil) != (req.Header["X-Forwarded-For"] == nil) {
		t.Errorf("ForwardedFor is %q, net/http reads %q",
			r.ForwardedFor, req.Header["X-Forwarded-For"])
	}
	return req
}

// checkAnswer holds the answer against the request, as net/http reads both.
func checkAnswer(t *testing.T, p *Parser, r *Request, req *http.Request) {
	t.Helper()
	b, err := p.AppendAnswer(nil, []byte("Session: x\r\n"))
	if err != nil {
		t.Fatalf("gobwas/ws does not accept it: %v", err)
	}
	res := readAnswer(t, b)
	want := http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Session": {"x"},
		"Sec-Websocket-Accept": {acceptOf(req)},
	}
	if r.Protocol != "" {
		want["Sec-Websocket-Protocol"] = []string{r.Protocol}
		offered := strings.Join(req.Header["Sec-Websocket-Protocol"], ",")
		if !hasItem([]byte(offered), r.Protocol) ||
			!slices.Contains(testRules.Protocols, r.Protocol) {
			t.Errorf("%q was chosen of %q", r.Protocol, offered)
		}
	}
	if r.Deflate.On() {
		want["Sec-Websocket-Extensions"] = res.Header["Sec-Websocket-Extensions"]
		offered := strings.Join(req.Header["Sec-Websocket-Extensions"], ",")
		if !strings.Contains(offered, "permessage-deflate") {
			t.Errorf("%q was answered to %q", want["Sec-Websocket-Extensions"], offered)
		}
	}
	if res.StatusCode != http.StatusSwitchingProtocols ||
		fmt.Sprint(res.Header) != fmt.Sprint(want) {
		t.Errorf("answer %s %v, want %v", res.Status, res.Header, want)
	}
}

// checkUpgrader shows the request to gobwas/ws as it came, where that does not ask for an upgrade
// in a form that gobwas/ws does not know.
func checkUpgrader(t *testing.T, head []byte, req *http.Request) {
	t.Helper()
	for _, v := range req.Header["Upgrade"] {
		if !strings.EqualFold(v, "websocket") {
			return
		}
	}
	for _, v := range req.Header["Connection"] {
		if !strings.EqualFold(v, "upgrade") {
			return
		}
	}
	rw := readWriter{in: bytes.NewReader(head)}
	if _, err := (ws.Upgrader{}).Upgrade(&rw); err != nil {
		t.Fatalf("gobwas/ws does not accept it: %v", err)
	}
	if got := readAnswer(t, rw.out).Header.Get("Sec-Websocket-Accept"); got != acceptOf(req) {
		t.Errorf("gobwas/ws accepts with %q, want %q", got, acceptOf(req))
	}
}

// acceptOf is Sec-WebSocket-Accept as RFC 6455 section 4.2.2 has it.
func acceptOf(req *http.Request) string {
	sum := sha1.Sum([]byte(req.Header.Get("Sec-Websocket-Key") +
		"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
