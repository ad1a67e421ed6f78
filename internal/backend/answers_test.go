package backend

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestGrantOf(t *testing.T) {
	long := strings.Repeat("u", userBytesMax)
	for _, c := range []struct {
		header http.Header
		want   Grant
		ok     bool
	}{
		{http.Header{}, Grant{}, true},
		{
			http.Header{
				userHeader: {"ann@x"}, idleHeader: {"90"}, lifetimeHeader: {"0.25"},
			},
			Grant{User: "ann@x", Idle: 90 * time.Second, Lifetime: 250 * time.Millisecond},
			true,
		},
		{http.Header{userHeader: {long}}, Grant{User: long}, true},
		{http.Header{userHeader: {long + "u"}}, Grant{}, false},
		{http.Header{userHeader: {""}}, Grant{}, false},
		{http.Header{userHeader: {"a", "b"}}, Grant{}, false},
		{http.Header{userHeader: {"a b"}}, Grant{}, false},
		{http.Header{userHeader: {"\u00e4"}}, Grant{}, false},
		{http.Header{userHeader: {"a\x7f"}}, Grant{}, false},
		{http.Header{idleHeader: {"0.0000000001"}}, Grant{Idle: 1}, true},
		{http.Header{idleHeader: {strings.Repeat("9", 400)}}, Grant{Idle: math.MaxInt64}, true},
		{http.Header{idleHeader: {"0"}}, Grant{}, false},
		{http.Header{idleHeader: {""}}, Grant{}, false},
		{http.Header{idleHeader: {"-1"}}, Grant{}, false},
		{http.Header{idleHeader: {"1e3"}}, Grant{}, false},
		{http.Header{idleHeader: {"Inf"}}, Grant{}, false},
		{http.Header{idleHeader: {"NaN"}}, Grant{}, false},
		{http.Header{idleHeader: {"."}}, Grant{}, false},
		{http.Header{idleHeader: {"1.2.3"}}, Grant{}, false},
		{http.Header{lifetimeHeader: {"1s"}}, Grant{}, false},
		{http.Header{lifetimeHeader: {"1", "2"}}, Grant{}, false},
	} {
		got, err := grantOf(c.header)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("grantOf(%v) = %v, %v; want %v, ok %v", c.header, got, err, c.want, c.ok)
		}
	}
}

func TestResultFrom(t *testing.T) {
	for _, c := range []struct{ body, outputs, text string }{
		{`{"text":"a"}`, `[{"type":"text","text":"a"}]`, "a"},
		{`{"text":""}`, `[{"type":"text","text":""}]`, ""},
		{`{"outputs":[]}`, `[]`, ""},
		{
			`{"outputs":[{"type":"text","text":"a"},` +
				`{"type":"image","text":7,"n":9007199254740993},` +
				`{"type":"text","text":"b"}],"text":"c"}`,
			`[{"type":"text","text":"a"},{"type":"image","text":7,"n":9007199254740993},` +
				`{"type":"text","text":"b"}]`,
			"a\nb",
		},
		{``, "", ""},
		{`{}`, "", ""},
		{`[]`, "", ""},
		{`null`, "", ""},
		{`{"text":null}`, "", ""},
		{`{"text":1}`, "", ""},
		{`{"text":"a"} x`, "", ""},
		{`{"outputs":null}`, "", ""},
		{`{"outputs":{}}`, "", ""},
		{`{"outputs":[null]}`, "", ""},
		{`{"outputs":["a"]}`, "", ""},
		{`{"outputs":[{"text":"a"}]}`, "", ""},
		{`{"outputs":[{"type":"text"}]}`, "", ""},
		{`{"outputs":[{"type":"text","text":null}]}`, "", ""},
		{`{"outputs":[{"type":"text","text":1}]}`, "", ""},
		{"{\"outputs\":[{\"type\":\"text\",\"text\":\"\xff\"}]}", "", ""},
	} {
		r, err := resultFrom([]byte(c.body))
		if (err == nil) != (c.outputs != "") || string(r.Outputs) != c.outputs || r.Text != c.text {
			t.Errorf("resultFrom(%s) = %s, %q, %v", c.body, r.Outputs, r.Text, err)
		}
	}
}

