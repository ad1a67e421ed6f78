package backend

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	answerBytesMax  = 1 << 20
	headerBytesMax  = 32 << 10
	firstBytesMax   = 64 << 10 // allocated for an answer on the word of its Content-Length alone
	discardBytesMax = 64 << 10 // read of what nobody wants, to keep the connection

	// idleMax is how long an unused connection is kept. Servers close theirs, many after 5 s: what
	// is posted just then is lost, so ours are closed before.
	idleMax = 4 * time.Second
)

var (
	errTooLarge  = errors.New("the answer is larger than 1 MiB")
	errAllInUse  = errors.New("no request could begin: all that may run at once are running")
	errNotTrying = errors.New("the application does not answer, so it is not asked")
)

// question is a request to the application.
type question struct {
	event       event
	session     Session // of none where the event is about none
	contentType []string
	data        []byte
}

// answer is what came of a question.
type answer struct {
	outcome outcome
	status  int // 0: there was none
	header  http.Header
	body    []byte // of statuses in 200 to 299
	err     error  // for the log: why there is no usable answer
	probe   bool   // it was a probe of the breaker
	heard   bool   // the application may have seen the question
}

// link is the way to the application: it carries questions, a bounded number at once.
type link struct {
	base      *http.Request            // what all requests have in common
	token     atomic.Pointer[[]string] // the header Authorization; nil: none
	timeout   time.Duration
	transport *http.Transport
	conns     *conns
	breaker   *breaker
	slots     chan struct{} // one in it for each question under way
	latencies latencies
}

// newTransport makes the transport for a link of that many questions at once.
func newTransport(o HTTPOptions, c *conns) *http.Transport {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            c.connect,
		TLSClientConfig:        &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    o.Timeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    o.Concurrency,
		IdleConnTimeout:        idleMax,
		MaxResponseHeaderBytes: headerBytesMax,
		Protocols:              protocols,
	}
}

// exchange asks, within the time of one event, which runs while the question waits for its turn.
func (l *link) exchange(ctx context.Context, q *question) answer {
	if l.breaker.wait(now()) > 0 {
		return answer{outcome: outcomeHeld, err: errNotTrying}
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return answer{outcome: outcomeOf(ctx), err: errAllInUse}
	}
	defer func() { <-l.slots }()
	p, ok := l.breaker.enter(now())
	if !ok {
		return answer{outcome: outcomeHeld, err: errNotTrying}
	}
	a := l.roundTrip(ctx, q)
	a.probe = p.probe
	s := a.sign()
	if a.outcome == outcomeTimeout && q.event == eventCall {
		s = noSign // tools may take long, each in its way
	}
	t := now()
	l.latencies.add(q.event, &a, t.Sub(p.began))
	l.breaker.leave(t, p, s)
	return a
}

// outcomeOf is the outcome of a question that failed: its context says whether that ended it.
func outcomeOf(ctx context.Context) outcome {
	switch err := ctx.Err(); {
	case err == nil:
		return outcomeFailed
	case errors.Is(err, context.DeadlineExceeded):
		return outcomeTimeout
	}
	return outcomeCanceled
}

// sign is what the answer says of the application's health. One that answers by itself is well: 500
// may be for what one client sent, and must not cost the others. 502 to 504 are what stands before
// an application says when that is not there, or too busy.
func (a *answer) sign() sign {
	switch a.outcome {
	case outcomeCanceled:
		return noSign
	case outcomeTimeout:
		return badSign
	case outcomeFailed:
		if a.status == 0 || a.status >= 502 && a.status <= 504 {
			return badSign
		}
	}
	return goodSign
}

// roundTrip sends the question and reads the answer.
func (l *link) roundTrip(ctx context.Context, q *question) (a answer) {
	p := &payload{}
	p.mu.data = q.data
	defer func() { a.heard = p.revoke() }()
	resp, err := l.transport.RoundTrip(l.request(ctx, q, p))
	if err != nil {
		return answer{outcome: outcomeOf(ctx), err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // All that is wanted of it was read.
	a = answer{status: resp.StatusCode, header: resp.Header}
	if a.outcome = outcomeOfStatus(a.status); a.outcome != outcomeOK {
		// A status is an answer, whatever becomes of its body.
		io.CopyN(io.Discard, resp.Body, discardBytesMax) //nolint:errcheck // See above.
		return a
	}
	switch a.body, err = readBody(resp.Body, resp.ContentLength); {
	case errors.Is(err, errTooLarge):
		a.outcome, a.err = outcomeUnusable, err
	case err != nil:
		a.outcome, a.err = outcomeOf(ctx), err
	}
	return a
}

// outcomeOfStatus is the outcome of an answer with that status.
func outcomeOfStatus(status int) outcome {
	switch {
	case status >= 200 && status <= 299:
		return outcomeOK
	case status >= 300 && status <= 499:
		return outcomeRefused
	}
	return outcomeFailed
}

// request is a question as the transport wants it.
func (l *link) request(ctx context.Context, q *question, p *payload) *http.Request {
	r := l.base.WithContext(ctx)
	values := [2]string{q.session.ID, q.session.User}
	h := make(http.Header, 6)
	h["Curfew-Event"] = q.event.header()
	h["User-Agent"] = userAgent
	if q.session.ID != "" {
		h["Curfew-Session"] = values[0:1:1]
	}
	if q.session.User != "" {
		h["Curfew-User"] = values[1:2:2]
	}
	if token := l.token.Load(); token != nil {
		h["Authorization"] = *token
	}
	r.Header = h
	if q.event == eventTools {
		r.Method = http.MethodGet
		return r
	}
	h["Content-Type"] = q.contentType
	r.Method = http.MethodPost
	if len(q.data) == 0 {
		r.Body = http.NoBody
		return r
	}
	r.ContentLength = int64(len(q.data))
	r.GetBody = p.open
	r.Body, _ = p.open() // never fails
	return r
}

// userAgent is shared by all requests, which only read it.
var userAgent = []string{"curfewd"}

// readBody reads an answer of that length, -1 if it is not known, to its end.
func readBody(r io.Reader, length int64) ([]byte, error) {
	if length > answerBytesMax {
		return nil, errTooLarge
	}
	if length >= 0 && length <= firstBytesMax {
		b := make([]byte, length)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, answerBytesMax+1))
	if n > answerBytesMax {
		return nil, errTooLarge
	}
	return b.Bytes(), err
}

// close ends what is still under way and lets go of all connections.
func (l *link) close() {
	l.conns.close()
	l.transport.CloseIdleConnections()
}
