//go:build e2e

package e2e

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// pool is two daemons behind one HAProxy.
type pool struct {
	t       *testing.T
	daemons [2]*program
	direct  [2]string // where they listen
	admin   [2]string // URLs of operators' APIs
	url     string
	stats   string
}

func newPool(t *testing.T, w way, more ...string) *pool {
	t.Helper()
	p := &pool{t: t}
	var lines [2]line
	for i := range lines {
		p.daemons[i], lines[i] = w.listen(t, more...)
		p.direct[i], p.admin[i] = lines[i].Address, "http://"+lines[i].Admin
	}
	b := w.haproxy(t, lines[:]...)
	p.url, p.stats = "wss://"+b.address+"/", b.stats
	return p
}

// get asks an HTTP server.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := (&http.Client{Timeout: patience}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(all)
}

// member is a client of a pool that speaks raw.
type member struct {
	conn *gorilla.Conn
	at   int // the daemon that holds its session
}

// join connects from an address and finds out whose the session is.
func (p *pool) join(source string) *member {
	p.t.Helper()
	conn, response := dialFrom(p.t, source, p.url, nil)
	if conn == nil {
		p.t.Fatalf("%s is answered %s, want 101", source, response.Status)
	}
	id := response.Header.Get("Curfew-Session")
	for i, admin := range p.admin {
		if p.daemons[i].cmd.ProcessState != nil {
			continue // it has ended
		}
		if status, _ := get(p.t, admin+"/v1/sessions/"+id); status == http.StatusOK {
			return &member{conn, i}
		}
	}
	p.t.Fatalf("no daemon knows the session %s of %s", id, source)
	return nil
}

// talks says whether what it sends comes back, and the close code where it does not.
func (m *member) talks() (code int, ok bool) {
	_ = m.conn.SetReadDeadline(time.Now().Add(patience))
	err := m.conn.WriteMessage(gorilla.TextMessage, []byte("x"))
	for err == nil {
		var data []byte
		if _, data, err = m.conn.ReadMessage(); string(data) == "x" {
			return 0, true
		}
	}
	return m.left(err), false
}

// left waits for the end of the connection, which must come.
func (m *member) left(err error) (code int) {
	_ = m.conn.SetReadDeadline(time.Now().Add(patience))
	for err == nil {
		_, _, err = m.conn.ReadMessage()
	}
	var closed *gorilla.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return 0
}

// state is what HAProxy thinks of the first daemon.
func (p *pool) state() string {
	p.t.Helper()
	_, text := get(p.t, p.stats+"/;csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, row := range rows {
		if row[0] == "curfew" && row[1] == "c1" {
			return row[17]
		}
	}
	p.t.Fatalf("HAProxy says nothing of c1:\n%s", text)
	return ""
}

// poolWays are the ways to stand before a pool, in one mode each.
func poolWays() []way {
	ways := []way{passedTLS, proxyVersion2, forwardedFor}
	ways[1].mode, ways[2].mode = "epoll", "epoll"
	return ways
}

