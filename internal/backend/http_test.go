package backend

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// quiet is a log that nobody reads.
var quiet = slog.New(slog.DiscardHandler)

// application is a server that answers as its handler does, and an HTTP backend for it.
type application struct {
	*HTTP
	server *httptest.Server

	mu       sync.Mutex
	requests []heard
}

// heard is a request that an application got.
type heard struct {
	method, event, session, user string
	header                       http.Header
	body                         string
}

// serve starts an application. Its handler may read the body again.
func serve(t *testing.T, o HTTPOptions, handler http.HandlerFunc) *application {
	t.Helper()
	app := &application{}
	app.server = httptest.NewServer(app.record(handler))
	t.Cleanup(app.server.Close)
	o.URL = app.server.URL + "/app?x=1"
	app.HTTP = open(t, o)
	return app
}

// open makes a backend that is closed with the test.
func open(t *testing.T, o HTTPOptions) *HTTP {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet
	}
	h, err := NewHTTP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, h) })
	return h
}

// closeNow closes a backend, which gives up what it has not delivered within 10 s.
func closeNow(t *testing.T, h *HTTP) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func (app *application) record(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte(err.Error())
		}
		app.mu.Lock()
		app.requests = append(app.requests, heard{
			r.Method, r.Header.Get("Curfew-Event"), r.Header.Get("Curfew-Session"),
			r.Header.Get("Curfew-User"), r.Header, string(body),
		})
		app.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler(w, r)
	}
}

// all is what the application has heard.
func (app *application) all() []heard {
	app.mu.Lock()
	defer app.mu.Unlock()
	return append([]heard(nil), app.requests...)
}

// last is what the application has heard last.
func (app *application) last() heard {
	all := app.all()
	return all[len(all)-1]
}

// wantCode fails unless err is an Error with that code and status, whose message gives nothing
// away.
func wantCode(t *testing.T, what string, err error, code Code, status int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || e.Status != status {
		t.Errorf("%s = %#v, want %s, status %d", what, err, code, status)
		return
	}
	for _, secret := range []string{"127.0.0.1", "http", "hush", "/app"} {
		if strings.Contains(e.Message, secret) {
			t.Errorf("%s: the message %q names %q", what, e.Message, secret)
		}
	}
}

// count is how many requests had an outcome.
func (h *HTTP) count(e, o string) uint64 {
	for _, c := range h.Stats().Requests {
		if c.Event == e && c.Outcome == o {
			return c.Count
		}
	}
	panic("no count of " + e + " " + o)
}

var ann = Session{ID: "s-1", User: "ann"}

func TestNewHTTP_namesEveryBadField(t *testing.T) {
	_, err := NewHTTP(HTTPOptions{
		URL: "ftp://u:hunter2@/x#f", Token: "two words", Timeout: -1, Concurrency: -1,
	})
	if err == nil {
		t.Fatal("NewHTTP takes anything")
	}
	for _, want := range []string{
		"URL must begin", "URL must have a host", "URL must have no user", "URL must have no frag",
		"Token", "Timeout is -1ns", "Concurrency is -1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q says nothing of %q", err, want)
		}
	}
	for _, url := range []string{
		"", "x", "/x", "http://", "http:///x", "localhost:80", "http://h:0", "http://h:65536",
		"http://h:x", "http://u:hunter2@h", "http://u:hunter2@h:x/", "http://h/#f", "http://h/\x00",
	} {
		_, err := NewHTTP(HTTPOptions{URL: url})
		if err == nil || !strings.Contains(err.Error(), "URL") {
			t.Errorf("NewHTTP(%q) = %v", url, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewHTTP(%q) = %v, which gives the password away", url, err)
		}
	}
	for _, token := range []string{"a b", "a\nb", "\u00e4"} {
		_, err := NewHTTP(HTTPOptions{URL: "http://h", Token: token})
		if err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("NewHTTP(token %q) = %v", token, err)
		}
	}
	many := HTTPOptions{URL: "http://h", Concurrency: concurrencyMax + 1}
	if _, err := NewHTTP(many); err == nil {
		t.Error("NewHTTP takes any concurrency")
	}
	for _, url := range []string{"http://h", "HTTPS://h:443/a?b=c", "http://[::1]:8080/"} {
		open(t, HTTPOptions{URL: url})
	}
}

