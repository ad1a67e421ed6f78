package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// application is one behind a URL. It lets in whose token is a name, and notes what it hears.
type application struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string
	wait  chan struct{} // what call waits for
}

func newApplication(t *testing.T) *application {
	t.Helper()
	a := &application{wait: make(chan struct{})}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *application) note(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = append(a.heard, fmt.Sprintf(format, args...))
}

// noted is what was heard of a session, in order.
func (a *application) noted(session string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, h := range a.heard {
		if s, ok := strings.CutPrefix(h, session+" "); ok {
			all = append(all, s)
		}
	}
	return strings.Join(all, "; ")
}

func (a *application) serve(w http.ResponseWriter, r *http.Request) {
	session, user := r.Header.Get("Curfew-Session"), r.Header.Get("Curfew-User")
	body, _ := io.ReadAll(r.Body)
	switch event := r.Header.Get("Curfew-Event"); event {
	case "tools":
		fmt.Fprint(w, `{"tools":[{"name":"wait","description":"","inputSchema":{}}]}`)
	case "connect":
		var in struct {
			Token, Remote, Subprotocol, Origin string
			UserAgent                          string `json:"user_agent"`
		}
		_ = json.Unmarshal(body, &in) // what is missing is noted as missing
		a.note("%s connect token=%s protocol=%s origin=%s agent=%s", session, in.Token,
			in.Subprotocol, in.Origin, in.UserAgent)
		switch in.Token {
		case "nobody":
			w.WriteHeader(http.StatusUnauthorized)
		case "banned":
			w.WriteHeader(http.StatusForbidden)
		case "broken":
			w.WriteHeader(http.StatusInternalServerError)
		}
		if in.Token != "" { // else nobody is named, since no header may be empty
			w.Header().Set("Curfew-User", in.Token)
		}
	case "message":
		a.note("%s %s message %s %s", session, user, r.Header.Get("Content-Type"), body)
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		if string(body) == `"fail"` {
			w.WriteHeader(http.StatusBadGateway)
		}
		if string(body) == `"silence"` {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = w.Write(body)
	case "call":
		a.note("%s %s call %s", session, user, body)
		<-a.wait
		fmt.Fprint(w, `{"text":"done"}`)
	default:
		a.note("%s %s %s %s", session, user, event, body)
	}
}

// operate asks the operator's API.
func (r *running) operate(
	method, path, body string, headers ...string,
) (status int, answer string) {
	r.t.Helper()
	q, err := http.NewRequest(method, "http://"+r.admin+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Set(name, value)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// dial connects without an upgrade.
func (r *running) dial() *netlooptest.Client {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	c := netlooptest.New(r.t, nc)
	c.Patience = patience
	return c
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come that %s", what)
		}
		<-tick.C
	}
}

// inBothModes runs f with each mode of the daemon.
func inBothModes(t *testing.T, f func(t *testing.T, mode string)) {
	t.Helper()
	for _, mode := range []string{"epoll", "goroutine"} {
		t.Run("mode="+mode, func(t *testing.T) {
			t.Parallel()
			f(t, mode)
		})
	}
}

func TestApplication_Conversation(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		t.Helper()
		app := newApplication(t)
		r := start(t, []string{"--backend", app.URL, "--mode", mode, "--drain-window", "0"}, nil)
		c := netlooptest.Dial(t, r.addr, "/ws", "Origin: http://localhost", "User-Agent: test")
		// What follows the hello at once waits until the application has let the client in.
		c.Text(`{"op":"hello","token":"ann"}`)
		c.Text(`{"op":"message","data":{"n":12345678901234567890},"request_id":1}`)
		c.Text(`{"op":"message","data":"silence","request_id":2}`)
		c.Text(`{"op":"message","data":"fail","request_id":3}`)
		session := ackOf(t, c)
		c.Want(`text {"op":"message_res","request_id":1,"data":{"n":12345678901234567890}}`)
		if got := c.Next(); !strings.Contains(got, `"code":"SERVICE_UNAVAILABLE"`) ||
			!strings.Contains(got, `"request_id":3`) {
			t.Errorf("a failure is answered by %s", got)
		}
		c.Text(`{"op":"call_tool","name":"dig","request_id":"d"}`)
		if got := c.Next(); !strings.Contains(got, `"code":"TOOL_NOT_FOUND"`) {
			t.Errorf("a tool that is not there: %s", got)
		}
		c.Text(`{"op":"call_tool","name":"wait","arguments":{"a":1},"request_id":"w"}`)
		c.Want(`text {"op":"call_tool_ack","request_id":"w","accepted":true,"timeout":30,` +
			`"name":"wait"}`)
		c.Next() // progress
		eventually(t, "the call is there", func() bool {
			return strings.Contains(app.noted(session), "ann call")
		})
		c.Text(`{"op":"message","data":"meanwhile","request_id":4}`)
		c.Want(`text {"op":"message_res","request_id":4,"data":"meanwhile"}`)
		close(app.wait)
		c.Want(`text {"op":"call_tool_res","request_id":"w",` +
			`"outputs":[{"type":"text","text":"done"}],"text":"done"}`)
		r.signals <- syscall.SIGTERM
		if got := c.Next(); !strings.Contains(got, "goodbye") {
			t.Errorf("drained with %s", got)
		}
		c.Want("close 4100 draining")
		c.Close(1000)
		c.Want("eof")
		asked, _ := r.logged("stopped")["application"].(map[string]any)
		if asked["message_ok"] != 3.0 || asked["message_failed"] != 1.0 ||
			asked["disconnect_ok"] != 1.0 || asked["ends_dropped"] != 0.0 {
			t.Errorf("the last line counts %v", asked)
		}
		if err := r.wait(); err != nil {
			t.Errorf("Run = %v", err)
		}
		// The process is over, so all that was to be told was told.
		want := "connect token=ann protocol= origin=http://localhost agent=test; " +
			`ann message application/json {"n":12345678901234567890}; ` +
			`ann message application/json "silence"; ann message application/json "fail"; ` +
			`ann call {"name":"wait","arguments":{"a":1},"request_id":"w"}; ` +
			`ann message application/json "meanwhile"; ann disconnect {"reason":"drained"}`
		if got := app.noted(session); got != want {
			t.Errorf("the application heard\n%s\nwant\n%s", got, want)
		}
	})
}

