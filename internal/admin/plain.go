package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// plainHead is what follows the status in the answers that net/http gives by itself, past every
// handler. An answer of a handler always has other headers first.
const plainHead = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// wordless is how its answer to an Expect that it does not know begins, which no handler's does.
const wordless = " 417 Expectation Failed\r\nConnection: close\r\nDate: "

// Write sends b. What net/http says in plain text of a request that is no HTTP as it should be, all
// in one write, is made an error of this API.
func (g *guest) Write(b []byte) (int, error) {
	answer := jsonOf(b)
	if answer == nil {
		return g.Conn.Write(b)
	}
	if _, err := g.Conn.Write(answer); err != nil {
		return 0, err
	}
	return len(b), nil
}

// jsonOf is an answer of net/http's own as this API has it; nil: b is none.
func jsonOf(b []byte) []byte {
	for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
		if bytes.HasPrefix(b, []byte(version+wordless)) {
			return answerOf(http.StatusExpectationFailed, "")
		}
	}
	rest, ok := bytes.CutPrefix(b, []byte("HTTP/1.1 "))
	end := bytes.IndexByte(rest, '\r')
	if !ok || end < 0 || !bytes.HasPrefix(rest[end:], []byte(plainHead)) {
		return nil
	}
	digits, reason, _ := strings.Cut(string(rest[:end]), " ")
	status, err := strconv.Atoi(digits)
	if err != nil {
		return nil
	}
	return answerOf(status, reason)
}

// answerOf is a whole answer that says what net/http refused.
func answerOf(status int, reason string) []byte {
	body, err := json.Marshal(errorBody(malformed(status, reason)))
	if err != nil {
		panic("admin: " + err.Error()) // only our own types come here
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nCache-Control: no-store\r\nConnection: close\r\n"+
		"Content-Length: %d\r\nContent-Type: %s\r\nX-Content-Type-Options: nosniff\r\n\r\n%s\n",
		status, http.StatusText(status), len(body)+1, jsonType, body)
}

// malformed is the problem of a request that net/http refused, whose status may say more.
func malformed(status int, reason string) *problem {
	p := &problem{status: status, code: codeBadRequest}
	_, detail, ok := strings.Cut(reason, ": ")
	switch {
	case status == http.StatusRequestHeaderFieldsTooLarge:
		p.code, p.message = codeTooLarge,
			fmt.Sprintf("the request's line and headers have at most %d bytes", headerBytesMax)
	case ok:
		p.message = "the request is malformed: " + detail
	case status == http.StatusExpectationFailed:
		p.message = "nothing can be expected but 100-continue"
	case status == http.StatusNotImplemented:
		p.message = "the request is malformed: no Transfer-Encoding but chunked is taken"
	default:
		p.message = "the request is malformed: see its line, headers and escapes in its path"
	}
	return p
}