func TestHTTP_Connect(t *testing.T) {
	app := serve(t, HTTPOptions{Token: "hush"}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Curfew-User", "ann")
		w.Header().Set("Curfew-Idle-Seconds", "1.5")
		w.Header().Set("Curfew-Lifetime-Seconds", "60")
	})
	g, err := app.Connect(t.Context(), Session{ID: "s-1"}, Newcomer{
		Token: "<t>", Remote: "192.0.2.1:7", Subprotocol: "curfew.v1", Origin: "http://o",
	})
	want := Grant{User: "ann", Idle: 1500 * time.Millisecond, Lifetime: time.Minute}
	if err != nil || g != want {
		t.Errorf("Connect = %v, %v; want %v", g, err, want)
	}
	r := app.last()
	if r.method != "POST" || r.event != "connect" || r.session != "s-1" || r.user != "" ||
		r.header.Get("Authorization") != "Bearer hush" ||
		r.header.Get("Content-Type") != "application/json" ||
		r.body != `{"token":"<t>","remote":"192.0.2.1:7","subprotocol":"curfew.v1",`+
			`"origin":"http://o"}` {
		t.Errorf("the application heard %+v", r)
	}
	if _, ok := r.header["Accept-Encoding"]; ok {
		t.Error("compression is asked for")
	}
	if app.Prompt() {
		t.Error("an application over the network is prompt")
	}
}

func TestHTTP_ConnectRefused(t *testing.T) {
	var status int
	app := serve(t, HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	})
	for _, c := range []struct {
		status int
		code   Code
	}{
		{401, CodeUnauthorized},
		{403, CodeUnauthorized},
		{400, CodeUnavailable},
		{404, CodeUnavailable},
		{429, CodeUnavailable},
		{302, CodeUnavailable},
		{307, CodeUnavailable},
		{500, CodeUnavailable},
		{503, CodeUnavailable},
	} {
		status = c.status
		_, err := app.Connect(t.Context(), Session{ID: "s"}, Newcomer{})
		wantCode(t, "Connect", err, c.code, c.status)
	}
	closeNow(t, app.HTTP)
	for _, r := range app.all() {
		if r.event != "connect" {
			t.Errorf("the application heard %s of a session that it refused", r.event)
		}
	}
}

func TestHTTP_ConnectAnsweredBadly(t *testing.T) {
	app := serve(t, HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Curfew-User", "not one word")
	})
	_, err := app.Connect(t.Context(), Session{ID: "s"}, Newcomer{})
	wantCode(t, "Connect", err, CodeUnavailable, 0)
	closeNow(t, app.HTTP)
	// The application believes that there is a session.
	if r := app.last(); r.event != "disconnect" || r.session != "s" ||
		r.body != `{"reason":"lost"}` {
		t.Errorf("the application heard %+v at last", r)
	}
	if app.count("connect", "unusable") != 1 {
		t.Error("the answer is not counted as unusable")
	}
}

