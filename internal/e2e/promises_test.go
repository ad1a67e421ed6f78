//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestClientLibrary_PassesItsTests in Node, where it meets a daemon and a scripted server.
func TestClientLibrary_PassesItsTests(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("node", "--experimental-websocket", // as it is without from 22 on
		"--test", "--test-reporter=spec",
		fmt.Sprintf("--test-timeout=%d", patience.Milliseconds()),
		"../../docs/examples/curfew-client")
	cmd.Env = append(os.Environ(), "CURFEWD="+curfewd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// promises are what the client library keeps, whatever becomes of its connection and its daemon.
// Each is shown in Node and in a browser.
var promises = map[string]func(p *puppet, g *gate){
	"ten-cuts-and-a-takeover": keepsAllThroughCutsAndATakeover,
	"killed":                  saysThatItsSessionIsLost,
	"drained":                 comesBackAfterADrain,
	"starved":                 leavesADeadConnection,
	"lost-hello-ack":          repeatsALostResume,
	"gap":                     saysWhatIsLost,
	"reload":                  resumesInAPageThatIsLoadedAgain,
}

func TestClientLibrary_KeepsItsPromises(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(maps.Keys(promises))
	for _, home := range []struct{ name, mode string }{
		{"node", "epoll"}, {"chromium", "goroutine"},
	} {
		t.Run(home.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			if home.name == "chromium" {
				s.chromium(t, names)
			}
			for _, name := range names {
				if home.name == "node" && name == "reload" {
					continue // Node has no pages
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					if home.name == "node" {
						s.node(t, name)
					}
					g := newGate(t, home.mode, s.URL)
					promises[name](s.puppet(t, name), g)
				})
			}
		})
	}
}

// sockets counts those of operators' APIs, whose paths must be short.
var sockets atomic.Int64

// gate is a daemon, one after the other, at one address.
type gate struct {
	*wire
	t       *testing.T
	args    []string
	program *program // the newest
	admin   string   // the socket of its operators' API
	operate *http.Client
}

func newGate(t *testing.T, mode, origin string) *gate {
	t.Helper()
	g := &gate{
		wire: newWire(t), t: t,
		args: []string{
			curfewd, "--listen", "127.0.0.1:0", "--mode", mode, "--origin", origin,
			"--drain-window", "100ms", "--log-format", "json",
		},
	}
	g.operate = &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", g.admin)
		},
	}}
	g.replace()
	return g
}

// replace starts a daemon, to which newcomers are led from then on.
func (g *gate) replace() {
	g.t.Helper()
	g.admin = filepath.Join(filepath.Dir(curfewd), fmt.Sprint(sockets.Add(1)))
	g.program = start(g.t, stderr, append(g.args, "--admin", "unix:"+g.admin)...)
	g.lead(g.program.logged("listening").Address)
}

// seen is what an operator sees of a session.
type seen struct {
	State    string
	Epoch    int
	InFlight int `json:"in_flight"`
}

// session looks at a session.
func (g *gate) session(id string) (s seen) {
	g.t.Helper()
	r, err := g.operate.Get("http://localhost/v1/sessions/" + id)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil || r.StatusCode != http.StatusOK {
		g.t.Fatalf("GET of session %s: %s, %v", id, r.Status, err)
	}
	return s
}

