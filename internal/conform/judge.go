package conform

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// verdictError is why a case did not pass.
type verdictError struct {
	skip   bool
	silent bool // what should have come did not come in time
	text   string
}

// Error returns the reason.
func (v *verdictError) Error() string {
	return v.text
}

func failed(format string, args ...any) error {
	return &verdictError{text: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) error {
	return &verdictError{skip: true, text: fmt.Sprintf(format, args...)}
}

func silent(text string) error {
	return &verdictError{silent: true, text: text}
}

// tooBig is the code with which a server may refuse a message for its size.
const tooBig = 1009

// refusableBytes is the size from which a refusal by 1009 is taken as a limit of the server, and
// not as a mistake.
const refusableBytes = 1024

// expect waits for messages and pongs. Messages come in order and all of them. Of several pings
// the server may answer only the newest (RFC 6455, 5.5.3), and pongs may overtake messages.
func (s *session) expect(want ...event) error {
	for _, w := range want {
		if s.log.expected.room() {
			s.log.expected.add(w.String())
		}
	}
	want = slices.Clone(want)
	for len(want) > 0 {
		e, err := s.next()
		if err != nil {
			return err
		}
		at := slices.IndexFunc(want, e.is)
		if at < 0 {
			return s.surprise(e)
		}
		var late []event
		for _, w := range want[:at] {
			switch {
			case e.kind == evPong && w.kind == evPong:
				s.remark("a ping was left out for a newer one (RFC 6455, 5.5.3 permits it)")
			case e.kind == evMessage && w.kind == evMessage:
				return failed("a message was left out")
			default:
				s.remark("the %s came before the %s", e, w)
				late = append(late, w)
			}
		}
		want = append(late, want[at+1:]...)
	}
	return nil
}

// limited says whether an event is a server's refusal of a message for its size.
func (s *session) limited(e event) bool {
	return e.kind == evClose && e.code == tooBig && s.largest >= refusableBytes
}

// surprise says why an event that nobody expected ends a case.
func (s *session) surprise(e event) error {
	switch {
	case s.limited(e):
		return skipped("the server takes no message of %d bytes: it closed with 1009", s.largest)
	case e.kind == evSilent && s.stuck:
		return silent("the server stopped reading")
	case e.kind == evSilent:
		return silent("the server sent nothing more")
	}
	return failed("unexpected: %s", e)
}

// closeCleanly sends a close frame and expects the closing handshake.
func (s *session) closeCleanly() error {
	s.close(closePayload(1000, ""))
	return s.expectClose(1000)
}

// expectClose waits for the server's answer to a close frame that was sent, and for the end of
// the TCP connection. An answer without a code is as good as one of the codes: an endpoint only
// "typically" echoes the code (RFC 6455, 5.5.1).
func (s *session) expectClose(codes ...int) error {
	s.log.expected.add("close frame " + anyOf(codes) + " and the end of the TCP connection")
	e, err := s.next()
	switch {
	case err != nil:
		return err
	case e.kind == evEnd:
		return failed("no close frame before %s (RFC 6455, 5.5.1)", e)
	case e.kind != evClose:
		return s.surprise(e)
	case e.code == noCode && !slices.Contains(codes, noCode):
		s.remark("the close frame was answered by one without a code")
	case !slices.Contains(codes, e.code):
		return failed("the close frame was answered with %d", e.code)
	}
	return s.expectEnd()
}

// expectEnd waits for the end of the TCP connection after the closing handshake, which the server
// brings about at once (RFC 6455, 5.5.1 and 7.1.1).
func (s *session) expectEnd() error {
	e, err := s.next()
	switch {
	case err != nil:
		return err
	case e.kind == evSilent:
		return silent("the server left the TCP connection open after the closing handshake " +
			"(RFC 6455, 7.1.1)")
	case e.kind != evEnd:
		return s.surprise(e)
	}
	return nil
}

// expectRefusal waits for the server to fail the connection (RFC 6455, 7.1.7), after answering
// what came before the fault.
func (s *session) expectRefusal(codes []int, before ...event) error {
	for _, b := range before {
		s.log.expected.add(b.String())
	}
	s.log.expected.add("close frame " + anyOf(codes) + ", or the end of the TCP connection")
	for {
		e, err := s.next()
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(before, e.is); at >= 0 {
			before = before[at+1:]
			continue
		}
		if e.kind == evSilent {
			return silent("the server did not fail the connection")
		}
		if e.kind == evMessage || e.kind == evPong {
			return failed("the server did not fail the connection but sent a %s", e)
		}
		if e.kind != evClose && e.kind != evEnd {
			return s.surprise(e)
		}
		return s.refusedBy(e, codes, before)
	}
}

// refusedBy judges the event by which a server failed a connection.
func (s *session) refusedBy(e event, codes []int, unanswered []event) error {
	if len(unanswered) > 0 {
		s.remark("no %s before the refusal", unanswered[0])
	}
	if e.kind == evEnd {
		s.remark("the TCP connection was dropped without a close frame")
		return nil
	}
	if len(codes) > 0 && !slices.Contains(codes, e.code) {
		if s.limited(e) {
			return s.surprise(e)
		}
		return failed("the connection was failed with %s, not with %s", codeName(e.code),
			anyOf(codes))
	}
	if !s.closed {
		s.close(closePayload(e.code, ""))
	}
	return s.expectEnd()
}

// anyOf lists close codes; where there are none any will do.
func anyOf(codes []int) string {
	if len(codes) == 0 {
		return "with whatever code"
	}
	all := make([]string, len(codes))
	for i, c := range codes {
		all[i] = codeName(c)
	}
	return strings.Join(all, " or ")
}

func codeName(code int) string {
	if code == noCode {
		return "no code"
	}
	return strconv.Itoa(code)
}

// judgeHandshake fills in what came of a case whose connection could not be opened.
func (res *Result) judgeHandshake(c *testCase, err error) {
	log := &transcript{}
	log.sent.add("a handshake" + offered(c.offers))
	log.expected.add("a WebSocket")
	log.seen.add(err.Error())
	var no *RefusedError
	if c.declined && errors.As(err, &no) && no.StatusCode >= 400 {
		res.judge(log, "the whole handshake was refused: "+no.Error(), nil)
		return
	}
	res.judge(log, "", &verdictError{silent: timedOut(err), text: err.Error()})
}

// judge fills in what came of a case: what passed between it and the server, remarks, and what
// the case returned.
func (res *Result) judge(log *transcript, remarks string, err error) {
	res.Sent, res.Expected = log.sent.String(), log.expected.String()
	res.Seen = log.seen.String()
	var v *verdictError
	switch {
	case err == nil:
		res.Outcome, res.Detail, res.Reason = Pass, remarks, remarks
	case errors.As(err, &v) && v.skip:
		res.Outcome, res.Detail, res.Reason = Skip, v.text, v.text
	default:
		res.Outcome, res.silent = Fail, v != nil && v.silent
		res.Reason = err.Error()
		res.Detail = fmt.Sprintf("%v | sent: %s | expected: %s | seen: %s", err, res.Sent,
			res.Expected, res.Seen)
	}
}
