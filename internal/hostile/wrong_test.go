//go:build linux

package hostile

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// misbehaviours are what an application may do with a question instead of answering it.
var misbehaviours = map[string]func(w http.ResponseWriter){
	"garbage": func(w http.ResponseWriter) { hijack(w, "\x00\xff no HTTP at all\r\n\r\n") },
	"endless header": func(w http.ResponseWriter) {
		hijack(w, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20))
	},
	"closes at once": func(w http.ResponseWriter) { hijack(w, "") },
	"cut in the header": func(w http.ResponseWriter) {
		hijack(w, "HTTP/1.1 200 OK\r\nContent-Le")
	},
	"cut in the body": func(w http.ResponseWriter) {
		hijack(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+
			"Content-Length: 100\r\n\r\n{\"text\":")
	},
	"cut in a chunk": func(w http.ResponseWriter) {
		hijack(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+
			"Transfer-Encoding: chunked\r\n\r\nffff\r\n{\"text\":")
	},
	"two lengths": func(w http.ResponseWriter) {
		hijack(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+
			"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")
	},
	"a length beyond all": func(w http.ResponseWriter) {
		hijack(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+
			"Content-Length: 9223372036854775807\r\n\r\n{}")
	},
	"huge": func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"`+strings.Repeat("x", 2<<20)+`"`)
	},
	"just too large": func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"`+strings.Repeat("x", 1<<20)+`"`)
	},
	"redirects": func(w http.ResponseWriter) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
	},
	"redirects for ever": func(w http.ResponseWriter) {
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(http.StatusFound)
	},
	"fails":       func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
	"switches":    func(w http.ResponseWriter) { hijack(w, "HTTP/1.1 101 Fine\r\n\r\n") },
	"status 999":  func(w http.ResponseWriter) { hijack(w, "HTTP/1.1 999 ?\r\n\r\n") },
	"status 99":   func(w http.ResponseWriter) { hijack(w, "HTTP/1.1 99 ?\r\n\r\n") },
	"no JSON":     answering("application/json", `{"text":`),
	"two values":  answering("application/json", `{"text":"x"} {}`),
	"bad UTF-8":   answering("application/json", "\"\xff\""),
	"binary":      answering("application/octet-stream", "\x00\x01"),
	"bad charset": answering("text/plain; charset=utf-16", "\xff\xfe"),
}

