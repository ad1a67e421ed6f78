package gateway

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// The defects of the daemon that Curfew replaces, each as a test. They are found in its source and
// in what its clients had to work around.

// resumable is what a client says who wants to come back, and what it needs for that.
func (w *world) resumable(more string) (c *netlooptest.Client, session, token string) {
	w.t.Helper()
	c, ack := w.greeted(`{"op":"hello","want":{"resume":true}` + more + `}`)
	if !ack.OK || len(ack.SessionID) != sessionIDBytes || len(ack.ResumeToken) != resumeTokenBytes {
		w.t.Fatalf("hello is answered by %+v", ack)
	}
	return c, ack.SessionID, ack.ResumeToken
}

// TestOldDaemon_ErrorsNameTheirRequest: its error frames had neither op nor request_id, so that a
// client with two requests could not tell which had failed.
func TestOldDaemon_ErrorsNameTheirRequest(t *testing.T) {
	bubble(t, Options{Backend: newPatient(false), SessionMaxInflight: 1}, func(w *world) {
		c, _ := w.hello("")
		c.Text(`{"op":"call_tool","name":"wait","arguments":{"on":"g"},"request_id":"held"}`)
		c.Next()
		c.Next()
		for id, request := range map[string]string{
			`"a"`: `"op":"call_tool","name":"none"`,
			`"b"`: `"op":"call_tool"`,
			`"c"`: `"op":"call_tool","name":"echo","arguments":[]`,
			`"d"`: `"op":"call_tool","name":"echo"`, // one is in flight already
			`"e"`: `"op":"message"`,
			`"f"`: `"op":"message","data":"fail"`,
			`"g"`: `"op":"message","data":"binary"`,
			`"h"`: `"op":"nonsense"`,
			`"i"`: `"op":"hello"`,
			`"j"`: `"op":"ack"`,
			`"k"`: `"op":7`,
			`-1`:  `"noop":""`,
		} {
			c.Text(`{"request_id":` + id + `,` + request + `}`)
			got := c.Next()
			if !strings.HasPrefix(got, `text {"op":"error","error":{"code":"`) ||
				!strings.HasSuffix(got, `,"request_id":`+id+`}`) {
				w.t.Errorf("%s is answered by %s", request, got)
			}
		}
		c.Text(`{"op":"call_tool","name":"echo","request_id":"held"}`)
		c.Want(`text {"op":"error","error":{"code":"DUPLICATE","message":` +
			`"this request is in flight"},"request_id":"held"}`)
	})
}

// TestOldDaemon_ARefusedCallCanBeRetried: it left its in-flight entry behind, so that the same
// request was a duplicate for ever.
func TestOldDaemon_ARefusedCallCanBeRetried(t *testing.T) {
	for _, more := range []string{"", `,"want":{"resume":true}`} {
		o := Options{
			Backend: newPatient(false), SessionMaxInflight: 1, ResumeWindow: time.Minute,
		}
		bubble(t, o, func(w *world) {
			c, _ := w.hello(more)
			c.Text(`{"op":"call_tool","name":"wait","arguments":{"on":"g"},"request_id":1}`)
			c.Next()
			c.Next()
			retried := `{"op":"call_tool","name":"count","arguments":{"of":"x"},"request_id":2}`
			for range 3 {
				c.Text(retried)
				if got := c.Next(); !strings.Contains(got, `"OVER_CAPACITY"`) {
					w.t.Errorf("the second call is answered by %s", got)
				}
			}
			w.o.Backend.(*patient).open("g")
			c.Next()
			c.Text(retried)
			c.Next()
			c.Next()
			if got := c.Next(); !strings.HasSuffix(got, `,"text":"1"}`) {
				w.t.Errorf("the retried call is answered by %s", got)
			}
		})
	}
}

// TestOldDaemon_ResultsBelongToTheirSession: it kept results by request_id alone, so that one
// client got what another had asked for.
func TestOldDaemon_ResultsBelongToTheirSession(t *testing.T) {
	bubble(t, Options{ResumeWindow: time.Minute}, func(w *world) {
		for i := range 3 {
			for _, more := range []string{"", `,"want":{"resume":true}`} {
				c, _ := w.hello(more)
				text := fmt.Sprint(i, len(more))
				c.Text(`{"op":"call_tool","name":"echo","arguments":{"text":"` + text +
					`"},"request_id":"same"}`)
				c.Next()
				c.Next()
				if got := c.Next(); !strings.HasSuffix(got, `"text":"`+text+`"}`) {
					w.t.Errorf("a session that asks for %s is answered by %s", text, got)
				}
			}
		}
	})
}

// TestOldDaemon_CallsRunSideBySide: it read the next frame of a connection when the call before was
// answered.
func TestOldDaemon_CallsRunSideBySide(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		c, _ := w.hello("")
		start := time.Now()
		for i := range 8 {
			c.Text(fmt.Sprintf(
				`{"op":"call_tool","name":"sleep","arguments":{"ms":5000},"request_id":%d}`, i))
			c.Next()
			c.Next()
		}
		c.Text(`{"op":"ping"}`)
		if got := c.Next(); !strings.HasPrefix(got, `text {"op":"pong"`) {
			w.t.Errorf("beside eight calls a ping is answered by %s", got)
		}
		wantPassed(w.t, start, 0)
		for range 8 {
			if got := c.Next(); !strings.HasPrefix(got, `text {"op":"call_tool_res"`) {
				w.t.Errorf("a call is answered by %s", got)
			}
		}
		wantPassed(w.t, start, 5*time.Second)
	})
}

