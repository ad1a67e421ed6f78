package adminclient_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/adminclient"
)

// answering is a server that gives one answer to everything.
func answering(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// says answers with a status, a type and a body.
func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Whoever answers otherwise than the API does is told apart from it, whatever was asked.
func TestClient_NotCurfew(t *testing.T) {
	const js, html = "application/json", "text/html"
	for name, h := range map[string]http.HandlerFunc{
		"a page":               says(200, html, "<html>hello</html>"),
		"an error page":        says(500, html, "<html>Internal Server Error</html>"),
		"a missing page":       says(404, html, "<html>404</html>"),
		"a proxy without peer": says(502, html, "<html>Bad Gateway</html>"),
		"nothing":              says(200, js, ""),
		"no object":            says(200, js, "[1,2]"),
		"another object":       says(200, js, `{"hello":"world"}`),
		"null":                 says(200, js, "null"),
		"half":                 says(200, js, `{"sessions":[{"session_id":"a"`),
		"wrong types": says(200, js,
			`{"pid":"x","sessions":7,"next_cursor":1,"ended":"x","sent":-1.5,"session_id":9,`+
				`"level":3,"draining":"y"}`),
		"an error of others":    says(403, js, `{"error":"forbidden"}`),
		"an error of 2 MB":      says(400, js, strings.Repeat("x", 2<<20)),
		"another error, escape": says(404, "text/\x1b[2J", "x"),
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			for range 17 << 4 {
				_, _ = w.Write(make([]byte, 64<<10))
			}
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/\x1b]0;x", http.StatusFound)
		},
	} {
		s := answering(t, h)
		c := client(t, adminclient.Options{Address: s.URL, Token: "secret"})
		for what, ask := range calls(c) {
			if err := ask(t.Context()); adminclient.KindOf(err) != adminclient.KindForeign {
				t.Errorf("%s, %s: %v, want that it is not the API", name, what, err)
			} else if strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 600 {
				t.Errorf("%s, %s: %q is no sentence for a terminal", name, what, err)
			}
		}
	}
}

// What is of another type than it should be is named.
func TestClient_WrongType(t *testing.T) {
	for body, part := range map[string]string{
		`[1,2]`:         "(what it sent is an array)",
		`"x"`:           "(what it sent is a string)",
		`{"pid":{}}`:    `("pid" is an object)`,
		`{"expiry":[]}`: `("expiry" is an array)`,
	} {
		s := answering(t, says(200, "application/json", body))
		c := client(t, adminclient.Options{Address: s.URL})
		_, err := c.Status(t.Context())
		wantErr(t, err, adminclient.KindForeign, part)
	}
}

// calls are all that a client can ask.
func calls(c *adminclient.Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"status":  func(ctx context.Context) error { _, err := c.Status(ctx); return err },
		"session": func(ctx context.Context) error { _, err := c.Session(ctx, "a"); return err },
		"kick":    func(ctx context.Context) error { return c.Kick(ctx, "a") },
		"touch":   func(ctx context.Context) error { return c.Touch(ctx, "a") },
		"drain":   func(ctx context.Context) error { _, err := c.Drain(ctx); return err },
		"level":   func(ctx context.Context) error { _, err := c.LogLevel(ctx); return err },
		"kickUser": func(ctx context.Context) error {
			_, _, err := c.KickUser(ctx, "a")
			return err
		},
		"send": func(ctx context.Context) error {
			_, err := c.Send(ctx, "a", text("x"))
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := c.Sessions(ctx, adminclient.Query{})
			return err
		},
		"events": func(ctx context.Context) error {
			for _, err := range c.Events(ctx, adminclient.EventQuery{}) {
				return err
			}
			return nil
		},
	}
}

// A list that goes on for ever with the same page ends, and a token is shown to nobody else.
func TestClient_Elsewhere(t *testing.T) {
	s := answering(t, says(200, "application/json", `{"sessions":[],"next_cursor":"x"}`))
	c := client(t, adminclient.Options{Address: s.URL})
	n := 0
	for _, err := range c.Pages(t.Context(), adminclient.Query{}, 0) {
		if n++; err != nil {
			wantErr(t, err, adminclient.KindForeign, "does not get on")
		}
	}
	if n != 2 {
		t.Errorf("%d pages, want 2", n)
	}
	other := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %q", r.Header.Get("Authorization"))
	})
	s = answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	c = client(t, adminclient.Options{Address: s.URL, Token: "secret"})
	_, err := c.Status(t.Context())
	wantErr(t, err, adminclient.KindForeign, "leads to", "--admin")
}