// TestHAProxy_LeadsPastADaemonThatDrains: from the moment of a drain newcomers go elsewhere, those
// who are told to go come back elsewhere, and whoever is not yet told stays undisturbed. The drain
// is so long that it is never over by itself.
func TestHAProxy_LeadsPastADaemonThatDrains(t *testing.T) {
	t.Parallel()
	for _, w := range poolWays() {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			p := newPool(t, w, "--idle-timeout", "1h", "--drain-window", "1h",
				"--ping-interval", "0") // a test reads when it wants to
			var members [2][]*member
			for i := range 12 {
				m := p.join(fmt.Sprintf("127.0.0.%d", 10+i))
				members[m.at] = append(members[m.at], m)
			}
			if len(members[0]) < 3 || len(members[1]) < 3 {
				t.Fatalf("the daemons have %d and %d of 12 clients, want some 6 each",
					len(members[0]), len(members[1]))
			}

			response, err := http.Post(p.admin[0]+"/v1/drain", "application/json", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			eventually(t, "a daemon that drains accepts nobody", func() bool {
				conn, err := net.Dial("tcp", p.direct[0])
				if err == nil {
					_ = conn.Close()
				}
				return err != nil
			})
			for i := range 8 { // HAProxy may not know it yet
				if m := p.join(fmt.Sprintf("127.0.0.%d", 30+i)); m.at != 1 {
					t.Error("a newcomer is at the daemon that drains")
				}
			}
			eventually(t, "HAProxy takes it for down", func() bool { return p.state() == "DOWN" })
			if status, _ := get(t, p.admin[0]+"/readyz"); status != http.StatusServiceUnavailable {
				t.Errorf("/readyz of a daemon that drains is %d, want 503", status)
			}
			stay := p.told(members[0])
			if len(stay) != len(members[0])-1 {
				t.Errorf("%d of %d clients were told to go, want the first of an hour",
					len(members[0])-len(stay), len(members[0]))
			}

			// The operator has no time: two signals beside the drain end it.
			for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
				if err := p.daemons[0].cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			if code := p.daemons[0].exit(); code != 1 {
				t.Errorf("a drain that was cut short exits with %d, want 1", code)
			}
			for i, m := range stay {
				if code := m.left(nil); code != gorilla.CloseGoingAway {
					t.Errorf("who is left is closed with %d, want 1001", code)
				}
				if m := p.join(fmt.Sprintf("127.0.0.%d", 10+i)); m.at != 1 {
					t.Error("whoever comes back is at the daemon that is gone")
				}
			}
			for _, m := range members[1] {
				if code, ok := m.talks(); !ok {
					t.Errorf("a client of the other daemon was closed with %d", code)
				}
			}
		})
	}
}

// told are the members of the first daemon that were not told to go; the others, who must be told
// 4100, come back and are at the second.
func (p *pool) told(members []*member) (stay []*member) {
	p.t.Helper()
	for _, m := range members {
		source := strings.Split(m.conn.LocalAddr().String(), ":")[0]
		switch code, ok := m.talks(); {
		case ok:
			stay = append(stay, m)
		case code != 4100:
			p.t.Errorf("a client of the daemon that drains is closed with %d, want 4100", code)
		case p.join(source).at != 1:
			p.t.Error("who was told to go came back to the daemon that drains")
		}
	}
	return stay
}

// TestHAProxy_LeadsBackToTheSession: whoever lost its connection finds the daemon that holds its
// session, though another has fewer clients.
func TestHAProxy_LeadsBackToTheSession(t *testing.T) {
	t.Parallel()
	for _, w := range poolWays() {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			p := newPool(t, w, "--idle-timeout", "1h")
			for i := range 8 {
				source := fmt.Sprintf("127.0.0.%d", 50+i)
				hello := map[string]any{"op": "hello", "want": map[string]any{"resume": true}}
				first := p.hello(source, hello)
				hello["resume"] = map[string]any{"token": first.Token, "seq": first.Seq}
				if again := p.hello(source, hello); !again.OK || !again.Resumed {
					t.Errorf("%s says hello again and is answered %+v, want its session",
						source, again)
				}
			}
		})
	}
}

// greeting is a hello_ack, as far as the test looks at it.
type greeting struct {
	OK      bool
	Resumed bool
	Token   string `json:"resume_token"`
	Seq     uint64
	Error   string
}

// hello connects, says it, and goes without a word.
func (p *pool) hello(source string, hello any) (g greeting) {
	p.t.Helper()
	conn, response := dialAs(p.t, "curfew.v1", source, p.url, nil)
	if conn == nil {
		p.t.Fatalf("%s is answered %s, want 101", source, response.Status)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if err := conn.WriteJSON(hello); err != nil {
		p.t.Fatal(err)
	}
	_, data, err := conn.ReadMessage()
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return g
}

// TestHAProxy_SaysWhatItDoes to Prometheus, as stats.cfg has it.
func TestHAProxy_SaysWhatItDoes(t *testing.T) {
	t.Parallel()
	w := proxyVersion2
	w.mode = "epoll"
	_, l := w.listen(t)
	status, text := get(t, w.haproxy(t, l).stats+"/metrics")
	if !strings.Contains(text, `haproxy_server_check_status{proxy="curfew",server="c1"`) {
		t.Errorf("/metrics of HAProxy is %d:\n%.2000s", status, text)
	}
}