// push pushes the numbers after the last, and gives the last of them.
func (g *gate) push(id string, last, count int) int {
	g.t.Helper()
	for n := last + 1; n <= last+count; n++ {
		r, err := g.operate.Post("http://localhost/v1/sessions/"+id+"/messages",
			"application/json", strings.NewReader(fmt.Sprint(n)))
		if err != nil {
			g.t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusOK {
			g.t.Fatalf("pushing %d: %s", n, r.Status)
		}
	}
	return last + count
}

// eventually waits until something is so.
func (g *gate) eventually(what string, so func() bool) {
	g.t.Helper()
	eventually(g.t, what, so)
}

// quick are options of a client that comes back soon.
var quick = with{"backoffMs": 10, "backoffMaxMs": 100, "maxQueued": 1_000_000, "maxInFlight": 16}

// enter has a puppet start a client, and gives its session.
func (g *gate) enter(p *puppet, client string, options, more with) (session string) {
	g.t.Helper()
	all := maps.Clone(quick)
	maps.Copy(all, options)
	how := with{"url": "ws://" + g.Addr().String() + "/ws", "options": all}
	maps.Copy(how, more)
	p.do("start", client, how, nil)
	return p.event(client, "open", 1).SessionID
}

// numbers are those from one to another.
func numbers(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

// settled says what came of a client whose requests all have. Each has one answer, the right one,
// or was rejected for a reason that is allowed; and no answer came twice.
func settled(p *puppet, client string, allowed ...string) account {
	p.t.Helper()
	a := p.account(client)
	sum := a.Answered
	for reason, n := range a.Rejected {
		sum += n
		if !slices.Contains(allowed, reason) {
			p.t.Errorf("%s: %d requests are rejected: %s", client, n, reason)
		}
	}
	if a.Wrong != 0 || sum != a.Asked {
		p.t.Errorf("%s: of %d requests %d were answered, %d wrongly, %v rejected",
			client, a.Asked, a.Answered, a.Wrong, a.Rejected)
	}
	if n := a.count("unclaimed"); n != 0 {
		p.t.Errorf("%s: %d answers came once more", client, n)
	}
	return a
}

// unbroken says that a client kept its one session, and heard of all that there was: each request
// ran once, and nothing else was numbered but the pushes.
func unbroken(p *puppet, client string, pushes int) {
	p.t.Helper()
	p.pushed(client, pushes)
	a := settled(p, client)
	if !slices.Equal(a.Pushes, numbers(1, pushes)) {
		p.t.Errorf("%s: pushed were 1 to %d, heard is %v", client, pushes, a.Pushes)
	}
	if n := a.count("gap") + a.count("newsession") + a.count("ended"); n != 0 {
		p.t.Errorf("%s: something is lost: %+v", client, a.Events)
	}
	if a.Seq != a.Answered+pushes {
		p.t.Errorf("%s: the last frame is %d, want %d answers + %d pushes",
			client, a.Seq, a.Answered, pushes)
	}
}

// keepsAllThroughCutsAndATakeover: ten times the connection is cut while requests and pushes flow,
// then a second client comes with the same token.
func keepsAllThroughCutsAndATakeover(p *puppet, g *gate) {
	patient := with{"ackAfterMs": 1e6} // so that the second client has what the first did
	id := g.enter(p, "first", patient, nil)
	p.flow("first")
	p.answered("first", 20)
	last := 0
	for i := range 10 {
		p.do("sleep", "first", with{"ms": 100}, nil) // still runs when it is asked again
		last = g.push(id, last, 3)
		g.cut()
		last = g.push(id, last, 3)
		if e := p.event("first", "open", i+2); !e.Resumed || e.SessionID != id {
			p.t.Fatalf("after cut %d: %+v, want session %s", i+1, e, id)
		}
	}
	p.rest("first")
	unbroken(p, "first", last)

	g.enter(p, "second", nil, with{"copy": "first"})
	p.flow("second")
	if e := p.event("first", "ended", 1); e.Code != 4300 {
		p.t.Errorf("taken over, the first is told %+v, want 4300", e)
	}
	before := last
	last = g.push(id, last, 5)
	g.cut()
	last = g.push(id, last, 5)
	p.event("second", "open", 2)
	p.rest("second")
	p.pushed("second", last-before)
	a := settled(p, "second")
	if !slices.Equal(a.Pushes, numbers(before+1, last)) || a.Session != id || a.count("gap") != 0 {
		p.t.Errorf("the second client: %+v, want pushes %d to %d and no gap", a, before+1, last)
	}
	if a := p.account("first"); a.State != "ended" || len(a.Pushes) != before {
		p.t.Errorf("the first client: %+v, want it ended after %d pushes", a, before)
	}
}

// saysThatItsSessionIsLost when the daemon is killed and another one comes.
func saysThatItsSessionIsLost(p *puppet, g *gate) {
	id := g.enter(p, "c", nil, nil)
	p.flow("c")
	g.push(id, 0, 3)
	p.pushed("c", 3)
	p.answered("c", 20)
	_ = g.program.cmd.Process.Kill()
	p.event("c", "down", 1)
	g.replace()
	e := p.event("c", "newsession", 1)
	if e.Code != 4203 || e.OldSessionID != id {
		p.t.Errorf("after a kill: %+v, want 4203 for session %s", e, id)
	}
	p.answered("c", p.account("c").Answered+20)
	g.push(p.account("c").Session, 3, 3)
	p.pushed("c", 6)
	p.rest("c")
	a := settled(p, "c", "unknown")
	if a.Rejected["unknown"] > 16 || !slices.Equal(a.Pushes, numbers(1, 6)) {
		p.t.Errorf("after a kill: %+v, want pushes 1 to 6 and at most 16 unknown", a)
	}
	if a.Session == id || a.count("newsession") != 1 || a.count("gap") != 0 {
		p.t.Errorf("after a kill: %+v, want one new session", a)
	}
}

// comesBackAfterADrain, not before it is told to.
func comesBackAfterADrain(p *puppet, g *gate) {
	id := g.enter(p, "c", nil, nil)
	p.flow("c")
	p.answered("c", 20)
	old := g.program
	g.replace()
	if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.event("c", "goodbye", 1)
	if e := p.event("c", "down", 1); e.Code != 4100 {
		p.t.Errorf("drained: %+v, want 4100", e)
	}
	if e := p.event("c", "newsession", 1); e.Code != 4203 || e.OldSessionID != id {
		p.t.Errorf("after a drain: %+v, want 4203 for session %s", e, id)
	}
	p.answered("c", p.account("c").Answered+20)
	p.rest("c")
	if a := settled(p, "c", "unknown"); a.Rejected["unknown"] > 16 {
		p.t.Errorf("after a drain: %+v, want at most 16 unknown", a)
	}
	if code := old.exit(); code != 0 {
		p.t.Errorf("the drained daemon exits with %d", code)
	}
}

// leavesADeadConnection, through which nothing passes though both ends stand.
func leavesADeadConnection(p *puppet, g *gate) {
	id := g.enter(p, "c", with{"pingEveryMs": 200, "pongTimeoutMs": 1500}, nil)
	p.flow("c")
	p.answered("c", 20)
	g.starve()
	last := g.push(id, 0, 5)
	if e := p.event("c", "open", 2); !e.Resumed {
		p.t.Errorf("starved: %+v, want it resumed", e)
	}
	last = g.push(id, last, 5)
	p.rest("c")
	unbroken(p, "c", last)
}

// repeatsALostResume: the daemon has given a new token out, which never arrives.
func repeatsALostResume(p *puppet, g *gate) {
	id := g.enter(p, "c", nil, nil)
	p.flow("c")
	p.answered("c", 20)
	g.mute()
	g.cut()
	last := g.push(id, 0, 5)
	if e := p.event("c", "open", 2); !e.Resumed {
		p.t.Errorf("after a lost hello_ack: %+v, want it resumed", e)
	}
	last = g.push(id, last, 5)
	p.rest("c")
	unbroken(p, "c", last)
	if s := g.session(id); s.Epoch < 3 {
		p.t.Errorf("the session is at its connection %d, want a third", s.Epoch)
	}
}

// saysWhatIsLost where the daemon cannot keep all that its client misses.
func saysWhatIsLost(p *puppet, g *gate) {
	id := g.enter(p, "c", nil, nil)
	last := g.push(id, 0, 5)
	p.pushed("c", last)
	p.do("sleep", "c", with{"ms": 10}, nil)
	p.answered("c", 1)
	p.do("sleep", "c", with{"ms": 3000}, nil)
	g.eventually("the call runs", func() bool { return g.session(id).InFlight == 1 })
	g.tear()
	g.eventually("the call is over, and its client away", func() bool {
		s := g.session(id)
		return s.State == "detached" && s.InFlight == 0
	})
	p.flow("c")
	last = g.push(id, last, 70)
	g.mend()
	p.event("c", "gap", 1)
	p.answered("c", 20)
	p.rest("c")
	last = g.push(id, last, 5)
	p.pushed("c", 5+64+5)
	a := settled(p, "c", "unknown")
	want := slices.Concat(numbers(1, 5), numbers(last-5-63, last))
	if !slices.Equal(a.Pushes, want) {
		p.t.Errorf("heard are the pushes %v, want %v", a.Pushes, want)
	}
	if a.Rejected["unknown"] != 1 || a.count("gap") != 1 || a.Session != id {
		p.t.Errorf("%+v, want one gap, and one request of unknown fate", a)
	}
}

// resumesInAPageThatIsLoadedAgain, by what sessionStorage keeps.
func resumesInAPageThatIsLoadedAgain(p *puppet, g *gate) {
	keeps := with{"storage": "session"}
	id := g.enter(p, "c", nil, keeps)
	p.do("sleep", "c", with{"ms": 0}, nil)
	p.answered("c", 1)
	last := g.push(id, 0, 3)
	p.pushed("c", last)
	p.do("reload", "", nil, nil)
	g.eventually("the old page is gone", func() bool { return g.session(id).State == "detached" })
	last = g.push(id, last, 3)
	p.await()
	if again := g.enter(p, "c", nil, keeps); again != id {
		p.t.Errorf("after a reload the session is %s, want %s", again, id)
	}
	last = g.push(id, last, 3)
	p.pushed("c", last-3)
	if a := p.account("c"); !slices.Equal(a.Pushes, numbers(4, last)) || a.count("gap") != 0 {
		p.t.Errorf("after a reload: %+v, want pushes 4 to %d", a, last)
	}
	p.do("close", "c", nil, nil)
}
