package handshake

import (
	"runtime"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// browser is what a browser sends.
const browser = "GET /ws?room=7 HTTP/1.1\r\n" +
	"Host: app.example.com\r\n" +
	"Connection: Upgrade\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
	"Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\n" +
	"Origin: https://app.example.com\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"Sec-WebSocket-Key: " + netlooptest.Key + "\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" +
	"Sec-WebSocket-Protocol: curfew.v1\r\n\r\n"

// TestNoGarbage holds H3.
var sessionLine = []byte("Session: x\r\n")

func TestNoGarbage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and empties pools")
	}
	rules := *testRules
	rules.Origin = SameOrigin([]string{"https://other.example.com"}, false)
	for _, c := range []struct {
		name, head string
		refused    *Refusal
	}{
		{"a browser", browser, nil},
		{"a plain client", netlooptest.Handshake("/ws"), nil},
		{"absolute form", strings.Replace(browser, "/ws", "http://app.example.com/ws", 1), nil},
		{"behind proxies", netlooptest.Handshake("/ws",
			"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2",
			"Sec-WebSocket-Extensions: x", "Sec-WebSocket-Extensions: permessage-deflate"), nil},
		{"another path", netlooptest.Handshake("/other"), refusedPath},
		{
			"another origin", netlooptest.Handshake("/ws", "Origin: https://a.example"),
			refusedOrigin,
		},
		{"junk", "junk\r\n\r\n", refusedRequestLine},
	} {
		head := []byte(c.head)
		var p Parser
		var r *Refusal
		read := func() {
			var s Scanner
			var end int
			if end, r = s.Scan(head); r == nil {
				_, r = p.Parse(&rules, head[:end])
			}
		}
		out := make([]byte, 0, 1<<10)
		answer := func() {
			read()
			if r != nil {
				out = AppendRefusal(out[:0], r)
			} else if _, err := p.AppendAnswer(out[:0], sessionLine); err != nil {
				t.Error(err)
			}
		}
		answer()
		if r != c.refused {
			t.Errorf("%s: %v, want %v", c.name, r, c.refused)
		}
		if n := testing.AllocsPerRun(200, read); n != 0 {
			t.Errorf("%s: reading allocates %v times", c.name, n)
		}
		want := 1.0 // It is the upgrader's.
		if r != nil {
			want = 0
		}
		if n := testing.AllocsPerRun(200, answer); n != want {
			t.Errorf("%s: reading and answering allocate %v times, want %v", c.name, n, want)
		}
	}
}

// TestGarbageBytes: what one handshake leaves is small in bytes too.
func TestGarbageBytes(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and empties pools")
	}
	const runs = 1000
	var p Parser
	head := []byte(browser)
	out := make([]byte, 0, 1<<10)
	var before, after runtime.MemStats
	for i := range runs + 1 {
		if i == 1 { // The first one fills the pools.
			runtime.ReadMemStats(&before)
		}
		if _, r := p.Parse(benchRules, head); r != nil {
			t.Fatal(r)
		}
		if _, err := p.AppendAnswer(out, sessionLine); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / runs; n >= 64 {
		t.Errorf("a handshake leaves %d bytes of garbage, want less than 64", n)
	}
}