func TestToolsFrom(t *testing.T) {
	tools, err := toolsFrom([]byte(`{"tools":[{"name":"a","description":"d",` +
		`"inputSchema":{"type":"object","x":1}},{"name":"b"},{"name":"c","inputSchema":null}]}`))
	if err != nil || len(tools) != 3 || tools[0].Description != "d" ||
		string(tools[0].InputSchema) != `{"type":"object","x":1}` ||
		string(tools[1].InputSchema) != string(anyInput) ||
		string(tools[2].InputSchema) != string(anyInput) {
		t.Errorf("toolsFrom = %v, %v", tools, err)
	}
	if tools, err := toolsFrom([]byte(`{"tools":[]}`)); err != nil || tools == nil {
		t.Errorf("toolsFrom(no tools) = %v, %v", tools, err)
	}
	for _, body := range []string{
		``, `{}`, `[]`, `{"tools":null}`, `{"tools":{}}`, `{"tools":[{}]}`, `{"tools":[null]}`,
		`{"tools":[{"name":""}]}`, `{"tools":[{"name":1}]}`,
		`{"tools":[{"name":"a"},{"name":"a"}]}`,
		`{"tools":[{"name":"a","inputSchema":[]}]}`, `{"tools":[{"name":"a","inputSchema":"x"}]}`,
		"{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"\xff\":1}}]}",
	} {
		if tools, err := toolsFrom([]byte(body)); err == nil {
			t.Errorf("toolsFrom(%s) = %v", body, tools)
		}
	}
}

func TestRetryAfterOf(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"3":                             3 * time.Second,
		"-3":                            0,
		"soon":                          0,
		"99999999999999999999":          0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfterOf(http.Header{"Retry-After": {value}}, at); got != want {
			t.Errorf("retryAfterOf(%q) = %v, want %v", value, got, want)
		}
	}
}

// FuzzAnswers reads whatever an application might answer: what is accepted can go to a client.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []struct{ body, contentType, user, seconds string }{
		{`{"text":"a"}`, "application/json", "ann", "1.5"},
		{`{"outputs":[{"type":"text","text":"a"},{"type":"x"}]}`, "text/plain", "", ""},
		{`{"tools":[{"name":"a","inputSchema":{}}]}`, "text/x; charset=\"utf-8\"", "a b", "1e9"},
		{"\xff", "application/x+json;charset=utf-16", "\x00", "99999999999999999999"},
	} {
		f.Add([]byte(seed.body), seed.contentType, seed.user, seed.seconds)
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType, user, seconds string) {
		if r, err := resultFrom(body); err == nil {
			sound(t, r.Outputs)
			if !utf8.ValidString(r.Text) || r.Outputs[0] != '[' {
				t.Errorf("resultFrom(%q) = %q, %q", body, r.Outputs, r.Text)
			}
		}
		if tools, err := toolsFrom(body); err == nil {
			data, err := json.Marshal(tools)
			if err != nil || tools == nil {
				t.Errorf("toolsFrom(%q) = %v, which cannot be written: %v", body, tools, err)
			}
			sound(t, data)
		}
		m, err := MessageOf(contentType, body)
		if err == nil && m.Kind == JSON {
			sound(t, m.Data)
		}
		if err == nil && m.Kind == Text && !utf8.Valid(m.Data) || m.Kind > Binary {
			t.Errorf("MessageOf(%q, %q) = %v", contentType, body, m)
		}
		g, err := grantOf(http.Header{userHeader: {user}, idleHeader: {seconds}})
		if err == nil && (g.Idle <= 0 || g.User == "" || !visible(g.User)) {
			t.Errorf("grantOf(%q, %q) = %v", user, seconds, g)
		}
		if d := retryAfterOf(http.Header{"Retry-After": {seconds}}, time.Time{}); d < 0 {
			t.Errorf("retryAfterOf(%q) = %v", seconds, d)
		}
	})
}

// sound fails unless data can stand in a text frame as JSON.
func sound(t *testing.T, data []byte) {
	t.Helper()
	if !json.Valid(data) || !utf8.Valid(data) {
		t.Errorf("%q is no JSON in UTF-8", data)
	}
}
