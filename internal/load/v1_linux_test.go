package load

import (
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/wsframe"
)

func TestClient_EchoJSON(t *testing.T) {
	for name, o := range map[string]Options{
		"json": {}, "resumable": {Resume: true}, "acks each": {Resume: true, AckEvery: 1},
	} {
		var s v1Server
		c := join(t, &s, 5, o)
		for _, o := range []EchoOptions{
			{Count: 500}, {Count: 50, Bytes: 4096}, {Count: 100, Rate: 10000},
		} {
			r, err := c.Echo(o)
			if err != nil || r.Received != o.Count || r.Wrong+r.Lost+r.Unsent > 0 {
				t.Errorf("%s: Echo(%+v) = %+v, %v", name, o, r, err)
			}
		}
		s.mu.Lock()
		want := 0
		if o.Resume {
			want = 650 / c.o.AckEvery
		}
		// The last ones of each connection may still be under way, or not have been due.
		if s.acks < want-2*5 || s.acks > want {
			t.Errorf("%s: %d acks, want %d or a few less", name, s.acks, want)
		}
		s.mu.Unlock()
		if len(c.partial) > 0 || c.Open() != 5 {
			t.Errorf("%s: %d open and %d unfinished, want 5 and 0", name, c.Open(), len(c.partial))
		}
	}
}

func TestClient_EchoJSONCountsWrongNumbers(t *testing.T) {
	t.Parallel()
	c := join(t, &v1Server{faults: faults{skips: true}}, 3, Options{Resume: true})
	r, err := c.Echo(EchoOptions{Count: 9, GiveUp: 500 * time.Millisecond})
	if err != nil || r.Wrong != 3 || r.Lost != 3 {
		t.Errorf("Echo() = %+v, %v, want 3 wrong and lost", r, err)
	}
}

func TestClient_HelloThatGetsNoSession(t *testing.T) {
	t.Parallel()
	const ack = `{"op":"hello_ack","ok":true,`
	for answer, want := range map[string]string{
		`{"op":"hello_ack","ok":false,"error":"session_limit","retry_after":5}`: "hello_" +
			"session_limit",
		`{"op":"welcome"}`:                         "bad_hello_answer",
		`nothing`:                                  "bad_hello_answer",
		ack + `"session_id":""}`:                   "no_session_in_hello_answer",
		ack + `"session_id":"s"}`:                  "no_resume_token_in_hello_answer",
		ack + `"session_id":"s","resume_token":1}`: "bad_hello_answer",
		"": "no_hello_answer",
	} {
		server := serveText(t, func([]byte) []byte {
			if answer == "" {
				return []byte{}
			}
			return text("%s", answer)
		})
		c, err := New(Options{Address: server, Protocol: JSON, Resume: true})
		if err != nil {
			t.Fatal(err)
		}
		o := ConnectOptions{Connections: 1}
		if answer == "" {
			o.GiveUp = 200 * time.Millisecond
		}
		r, err := c.Connect(o)
		if err != nil || r.OK != 0 || r.Failed != 1 || r.Errors[want] != 1 || c.dialing != 0 {
			t.Errorf("answer %s: Connect() = %+v, %v, want %q", answer, r, err, want)
		}
		c.Close()
	}
}

// TestV1_Uninvited gives frames that are no answers to whoever counts what is wrong.
func TestV1_Uninvited(t *testing.T) {
	var s v1Server
	c := join(t, &s, 1, Options{})
	tasks := &holdTask{}
	c.task = tasks
	for _, frame := range []string{
		`{"op":"goodbye","retry_after_ms":1}`, `{"op":"pong"}`, `{"op":"message","data":"x"}`,
		`{"op":"error","error":{"code":"X"}}`, `]`,
		`{"op":"session_expired","session_id":"other","reason":"idle"}`,
	} {
		c.event(0, wsframe.Event{Kind: wsframe.Text, Payload: []byte(frame)}, 0)
	}
	if tasks.report.Messages != 4 || c.dialect.told(0) {
		t.Errorf("%d messages, told %v, want 4 and not told", tasks.report.Messages,
			c.dialect.told(0))
	}
	c.event(0, wsframe.Event{Kind: wsframe.Text, Payload: []byte(
		`{"op":"session_expired","session_id":"session-1","reason":"idle"}`)}, 0)
	if !c.dialect.told(0) {
		t.Error("not told, want told")
	}
}

func TestParseV1(t *testing.T) {
	abc := []byte("abc")
	for frame, want := range map[string]frameV1{
		`{"op":"message_res","data":"abc"}`: {op: "message_res", data: abc},
		`{"op":"message_res","seq":12,"data":""}`: {
			op: "message_res", seq: 12, data: []byte{},
		},
		`{"op":"message_res","request_id":1}`: {op: "message_res"},
		`{"data" : "abc", "op":"message_res","seq":3}`: {
			op: "message_res", seq: 3, data: abc,
		},
		`{"op":"message_res","data":"a\n"}`:          {op: "message_res"},
		`{"op":"message_res","data":["abc"]}`:        {op: "message_res"},
		`{"op":"message","data":"abc"}`:              {op: "message", data: abc},
		`{"op":"message_res","seq":01,"data":"abc"}`: {},
		`{"op":"message_res","data":"a"b"}`:          {},
		`{"op":"session_expired","session_id":"s","reason":"idle"}`: {
			op: "session_expired", sessionID: "s", reason: "idle",
		},
		``: {}, `{}`: {}, `null`: {}, `{"op":1}`: {},
	} {
		if got := parseV1([]byte(frame)); !same(got, want) {
			t.Errorf("parseV1(%s) = %+v, want %+v", frame, got, want)
		}
	}
}

func same(a, b frameV1) bool {
	return a.op == b.op && a.seq == b.seq && string(a.data) == string(b.data) &&
		(a.data == nil) == (b.data == nil) && a.sessionID == b.sessionID && a.reason == b.reason
}

// FuzzParseV1 holds that the short way to an answer gives what the long one does.
func FuzzParseV1(f *testing.F) {
	for _, s := range []string{
		`{"op":"message_res","data":"abc"}`, `{"op":"message_res","seq":12,"data":"x"}`,
		`{"op":"message_res","seq":1,"data":"x","data":"y"}`, `{"op":"message_res"`,
		`{"op":"message_res","seq":99999999999999999999,"data":"x"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		quick, ok := quickAnswer(b)
		long := parseV1(append([]byte(" "), b...)) // a space, and the short way is none
		isText := !strings.ContainsFunc(string(b), func(r rune) bool { return r < ' ' })
		if ok && isText && !same(quick, long) {
			t.Errorf("quickAnswer(%q) = %+v, want %+v", b, quick, long)
		}
		_ = parseV1(b)
	})
}