// ackOf reads a hello_ack.
func ackOf(t *testing.T, c *netlooptest.Client) (session string) {
	t.Helper()
	var ack struct {
		OK        bool
		SessionID string `json:"session_id"`
	}
	got := strings.TrimPrefix(c.Next(), "text ")
	if err := json.Unmarshal([]byte(got), &ack); err != nil || !ack.OK {
		t.Fatalf("hello is answered by %s", got)
	}
	return ack.SessionID
}

func TestApplication_WhomItRefuses(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		t.Helper()
		app := newApplication(t)
		r := start(t, []string{"--backend", app.URL, "--mode", mode, "--drain-window", "0"}, nil)
		for token, name := range map[string]string{
			"nobody": "unauthorized 4003", "banned": "unauthorized 4003",
			"broken": "unavailable 1013",
		} {
			name, code, _ := strings.Cut(name, " ")
			c := netlooptest.Dial(t, r.addr, "/ws")
			c.Text(`{"op":"hello","token":"` + token + `"}`)
			c.Want(`text {"op":"hello_ack","ok":false,"error":"`+name+`"}`, "close "+code+" "+name)
		}
		for token, status := range map[string]int{"nobody": 401, "banned": 403, "broken": 503} {
			got := r.dial().Upgrade("/ws", "Sec-WebSocket-Protocol: curfew.raw",
				"Authorization: Bearer "+token).StatusCode
			if got != status {
				t.Errorf("raw, %s: status %d, want %d", token, got, status)
			}
		}
		app.Close()
		c := netlooptest.Dial(t, r.addr, "/ws")
		c.Text(`{"op":"hello","token":"ann"}`)
		c.Want(`text {"op":"hello_ack","ok":false,"error":"unavailable"}`, "close 1013 unavailable")
		_, list := r.operate("GET", "/v1/sessions", "")
		if !strings.Contains(list, `"sessions":[]`) {
			t.Errorf("who was refused stays: %s", list)
		}
	})
}

func TestApplication_Raw(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		t.Helper()
		app := newApplication(t)
		r := start(t, []string{"--backend", app.URL, "--mode", mode, "--drain-window", "0"}, nil)
		c := r.dial()
		answer := c.Upgrade("/ws", "Sec-WebSocket-Protocol: curfew.raw",
			"Authorization: Bearer bob")
		session := answer.Header.Get("Curfew-Session")
		if answer.StatusCode != 101 || len(session) != 32 {
			t.Fatalf("upgrade: %s, session %q", answer.Status, session)
		}
		const n = 300 // more than may wait: the connection is held meanwhile, and nothing is lost
		for i := range n {
			c.Text(fmt.Sprint(i))
		}
		for i := range n {
			c.Want("text " + fmt.Sprint(i))
		}
		c.Binary([]byte{0, 255})
		c.Want("binary 00ff")
		if status, _ := r.operate("POST", "/v1/users/bob/messages", "hello",
			"Content-Type: text/plain"); status != 200 {
			t.Errorf("push: %d", status)
		}
		c.Want("text hello")
		c.Text("last") // is delivered, though its sender goes
		c.Close(1000)
		eventually(t, "the end is told", func() bool {
			return strings.HasSuffix(app.noted(session),
				`bob message text/plain; charset=utf-8 last; bob disconnect {"reason":"closed"}`)
		})
	})
}

