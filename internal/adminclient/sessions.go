package adminclient

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// States are those that a session can be in.
func States() []string { return []string{"live", "detached", "grace"} }

// Orders are those that a list can be sorted in. Beside them is the daemon's own, "", which costs
// it the least.
func Orders() []string {
	return []string{
		"created_at", "-created_at", "last_activity", "-last_activity", "deadline", "-deadline",
	}
}

const (
	// PageMax is how many sessions a page has at most.
	PageMax = 1000
	// nameBytesMax bounds an ID and a user's name.
	nameBytesMax = 255
)

// Session is what an operator sees of a session.
type Session struct {
	ID           string    `json:"session_id"`
	State        string    `json:"state"`
	User         string    `json:"user"` // "": nobody has named one
	CreatedAt    time.Time `json:"created_at"`
	LastActivity time.Time `json:"last_activity"`
	Deadline     time.Time `json:"deadline"` // zero: it never ends by itself
	IdleSeconds  float64   `json:"idle_s"`   // its idle timeout
	Remote       string    `json:"remote"`   // "" without a connection
	Protocol     string    `json:"protocol"`
	Resumable    bool      `json:"resumable"`
	Epoch        uint64    `json:"epoch"` // where Resumable, as the next
	Seq          uint64    `json:"seq"`
	InFlight     int       `json:"in_flight"`
	QueuedBytes  int64     `json:"queued_bytes"`
	ReplayBytes  int64     `json:"replay_bytes"`

	Raw json.RawMessage `json:"-"` // all of it, as it came
}

// Query says which sessions a list shows, and how. A zero field means the API's default.
type Query struct {
	State, User, Sort string
	Limit             int // of one page
	Cursor            string
}

// Page is a part of a list.
type Page struct {
	Sessions []Session
	Next     string    // the cursor of what follows; "": nothing does
	At       time.Time // by the daemon's clock, to the second; zero: it did not say
}

