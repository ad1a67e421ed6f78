package adminclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// silenceMax is three times as long as the daemon is silent at most.
	silenceMax = 45 * time.Second
	// lineBytesMax bounds one line of the stream; the longest has two names of 255 bytes.
	lineBytesMax = 64 << 10
)

// EventLost is Event.Type where events were lost.
const EventLost = "lost"

// EventTypes are those of what happens to sessions.
func EventTypes() []string {
	return []string{"create", "resume", "detach", "expire", "disconnect"}
}

// Event is something that happened to a session, or, of type EventLost, that events are missing
// since they were read too slowly.
type Event struct {
	Type     string
	ID       string // counts up in one process; "" where the daemon gave none
	At       time.Time
	Session  string
	User     string
	Remote   string
	Protocol string
	Reason   string
	Lost     uint64 // how many are missing

	Raw json.RawMessage // the data as it came
}

// EventQuery says which events are wanted. A zero field means any.
type EventQuery struct {
	Types         []string
	User, Session string
}

// errSilent is why a stream is cut off on which nothing comes.
var errSilent = errors.New("adminclient: a silent stream")

// Events yields what happens from the moment on that the daemon has heard of it, until ctx ends or
// the connection is lost, which is the last thing that it yields. The stream has to begin within
// the timeout of a request.
func (c *Client) Events(ctx context.Context, q EventQuery) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		begun := newWatchdog(c.timeout, func() { cancel(errSlow) })
		defer begun.stop()
		v := url.Values{}
		for name, value := range map[string]string{
			"type": strings.Join(q.Types, ","), "user": q.User, "session": q.Session,
		} {
			if value != "" {
				v.Set(name, value)
			}
		}
		resp, err := c.send(ctx, request{method: http.MethodGet, path: "/v1/events", query: v})
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer func() { _ = resp.Body.Close() }() // what was needed is read
		if err := c.checkStream(ctx, resp); err != nil {
			yield(Event{}, err)
			return
		}
		begun.stop()
		silence := newWatchdog(silenceMax, func() { cancel(errSilent) })
		defer silence.stop()
		s := stream{r: bufio.NewReaderSize(resp.Body, lineBytesMax), alive: silence.feed}
		for {
			e, err := s.next(c)
			if err != nil {
				yield(Event{}, c.streamEnd(ctx, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// checkStream says why an answer is no stream of events.
func (c *Client) checkStream(ctx context.Context, resp *http.Response) error {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if resp.StatusCode == http.StatusOK && strings.TrimSpace(kind) == "text/event-stream" {
		return nil
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return c.foreign(resp.StatusCode, contentType(resp.Header), nil)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, lineBytesMax))
	switch {
	case err != nil && ctx.Err() != nil:
		return c.unreachable(ctx, err)
	case err != nil:
		return c.broken(err)
	}
	return c.refusal(resp.StatusCode, resp.Header, body)
}

// streamEnd is the error of a stream that ended.
func (c *Client) streamEnd(ctx context.Context, err error) error {
	_, ours := errors.AsType[*Error](err)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSlow): // just when it began
		return c.unreachable(ctx, err)
	case errors.Is(cause, errSilent):
		return &Error{Kind: KindSlow, cause: cause, text: fmt.Sprintf(
			"%s has been silent for %v: look whether curfewd is stopped", c.at.text, silenceMax)}
	case cause != nil:
		return cause
	case ours:
		return err
	case errors.Is(err, io.EOF):
		return &Error{Kind: KindUnreachable, cause: err, text: c.at.text + " ended the stream: " +
			"curfewd has ended, or ends, or takes the token no longer"}
	}
	return c.broken(err)
}

// stream reads server-sent events: fields up to an empty line, of which comments are no part.
type stream struct {
	r     *bufio.Reader
	alive func() // called for each line
}

// next is the next event. Its error is of c where what came is no such stream.
func (s *stream) next(c *Client) (Event, error) {
	var e Event
	var data []byte
	for {
		line, err := s.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return Event{}, c.foreign(0, "a line of its events is too long", err)
		case err != nil:
			return Event{}, err
		}
		s.alive()
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if len(data) == 0 {
				e = Event{}
				continue
			}
			e.Raw = data
			err := c.readEvent(&e)
			return e, err
		}
		name, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.Type = value
		case "id":
			e.ID = value
		case "data":
			if len(data)+len(value) > lineBytesMax {
				return Event{}, c.foreign(0, "an event of it is too long", nil)
			}
			data = append(data, value...)
		}
	}
}

// readEvent reads the data of an event.
func (c *Client) readEvent(e *Event) error {
	var d struct {
		At       time.Time `json:"at"`
		Session  string    `json:"session_id"`
		User     string    `json:"user"`
		Remote   string    `json:"remote"`
		Protocol string    `json:"protocol"`
		Reason   string    `json:"reason"`
		Lost     uint64    `json:"lost"`
	}
	if err := c.decode(e.Raw, &d); err != nil {
		return err
	}
	if e.Type == "" || e.Type != EventLost && d.Session == "" {
		return c.foreign(0, "an event of it names no session", nil)
	}
	if _, err := strconv.ParseUint(e.ID, 10, 64); err != nil {
		e.ID = ""
	}
	e.At, e.Session, e.User, e.Remote = d.At, d.Session, d.User, d.Remote
	e.Protocol, e.Reason, e.Lost = d.Protocol, d.Reason, d.Lost
	return nil
}
