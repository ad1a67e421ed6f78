package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// HTTP is an application that answers requests at a URL: events are posted to it, and a GET lists
// its tools. docs/applications.md describes the requests and their answers.
//
// Only the ends of sessions are tried again. An application that does not answer is left alone for
// growing pauses, in which requests fail at once and ends wait.
type HTTP struct {
	link       *link
	ends       *ends
	tools      *toolList
	complaints *complaints
	counts     counts

	giveUp  context.CancelFunc // ends what is under way, and nothing begins any more
	running sync.WaitGroup     // all goroutines of this backend but the transport's
	once    sync.Once          // of closing
}

var _ Backend = (*HTTP)(nil)

// NewHTTP makes the backend for a URL. It connects to nothing yet.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	base, err := o.validate()
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	life, giveUp := context.WithCancel(context.Background())
	h := &HTTP{giveUp: giveUp, complaints: &complaints{log: o.Logger}}
	c := &conns{dial: o.dial, life: life}
	h.link = &link{
		base:      &http.Request{URL: base, Host: base.Host, ProtoMajor: 1, ProtoMinor: 1},
		timeout:   o.Timeout,
		transport: newTransport(o, c),
		conns:     c,
		breaker:   &breaker{changed: h.breakerChanged},
		slots:     make(chan struct{}, o.Concurrency),
	}
	h.SetToken(o.Token)
	h.ends = &ends{
		deliver: h.deliver, wait: h.pause, life: life, run: h.running.Go, complaints: h.complaints,
	}
	h.tools = &toolList{ask: h.askTools, run: h.running.Go, life: life}
	return h, nil
}

// pause is how long the application is to be left alone.
func (h *HTTP) pause() time.Duration { return h.link.breaker.wait(now()) }

// breakerChanged logs what the breaker does. Ends go on once it is closed.
func (h *HTTP) breakerChanged(pause time.Duration) {
	if pause > 0 {
		h.complaints.log.Warn("the application does not answer, requests fail at once",
			"pause", pause)
		return
	}
	h.complaints.log.Info("the application answers again")
	h.ends.wake()
}

// Prompt is false.
func (*HTTP) Prompt() bool { return false }

// connectBody is what connect posts.
type connectBody struct {
	Token       string `json:"token,omitempty"`
	Remote      string `json:"remote"`
	Subprotocol string `json:"subprotocol"`
	Origin      string `json:"origin,omitempty"`
	UserAgent   string `json:"user_agent,omitempty"`
}

// Connect posts the newcomer. Where the application may have let it in, but its answer is lost or
// of no use, it is told that the session has ended, since nobody else will.
func (h *HTTP) Connect(ctx context.Context, s Session, n Newcomer) (Grant, error) {
	data, err := encode(connectBody(n))
	if err != nil {
		return Grant{}, &Error{Code: CodeInternal, Message: "the request cannot be written"}
	}
	h.ends.begin(s.ID)
	defer h.ends.finish(s.ID)
	q := question{eventConnect, s, jsonType, data}
	a := h.link.exchange(ctx, &q)
	var g Grant
	if a.outcome == outcomeOK {
		if g, err = grantOf(a.header); err != nil {
			a.outcome, a.err = outcomeUnusable, err
		}
	}
	err = h.conclude(ctx, &q, &a)
	if err != nil && a.heard && a.outcome != outcomeRefused && (a.status == 0 || a.status < 300) {
		h.Ended(s, End{Reason: "lost"})
	}
	return g, err
}

// Message posts a message.
func (h *HTTP) Message(ctx context.Context, s Session, m Message) (Message, error) {
	if int(m.Kind) >= len(messageTypes) || m.Kind == 0 {
		return Message{}, &Error{Code: CodeInternal, Message: errNoSuchKind.Error()}
	}
	h.ends.begin(s.ID)
	defer h.ends.finish(s.ID)
	q := question{eventMessage, s, messageTypes[m.Kind], m.Data}
	a := h.link.exchange(ctx, &q)
	var answered Message
	if a.outcome == outcomeOK {
		var err error
		if answered, err = messageFrom(&a); err != nil {
			a.outcome, a.err = outcomeUnusable, err
		}
	}
	return answered, h.conclude(ctx, &q, &a)
}

// The Content-Types of requests, shared by all of them, which only read them.
var (
	messageTypes = [...][]string{
		JSON: {contentTypes[JSON]}, Text: {contentTypes[Text]}, Binary: {contentTypes[Binary]},
	}
	jsonType = messageTypes[JSON]
)

// callBody is what call posts.
type callBody struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
	RequestID json.RawMessage `json:"request_id,omitempty"`
}