func TestHTTP_MessageKinds(t *testing.T) {
	var contentType, answer string
	app := serve(t, HTTPOptions{}, func(w http.ResponseWriter, r *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		} else {
			w.Header()["Content-Type"] = nil // nothing is guessed either
		}
		if answer == "204" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		io.WriteString(w, answer)
	})
	for _, c := range []struct {
		contentType, answer string
		want                Kind
		code                Code
	}{
		{"application/json", `{"a": 1}`, JSON, ""},
		{"application/hal+json", `1`, JSON, ""},
		{"text/plain; charset=utf-8", "hello", Text, ""},
		{"text/plain", "", Text, ""},
		{"image/png", "\xff\x00", Binary, ""},
		{"", "\xff\x00", Binary, ""},
		{"", "", 0, ""},
		{"application/json", "204", 0, ""},
		{"application/json", "", 0, CodeUnavailable},
		{"application/json", "{", 0, CodeUnavailable},
		{"text/plain", "\xff", 0, CodeUnavailable},
		{"text/plain; charset=latin1", "a", 0, CodeUnavailable},
	} {
		contentType, answer = c.contentType, c.answer
		m, err := app.Message(t.Context(), ann, Message{Kind: Text, Data: []byte("hi")})
		if c.code != "" {
			wantCode(t, "Message", err, c.code, 0)
		} else if err != nil {
			t.Errorf("Message, answered %q %q: %v", c.contentType, c.answer, err)
		}
		if m.Kind != c.want || c.want != 0 && string(m.Data) != c.answer {
			t.Errorf("Message, answered %q %q = %v", c.contentType, c.answer, m)
		}
	}
	for kind, want := range map[Kind]string{
		JSON:   "application/json",
		Text:   "text/plain; charset=utf-8",
		Binary: "application/octet-stream",
	} {
		contentType, answer = "", ""
		for _, data := range []string{`"x"`, ""} {
			_, err := app.Message(t.Context(), ann, Message{Kind: kind, Data: []byte(data)})
			r := app.last()
			if err != nil || r.header.Get("Content-Type") != want || r.body != data ||
				r.event != "message" || r.session != "s-1" || r.user != "ann" {
				t.Errorf("Message(%v, %q): the application heard %+v, %v", kind, data, r, err)
			}
		}
	}
	_, err := app.Message(t.Context(), ann, Message{Kind: 7})
	wantCode(t, "a message of no kind", err, CodeInternal, 0)
}

func TestHTTP_Call(t *testing.T) {
	answer := `{"outputs":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`
	app := serve(t, HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, answer)
	})
	for _, c := range []struct {
		call Call
		body string
	}{
		{Call{Name: "dig"}, `{"name":"dig","arguments":{}}`},
		{
			Call{"<dig>", []byte(`{"n":9007199254740993,"s":"<&>"}`), []byte(`"r<1>"`)},
			`{"name":"<dig>","arguments":{"n":9007199254740993,"s":"<&>"},"request_id":"r<1>"}`,
		},
		{Call{"d", nil, []byte(`1.50`)}, `{"name":"d","arguments":{},"request_id":1.50}`},
	} {
		r, err := app.Call(t.Context(), ann, c.call)
		if err != nil || r.Text != "a\nb" || `{"outputs":`+string(r.Outputs)+`}` != answer {
			t.Errorf("Call = %s, %q, %v", r.Outputs, r.Text, err)
		}
		if got := app.last(); got.event != "call" || got.body != c.body {
			t.Errorf("the application heard %+v, want %s", got, c.body)
		}
	}
	_, err := app.Call(t.Context(), ann, Call{Name: "dig", Arguments: []byte("{")})
	wantCode(t, "a call with bad arguments", err, CodeValidation, 0)
	answer = `{"result":1}`
	_, err = app.Call(t.Context(), ann, Call{Name: "dig"})
	wantCode(t, "a call without a result", err, CodeUnavailable, 0)
}

