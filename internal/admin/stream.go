package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// eventPause is how long a stream rests after it told what waited, so that what happens
	// meanwhile goes together.
	eventPause = 100 * time.Millisecond
	// partEvents is how many events are written at once, at most.
	partEvents = 512
	// alivePause is after how much silence a stream says that it lives.
	alivePause = 15 * time.Second
	// streamPatience is how long a part may take to be written, and farewellPatience the last one.
	streamPatience   = 30 * time.Second
	farewellPatience = 500 * time.Millisecond
	// retryMillis is after how long a browser asks again when a stream ends.
	retryMillis = 2000
)

// eventTypes are all types of events.
var eventTypes = []EventType{EventCreate, EventResume, EventDetach, EventExpire, EventDisconnect}

// eventJSON is how an Event is written.
type eventJSON struct {
	Type     EventType `json:"type"`
	At       string    `json:"at"`
	Session  string    `json:"session_id"`
	User     string    `json:"user,omitempty"`
	Remote   string    `json:"remote,omitempty"`
	Protocol string    `json:"protocol,omitempty"`
	Reason   string    `json:"reason,omitempty"`
}

// lostJSON is how many events somebody was too slow for.
type lostJSON struct {
	Lost uint64 `json:"lost"`
}

// events tells of events until nobody listens or the server ends.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	f, err := parseEventFilter(r.URL.RawQuery)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return nil
	}
	me := s.o.Events.subscribe(f)
	if me == nil {
		w.Header().Del("Content-Type")
		return &problem{
			status: http.StatusTooManyRequests, code: codeOverCapacity, retryAfter: 10,
			message: fmt.Sprintf("%d others are told of events, which is as many as may",
				subscribersMax),
		}
	}
	defer s.o.Events.unsubscribe(me)
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep them
	ctx, release := s.lift(w, r)
	defer release()
	t := stream{
		to: w, control: http.NewResponseController(w), from: s.o.Events, me: me,
		isKnown: func() bool { return s.guard.isKnown(r) },
	}
	t.run(ctx)
	return nil
}

// stream is the telling of events to one subscriber.
type stream struct {
	to      http.ResponseWriter
	control *http.ResponseController
	from    *Events
	me      *subscriber
	isKnown func() bool // whether it may still be told: tokens can be replaced meanwhile

	taken []*numbered
	text  []byte
}

// run writes what happens until ctx ends, it cannot be written, or must not be any more.
func (t *stream) run(ctx context.Context) {
	t.text = fmt.Appendf(nil, "retry: %d\n\n", retryMillis)
	if !t.write(streamPatience) {
		return
	}
	alive, pause := newTimer(alivePause), newTimer(eventPause)
	defer alive.Stop()
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			if t.isKnown() {
				t.tell(backlogMax, farewellPatience)
			}
			return
		case <-alive.C:
			t.text = append(t.text, ": alive\n\n"...)
			if !t.isKnown() || !t.write(streamPatience) {
				return
			}
		case <-t.me.wake:
			if !t.isKnown() || !t.tell(partEvents, streamPatience) {
				return
			}
		}
		alive.Reset(alivePause)
		pause.Reset(eventPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
	}
}

// tell writes what waits, in parts of so many events, and says whether each could be written in
// time.
func (t *stream) tell(part int, patience time.Duration) bool {
	var lost uint64
	t.taken, lost = t.from.take(t.me, t.taken)
	defer func() { clear(t.taken) }() // a silent stream must not hold them
	for i, e := range t.taken {
		if i > 0 && i%part == 0 && !t.write(patience) {
			return false
		}
		t.text = fmt.Appendf(t.text, "event: %s\nid: %d\n", e.Type, e.id)
		t.data(eventJSON{
			e.Type, formatTime(e.At), e.Session, e.User, e.Remote, e.Protocol, e.Reason,
		})
	}
	if lost > 0 {
		t.text = append(t.text, "event: lost\n"...)
		t.data(lostJSON{lost})
	}
	return t.write(patience)
}

// data ends an event with what it says, which JSON keeps in one line.
func (t *stream) data(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic("admin: " + err.Error()) // only our own types come here
	}
	t.text = append(append(append(t.text, "data: "...), text...), "\n\n"...)
}

// write sends the text and says whether that was possible in time.
func (t *stream) write(patience time.Duration) bool {
	_ = t.control.SetWriteDeadline(now().Add(patience))
	_, err := t.to.Write(t.text)
	t.text = t.text[:0]
	return err == nil && t.control.Flush() == nil
}

// parseEventFilter reads the parameters that say which events are meant.
func parseEventFilter(rawQuery string) (f eventFilter, err error) {
	v, err := parseQuery(rawQuery, "type", "user", "session")
	if err != nil {
		return f, err
	}
	if types := v.Get("type"); types != "" {
		f.types = make(map[EventType]bool, len(eventTypes))
		for name := range strings.SplitSeq(types, ",") {
			if !slices.Contains(eventTypes, EventType(name)) {
				return f, badRequest("type is not some of create, resume, detach, expire, " +
					"disconnect, with commas between: " + strconv.Quote(name))
			}
			f.types[EventType(name)] = true
		}
	}
	f.user, f.session = v.Get("user"), v.Get("session")
	if len(f.user) > nameBytesMax || len(f.session) > nameBytesMax {
		return f, badRequest(fmt.Sprintf("user or session is longer than %d bytes", nameBytesMax))
	}
	return f, nil
}
