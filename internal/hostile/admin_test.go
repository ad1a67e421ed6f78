//go:build linux

package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// operators are settings by which the daemon has an API for them.
var operators = []string{"--admin", "127.0.0.1:0"}

// operate asks the operator's API, and gives the status and the body of its answer.
func (d *daemon) operate(method, path, contentType, body string) (int, string, error) {
	r, err := http.NewRequest(method, "http://"+d.admin+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return a.StatusCode, string(text), err
}

// pushed is the data of the n-th push, which is long.
func pushed(n, size int) string { return fmt.Sprintf("%0*d", size, n) }

// push pushes it to a session.
func (d *daemon) push(session string, n, size int) (int, error) {
	status, _, err := d.operate(http.MethodPost, "/v1/sessions/"+session+"/messages",
		"text/plain", pushed(n, size))
	return status, err
}

// addressee is a client to whom operators push.
type addressee struct {
	*peer
	session string
	pushed  func(said string) (string, bool) // what was pushed, if it was
}

// addressees are one for each way in which a push goes.
func addressees(t *testing.T, d *daemon) map[string]*addressee {
	t.Helper()
	p := dial(t, d.addr)
	list := map[string]*addressee{"raw": {
		peer: p, session: p.header.Get("Curfew-Session"),
		pushed: func(said string) (string, bool) { return strings.CutPrefix(said, "text ") },
	}}
	for name, hello := range map[string]string{"json": `{"op":"hello"}`, "resumable": resumable} {
		p, ack := begin(t, d.addr, hello)
		list[name] = &addressee{peer: p, session: ack.SessionID, pushed: jsonPush}
	}
	return list
}

func jsonPush(said string) (string, bool) {
	text, ok := strings.CutPrefix(said, "text ")
	if !ok {
		return "", false
	}
	f, err := frameFrom(text)
	var data string
	if err != nil || f.Op != "message" || json.Unmarshal([]byte(f.Data), &data) != nil {
		return "", false
	}
	return data, true
}

// Pushes to a client that does not read are refused when enough wait, which ends nothing. What was
// taken comes when it reads, whole and in order.
func TestAdmin_PushesToWhoDoesNotRead(t *testing.T) {
	const size, enough, refusals = 30_000, 2000, 20
	// Who does not read a ping does not answer it: what is detached then takes what comes.
	patient := append([]string{"--ping-interval", "10m"}, operators...)
	eachMode(t, setup{args: patient}, func(d *daemon) {
		t := d.t
		for name, a := range addressees(t, d) {
			taken, refused := 0, 0
			for refused < refusals && taken < enough {
				switch status, err := d.push(a.session, taken, size); {
				case err != nil:
					t.Fatal(err)
				case status == http.StatusOK:
					taken++
					refused = 0
				case status == http.StatusTooManyRequests:
					refused++
				default:
					t.Fatalf("%s: push %d gets %d", name, taken, status)
				}
			}
			if taken == enough {
				t.Fatalf("%s: %d pushes of %d bytes are taken", name, taken, size)
			}
			if grown := d.grown(); grown > 8*writeBufferBytes {
				t.Errorf("%s: %d pushes cost %d bytes", name, taken, grown)
			}
			a.mustGet(t, name, taken, size)
			if status, err := d.push(a.session, taken, size); status != http.StatusOK {
				t.Errorf("%s: then a push gets %d, %v", name, status, err)
			}
			_ = a.nc.Close()
		}
		http.DefaultClient.CloseIdleConnections()
	})
}

// mustGet wants so many pushes in order.
func (a *addressee) mustGet(t *testing.T, name string, pushes, size int) {
	t.Helper()
	for n := range pushes {
		said := a.said()
		if got, ok := a.pushed(said); !ok || got != pushed(n, size) {
			t.Fatalf("%s: %.60q came, want push %d of %d", name, said, n, pushes)
		}
	}
}

// Messages to all while clients come and go reach each at most once, in order, and disturb nobody.
func TestAdmin_PushesToAllWhileClientsComeAndGo(t *testing.T) {
	const clients, lives, pushes = 24, 15, 150
	eachMode(t, setup{args: append([]string{"--resume-window", "200ms"}, operators...), asks: true},
		func(d *daemon) {
			t := d.t
			var attack sync.WaitGroup
			var done atomic.Bool
			stay, _ := begin(t, d.addr, `{"op":"hello"}`)
			for i := range clients {
				attack.Go(func() {
					for life := 0; life < lives || !done.Load(); life++ {
						hello := []string{`{"op":"hello"}`, resumable}[life%2]
						if err := listenFor(d.addr, hello, 1+(i+life)%7, i+life); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			attack.Go(func() {
				defer done.Store(true)
				for n := range pushes {
					status, text, err := d.operate(http.MethodPost, "/v1/messages",
						"text/plain", pushed(n, 100))
					if err != nil || status != http.StatusOK {
						t.Errorf("a push to all gets %d, %s, %v", status, text, err)
						return
					}
				}
			})
			for n := range pushes {
				said := stay.said()
				if got, ok := jsonPush(said); !ok || got != pushed(n, 100) {
					t.Errorf("who stays gets %.60q, want push %d", said, n)
					break
				}
			}
			attack.Wait()
			_ = stay.nc.Close()
			http.DefaultClient.CloseIdleConnections()
			d.settle()
		})
}

// listenFor is a client's life until it has heard so many pushes, or nothing for a moment.
func listenFor(addr, hello string, pushes, way int) error {
	p, err := open("", addr)
	if err != nil {
		return err
	}
	defer p.nc.Close()
	if err := p.text(hello); err != nil {
		return err
	}
	ack, err := p.frame()
	for err == nil && ack.Op == "message" {
		ack, err = p.frame()
	}
	if err != nil || !ack.OK {
		return fmt.Errorf("hello: %+v, %w", ack, err)
	}
	p.patience = patience / 600
	last := -1
	for range pushes {
		said := p.said()
		if said == timedOut {
			break
		}
		data, ok := jsonPush(said)
		var n int
		if _, err := fmt.Sscanf(data, "%d", &n); !ok || err != nil || n <= last ||
			last >= 0 && n != last+1 {
			return fmt.Errorf("after push %d came %.80q", last, said)
		}
		last = n
	}
	p.cut(way)
	return nil
}

// Many operators who end the same sessions end each once; its client is told, and cannot resume.
func TestAdmin_Kicks(t *testing.T) {
	const sessions, kickers = 60, 6
	eachMode(t, setup{args: operators}, func(d *daemon) {
		t := d.t
		type victim struct {
			*peer
			ack frame
		}
		victims := make([]victim, sessions)
		for i := range victims {
			victims[i].peer, victims[i].ack = begin(t, d.addr, resumable)
		}
		for i := range victims[:sessions/2] {
			victims[i].reset() // a kick meets a detach
		}
		var ended atomic.Int64
		var attack sync.WaitGroup
		for range kickers {
			attack.Go(func() {
				for _, v := range victims {
					status, _, err := d.operate(http.MethodDelete,
						"/v1/sessions/"+v.ack.SessionID, "", "")
					switch {
					case err == nil && status == http.StatusNoContent:
						ended.Add(1)
					case err != nil || status != http.StatusNotFound:
						t.Errorf("a kick gets %d, %v", status, err)
					}
				}
			})
		}
		attack.Wait()
		if n := ended.Load(); n != sessions {
			t.Errorf("%d kicks of %d sessions did it", n, sessions)
		}
		for _, v := range victims[sessions/2:] {
			if got := v.said(); !strings.HasPrefix(got, "close 4301 ") {
				t.Errorf("who is kicked is told %q", got)
			}
			_ = v.nc.Close()
		}
		for _, v := range victims {
			p, err := open("", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.greet(resuming(v.ack.ResumeToken, "0"))
			if err != nil || got.refused() != "session_revoked" {
				t.Errorf("who comes back gets %+v, %v", got, err)
			}
			_ = p.nc.Close()
		}
		http.DefaultClient.CloseIdleConnections()
		d.settle()
	})
}

// An operator's port under attack slows nobody who speaks WebSocket, keeps no operator out, and
// keeps nothing in the end.
func TestAdmin_Flood(t *testing.T) {
	const held, streams, requests = 1000, 40, 150
	eachMode(t, setup{args: operators, asks: true}, func(d *daemon) {
		t := d.t
		stay, _ := begin(t, d.addr, `{"op":"hello"}`)
		var attack sync.WaitGroup
		var conns []net.Conn
		for i := range held { // more than may be open at once
			c, err := net.Dial("tcp", d.admin)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
			_, _ = io.WriteString(c, []string{
				"", "GET /v1/sess", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
				"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
				"GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
			}[i%5])
		}
		for range streams { // which nobody reads
			c, err := net.Dial("tcp", d.admin)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
			_, _ = io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
		for i, target := range []string{
			"/v1/status", "/v1/sessions", "/v1/sessions?sort=-deadline&state=live", "/metrics",
			"/debug/pprof/goroutine", "/v1/none", "/v1/sessions?limit=0",
			"/debug/pprof/trace?seconds=0.01",
		} {
			attack.Go(func() {
				for range requests / (1 + i/4) {
					if _, _, err := d.operate(http.MethodGet, target, "", ""); err != nil {
						t.Errorf("%s: %v", target, err)
						return
					}
				}
			})
		}
		attack.Go(func() {
			for n := range requests {
				if status, _, err := d.operate(http.MethodPost, "/v1/messages", "text/plain",
					pushed(n, 100)); err != nil || status != http.StatusOK {
					t.Errorf("a push gets %d, %v", status, err)
					return
				}
			}
		})
		for n := range requests {
			if got, ok := jsonPush(stay.said()); !ok || got != pushed(n, 100) {
				t.Fatalf("%.60q came, want push %d", got, n)
			}
		}
		attack.Wait()
		for _, c := range conns {
			c.Close()
		}
		_ = stay.nc.Close()
		http.DefaultClient.CloseIdleConnections()
		d.settle()
	})
}
