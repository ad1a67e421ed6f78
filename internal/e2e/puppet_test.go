//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// stage serves the whole house, so that a page may load what it is made of, and is where puppets
// come to be told what to do.
type stage struct {
	*httptest.Server
	mu struct {
		sync.Mutex
		arrived map[string]chan *gorilla.Conn // by the name of the puppet
	}
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	s.mu.arrived = map[string]chan *gorilla.Conn{}
	upgrader := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("../..")))
	mux.HandleFunc("GET /puppets", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		var hello struct{ Name string }
		if err := conn.ReadJSON(&hello); err != nil {
			_ = conn.Close()
			return
		}
		s.arrivals(hello.Name) <- conn
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *stage) arrivals(name string) chan *gorilla.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.arrived[name] == nil {
		s.mu.arrived[name] = make(chan *gorilla.Conn, 10)
	}
	return s.mu.arrived[name]
}

// node starts a puppet in Node.
func (s *stage) node(t *testing.T, name string) {
	t.Helper()
	cmd := exec.Command("node", "testdata/puppet.mjs", "ws"+s.URL[len("http"):]+"/puppets", name)
	launch(t, cmd)
}

// chromium starts puppets in one page of a browser.
func (s *stage) chromium(t *testing.T, names []string) {
	t.Helper()
	launch(t, exec.Command("chromium", "--headless", "--disable-gpu", "--no-first-run",
		"--no-sandbox",            // which root cannot have
		"--disable-dev-shm-usage", // which is small in containers
		"--user-data-dir="+t.TempDir(),
		s.URL+"/internal/e2e/testdata/puppet.html?"+url.Values{"name": names}.Encode()))
}

// launch starts a program that others may start from, and ends them all with the test.
func launch(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	scratch := filepath.Dir(curfewd)
	cmd.Env = append(os.Environ(), "HOME="+scratch, "TMPDIR="+scratch)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (make e2e-tools installs it)", err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = said.Close()
		if what, _ := os.ReadFile(said.Name()); t.Failed() && len(what) > 0 {
			t.Logf("%s says:\n%s", cmd.Path, what)
		}
	})
}

// puppet is a program that has clients of a daemon and does with them what it is told.
type puppet struct {
	t     *testing.T
	stage *stage
	name  string
	conn  *gorilla.Conn
}

// puppet waits for a puppet to come.
func (s *stage) puppet(t *testing.T, name string) *puppet {
	t.Helper()
	p := &puppet{t: t, stage: s, name: name}
	p.await()
	return p
}

func (p *puppet) await() {
	p.t.Helper()
	select {
	case p.conn = <-p.stage.arrivals(p.name):
		p.t.Cleanup(func() { _ = p.conn.Close() })
	case <-time.After(patience):
		p.t.Fatalf("the puppet %s does not come", p.name)
	}
}

// with are the parts of a command.
type with map[string]any

// do has the puppet do something with a client, and stores what comes of it in into, if any.
func (p *puppet) do(what, client string, how with, into any) {
	p.t.Helper()
	command := with{"do": what, "client": client}
	maps.Copy(command, how)
	var answer struct {
		OK    json.RawMessage
		Error string
	}
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	if err := p.conn.WriteJSON(command); err != nil {
		p.t.Fatal(err)
	}
	if err := p.conn.ReadJSON(&answer); err != nil {
		p.t.Fatalf("the puppet %s, told %v: %v", p.name, command, err)
	}
	if answer.Error != "" {
		p.t.Fatalf("the puppet %s, told %v: %s", p.name, command, answer.Error)
	}
	if into != nil {
		if err := json.Unmarshal(answer.OK, into); err != nil {
			p.t.Fatal(err)
		}
	}
}

// flow has a client make requests, each with another number, until rest.
func (p *puppet) flow(client string) {
	p.t.Helper()
	p.do("flow", client, with{"everyMs": 5}, nil)
}

// rest waits until all requests have come to something.
func (p *puppet) rest(client string) {
	p.t.Helper()
	p.do("rest", client, nil, nil)
}

// answered waits until so many requests of a client have been answered.
func (p *puppet) answered(client string, count int) {
	p.t.Helper()
	p.do("answered", client, with{"count": count}, nil)
}

// pushed waits until a client has heard so many pushes.
func (p *puppet) pushed(client string, count int) {
	p.t.Helper()
	p.do("pushed", client, with{"count": count}, nil)
}

// happening is an event of a client.
type happening struct {
	Type         string
	SessionID    string
	OldSessionID string
	Resumed, Gap bool
	Code         int
	Reason       string
	DelayMS      float64
}

// event waits for the count-th event of a type.
func (p *puppet) event(client, kind string, count int) (e happening) {
	p.t.Helper()
	p.do("event", client, with{"type": kind, "count": count}, &e)
	return e
}

// account is what came of a client.
type account struct {
	Session                string
	Seq                    int
	State                  string
	Events                 []happening
	Pushes                 []int
	Asked, Answered, Wrong int
	Rejected               map[string]int
}

func (p *puppet) account(client string) (a account) {
	p.t.Helper()
	p.do("account", client, nil, &a)
	return a
}

// count is how many events there were of a type.
func (a *account) count(kind string) (n int) {
	for _, e := range a.Events {
		if e.Type == kind {
			n++
		}
	}
	return n
}
