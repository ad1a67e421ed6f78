package admin

import (
	"log/slog"
	"net/http"
)

// refusalsMax is how many warnings about refused requests there are in a second.
const refusalsMax = 1

// refusals warns of requests that a guard refused, without letting those who send them fill the
// log.
type refusals struct {
	log    *slog.Logger
	budget budget
}

// add tells of one refused request. Headers and parameters, where secrets are, are left out.
func (f *refusals) add(r *http.Request, p *problem) {
	ok, missed := f.budget.take(now())
	if !ok {
		return
	}
	f.log.Warn("an operator's request was refused", "method", r.Method,
		"path", logPath(r), "remote", r.RemoteAddr, "status", p.status,
		"reason", p.message, "unlogged", missed)
}

// logPathBytesMax is how much of a path the log shows.
const logPathBytesMax = 512

// logPath is the path of a request as it was sent, without its parameters.
func logPath(r *http.Request) string {
	p := r.URL.EscapedPath()
	return p[:min(len(p), logPathBytesMax)]
}

// recorder notes what became of a request.
type recorder struct {
	http.ResponseWriter

	status  int    // 0: not written yet
	code    string // of the error that was answered; "": none
	reached bool   // an endpoint for its method and path
	unread  bool   // its body was not read to the end
}

// WriteHeader sends the status and notes it. Where the body was not read, the connection ends with
// the answer: net/http would else wait for the rest of it before it sends anything.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
		if r.unread {
			r.Header().Set("Connection", "close")
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body, and the status 200 where none was sent.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