func TestHTTP_Statuses(t *testing.T) {
	var status int
	app := serve(t, HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		io.WriteString(w, "secret detail")
	})
	for _, c := range []struct {
		status        int
		message, call Code
	}{
		{401, CodeUnauthorized, CodeUnauthorized},
		{403, CodeUnauthorized, CodeUnauthorized},
		{404, CodeNotFound, CodeToolNotFound},
		{408, CodeTimeout, CodeTimeout},
		{400, CodeValidation, CodeValidation},
		{409, CodeValidation, CodeValidation},
		{413, CodeValidation, CodeValidation},
		{415, CodeValidation, CodeValidation},
		{422, CodeValidation, CodeValidation},
		{429, CodeOverCapacity, CodeOverCapacity},
		{402, CodeInvalidRequest, CodeToolFailed},
		{418, CodeInvalidRequest, CodeToolFailed},
		{302, CodeUnavailable, CodeUnavailable},
		{308, CodeUnavailable, CodeUnavailable},
		{500, CodeUnavailable, CodeUnavailable},
		{503, CodeUnavailable, CodeUnavailable},
		{600, CodeUnavailable, CodeUnavailable},
	} {
		status = c.status
		_, err := app.Message(t.Context(), ann, Message{Kind: JSON, Data: []byte("1")})
		wantCode(t, "Message", err, c.message, c.status)
		_, err = app.Call(t.Context(), ann, Call{Name: "dig"})
		wantCode(t, "Call", err, c.call, c.status)
	}
	for _, r := range app.all() {
		if r.event == "" {
			t.Error("a redirect was followed")
		}
	}
	if n := app.count("message", "refused"); n != 14 {
		t.Errorf("%d messages are counted as refused, want 14", n)
	}
	if n := app.count("call", "failed"); n != 3 {
		t.Errorf("%d calls are counted as failed, want 3", n)
	}
}

func TestHTTP_Tools(t *testing.T) {
	status := 200
	list := `{"tools":[{"name":"dig","description":"digs","inputSchema":{"type":"object"}}]}`
	newApp := func() *application {
		return serve(t, HTTPOptions{Token: "hush"}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, list)
		})
	}
	app := newApp()
	if n := app.ToolCount(); n != 0 {
		t.Errorf("ToolCount = %d before anybody asked", n)
	}
	tools, err := app.Tools(t.Context())
	if err != nil || len(tools) != 1 || tools[0].Name != "dig" || app.ToolCount() != 1 {
		t.Errorf("Tools = %v, %v; ToolCount = %d", tools, err, app.ToolCount())
	}
	if r := app.last(); r.method != "GET" || r.event != "tools" || r.session != "" ||
		r.header.Get("Authorization") != "Bearer hush" || r.body != "" {
		t.Errorf("the application heard %+v", r)
	}
	if err := app.HasTool(t.Context(), "dig"); err != nil {
		t.Errorf("HasTool(dig) = %v", err)
	}
	wantCode(t, "HasTool(no)", app.HasTool(t.Context(), "no"), CodeToolNotFound, 0)
	for _, none := range []int{404, 405, 501} {
		status = none
		app := newApp()
		tools, err := app.Tools(t.Context())
		if err != nil || tools == nil || len(tools) != 0 {
			t.Errorf("Tools, answered %d = %v, %v", none, tools, err)
		}
		wantCode(t, "HasTool", app.HasTool(t.Context(), "dig"), CodeToolNotFound, 0)
	}
	for _, bad := range []int{302, 401, 500} {
		status = bad
		app := newApp()
		wantCode(t, "HasTool", app.HasTool(t.Context(), "dig"), CodeUnavailable, bad)
	}
	status, list = 200, `{"tools":7}`
	wantCode(t, "HasTool", newApp().HasTool(t.Context(), "dig"), CodeUnavailable, 0)
}

func TestHTTP_Ended(t *testing.T) {
	app := serve(t, HTTPOptions{Token: "hush"}, func(http.ResponseWriter, *http.Request) {})
	app.Ended(ann, End{Reason: "idle", ByTime: true})
	closeNow(t, app.HTTP)
	if r := app.last(); r.event != "expire" || r.session != "s-1" || r.user != "ann" ||
		r.body != `{"reason":"idle"}` || r.header.Get("Authorization") != "Bearer hush" {
		t.Errorf("the application heard %+v", r)
	}
	if n := app.count("expire", "ok"); n != 1 {
		t.Errorf("%d expires are counted, want 1", n)
	}
	closeNow(t, app.HTTP) // twice is fine
}