// TestOldDaemon_ARefusedHelloIsAnswered: it closed the socket, and clients dialed again at once.
func TestOldDaemon_ARefusedHelloIsAnswered(t *testing.T) {
	var tokens Tokens
	tokens.Set([]string{"secret"})
	bubble(t, Options{Tokens: &tokens}, func(w *world) {
		for first, want := range map[string]string{
			`{"op":"hello","token":"wrong"}`:     "unauthorized 4003",
			`{"op":"hello"}`:                     "unauthorized 4003",
			`{"op":"hello","token":["secret"]}`:  "invalid_hello 4000",
			`{"op":"list_tools"}`:                "missing_hello 4001",
			`{"op":"call_tool","name":"status"}`: "missing_hello 4001",
			`what`:                               "invalid_hello 4000",
		} {
			name, code, _ := strings.Cut(want, " ")
			c := w.upgrade()
			c.Text(first)
			c.Want(`text {"op":"hello_ack","ok":false,"error":"`+name+`"}`, "close "+code+" "+name)
		}
	})
}

// TestOldDaemon_AnExpiredSessionIsTold: its sockets stayed open and silent when the session behind
// them had been cleaned up, and what was sent on them led nowhere.
func TestOldDaemon_AnExpiredSessionIsTold(t *testing.T) {
	bubble(t, Options{ResumeWindow: time.Minute}, func(w *world) {
		for _, more := range []string{"", `,"want":{"resume":true}`} {
			c, id := w.hello(more)
			start := time.Now()
			c.Want(`text {"op":"session_expired","session_id":"`+id+`","reason":"idle"}`,
				"close 4200 session idle")
			wantPassed(w.t, start, idle)
			c.Close(1000)
			c.Want("eof")
		}
		if open := w.NetStats().Open; open != 0 {
			w.t.Errorf("%d connections are open", open)
		}
	})
}

// TestOldDaemon_TheCapCountsTheLiving: the dead held their places until the next cleanup, and so
// did those who had been refused.
func TestOldDaemon_TheCapCountsTheLiving(t *testing.T) {
	for _, waits := range []bool{false, true} {
		bubble(t, Options{MaxSessions: 1, Backend: newPatient(waits)}, func(w *world) {
			for _, end := range []func(c *netlooptest.Client, id string){
				func(c *netlooptest.Client, _ string) { c.Text(`{"op":"bye"}`) },
				func(c *netlooptest.Client, _ string) { c.Close(1000) },
				func(c *netlooptest.Client, _ string) { _ = c.Conn.Close() },
				func(c *netlooptest.Client, _ string) { c.Binary(nil) },
				func(_ *netlooptest.Client, id string) { w.Kick(id) },
				func(*netlooptest.Client, string) { time.Sleep(idle + late) },
			} {
				c, id := w.hello("")
				refused := w.upgrade()
				refused.Text(`{"op":"hello"}`)
				refused.Want(`text {"op":"hello_ack","ok":false,"error":"session_limit",`+
					`"retry_after":5}`, "close 4302 session_limit")
				end(c, id)
				synctest.Wait()
				if live := w.Stats().Live; live != 0 {
					w.t.Errorf("%d sessions hold places", live)
				}
			}
			for range 3 { // who is refused by the application holds none either
				if !waits {
					break
				}
				c := w.upgrade()
				c.Text(`{"op":"hello","token":"refuse"}`)
				c.Next()
				c.Want("close 4003 unauthorized")
			}
			w.hello("")
		})
	}
}

