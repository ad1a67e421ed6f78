package gateway

import (
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// fuzzed is a gateway that each input is sent to, over a connection of its own.
func fuzzed(f *testing.F) *Gateway {
	f.Helper()
	o := Options{ResumeWindow: time.Second, Backend: newPatient(false)}
	o.Logger = slog.New(slog.DiscardHandler)
	o.Net.Paths = []string{"/ws"}
	o.Net.HelloTimeout, o.Net.PingTimeout = time.Minute, time.Minute
	o.Net.MaxMessageBytes, o.Net.WriteBufferBytes = 1<<20, 4<<20
	g, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := g.Close(); err != nil {
			f.Error(err)
		}
		if n := g.replays.used.Load() + g.calls.running.Load(); n != 0 {
			f.Errorf("%d bytes and calls are left", n)
		}
	})
	return g
}

// connect upgrades a connection in memory.
func connect(t *testing.T, g *Gateway) *netlooptest.Client {
	t.Helper()
	server, client := net.Pipe()
	served := make(chan struct{})
	go func() {
		g.ServeConn(server)
		close(served)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		<-served
	})
	c := netlooptest.New(t, client)
	c.Patience = patience
	if r := c.Upgrade("/ws", "Sec-WebSocket-Protocol: curfew.v1"); r.StatusCode != 101 {
		t.Fatal(r.Status)
	}
	return c
}

// last is a frame whose answer comes after those of all before it.
const last = `{"op":"ping","request_id":"the last one of all"}`

// answers reads what the server says up to the answer to the last frame, or to the close.
func answers(t *testing.T, c *netlooptest.Client) (frames []map[string]json.RawMessage) {
	t.Helper()
	c.Text(last)
	for {
		got := c.Next()
		text, ok := strings.CutPrefix(got, "text ")
		if !ok {
			if !strings.HasPrefix(got, "close ") {
				t.Fatalf("the server said %q", got)
			}
			return frames
		}
		var frame map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &frame); err != nil {
			t.Fatalf("the server said %q: %v", text, err)
		}
		var op string
		if err := json.Unmarshal(frame["op"], &op); err != nil || op == "" {
			t.Fatalf("the server said %q, without an op", text)
		}
		if op == "pong" && string(frame["request_id"]) == `"the last one of all"` {
			return frames
		}
		frames = append(frames, frame)
	}
}

// FuzzHello sends anything as the first frame: it is answered by one hello_ack, which says no to
// what encoding/json does not take for a hello.
func FuzzHello(f *testing.F) {
	for _, s := range []string{
		`{"op":"hello"}`, `{"op":"hello","token":"x","session_id":[1],"want":{"resume":true}}`,
		`{"op":"hello","resume":{"token":"T","seq":1e3}}`,
		`{"op":"hello","want":{"idle_s":1e-300}}`,
		`{"op":"hello","want":{"idle_s":1e999}}`, `{"op":"hello","resume":{"seq":-0.0}}`, `[]`, ``,
		`{"op":"h\u0065llo","want":null,"resume":null,"token":null}`, `{"op":"ping"}`, `{"op":{}}`,
		`{"op":"hello","want":{"resume":true,"expiring":true},"resume":{}}`,
	} {
		f.Add(s)
	}
	g := fuzzed(f)
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 1<<20 {
			t.Skip() // such text does not reach the gateway
		}
		c := connect(t, g)
		c.Text(s)
		frames := answers(t, c)
		if len(frames) != 1 || string(frames[0]["op"]) != `"hello_ack"` {
			t.Fatalf("%q is answered by %s", s, frames)
		}
		var first map[string]json.RawMessage
		var op string
		valid := json.Unmarshal([]byte(s), &first) == nil &&
			json.Unmarshal(first["op"], &op) == nil
		if ok := string(frames[0]["ok"]) == "true"; ok && (!valid || op != "hello") {
			t.Errorf("%q is taken for a hello", s)
		}
	})
}

// FuzzRequest sends anything in a session: whatever is said about a request says which, and the
// connection stays.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"op":"message","data":9007199254740993,"request_id":"\u0000"}`, `{"op":"bye"}`,
		`{"op":"ack"}`,
		`{"op":"message","data":"count","request_id":1e400}`,
		`{"op":"list_tools","request_id":"é"}`,
		`{"op":"call_tool","name":"echo","arguments":{"text":"\ud800"},"request_id":-0}`,
		`{"op":"call_tool","name":"echo_EXAI-WS","arguments":{"text":"` + "\u2028" + `"}}`,
		`{"op":"call_tool","name":"\"\\","request_id":{}}`, `{"op":"health","request_id":1}`,
		`{"op":"session_info","request_id":"\""}`, `{"op":"message","data":[[[]]],"op":"ping"}`,
		`{"op":"call_tool","name":"panic","request_id":7}`,
		`{"op":"ack","seq":18446744073709551615}`,
		`{"op":"call_tool","name":"fail","arguments":{}}`, `{`, `null`,
		`{"op":"message","data":"none"}`,
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	g := fuzzed(f)
	f.Fuzz(func(t *testing.T, s string, resume bool) {
		if !utf8.ValidString(s) || len(s) > 1<<18 || strings.Contains(s, "wait") {
			t.Skip() // such text does not reach the gateway, or waits for us
		}
		c := connect(t, g)
		hello := `{"op":"hello"}`
		if resume {
			hello = `{"op":"hello","want":{"resume":true}}`
		}
		c.Text(hello)
		if got := c.Next(); !strings.HasPrefix(got, `text {"op":"hello_ack","ok":true`) {
			t.Fatalf("hello is answered by %q", got)
		}
		c.Text(s)
		c.Text(s)
		var sent map[string]json.RawMessage
		_ = json.Unmarshal([]byte(s), &sent) // else there is no request_id
		for _, frame := range answers(t, c) {
			id, ok := frame["request_id"]
			if ok && string(id) != string(sent["request_id"]) {
				t.Errorf("%q is answered with the request_id %s", s, id)
			}
			if _, ok := frame["seq"]; ok && !resume {
				t.Errorf("%q is answered with a seq in a session without resume", s)
			}
		}
		c.Text(`{"op":"bye"}`)
	})
}