// raw is a server that writes bytes to each connection, and then closes it or falls silent.
func raw(t *testing.T, bytes string, silent bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { close(done); l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, bytes)
				if silent {
					<-done
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestClient_Unreachable(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for _, tt := range []struct {
		name, address string
		kind          adminclient.Kind
		parts         []string
	}{
		{"nobody", "127.0.0.1:1", adminclient.KindUnreachable, []string{
			"nobody listens at http://127.0.0.1:1", "start curfewd", "--admin",
		}},
		{"no socket", "unix:" + dir + "/none", adminclient.KindUnreachable, []string{
			"there is no socket", "start curfewd",
		}},
		{"a socket left behind", "unix:" + dead, adminclient.KindUnreachable, []string{
			"the process that made this socket is gone",
		}},
		{"a file", "unix:" + file, adminclient.KindUnreachable, []string{"nobody listens"}},
		{"not HTTP", raw(t, "SSH-2.0-OpenSSH_9.2\r\n", false), adminclient.KindForeign, []string{
			"no HTTP answer", "--admin",
		}},
		{"no answer at all", raw(t, "", false), adminclient.KindUnreachable, []string{
			"no whole answer",
		}},
		{
			"half an answer", raw(t, head+"Content-Length: 100\r\n\r\n{", false),
			adminclient.KindUnreachable,
			[]string{"no whole answer"},
		},
		{"silence", raw(t, "", true), adminclient.KindSlow, []string{"within", "--timeout"}},
		{
			"silence in the middle", raw(t, head+"\r\n{", true), adminclient.KindSlow,
			[]string{"within", "--timeout"},
		},
		{
			"endless headers", raw(t, head+strings.Repeat("A: b\r\n", 1<<15), true),
			adminclient.KindForeign,
			[]string{"no HTTP answer"},
		},
		{
			"no TLS", "https://" + raw(t, "HTTP/1.0 400 Bad Request\r\n\r\n", false),
			adminclient.KindUnreachable,
			[]string{"speaks no TLS", "http://"},
		},
	} {
		c := client(t, adminclient.Options{
			Address: tt.address, Timeout: 300 * time.Millisecond, Token: "secret",
		})
		_, err := c.Status(t.Context())
		if adminclient.KindOf(err) != tt.kind {
			t.Errorf("%s: %v of kind %d, want %d", tt.name, err, adminclient.KindOf(err), tt.kind)
			continue
		}
		wantErr(t, err, tt.kind, tt.parts...)
	}
}

// Who cancels is told nothing else.
func TestClient_Cancelled(t *testing.T) {
	c := client(t, adminclient.Options{Address: raw(t, "", true)})
	for what, ask := range calls(c) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := ask(ctx); !errors.Is(err, context.Canceled) || adminclient.KindOf(err) != 0 {
			t.Errorf("%s: %v, want that it was cancelled", what, err)
		}
	}
}

func TestClient_TLS(t *testing.T) {
	s := httptest.NewTLSServer(says(401, "text/plain", "who?"))
	t.Cleanup(s.Close)
	c := client(t, adminclient.Options{Address: s.URL})
	_, err := c.Status(t.Context())
	wantErr(t, err, adminclient.KindUnreachable, "nobody known has signed", "--admin-ca")
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c = client(t, adminclient.Options{Address: s.URL + "/behind/a/path/", RootCAs: roots})
	_, err = c.Status(t.Context())
	wantErr(t, err, adminclient.KindDenied, "asks for a token", "/behind/a/path asks")
}

// A path in front of the API is kept, as where a proxy serves several.
func TestClient_PathInFront(t *testing.T) {
	var paths []string
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.EscapedPath())
		w.WriteHeader(http.StatusNoContent)
	})
	c := client(t, adminclient.Options{Address: s.URL + "/a%2Fb/"})
	if err := c.Touch(t.Context(), "x/y"); err != nil {
		t.Fatal(err)
	}
	if want := "/a%2Fb/v1/sessions/x%2Fy/touch"; len(paths) != 1 || paths[0] != want {
		t.Errorf("asked %q, want %q", paths, want)
	}
}

// A stream whose lines, events or data never end, or are no events, is not believed.
func TestClient_HostileEvents(t *testing.T) {
	for name, body := range map[string]string{
		"an endless line":   "data: " + strings.Repeat("x", 1<<20),
		"endless data":      strings.Repeat("data: xxxxxxxxxxxxxxxx\n", 1<<16),
		"no JSON":           "event: create\ndata: hello\n\n",
		"no session":        "event: create\ndata: {}\n\n",
		"a wrong type":      "event: create\ndata: {\"session_id\":7}\n\n",
		"no type":           "data: {\"session_id\":\"a\"}\n\n",
		"a negative number": "event: lost\ndata: {\"lost\":-1}\n\n",
	} {
		s := answering(t, says(200, "text/event-stream; charset=utf-8", body))
		c := client(t, adminclient.Options{Address: s.URL})
		for e, err := range c.Events(t.Context(), adminclient.EventQuery{}) {
			if adminclient.KindOf(err) != adminclient.KindForeign {
				t.Errorf("%s: %+v, %v", name, e, err)
			}
		}
	}
	// Comments, unknown fields and line ends of every kind are fine; an ID that is none is dropped.
	s := answering(t, says(200, "text/event-stream",
		": hello\r\n\r\nretry: 5\n\nevent: detach\r\nid: \x1b[2J\r\ndata: {\"session_id\":\r\n"+
			"data: \"\\u001b\"}\r\nwhat\r\n\r\n"))
	c := client(t, adminclient.Options{Address: s.URL})
	n := 0
	for e, err := range c.Events(t.Context(), adminclient.EventQuery{}) {
		if n++; n == 1 && (err != nil || e.Type != "detach" || e.Session != "\x1b" || e.ID != "") {
			t.Errorf("event %+v, %v", e, err)
		}
	}
	if n != 2 {
		t.Errorf("%d events and ends, want 2", n)
	}
}

