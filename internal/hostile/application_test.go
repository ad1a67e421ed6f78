//go:build linux

package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// question is what the daemon asks of an application.
type question struct {
	event   string // connect, message, call, tools, disconnect, expire
	session string
	body    string
	kind    string          // Content-Type
	over    <-chan struct{} // closed when nobody waits for the answer any more
}

// application is what is behind a daemon, in the test's process. It does what the test's behaviour
// says, and where that says nothing it is polite: it lets everybody in, echoes messages, and has
// the tools of names.
type application struct {
	url       string
	behaviour atomic.Pointer[behaviour]
	asked     atomic.Int64 // questions, but for those of the tools and the ends
	server    *httptest.Server
	over      chan struct{} // closed by release
	releasing sync.Once
}

// behaviour answers a question, or gives false.
type behaviour func(w http.ResponseWriter, q *question) bool

// toolNames are the application's tools.
const toolNames = "good bad slow"

func newApplication(t *testing.T) *application {
	t.Helper()
	a := &application{over: make(chan struct{})}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	a.url = a.server.URL
	t.Cleanup(func() { // after the daemon's end
		a.release()
		a.leave()
	})
	return a
}

// release ends all hanging.
func (a *application) release() {
	a.releasing.Do(func() { close(a.over) })
}

// leave ends the application, but not the test.
func (a *application) leave() {
	_ = a.server.Listener.Close()
	a.server.CloseClientConnections()
	a.server.Close()
}

// comeBack is what follows leave.
func (a *application) comeBack(t *testing.T) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
	_ = s.Listener.Close()
	var err error
	s.Listener, err = net.Listen("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	a.server = s
}

// behave replaces the behaviour.
func (a *application) behave(b behaviour) { a.behaviour.Store(&b) }

func (a *application) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	q := &question{
		event: r.Header.Get("Curfew-Event"), session: r.Header.Get("Curfew-Session"),
		body: string(body), kind: r.Header.Get("Content-Type"), over: r.Context().Done(),
	}
	switch q.event {
	case "connect", "message", "call":
		a.asked.Add(1)
	}
	if b := a.behaviour.Load(); b != nil && (*b)(w, q) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch q.event {
	case "message":
		w.Header().Set("Content-Type", q.kind)
		_, _ = w.Write(body) // whoever does not read it has gone
	case "call":
		_, _ = io.WriteString(w, `{"text":"done"}`)
	case "tools":
		var tools []string
		for name := range strings.FieldsSeq(toolNames) {
			tools = append(tools, fmt.Sprintf(`{"name":%q}`, name))
		}
		_, _ = fmt.Fprintf(w, `{"tools":[%s]}`, strings.Join(tools, ","))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// hang waits until nobody waits for the answer, or for release.
func (a *application) hang(q *question) {
	select {
	case <-q.over:
	case <-a.over:
	}
}

// tool is the name of the tool that a question calls, "" where it calls none.
func (q *question) tool() string {
	var call struct{ Name string }
	if q.event != "call" || json.Unmarshal([]byte(q.body), &call) != nil {
		return ""
	}
	return call.Name
}

// hijack answers with bytes of any kind, and closes the connection.
func hijack(w http.ResponseWriter, bytes string) {
	nc, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err) // HTTP/1.1 can always be taken over
	}
	_, _ = io.WriteString(nc, bytes)
	_ = nc.Close()
}
