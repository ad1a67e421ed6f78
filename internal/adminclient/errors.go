package adminclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/curfew-go/curfew/internal/screen"
)

// Kind is what kind of thing went wrong.
type Kind uint8

// The kinds.
const (
	KindUnreachable Kind = iota + 1 // nobody answered
	KindSlow                        // nobody answered in time
	KindForeign                     // what answered is no Curfew, or no whole answer came
	KindDenied                      // a token is needed, or this one is not good
	KindForbidden                   // the API is read-only, or not for this host
	KindNotFound                    // there is no such session
	KindUnknown                     // the daemon has no such path: it is older than this program
	KindBusy                        // the queue is full
	KindRefused                     // the request is not one that can be done
	KindFailed                      // the daemon could not do it
)

// Error is what went wrong with a call.
type Error struct {
	Kind    Kind
	Status  int    // of the answer; 0: there was none
	Code    string // of the API; "" where it gave none
	Message string // of the API, escaped; "" where it gave none

	text  string
	cause error
}

// Error is one sentence that ends in what can be done about it.
func (e *Error) Error() string { return e.text }

// Unwrap is the error below, nil where there was an answer.
func (e *Error) Unwrap() error { return e.cause }

// KindOf is the kind of an error that a call gave; 0: it is none of this package's.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}

// shownMax is how many columns of a text of the other side an error shows.
const shownMax = 200

// plainHTTP is what net/http says of a server that speaks HTTP where TLS was to be.
const plainHTTP = "server gave HTTP response to HTTPS client"

// unreachable is the error of a request that nobody answered.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errSlow) &&
		!errors.Is(cause, context.DeadlineExceeded) {
		return cause // the caller gave up
	}
	e := &Error{Kind: KindUnreachable, cause: err}
	at := c.at.text
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case ctx.Err() != nil || isTimeout(err):
		e.Kind = KindSlow
		e.text = fmt.Sprintf("%s does not answer within %v: look whether curfewd is stopped or "+
			"its machine overloaded, or give it a longer --timeout", at, c.timeout)
	case errors.Is(err, syscall.ECONNREFUSED) && c.at.socket != "":
		e.text = fmt.Sprintf("nobody listens at %s: the process that made this socket is gone; "+
			"start curfewd", at)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.text = fmt.Sprintf("nobody listens at %s: start curfewd, or say by --admin (or "+
			"CURFEW_ADMIN) where its admin API is", at)
	case c.at.socket != "" && errors.Is(err, fs.ErrNotExist):
		e.text = fmt.Sprintf("there is no socket at %s: start curfewd, or say by --admin where "+
			"its admin API is", at)
	case c.at.socket != "" && errors.Is(err, fs.ErrPermission):
		e.text = fmt.Sprintf("%s may be opened only by the user that curfewd runs as: run this as "+
			"that user", at)
	case errors.As(err, &dns):
		e.text = fmt.Sprintf("%s: no host of this name is known: correct --admin", at)
	case errors.As(err, &record) || strings.Contains(err.Error(), plainHTTP):
		e.text = fmt.Sprintf("%s speaks no TLS: write http:// in --admin", at)
	case errors.As(err, &unknown):
		e.text = fmt.Sprintf("%s shows a certificate that nobody known has signed: name its "+
			"issuer by --admin-ca FILE", at)
	case errors.As(err, &certificate):
		e.text = fmt.Sprintf("the certificate of %s is not good (%s): correct --admin or the "+
			"certificate", at, screen.Safe(certificate.Err.Error(), shownMax))
	default:
		return c.broken(err)
	}
	return e
}

// broken is the error of a request to which no whole answer came.
func (c *Client) broken(err error) error {
	text := err.Error()
	for _, odd := range []string{
		"malformed", "invalid", "bad ", "exceeded", "unsupported",
	} {
		if strings.Contains(text, odd) {
			return c.foreign(0, "what it sent is no HTTP answer", err)
		}
	}
	var below *net.OpError
	if errors.As(err, &below) {
		err = below.Err
	}
	return &Error{
		Kind: KindUnreachable, cause: err,
		text: fmt.Sprintf("%s gave no whole answer (%s): try again, and look into the log of "+
			"curfewd", c.at.text, screen.Safe(reason(err), shownMax)),
	}
}

