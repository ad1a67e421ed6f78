package admin

import (
	"net/http"
	"strconv"
	"strings"
)

// problem is why a request was not done: what its sender is told. It is an error.
type problem struct {
	status     int
	code       string
	message    string
	retryAfter int // seconds; 0: not said
}

// Error is the code and the message.
func (p *problem) Error() string { return p.code + ": " + p.message }

// The codes, each with its status. A client decides by them, so they do not change.
const (
	codeBadRequest   = "bad_request"            // 400
	codeUnauthorized = "unauthorized"           // 401
	codeForbidden    = "forbidden"              // 403
	codeNotFound     = "not_found"              // 404
	codeMethod       = "method_not_allowed"     // 405
	codeConflict     = "conflict"               // 409
	codeTooLarge     = "too_large"              // 413
	codeMediaType    = "unsupported_media_type" // 415
	codeOverCapacity = "over_capacity"          // 429
	codeInternal     = "internal"               // 500
	codeUnavailable  = "unavailable"            // 503
)

func badRequest(message string) *problem {
	return &problem{status: http.StatusBadRequest, code: codeBadRequest, message: message}
}

func forbidden(message string) *problem {
	return &problem{status: http.StatusForbidden, code: codeForbidden, message: message}
}

func notFound(message string) *problem {
	return &problem{status: http.StatusNotFound, code: codeNotFound, message: message}
}

func mediaType(message string) *problem {
	return &problem{
		status: http.StatusUnsupportedMediaType, code: codeMediaType, message: message,
	}
}

// problemOf is the problem of a status that a handler of others answers with.
func problemOf(status int) *problem {
	code := map[int]string{
		http.StatusNotFound: codeNotFound, http.StatusMethodNotAllowed: codeMethod,
		http.StatusTooManyRequests:    codeOverCapacity,
		http.StatusServiceUnavailable: codeUnavailable,
	}[status]
	switch {
	case code != "":
	case status < http.StatusInternalServerError:
		code = codeBadRequest
	default:
		code = codeInternal
	}
	return &problem{status: status, code: code, message: strings.ToLower(http.StatusText(status))}
}

var (
	errNoSession = notFound("there is no such session")
	errNoPath    = notFound("there is nothing here")
	errGaveUp    = &problem{
		status: http.StatusServiceUnavailable, code: codeUnavailable, message: "nobody waits",
	}
)

// write answers with the problem.
func (p *problem) write(w http.ResponseWriter) {
	if rec, ok := w.(*recorder); ok {
		rec.code = p.code
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	writeJSON(w, p.status, errorBody(p))
}

// errorBody is how a problem is written.
func errorBody(p *problem) any {
	return map[string]any{"error": map[string]string{"code": p.code, "message": p.message}}
}
