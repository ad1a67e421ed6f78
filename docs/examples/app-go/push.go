package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// pusher sends to clients by curfewd's admin API: one after the other, so that order is kept, and
// in the background, so that no event waits for it.
type pusher struct {
	admin, token string
	client       http.Client
	queue        chan push
	done         chan struct{}
}

// push is something for everybody (user "") or for all sessions of a user.
type push struct {
	user string
	data any
}

func newPusher(admin, token string) *pusher {
	p := &pusher{
		admin: admin, token: token, client: http.Client{Timeout: 5 * time.Second},
		queue: make(chan push, 1000), done: make(chan struct{}),
	}
	go p.run()
	return p
}

// send queues a push. One that finds the queue full is lost: there is a limit to everything.
func (p *pusher) send(user string, data any) {
	select {
	case p.queue <- push{user, data}:
	default:
		slog.Warn("a push is lost: too many wait")
	}
}

// close returns when what was queued has been sent.
func (p *pusher) close() {
	close(p.queue)
	<-p.done
}

func (p *pusher) run() {
	defer close(p.done)
	for one := range p.queue {
		if err := p.post(one); err != nil {
			slog.Warn("a push is lost", "error", err)
		}
	}
}

func (p *pusher) post(one push) error {
	data, err := json.Marshal(one.data)
	if err != nil {
		return err
	}
	path := "/v1/messages"
	if one.user != "" {
		path = "/v1/users/" + url.PathEscape(one.user) + "/messages"
	}
	r, err := http.NewRequest(http.MethodPost, p.admin+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	_ = resp.Body.Close()
	if resp.StatusCode > 299 && resp.StatusCode != http.StatusNotFound { // 404: just gone
		return fmt.Errorf("%s answered %s", path, resp.Status)
	}
	return nil
}
