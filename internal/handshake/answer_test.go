package handshake

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// readAnswer is what net/http makes of an answer, all of which must be one.
func readAnswer(t *testing.T, b []byte) *http.Response {
	t.Helper()
	br := bufio.NewReader(bytes.NewReader(b))
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if rest, _ := io.ReadAll(br); res.StatusCode != http.StatusSwitchingProtocols && len(rest) > 0 {
		t.Errorf("%q holds more than one answer", b)
	}
	return res
}

func TestAppendAnswer(t *testing.T) {
	var p Parser
	for range 2 { // A parser answers many.
		head := []byte(netlooptest.Handshake("/ws", "Sec-WebSocket-Protocol: curfew.raw",
			"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10"))
		if _, r := p.Parse(testRules, head); r != nil {
			t.Fatal(r)
		}
		clear(head) // The answer does not need it.
		b, err := p.AppendAnswer([]byte("before"), []byte("A: b\r\nC: d\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		b, ok := bytes.CutPrefix(b, []byte("before"))
		if !ok || !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
			t.Errorf("answer %q", b)
		}
		res := readAnswer(t, b)
		want := http.Header{
			"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
			"Sec-Websocket-Accept":   {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
			"Sec-Websocket-Protocol": {"curfew.raw"},
			"Sec-Websocket-Extensions": {"permessage-deflate;server_no_context_takeover;" +
				"client_no_context_takeover;server_max_window_bits=10"},
			"A": {"b"}, "C": {"d"},
		}
		if res.StatusCode != http.StatusSwitchingProtocols || !reflect.DeepEqual(res.Header, want) {
			t.Errorf("answer %s %v, want %v", res.Status, res.Header, want)
		}

		if _, r := p.Parse(testRules, []byte(netlooptest.Handshake("/ws"))); r != nil {
			t.Fatal(r)
		}
		if got := answerTo(t, &p); len(got) != 3 {
			t.Errorf("a plain answer has %v, want three headers", got)
		}
	}
}

func TestAppendAnswer_NothingToAnswer(t *testing.T) {
	var p Parser
	if b, err := p.AppendAnswer([]byte("x"), nil); err == nil || string(b) != "x" {
		t.Errorf("before any request: %q, %v", b, err)
	}
	if _, r := p.Parse(testRules, []byte(netlooptest.Handshake("/ws"))); r != nil {
		t.Fatal(r)
	}
	if _, r := p.Parse(testRules, []byte(netlooptest.Handshake("/other"))); r == nil {
		t.Fatal("another path is served")
	}
	if b, err := p.AppendAnswer([]byte("x"), nil); err == nil || string(b) != "x" {
		t.Errorf("after a refusal: %q, %v", b, err)
	}
}

func TestAppendRefusal(t *testing.T) {
	for _, c := range []struct {
		r    *Refusal
		want string
	}{
		{
			&Refusal{Status: 503, Reason: "no session is free", Header: "Retry-After: 5\r\n"},
			"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n" +
				"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\n" +
				"Connection: close\r\n\r\nno session is free\n",
		},
		{
			refusedKey,
			"HTTP/1.1 400 Bad Request\r\n" +
				"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 44\r\n" +
				"Connection: close\r\n\r\nSec-WebSocket-Key is not 16 bytes of base64\n",
		},
	} {
		got := AppendRefusal([]byte("before "), c.r)
		if string(got) != "before "+c.want {
			t.Errorf("answer %q, want %q", got, c.want)
		}
		res := readAnswer(t, []byte(strings.TrimPrefix(string(got), "before ")))
		if res.StatusCode != c.r.Status || !res.Close {
			t.Errorf("net/http reads %s, close %v", res.Status, res.Close)
		}
	}
}