func TestOperator_SessionsAndUsers(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	r := start(t, []string{
		"--backend", app.URL, "--drain-window", "0", "--max-sessions-per-user", "2",
	}, nil)
	hello := func(more string) (*netlooptest.Client, string) {
		c := netlooptest.Dial(t, r.addr, "/ws")
		c.Text(`{"op":"hello","token":"a/b"` + more + `}`)
		return c, ackOf(t, c)
	}
	first, firstID := hello("")
	second, secondID := hello(`,"want":{"resume":true}`)
	user := "/v1/users/" + url.PathEscape("a/b")
	status, answer := r.operate("POST", user+"/messages", `{"x":[1]}`,
		"Content-Type: application/json")
	var count struct{ Sent, Refused int }
	err := json.Unmarshal([]byte(answer), &count)
	if err != nil || status != 200 || count.Sent != 2 {
		t.Errorf("push to a user: %d %s", status, answer)
	}
	first.Want(`text {"op":"message","data":{"x":[1]}}`)
	second.Want(`text {"op":"message","seq":1,"data":{"x":[1]}}`)
	second.Text(`{"op":"ack","seq":1}`)
	second.Text(`{"op":"ping"}`)
	second.Next()
	third, thirdID := hello("") // the idlest goes
	first.Want("close 4302 session limit")
	if status, _ := r.operate("GET", "/v1/sessions/"+firstID, ""); status != 404 {
		t.Errorf("the evicted session: %d", status)
	}
	if status, _ := r.operate("DELETE", "/v1/sessions/"+secondID, ""); status != 204 {
		t.Errorf("kick: %d", status)
	}
	second.Want("close 4301 session revoked")
	if status, answer := r.operate("DELETE", user+"/sessions", ""); status != 200 ||
		!strings.Contains(answer, `"ended":1`) {
		t.Errorf("kick a user: %d %s", status, answer)
	}
	third.Want("close 4301 session revoked")
	for id, reason := range map[string]string{
		firstID: "evicted", secondID: "revoked", thirdID: "revoked",
	} {
		eventually(t, "the end is told", func() bool {
			return strings.HasSuffix(app.noted(id), `a/b disconnect {"reason":"`+reason+`"}`)
		})
	}
}

func TestOperator_DrainEndsTheProcess(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"--drain-window", "10s"}, nil)
	if status, _ := r.operate("GET", "/readyz", ""); status != 200 {
		t.Errorf("readyz: %d", status)
	}
	c, _ := r.hello("")
	c.Text(`{"op":"call_tool","name":"sleep","arguments":{"ms":300},"request_id":1}`)
	c.Next() // call_tool_ack
	if status, _ := r.operate("POST", "/v1/drain", ""); status != 202 {
		t.Errorf("drain: %d", status)
	}
	r.logged("draining")
	if status, answer := r.operate("GET", "/readyz", ""); status != 503 {
		t.Errorf("readyz of a draining daemon: %d %s", status, answer)
	}
	if status, _ := r.operate("GET", "/livez", ""); status != 200 {
		t.Errorf("livez of a draining daemon: %d", status)
	}
	_, answer := r.operate("GET", "/v1/status", "")
	for _, want := range []string{
		`"state":"draining"`, `"window_s":10,"connections":1,"remaining":1}`,
	} {
		if !strings.Contains(answer, want) {
			t.Errorf("the status of a draining daemon has no %s: %s", want, answer)
		}
	}
	for got := c.Next(); !strings.Contains(got, "goodbye"); got = c.Next() {
		if strings.HasPrefix(got, "close") || got == "eof" {
			t.Fatalf("%s before goodbye", got)
		}
		if strings.Contains(got, "call_tool_res") {
			c.Text(`{"op":"ping"}`) // the call has finished first
		}
	}
	c.Want("close 4100 draining")
	c.Close(1000)
	c.Want("eof")
	if err := r.wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestOperator_HangupReadsItsTokensAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, []string{"--admin-token-file", file}, nil)
	ask := func(token string) int {
		status, _ := r.operate("GET", "/v1/sessions", "", "Authorization: Bearer "+token)
		return status
	}
	if a, b := ask("one"), ask("two"); a != 200 || b != 401 {
		t.Errorf("the token: %d, another: %d", a, b)
	}
	if err := os.WriteFile(file, []byte("two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.signals <- syscall.SIGHUP
	r.logged("tokens read again")
	if a, b := ask("one"), ask("two"); a != 401 || b != 200 {
		t.Errorf("the old token: %d, the new one: %d", a, b)
	}
}
