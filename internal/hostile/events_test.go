//go:build linux

package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// told is what a listener was told of one session, in order.
type told []string

// isStory says whether it is what may be told of a session: it begins, is detached and resumed any
// number of times, and ends once.
func (s told) isStory() bool {
	if len(s) < 2 || s[0] != "create" {
		return false
	}
	for _, e := range s[1 : len(s)-1] {
		if e != "resume" && !strings.HasPrefix(e, "detach ") {
			return false
		}
	}
	last, _, _ := strings.Cut(s[len(s)-1], " ")
	return last == "expire" || last == "disconnect"
}

// audience listens to a daemon's events.
type audience struct {
	answer *http.Response
	done   chan struct{} // closed when there are no more

	mu  sync.Mutex
	all map[string]told // by session
}

// listen begins to listen.
func (d *daemon) listen() *audience {
	d.t.Helper()
	answer, err := http.Get("http://" + d.admin + "/v1/events")
	if err != nil {
		d.t.Fatal(err)
	}
	a := &audience{answer: answer, done: make(chan struct{}), all: map[string]told{}}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() && lines.Text() != "" { // retry: it listens
	}
	go func() {
		defer close(a.done)
		name := ""
		for lines.Scan() {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "event":
				name = value
			case "data":
				if err := a.add(name, value); err != nil {
					d.t.Error(err)
				}
			}
		}
	}()
	return a
}

// add notes an event.
func (a *audience) add(name, data string) error {
	var e struct {
		Session string `json:"session_id"`
		Reason  string
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.Session == "" {
		return fmt.Errorf("event %s: %s, %w", name, data, err)
	}
	if e.Reason != "" {
		name += " " + e.Reason
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[e.Session] = append(a.all[e.Session], name)
	return nil
}

// of is what was told of a session until now.
func (a *audience) of(session string) told {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all[session])
}

// leave ends listening.
func (a *audience) leave() {
	a.answer.Body.Close()
	<-a.done
}

// Whatever happens to sessions at once, a listener is told of each a whole story with one end, and
// of nothing else.
func TestAdmin_Events(t *testing.T) {
	const clients = 40
	eachMode(t, setup{args: append([]string{
		"--resume-window", "5s", "--idle-timeout", "20s",
	}, operators...)}, func(d *daemon) {
		t := d.t
		a := d.listen()
		ends := map[string]string{}
		var mu sync.Mutex
		var attack sync.WaitGroup
		for i := range clients {
			attack.Go(func() {
				session, end, err := d.live(i)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ends[session] = end
			})
		}
		attack.Wait()
		for session, end := range ends {
			eventually(t, "a session ends "+end, func() bool {
				story := a.of(session)
				return len(story) > 0 && story[len(story)-1] == end
			})
		}
		a.leave()
		for session := range ends {
			if story := a.of(session); !story.isStory() {
				t.Errorf("of %s was told %q", session, story)
			}
		}
		if n := len(a.all); n != len(ends) {
			t.Errorf("told of %d sessions, want %d", n, len(ends))
		}
		http.DefaultClient.CloseIdleConnections()
		d.settle()
	})
}

// live is the life of a client: which session it had, and how that ended.
func (d *daemon) live(i int) (session, end string, err error) {
	p, err := open("", d.addr)
	if err != nil {
		return "", "", err
	}
	ack, err := p.greet(resumable)
	if err != nil || !ack.OK {
		return "", "", fmt.Errorf("hello: %+v, %w", ack, err)
	}
	session = ack.SessionID
	for range i % 3 { // detached and resumed, or taken over
		if i%2 == 0 {
			p.reset()
		}
		again, err := open("", d.addr)
		if err != nil {
			return session, "", err
		}
		if ack, err = again.greet(resuming(ack.ResumeToken, "0")); err != nil || !ack.OK {
			return session, "", fmt.Errorf("resume: %+v, %w", ack, err)
		}
		_ = p.nc.Close()
		p = again
	}
	defer p.nc.Close()
	switch i % 4 {
	case 0:
		p.reset()
		return session, "expire window", nil
	case 1:
		status, _, err := d.operate(http.MethodDelete, "/v1/sessions/"+session, "", "")
		if err == nil && status != http.StatusNoContent {
			err = fmt.Errorf("a kick gets %d", status)
		}
		return session, "disconnect revoked", err
	case 2:
		if err := p.text(`{"op":"bye"}`); err != nil {
			return session, "", err
		}
		p.said()
		return session, "disconnect bye", nil
	}
	return session, "expire window", nil // by a close of the socket
}
