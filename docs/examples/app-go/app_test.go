package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/curfew-go/curfew/internal/backend"
)

// gateway stands for curfewd: it posts events to an application, and takes its pushes.
type gateway struct {
	*backend.HTTP
	app *app

	mu     sync.Mutex
	pushed []string
}

func start(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{}
	admin := httptest.NewServer(http.HandlerFunc(g.push))
	t.Cleanup(admin.Close)
	g.app = &app{
		token: "hush", users: parseTokens("wonderland=alice, builder=bob"),
		room: newRoom(), pushes: newPusher(admin.URL, "root"),
	}
	server := httptest.NewServer(g.app)
	t.Cleanup(server.Close)
	h, err := backend.NewHTTP(backend.HTTPOptions{URL: server.URL, Token: "hush"})
	if err != nil {
		t.Fatal(err)
	}
	g.HTTP = h
	return g
}

// push is the admin API.
func (g *gateway) push(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer root" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pushed = append(g.pushed, r.URL.Path+" "+string(data))
}

func (g *gateway) connect(t *testing.T, id, token string) backend.Session {
	t.Helper()
	grant, err := g.Connect(t.Context(), backend.Session{ID: id}, backend.Newcomer{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return backend.Session{ID: id, User: grant.User}
}

func wantCode(t *testing.T, what string, err error, code backend.Code) {
	t.Helper()
	var e *backend.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s = %v, want %s", what, err, code)
	}
}

func TestApp(t *testing.T) {
	g := start(t)
	_, err := g.Connect(t.Context(), backend.Session{ID: "x"}, backend.Newcomer{Token: "guess"})
	wantCode(t, "Connect with a wrong token", err, backend.CodeUnauthorized)
	alice, bob := g.connect(t, "1", "wonderland"), g.connect(t, "2", "builder")
	again := g.connect(t, "3", "wonderland")
	if alice.User != "alice" || bob.User != "bob" || again.User != "alice" {
		t.Errorf("the users are %v, %v and %v", alice, bob, again)
	}

	hello := backend.Message{Kind: backend.JSON, Data: []byte(`{"text":"hello"}`)}
	m, err := g.Message(t.Context(), alice, hello)
	if err != nil || m.Kind != backend.JSON || string(m.Data) != `{"sent":1}`+"\n" {
		t.Errorf("the answer is %s, %v", m.Data, err)
	}
	for _, data := range []string{`{}`, `7`, `{"text":7}`} {
		bad := backend.Message{Kind: backend.JSON, Data: []byte(data)}
		_, err = g.Message(t.Context(), alice, bad)
		wantCode(t, data, err, backend.CodeValidation)
	}
	_, err = g.Message(t.Context(), alice, backend.Message{Kind: backend.Text, Data: []byte("hi")})
	wantCode(t, "a text", err, backend.CodeValidation)

	g.Ended(alice, backend.End{Reason: "bye"})
	g.Ended(bob, backend.End{Reason: "idle", ByTime: true})
	if err := g.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if users := g.app.room.users(); !slices.Equal(users, []string{"alice"}) {
		t.Errorf("%v are in the room, want alice, who has another session", users)
	}
	g.app.pushes.close()
	want := []string{
		`/v1/messages {"joined":"alice"}`, `/v1/messages {"joined":"bob"}`,
		`/v1/users/bob/messages {"from":"alice","text":"hello"}`, `/v1/messages {"left":"bob"}`,
	}
	if !slices.Equal(g.pushed, want) {
		t.Errorf("pushed %q, want %q", g.pushed, want)
	}
}

func TestApp_Tools(t *testing.T) {
	g := start(t)
	alice := g.connect(t, "1", "wonderland")
	g.connect(t, "2", "builder")
	tools, err := g.Tools(t.Context())
	if err != nil || len(tools) != 2 {
		t.Fatalf("Tools = %v, %v", tools, err)
	}
	for _, c := range []struct {
		tool, arguments, text string
		code                  backend.Code
	}{
		{"who", `{}`, "alice\nbob", ""},
		{"whisper", `{"to":"bob","text":"psst"}`, "whispered to bob", ""},
		{"whisper", `{"to":"eve","text":"psst"}`, "", backend.CodeValidation},
		{"whisper", `{"to":"bob"}`, "", backend.CodeValidation},
		{"dig", `{}`, "", backend.CodeToolNotFound},
	} {
		call := backend.Call{Name: c.tool, Arguments: []byte(c.arguments)}
		r, err := g.Call(t.Context(), alice, call)
		if c.code != "" {
			wantCode(t, c.tool+c.arguments, err, c.code)
		} else if err != nil || r.Text != c.text {
			t.Errorf("%s %s = %q, %v", c.tool, c.arguments, r.Text, err)
		}
	}
	if err := g.Close(context.Background()); err != nil {
		t.Error(err)
	}
	g.app.pushes.close()
	whispered := `/v1/users/bob/messages {"from":"alice","whisper":"psst"}`
	if last := g.pushed[len(g.pushed)-1]; last != whispered {
		t.Errorf("the last push is %q, want %q", last, whispered)
	}
}

func TestApp_WrongGateway(t *testing.T) {
	g := start(t)
	server := httptest.NewServer(g.app)
	t.Cleanup(server.Close)
	stranger, err := backend.NewHTTP(backend.HTTPOptions{URL: server.URL, Token: "guess"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stranger.Connect(t.Context(), backend.Session{ID: "1"},
		backend.Newcomer{Token: "wonderland"})
	wantCode(t, "Connect by a stranger", err, backend.CodeUnauthorized)
	if users := g.app.room.users(); len(users) > 0 {
		t.Errorf("%v are in the room", users)
	}
	for _, h := range []*backend.HTTP{stranger, g.HTTP} {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	g.app.pushes.close()
}