func answering(contentType, body string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

// errorFor wants the next frame that is not about a call's progress to be an error with one of some
// codes, about a request.
func (p *peer) errorFor(requestID string, codes ...string) error {
	f, err := p.frameOf("error")
	if err != nil {
		return err
	}
	for _, code := range codes {
		if f.code() == code && string(f.RequestID) == requestID {
			return nil
		}
	}
	return fmt.Errorf("request %s gets %s under %s, want %q",
		requestID, f.Error, f.RequestID, codes)
}

// An application that answers something else costs who asked an error, and its connection nothing.
func TestApplication_AnswersBadly(t *testing.T) {
	eachMode(t, setup{app: true, asks: true}, func(d *daemon) {
		t := d.t
		d.app.behave(func(w http.ResponseWriter, q *question) bool {
			f := misbehaviours[strings.Trim(q.body, `"`)]
			if q.tool() == "bad" {
				var name string
				for name, f = range misbehaviours {
					if strings.Contains(q.body, `"`+name+`"`) {
						break
					}
					f = nil
				}
			}
			if f != nil {
				f(w)
			}
			return f != nil
		})
		plain, _ := begin(t, d.addr, `{"op":"hello"}`)
		resumes, _ := begin(t, d.addr, resumable)
		for name := range misbehaviours {
			for _, p := range []*peer{plain, resumes} {
				if err := p.askFor(name); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		for _, p := range []*peer{plain, resumes} {
			_ = p.text(`{"op":"bye"}`)
		}
		d.settle()
	})
}

// askFor sends a message and a call that are answered badly, and after each a message that is not:
// the application is not given up then.
func (p *peer) askFor(name string) error {
	for _, request := range []string{
		`{"op":"message","data":%q,"request_id":%q}`,
		`{"op":"call_tool","name":"bad","arguments":{"a":%q},"request_id":%q}`,
	} {
		if err := p.text(fmt.Sprintf(request, name, name)); err != nil {
			return err
		}
		if err := p.errorFor(fmt.Sprintf("%q", name), "SERVICE_UNAVAILABLE"); err != nil {
			return err
		}
		if err := p.text(fmt.Sprintf(`{"op":"message","data":"fine %s"}`, name)); err != nil {
			return err
		}
		f, err := p.frameOf("message_res")
		if err != nil || string(f.Data) != fmt.Sprintf(`"fine %s"`, name) {
			return fmt.Errorf("then a message gets %+v, %w", f, err)
		}
	}
	return nil
}

// hangs is what an application never answers while a test lasts.
func hangs(q *question) bool { return q.body == `"hang"` || q.tool() == "slow" }

// While an application does not answer some, all others are served: pings and questions of the same
// sessions, messages of others, and newcomers.
func TestApplication_Hangs(t *testing.T) {
	const clients = 40
	eachMode(t, setup{app: true, args: []string{
		"--backend-timeout", "1h", "--global-max-inflight", "48",
	}}, func(d *daemon) {
		t := d.t
		defer d.app.release() // else the daemon's end would wait for answers
		d.app.behave(func(_ http.ResponseWriter, q *question) bool {
			if hangs(q) {
				d.app.hang(q)
			}
			return hangs(q)
		})
		held := make([]*peer, clients)
		for i := range held {
			p, _ := begin(t, d.addr, []string{`{"op":"hello"}`, resumable}[i%2])
			for _, request := range []string{
				`{"op":"message","data":"hang","request_id":1}`,
				`{"op":"message","data":"behind it","request_id":2}`,
				`{"op":"call_tool","name":"slow","request_id":3}`,
			} {
				if err := p.text(request); err != nil {
					t.Fatal(err)
				}
			}
			held[i] = p
		}
		for round := range 3 {
			for _, p := range held {
				if err := p.text(`{"op":"session_info"}`); err != nil {
					t.Fatal(err)
				}
				if _, err := p.frameOf("session_info_res"); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
			p, _ := begin(t, d.addr, resumable)
			if err := p.talk(0, 10); err != nil {
				t.Errorf("a newcomer: %v", err)
			}
			if !canCallGood(p) {
				t.Error("a newcomer's call is not served")
			}
			_ = p.text(`{"op":"bye"}`)
		}
		for _, p := range held {
			if err := p.text(`{"op":"message","data":"again","request_id":2}`); err != nil {
				t.Fatal(err)
			}
			if err := p.errorFor("2", "DUPLICATE"); err != nil {
				t.Error(err)
			}
			p.reset()
		}
	})
}

func canCallGood(p *peer) bool {
	if p.text(`{"op":"call_tool","name":"good","request_id":"g"}`) != nil {
		return false
	}
	f, err := p.frameOf("call_tool_res", "error")
	return err == nil && f.Op == "call_tool_res"
}

// An application that takes too long costs who asked an error; that it answers nobody costs
// newcomers a try. Afterwards all is well again.
func TestApplication_TakesTooLong(t *testing.T) {
	const clients = 20
	eachMode(t, setup{app: true, asks: true, args: []string{
		"--backend-timeout", "1s",
	}}, func(d *daemon) {
		t := d.t
		var asleep atomic.Bool
		d.app.behave(func(_ http.ResponseWriter, q *question) bool {
			if asleep.Load() {
				d.app.hang(q)
			}
			return asleep.Load()
		})
		list := make([]*peer, clients)
		for i := range list {
			list[i], _ = begin(t, d.addr, []string{`{"op":"hello"}`, resumable}[i%2])
		}
		asleep.Store(true)
		var all sync.WaitGroup
		for _, p := range list {
			all.Go(func() {
				for n := range 3 {
					if err := p.say(n, 10); err != nil {
						t.Error(err)
					}
				}
				for n := range 3 { // in order
					err := p.errorFor(fmt.Sprint(n), "TIMEOUT", "SERVICE_UNAVAILABLE")
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		p, err := open("", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		want := `text {"op":"hello_ack","ok":false,"error":"unavailable"}, close 1013 unavailable`
		if got := p.refusal(resumable); got != want {
			t.Errorf("a newcomer gets %q", got)
		}
		status, err := reach(t, d.addr).upgrade()
		if status != http.StatusServiceUnavailable {
			t.Errorf("a raw newcomer gets %d, %v", status, err)
		}
		all.Wait()
		asleep.Store(false)
		n := 10
		eventually(t, "the application is asked again", func() bool {
			n++
			return list[0].talk(n, n+1) == nil
		})
		for _, p := range list[1:] {
			if err := p.talk(n, n+1); err != nil {
				t.Error(err)
			}
		}
		for _, p := range list {
			_ = p.text(`{"op":"bye"}`)
		}
		d.settle()
	})
}

// An application that is gone is the same, only that nobody waits.
func TestApplication_IsGone(t *testing.T) {
	eachMode(t, setup{app: true, asks: true}, func(d *daemon) {
		t := d.t
		p, ack := begin(t, d.addr, resumable)
		if err := p.talk(0, 5); err != nil {
			t.Fatal(err)
		}
		d.app.leave()
		for n := 10; n < 60; n++ {
			if err := p.say(n, 10); err != nil {
				t.Fatal(err)
			}
			if err := p.errorFor(fmt.Sprint(n), "SERVICE_UNAVAILABLE"); err != nil {
				t.Fatal(err)
			}
			err := p.text(fmt.Sprintf(`{"op":"call_tool","name":"good","request_id":"c%d"}`, n))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.errorFor(fmt.Sprintf(`"c%d"`, n), "SERVICE_UNAVAILABLE"); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			status, err := reach(t, d.addr).upgrade()
			if status != http.StatusServiceUnavailable {
				t.Errorf("a raw newcomer gets %d, %v", status, err)
			}
			q, err := open("", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := q.greet(resumable); err != nil || got.refused() != "unavailable" {
				t.Errorf("a newcomer gets %+v, %v", got, err)
			}
			_ = q.nc.Close()
		}
		p.reset() // who has a session keeps it, since a resume asks nobody
		d.detached(ack.SessionID, 1)
		q, ack := begin(t, d.addr, resuming(ack.ResumeToken, fmt.Sprint(5+100)))
		if ack.Gap || ack.Seq != 105 {
			t.Errorf("the session comes back as %+v", ack)
		}
		d.app.comeBack(t)
		n := 60
		eventually(t, "the application is asked again", func() bool {
			n++
			return q.talk(n, n+1) == nil
		})
		_ = q.text(`{"op":"bye"}`)
		d.settle()
	})
}
