package admin

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// refusalPause is how far apart the warnings about refused requests are, at least.
const refusalPause = time.Second

// refusals warns of requests that a guard refused, without letting those who send them fill the
// log.
type refusals struct {
	log *slog.Logger

	mu struct {
		sync.Mutex
		last    time.Time // of the last line; zero: none yet
		skipped int       // since then
	}
}

// add tells of one refused request. Headers and parameters, where secrets are, are left out.
func (f *refusals) add(r *http.Request, p *problem) {
	t := now()
	f.mu.Lock()
	if !f.mu.last.IsZero() && t.Sub(f.mu.last) < refusalPause {
		f.mu.skipped++
		f.mu.Unlock()
		return
	}
	skipped := f.mu.skipped
	f.mu.last, f.mu.skipped = t, 0
	f.mu.Unlock()
	f.log.Warn("an operator's request was refused", "method", r.Method,
		"path", logPath(r), "remote", r.RemoteAddr, "status", p.status,
		"reason", p.message, "unlogged", skipped)
}

// logPathBytesMax is how much of a path the log shows.
const logPathBytesMax = 512

// logPath is the path of a request as it was sent, without its parameters.
func logPath(r *http.Request) string {
	p := r.URL.EscapedPath()
	return p[:min(len(p), logPathBytesMax)]
}

// recorder notes the status of an answer.
type recorder struct {
	http.ResponseWriter

	status int // 0: not written yet
}

// WriteHeader sends the status and notes it.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body, and the status 200 where none was sent.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
