package admin

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// noted are options whose actions are kept, as "METHOD path status error".
func noted(sessions Sessions) (o Options, actions *[]string) {
	actions = new([]string)
	o = options(sessions)
	o.OnAction = func(a Action) {
		*actions = append(*actions, fmt.Sprint(a.Method, " ", a.Path, " ", a.Status, " ", a.Error))
	}
	return o, actions
}

// Every request that changed something, or was to, is told of, and no other.
func TestActions(t *testing.T) {
	o, got := noted(newMemory(&member{Session: Session{ID: "a", User: "u"}, room: 1}))
	s := newServer(t, o)
	const isJSON = "Content-Type: application/json"
	for _, c := range []struct {
		method, target, body, header, want string
	}{
		{post, "/v1/sessions/a/touch", "", "", "POST /v1/sessions/a/touch 204 "},
		{post, "/v1/sessions/a/messages", "x", "", "POST /v1/sessions/a/messages 200 "},
		{
			post, "/v1/sessions/a/messages", "x", "",
			"POST /v1/sessions/a/messages 429 over_capacity",
		},
		{post, "/v1/users/u/messages", "x", "", "POST /v1/users/u/messages 200 "},
		{post, "/v1/messages?user=u", "x", "", "POST /v1/messages 200 "},
		{remove, "/v1/sessions/%61", "", "", "DELETE /v1/sessions/%61 204 "},
		{remove, "/v1/sessions/a", "", "", "DELETE /v1/sessions/a 404 not_found"},
		{
			remove, "/v1/users/u/sessions?x=1", "", "",
			"DELETE /v1/users/u/sessions 400 bad_request",
		},
		{remove, "/v1/users/u/sessions", "", "", "DELETE /v1/users/u/sessions 200 "},
		{http.MethodPut, "/v1/log-level", `{"level":"warn"}`, isJSON, "PUT /v1/log-level 200 "},
		{http.MethodPut, "/v1/log-level", `{}`, isJSON, "PUT /v1/log-level 400 bad_request"},
		{post, "/v1/drain", "", "", "POST /v1/drain 202 "},
		{post, "/v1/drain", "", "Origin: null", "POST /v1/drain 403 forbidden"},
		{post, "/v1/drain", "", "Host: evil", "POST /v1/drain 403 forbidden"},
		{get, "/v1/sessions", "", "", ""},
		{get, "/v1/sessions", "", "Host: evil", ""},
		{get, "/v1/drain", "", "", ""},
		{post, "/v1/sessions", "", "", ""},
		{post, "/v1/none", "", "", ""},
	} {
		*got = nil
		ask(s, c.method, c.target, c.body, c.header)
		if c.want == "" && len(*got) > 0 || c.want != "" && !slices.Equal(*got, []string{c.want}) {
			t.Errorf("%s %s: told of %q, want %q", c.method, c.target, *got, c.want)
		}
	}
}

func TestActions_RefusedOnesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(newMemory())
		var got []Action
		o.ReadOnly, o.OnAction = true, func(a Action) { got = append(got, a) }
		s := newServer(t, o)
		long := "/v1/sessions/" + strings.Repeat("x", 1000) + "/touch"
		for range 5 * refusedActionsMax {
			ask(s, post, long, "")
		}
		if len(got) != refusedActionsMax {
			t.Fatalf("told of %d, want %d", len(got), refusedActionsMax)
		}
		time.Sleep(budgetWindow)
		ask(s, post, long, "")
		last := got[len(got)-1]
		if want := (Action{
			At: time.Now(), Method: post, Path: long[:logPathBytesMax], Remote: "192.0.2.1:1234",
			Status: 403, Error: "forbidden", Missed: 4 * refusedActionsMax,
		}); last != want {
			t.Errorf("told of %+v, want %+v", last, want)
		}
	})
}

// Over a unix socket it is known whose process asks, where the system says so.
func TestActions_PeerOfASocket(t *testing.T) {
	actions := make(chan Action, 1)
	_, addr := serve(t, "unix:"+filepath.Join(t.TempDir(), "s"), func(o *Options) {
		o.OnAction = func(a Action) { actions <- a }
	})
	if status, _ := fetch(t, client(t, addr), post, "http://x/v1/drain", ""); status != 202 {
		t.Fatalf("drain: %d", status)
	}
	want := fmt.Sprintf("pid %d uid %d", os.Getpid(), os.Getuid())
	if got := (<-actions).Remote; got != want && runtime.GOOS == "linux" {
		t.Errorf("told of %q, want %q", got, want)
	}
}