func TestNew_Addresses(t *testing.T) {
	for given, want := range map[string]string{
		"":                            "http://127.0.0.1:8080",
		"127.0.0.1:8080":              "http://127.0.0.1:8080",
		":8080":                       "http://127.0.0.1:8080",
		"0.0.0.0:8080":                "http://127.0.0.1:8080",
		"[::]:8080":                   "http://[::1]:8080",
		"http://0.0.0.0:8080":         "http://127.0.0.1:8080",
		"http://[::]:8080/x":          "http://[::1]:8080/x",
		"http://[::]":                 "http://[::1]",
		"https://0.0.0.0":             "https://127.0.0.1",
		"[::1]:8080":                  "http://[::1]:8080",
		"localhost:8080":              "http://localhost:8080",
		"admin.example:80":            "http://admin.example:80",
		"http://a.example":            "http://a.example",
		"HTTPS://a.example/":          "https://a.example",
		"https://a.example:9/x/":      "https://a.example:9/x",
		"unix:/run/curfew/admin.sock": "unix:/run/curfew/admin.sock",
		"unix:a\x1b.sock":             `unix:a\x1b.sock`,
	} {
		c, err := adminclient.New(adminclient.Options{Address: given})
		if err != nil || c.Address() != want {
			t.Errorf("New(%q) asks %v (%v), want %s", given, c, err, want)
		}
	}
	for given, part := range map[string]string{
		"/run/a.sock":             "unix:/run/a.sock",
		"./a.sock":                "unix:./a.sock",
		"unix:":                   "path of a socket",
		"unix:@abstract":          "path of a socket",
		"localhost":               "HOST:PORT",
		"a b:80":                  "no name or address",
		"a/b:80":                  "no name or address",
		"host:http":               "no port",
		"host:0":                  "the log of curfewd",
		"host:70000":              "no port",
		"http://h:99999":          "no port",
		"ftp://x":                 "no scheme",
		"ws://x":                  "no scheme",
		"http://":                 "names no host",
		"http://u:hunter2@h":      "--admin-token-file",
		"http://h?token=hunter2":  "leave out ?",
		"http://h#x":              "leave out ?",
		"http://u:hunter2@h:bad/": "no URL",
		"u:hunter2@h:80":          "--admin-token-file",
		"hunter2@h:80":            "--admin-token-file",
		"u:hunter2@h":             "--admin-token-file",
		"//u:hunter2@h:80":        "--admin-token-file",
		"http:/u:hunter2@h:80":    "--admin-token-file",
		"u:hunter2@http://h":      "u is no scheme",
		"://u:hunter2@h":          "no URL",
		"/run/a@b.sock":           "unix:/run/a@b.sock",
		"\x1b[2J":                 `\x1b[2J`,
	} {
		_, err := adminclient.New(adminclient.Options{Address: given})
		if err == nil || !strings.Contains(err.Error(), part) ||
			strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("New(%q) = %v, want %q in it and no password", given, err, part)
		}
	}
	for _, token := range []string{"a b", "a\nb", "ü", strings.Repeat("x", 1<<20)} {
		if _, err := adminclient.New(adminclient.Options{Token: token}); err == nil ||
			strings.Contains(err.Error(), token) {
			t.Errorf("New takes the token %.9q, or shows it: %v", token, err)
		}
	}
	if _, err := adminclient.New(adminclient.Options{Timeout: -1}); err == nil {
		t.Error("New takes a timeout below 0")
	}
}

// What stays on this machine is not sent to a proxy.
func TestClient_Proxy(t *testing.T) {
	if os.Getenv("CURFEW_TEST_PROXY") == "" {
		// The environment is read once a process, so another one is needed.
		asked := make(chan string, 9)
		proxy := answering(t, func(_ http.ResponseWriter, r *http.Request) {
			asked <- r.URL.String()
		})
		runSelf(t, "TestClient_Proxy", "CURFEW_TEST_PROXY=1", "HTTP_PROXY="+proxy.URL, "NO_PROXY=",
			"REQUEST_METHOD=")
		close(asked)
		var got []string
		for url := range asked {
			got = append(got, url)
		}
		if want := "[http://admin.example:81/v1/status]"; fmt.Sprint(got) != want {
			t.Errorf("the proxy was asked for %v, want %v", got, want)
		}
		return
	}
	for _, address := range []string{"127.0.0.1:1", "localhost:1", "a.localhost:1", "unix:none"} {
		c := client(t, adminclient.Options{Address: address})
		_, err := c.Status(t.Context())
		wantErr(t, err, adminclient.KindUnreachable)
	}
	c := client(t, adminclient.Options{Address: "admin.example:81"})
	_, err := c.Status(t.Context())
	wantErr(t, err, adminclient.KindForeign)
}