func TestHTTP_EndComesLast(t *testing.T) {
	begun, finish := make(chan bool), make(chan bool)
	app := serve(t, HTTPOptions{}, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Curfew-Event") == "call" {
			begun <- true
			<-finish
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() { app.Call(t.Context(), ann, Call{Name: "dig"}) })
	<-begun
	app.Ended(ann, End{Reason: "bye"})
	app.Ended(Session{ID: "s-2"}, End{Reason: "bye"})
	for app.count("disconnect", "ok") == 0 {
		waitALittle(t)
	}
	if r := app.last(); r.session != "s-2" {
		t.Errorf("the application heard the end of %s while it was being called", r.session)
	}
	close(finish)
	wg.Wait()
	closeNow(t, app.HTTP)
	if r := app.last(); r.event != "disconnect" || r.session != "s-1" {
		t.Errorf("the application heard %+v at last", r)
	}
}

// waitALittle lets others run, for loops that wait for what nothing announces.
func waitALittle(t *testing.T) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal("the test is over")
	case <-time.After(time.Millisecond):
	}
}

func TestHTTP_TLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, r.Proto)
		}))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = slog.NewLogLogger(quiet.Handler(), slog.LevelError)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusting := open(t, HTTPOptions{URL: server.URL, roots: roots})
	m, err := trusting.Message(t.Context(), ann, Message{Kind: Text})
	if err != nil || string(m.Data) != "HTTP/1.1" {
		t.Errorf("Message = %s, %v", m.Data, err)
	}
	strict := open(t, HTTPOptions{URL: server.URL})
	_, err = strict.Message(t.Context(), ann, Message{Kind: Text})
	wantCode(t, "Message to who proves nothing", err, CodeUnavailable, 0)
}

// TestHTTP_FaultsForOneCostNobodyElse has one client that makes the application fail all the time.
func TestHTTP_FaultsForOneCostNobodyElse(t *testing.T) {
	app := serve(t, HTTPOptions{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Curfew-Session") == "bad" {
			w.WriteHeader(500)
		}
	})
	for range 3 * failuresMax {
		_, err := app.Message(t.Context(), Session{ID: "bad"}, Message{Kind: Text})
		wantCode(t, "Message", err, CodeUnavailable, 500)
	}
	if _, err := app.Message(t.Context(), Session{ID: "good"}, Message{Kind: Text}); err != nil {
		t.Errorf("Message of another session = %v", err)
	}
}

func TestHTTP_ReusesConnections(t *testing.T) {
	app := serve(t, HTTPOptions{Concurrency: 8}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Curfew-Event") == "call" {
			w.WriteHeader(500)
			io.WriteString(w, strings.Repeat("x", 10000))
		}
	})
	opened := 0
	dial := app.link.conns.dial
	var mu sync.Mutex
	app.link.conns.dial = func(ctx context.Context, n, a string) (c net.Conn, err error) {
		mu.Lock()
		opened++
		mu.Unlock()
		return dial(ctx, n, a)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := Session{ID: fmt.Sprint(i)}
			for j := range 50 {
				if j%10 == 0 && i == 0 {
					app.Call(t.Context(), s, Call{Name: "x"})
				}
				m := Message{Kind: JSON, Data: []byte("1")}
				if _, err := app.Message(t.Context(), s, m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if opened > 16 {
		t.Errorf("%d connections for 8 at once", opened)
	}
}

func TestHTTP_ConcurrencyIsBounded(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	app := serve(t, HTTPOptions{Concurrency: 3}, func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		defer func() { mu.Lock(); now--; mu.Unlock() }()
	})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			s := Session{ID: fmt.Sprint(i)}
			for range 10 {
				if _, err := app.Message(t.Context(), s, Message{Kind: Binary}); err != nil {
					t.Error(err)
				}
			}
			app.Ended(s, End{Reason: "bye"})
		})
	}
	wg.Wait()
	closeNow(t, app.HTTP)
	if most > 3 {
		t.Errorf("%d at once, want at most 3", most)
	}
	if n := app.count("disconnect", "ok"); n != 64 {
		t.Errorf("%d ends delivered, want 64", n)
	}
}