// Call posts a call.
func (h *HTTP) Call(ctx context.Context, s Session, c Call) (Result, error) {
	arguments := c.Arguments
	if len(arguments) == 0 {
		arguments = []byte("{}")
	}
	data, err := encode(callBody{c.Name, arguments, c.RequestID})
	if err != nil {
		return Result{}, invalid("the arguments are no JSON")
	}
	h.ends.begin(s.ID)
	defer h.ends.finish(s.ID)
	q := question{eventCall, s, jsonType, data}
	a := h.link.exchange(ctx, &q)
	var r Result
	if a.outcome == outcomeOK {
		if r, err = resultFrom(a.body); err != nil {
			a.outcome, a.err = outcomeUnusable, err
		}
	}
	return r, h.conclude(ctx, &q, &a)
}

// conclude counts and logs what came of a question, and gives the error for whoever asked.
func (h *HTTP) conclude(ctx context.Context, q *question, a *answer) error {
	h.counts.add(q.event, a.outcome)
	switch a.outcome {
	case outcomeOK:
		return nil
	case outcomeFailed, outcomeUnusable, outcomeTimeout:
		h.complain(q, a)
	case outcomeRefused:
		if a.status < 400 {
			h.complain(q, a)
		}
	}
	return errorOf(ctx, q.event, a)
}

// complaintTexts are what the log says of outcomes that are the application's fault.
var complaintTexts = [outcomes]string{
	outcomeFailed:   "the application gave no proper answer",
	outcomeUnusable: "the application's answer is not what was asked for",
	outcomeTimeout:  "the application did not answer in time",
	outcomeRefused:  "the application redirects, which is not followed",
}

// errorBytesMax is how much of an error is logged: it may quote what the application sent.
const errorBytesMax = 256

func (h *HTTP) complain(q *question, a *answer) {
	attrs := []slog.Attr{
		slog.String("event", q.event.String()), slog.String("session", q.session.ID),
	}
	if a.status != 0 {
		attrs = append(attrs, slog.Int("status", a.status))
	}
	if a.err != nil {
		text := a.err.Error()
		attrs = append(attrs, slog.String("error", text[:min(len(text), errorBytesMax)]))
	}
	h.complaints.warn(complaintTexts[a.outcome], attrs...)
}

// encode writes v as JSON, strings as they are where that is possible.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// HasTool looks into the list, which is asked for again where it is old or has no such tool.
func (h *HTTP) HasTool(ctx context.Context, name string) error { return h.tools.has(ctx, name) }

// Tools gives the list, which is kept for 10 seconds. It is not to be changed.
func (h *HTTP) Tools(ctx context.Context) ([]Tool, error) { return h.tools.list(ctx) }

// ToolCount is the length of the last list.
func (h *HTTP) ToolCount() int { return int(h.tools.count.Load()) }

// askTools asks for the list of tools. Statuses that say that there is nothing to get say that
// there are none.
func (h *HTTP) askTools(ctx context.Context) ([]Tool, error) {
	q := question{event: eventTools}
	a := h.link.exchange(ctx, &q)
	switch a.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		h.counts.add(eventTools, outcomeOK)
		return []Tool{}, nil
	}
	var tools []Tool
	if a.outcome == outcomeOK {
		var err error
		if tools, err = toolsFrom(a.body); err != nil {
			a.outcome, a.err = outcomeUnusable, err
		}
	}
	err := h.conclude(ctx, &q, &a)
	if errors.Is(err, context.Canceled) {
		err = unavailable(0) // the backend is closed; nobody who waits has given up
	}
	return tools, err
}

// Ended queues the end of a session. It is posted when the session's requests have returned.
func (h *HTTP) Ended(s Session, e End) { h.ends.add(&end{session: s, End: e}) }

// endBody is what disconnect and expire post.
type endBody struct {
	Reason string `json:"reason"`
}

// deliver posts an end once.
func (h *HTTP) deliver(ctx context.Context, e *end) delivery {
	q := question{event: eventDisconnect, session: e.session, contentType: jsonType}
	if e.ByTime {
		q.event = eventExpire
	}
	q.data, _ = encode(endBody{e.Reason}) // strings can always be written
	began := now()
	a := h.link.exchange(ctx, &q)
	if a.outcome == outcomeHeld {
		return delivery{verdict: held}
	}
	_ = h.conclude(ctx, &q, &a) // counts and logs; nobody waits for the error
	switch {
	case a.outcome == outcomeOK:
		return delivery{verdict: delivered}
	case a.outcome == outcomeRefused && a.status != http.StatusTooManyRequests:
		return delivery{verdict: hopeless}
	}
	return delivery{
		verdict: again, took: now().Sub(began), after: retryAfterOf(a.header, now()),
		free: a.probe,
	}
}

// Close delivers what waits until ctx ends, then gives up, and lets go of all connections. What is
// still under way ends with an error.
func (h *HTTP) Close(ctx context.Context) error {
	h.once.Do(func() {
		h.ends.flush(ctx)
		_, before := h.ends.stats()
		h.ends.close()
		h.tools.close()
		h.giveUp()
		h.link.close()
		h.running.Wait()
		if _, dropped := h.ends.stats(); dropped > before {
			h.complaints.log.Warn("the application will not hear of the ends of sessions",
				"left", dropped-before, "dropped", dropped)
		}
	})
	return nil
}