// TestOldDaemon_NoSecretIsLogged: it logged hellos whole. Every way that a token can take is taken
// here, and then the log at its lowest level is searched for each of them.
func TestOldDaemon_NoSecretIsLogged(t *testing.T) {
	const shared, wrong = "sh4red-secret", "wr0ng-secret"
	var log lockedBuilder
	var tokens Tokens
	tokens.Set([]string{shared})
	secrets := []string{shared, wrong, "sh4red", "wr0ng"}
	level := slog.HandlerOptions{Level: slog.LevelDebug - 4, AddSource: true}
	for _, waits := range []bool{false, true} {
		o := Options{Tokens: &tokens, ResumeWindow: time.Minute, Backend: newPatient(waits)}
		o.Logger = slog.New(slog.NewTextHandler(&log, &level))
		o.MaxRefusedHellos = 3
		bubble(t, o, func(w *world) {
			secrets = append(secrets, spendSecrets(w, shared, wrong)...)
		})
	}
	o := Options{ResumeWindow: time.Minute, Backend: newPatient(true)}
	o.Logger = slog.New(slog.NewTextHandler(&log, &level))
	bubble(t, o, func(w *world) { // here the application is given the tokens
		w.upgrade(raw(), "Authorization: Bearer "+wrong)
		w.hello(`,"token":"` + wrong + `"`)
	})
	text := log.String()
	for _, secret := range secrets {
		if len(secret) == resumeTokenBytes { // its first part is public
			secret = secret[sessionIDBytes+1:][:12]
		}
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
	for _, event := range []string{
		"session began", "session detached", "session resumed", "session ended", "hello refused",
	} {
		if !strings.Contains(text, event) {
			t.Errorf("the log says nothing of %q", event)
		}
	}
}

// spendSecrets shows tokens in every way, and gives those that it got.
func spendSecrets(w *world, shared, wrong string) (got []string) {
	for _, first := range []string{
		`{"op":"hello","token":"` + wrong + `"}`,
		`{"op":"hello","token":{"` + shared + `":"` + shared + `"}}`,
		`{"op":"hello","token":"` + shared + `"`,
		`{"op":"hello","token":"` + shared + `","want":{"resume":"` + shared + `"}}`,
		`{"op":"hello","token":"` + shared + `","resume":{"token":"` + wrong + `"}}`,
		`{"op":"` + shared + `","token":"` + shared + `"}`,
		shared,
	} {
		c := w.upgrade()
		c.Text(first)
		c.Next()
		c.Next()
	}
	w.dial().Upgrade("/ws", raw(), "Authorization: Bearer "+wrong)
	w.dial().Upgrade("/ws", raw(), "Authorization: Basic "+wrong)
	w.dial().Upgrade("/ws?token="+shared, raw(), "Authorization: Bearer "+shared)

	c, id, token := w.resumable(`,"token":"` + shared + `"`)
	got = append(got, token)
	c.Text(`{"op":"hello","token":"` + shared + `"}`)
	c.Text(`{"op":"` + shared + `","request_id":["` + token + `"],"name":"` + token)
	c.Next()
	c.Next()
	_ = c.Conn.Close()
	synctest.Wait()
	resume := func(token string) *netlooptest.Client {
		c, ack := w.greeted(`{"op":"hello","token":"` + shared + `","resume":{"token":"` + token +
			`","seq":0}}`)
		got = append(got, ack.ResumeToken)
		return c
	}
	resume(token)
	second := resume(token) // a takeover by the spare token
	resume(token + "x")     // none
	resume(token)           // none any more
	w.Kick(id)
	second.Next()
	resume(token)
	resume(got[2]) // of whose session the end is known
	return got[:3]
}

// lockedBuilder is a strings.Builder for several goroutines.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write appends.
func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all of it.
func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestOldDaemon_TokensAreComparedAsHashes: it compared tokens with ==, whose time tells how much of
// a guess is right. Time cannot be measured well enough to test it; what can be seen is that no
// field of any type holds a secret, and that hashes are compared by crypto/subtle alone.
func TestOldDaemon_TokensAreComparedAsHashes(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if n.Sel.Name == "ConstantTimeCompare" {
					compared++
				}
			case *ast.BinaryExpr:
				if n.Op != token.EQL && n.Op != token.NEQ {
					return true
				}
				for _, side := range []ast.Expr{n.X, n.Y} {
					if secretive(side) && !harmless(n) {
						t.Errorf("%s: a secret is compared by %s", set.Position(n.Pos()), n.Op)
					}
				}
			}
			return true
		})
	}
	if compared != 2 {
		t.Errorf("secrets are compared in %d places, want 2: shared ones and those to resume by",
			compared)
	}
}

// secretive says whether an expression is named like a secret.
func secretive(e ast.Expr) bool {
	name := ""
	switch e := e.(type) {
	case *ast.Ident:
		name = e.Name
	case *ast.SelectorExpr:
		name = e.Sel.Name
	}
	switch strings.ToLower(name) {
	case "token", "resumetoken", "secret", "newest", "spare", "hash", "bearer":
		return true
	}
	return false
}

// harmless says whether a comparison only asks whether there is anything.
func harmless(n *ast.BinaryExpr) bool {
	switch y := n.Y.(type) {
	case *ast.BasicLit:
		return y.Value == `""`
	case *ast.CompositeLit:
		return len(y.Elts) == 0
	case *ast.Ident:
		return y.Name == "nil"
	}
	return false
}

// TestOldDaemon_TooManyWrongTokens: it could be asked as fast as anybody liked.
func TestOldDaemon_TooManyWrongTokens(t *testing.T) {
	var tokens Tokens
	tokens.Set([]string{"secret"})
	for name, mode := range modes() { // an address is needed for this
		t.Run(name, func(t *testing.T) {
			o := Options{Tokens: &tokens, MaxRefusedHellos: 3}
			o.Net.Mode = mode
			overSockets(t, o, func(w *world) {
				for range 3 {
					c := w.upgrade()
					c.Text(`{"op":"hello","token":"guess"}`)
					c.Next()
					c.Want("close 4003 unauthorized")
				}
				r := w.dial().Upgrade("/ws")
				if r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
					t.Errorf("after three wrong tokens: %s", r.Status)
				}
			})
		})
	}
}