// reason is the last part of an error, which says why.
func reason(err error) string {
	for {
		below := errors.Unwrap(err)
		if below == nil {
			return err.Error()
		}
		err = below
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// foreign is the error of an answer that is not of the API.
func (c *Client) foreign(status int, why string, cause error) error {
	return &Error{
		Kind: KindForeign, Status: status, cause: cause,
		text: fmt.Sprintf("%s answers, but not as the admin API of curfewd does (%s): correct "+
			"--admin", c.at.text, screen.Safe(why, shownMax)),
	}
}

// errorBody is how the API says what went wrong.
type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// refusal is the error of an answer whose status is none of success.
func (c *Client) refusal(status int, header http.Header, body []byte) error {
	if status >= 300 && status < 400 {
		why := fmt.Sprintf("it leads to %q", screen.Safe(header.Get("Location"), 80))
		return c.foreign(status, why, nil)
	}
	var b errorBody
	if json.Unmarshal(body, &b) != nil || b.Error.Code == "" {
		if status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired {
			return &Error{Kind: KindDenied, Status: status, text: c.denied()}
		}
		return c.foreign(status, fmt.Sprintf("%d with %s", status, contentType(header)), nil)
	}
	e := &Error{
		Status: status, Code: b.Error.Code, Message: screen.Safe(b.Error.Message, shownMax),
	}
	e.Kind, e.text = c.explain(e)
	return e
}

// explain says what an error of the API means, and what can be done about it.
func (c *Client) explain(e *Error) (Kind, string) {
	switch e.Status {
	case http.StatusUnauthorized:
		return KindDenied, c.denied()
	case http.StatusForbidden:
		if strings.Contains(e.Message, "read-only") {
			return KindForbidden, c.at.text + " changes nothing: this curfewd runs with " +
				"--admin-read-only"
		}
		return KindForbidden, fmt.Sprintf("%s refuses this: %s", c.at.text, e.Message)
	case http.StatusNotFound:
		if strings.Contains(e.Message, "session") {
			return KindNotFound, e.Message + ": `curfew sessions ls` shows those that there are"
		}
		return KindUnknown, fmt.Sprintf("%s cannot do this: its curfewd is older than this program",
			c.at.text)
	case http.StatusMethodNotAllowed:
		return KindUnknown, fmt.Sprintf("%s cannot do this (%s): its curfewd is of another version",
			c.at.text, e.Message)
	case http.StatusTooManyRequests:
		if strings.Contains(e.Message, "queue") {
			return KindBusy, e.Message + ": its client does not read; try again later, or end it " +
				"by `curfew sessions kick`"
		}
		return KindBusy, e.Message + ": try again later"
	case http.StatusRequestEntityTooLarge:
		return KindRefused, e.Message + ": send less, or start curfewd with a larger " +
			"--max-message-bytes"
	case http.StatusUnsupportedMediaType:
		return KindRefused, e.Message + ": choose another --type"
	}
	if e.Status >= 500 {
		return KindFailed, fmt.Sprintf("%s failed (%d %s): look into its log", c.at.text, e.Status,
			e.Message)
	}
	return KindRefused, fmt.Sprintf("%s refuses this: %s", c.at.text, e.Message)
}

func (c *Client) denied() string {
	if c.token != "" {
		return c.at.text + " does not take this token: give one of its --admin-token-file, by " +
			"--admin-token-file or CURFEW_ADMIN_TOKEN"
	}
	return c.at.text + " asks for a token: give one by --admin-token-file FILE or " +
		"CURFEW_ADMIN_TOKEN"
}

// contentType is how an answer calls what is in it.
func contentType(h http.Header) string {
	if t := h.Get("Content-Type"); t != "" {
		return screen.Safe(t, 60)
	}
	return "no Content-Type"
}