// Sessions asks for one page of a list.
func (c *Client) Sessions(ctx context.Context, q Query) (*Page, error) {
	v := url.Values{}
	for name, value := range map[string]string{
		"state": q.State, "user": q.User, "sort": q.Sort, "cursor": q.Cursor,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(min(q.Limit, PageMax)))
	}
	var list struct {
		Sessions []json.RawMessage `json:"sessions"`
		Next     *string           `json:"next_cursor"`
	}
	a, err := c.ask(ctx, request{method: http.MethodGet, path: "/v1/sessions", query: v}, &list)
	if err != nil {
		return nil, err
	}
	if list.Next == nil {
		return nil, c.foreign(0, "its list has no next_cursor", nil)
	}
	p := &Page{Sessions: make([]Session, len(list.Sessions)), Next: *list.Next, At: a.at}
	for i, raw := range list.Sessions {
		if err := c.session(raw, &p.Sessions[i]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// session reads one session.
func (c *Client) session(raw json.RawMessage, s *Session) error {
	if err := c.decode(raw, s); err != nil {
		return err
	}
	if s.ID == "" || s.State == "" {
		return c.foreign(0, "a session of it has no ID and no state", nil)
	}
	s.Raw = raw
	return nil
}

// Pages yields the pages of a list up to so many sessions; 0: all. A page may be empty though
// others follow, since sessions end meanwhile. An error is the last thing that it yields.
func (c *Client) Pages(ctx context.Context, q Query, limit int) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		for left := limit; ; {
			if q.Limit = PageMax; limit > 0 {
				q.Limit = min(left, PageMax)
			}
			p, err := c.Sessions(ctx, q)
			if err == nil && p.Next != "" && p.Next == q.Cursor {
				err = c.foreign(0, "its list does not get on", nil)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if limit > 0 && len(p.Sessions) > left {
				p.Sessions = p.Sessions[:left]
			}
			left -= len(p.Sessions)
			q.Cursor = p.Next
			if !yield(p, nil) || p.Next == "" || limit > 0 && left <= 0 {
				return
			}
		}
	}
}

// named is the path of something that has a name: every byte of the name is escaped that could
// mean something else, dots included.
func named(before, name, after string) (string, error) {
	if name == "" || len(name) > nameBytesMax {
		return "", &Error{
			Kind: KindRefused,
			text: fmt.Sprintf("an ID or a user has 1 to %d bytes, not %d", nameBytesMax, len(name)),
		}
	}
	return before + strings.ReplaceAll(url.PathEscape(name), ".", "%2E") + after, nil
}

const sessionPath, userPath = "/v1/sessions/", "/v1/users/"

// Session asks for one session.
func (c *Client) Session(ctx context.Context, id string) (*Session, error) {
	path, err := named(sessionPath, id, "")
	if err != nil {
		return nil, err
	}
	a, err := c.do(ctx, request{method: http.MethodGet, path: path})
	if err != nil {
		return nil, err
	}
	s := new(Session)
	return s, c.session(a.body, s)
}

// Touch keeps a session as if its client had sent something.
func (c *Client) Touch(ctx context.Context, id string) error {
	return c.change(ctx, http.MethodPost, id, "/touch")
}

// Kick ends a session.
func (c *Client) Kick(ctx context.Context, id string) error {
	return c.change(ctx, http.MethodDelete, id, "")
}

// change does something to a session to which there is no answer but that it was done.
func (c *Client) change(ctx context.Context, method, id, what string) error {
	path, err := named(sessionPath, id, what)
	if err != nil {
		return err
	}
	a, err := c.do(ctx, request{method: method, path: path})
	if err == nil && a.status != http.StatusNoContent {
		err = c.foreign(a.status, "it does not say that it was done", nil)
	}
	return err
}

// KickUser ends all sessions of a user and says how many it ended.
func (c *Client) KickUser(ctx context.Context, user string) (int, json.RawMessage, error) {
	path, err := named(userPath, user, "/sessions")
	if err != nil {
		return 0, nil, err
	}
	var v struct {
		Ended *int `json:"ended"`
	}
	a, err := c.ask(ctx, request{method: http.MethodDelete, path: path}, &v)
	if err == nil && v.Ended == nil {
		err = c.foreign(0, "it does not say how many ended", nil)
	}
	if err != nil {
		return 0, nil, err
	}
	return *v.Ended, a.body, nil
}

// Message is what is said to clients.
type Message struct {
	ContentType string
	Data        []byte
}

// Sent is what became of a message.
type Sent struct {
	Sent    int
	Refused int
	Raw     json.RawMessage // as it came
}

// Send says something to the client of one session.
func (c *Client) Send(ctx context.Context, id string, m Message) (Sent, error) {
	path, err := named(sessionPath, id, "/messages")
	if err != nil {
		return Sent{}, err
	}
	return c.push(ctx, path, nil, m)
}

// SendUser says something to all sessions of a user.
func (c *Client) SendUser(ctx context.Context, user string, m Message) (Sent, error) {
	path, err := named(userPath, user, "/messages")
	if err != nil {
		return Sent{}, err
	}
	return c.push(ctx, path, nil, m)
}

// SendAll says something to all sessions in a state; "": in any.
func (c *Client) SendAll(ctx context.Context, state string, m Message) (Sent, error) {
	v := url.Values{}
	if state != "" {
		v.Set("state", state)
	}
	return c.push(ctx, "/v1/messages", v, m)
}

func (c *Client) push(ctx context.Context, path string, q url.Values, m Message) (Sent, error) {
	var v struct {
		Sent    *int `json:"sent"`
		Refused *int `json:"refused"`
	}
	a, err := c.ask(ctx, request{
		method: http.MethodPost, path: path, query: q, kind: m.ContentType, body: m.Data,
	}, &v)
	if err == nil && (v.Sent == nil || v.Refused == nil) {
		err = c.foreign(0, "it does not say what became of the message", nil)
	}
	if err != nil {
		return Sent{}, err
	}
	return Sent{Sent: *v.Sent, Refused: *v.Refused, Raw: a.body}, nil
}
