//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// between serves what a daemon does, but for what somebody puts in the place of its answers.
func (d *desk) between(path string) (address string, instead *atomic.Pointer[http.HandlerFunc]) {
	instead = &atomic.Pointer[http.HandlerFunc]{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: d.admin})
			r.Out.Host = r.In.Host // the guard holds it against the Origin
		},
		FlushInterval: -1,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := instead.Load(); f != nil && r.URL.Path == path {
			(*f)(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	d.t.Cleanup(s.Close)
	d.t.Cleanup(s.CloseClientConnections) // the stream of events would hold it up
	return s.Listener.Addr().String(), instead
}

// answer is one of a type.
func answer(status int, contentType, body string) *http.HandlerFunc {
	f := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	return &f
}

// TestDashboard_NotADaemon is told what answers in the place of the daemon, and gets on when the
// daemon is back.
func TestDashboard_NotADaemon(t *testing.T) {
	t.Parallel()
	d := &desk{inspector: inspect(t)}
	d.serve()
	address, instead := d.between("/v1/status")
	d.open("http://" + address + "/")
	d.says("#state", "^serving$")
	const json, html = "application/json", "text/html"
	login := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/login", http.StatusFound)
	})
	silence := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	begins := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", json)
		_, _ = io.WriteString(w, `{"sessions":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for _, c := range []struct {
		answers *http.HandlerFunc
		want    string
	}{
		{answer(200, html, "<h1>Welcome</h1>"), "^What answers is not a Curfew daemon\\.$"},
		{answer(200, json, "{}"), "^What answers is not a Curfew daemon\\.$"},
		{answer(200, json, "null"), "^What answers is not a Curfew daemon\\.$"},
		{answer(200, json, `{"sessions":`), "^The answer is cut off\\.$"},
		{answer(502, html, "<h1>Sorry</h1>"), "^The answer is 502 Bad Gateway\\.$"},
		{answer(500, json, `{"error":null}`), "^The answer is 500 Internal Server Error\\.$"},
		{&login, "^Something before the daemon sends this page elsewhere"},
		{&silence, "^The daemon takes too long to answer\\.$"},
		{&begins, "^The daemon takes too long to answer\\.$"},
	} {
		instead.Store(c.answers)
		d.says("#gone-what", c.want)
		instead.Store(nil)
		d.click("#gone-now")
		d.until("document.querySelector('#gone').hidden")
	}
	d.admin = address
	d.quiet("status of 50")
}

// TestDashboard_AnotherVersion of the daemon may take the place of the one that the page came from:
// what it does not say is unknown, not 0, and what nobody knows here is left alone.
func TestDashboard_AnotherVersion(t *testing.T) {
	t.Parallel()
	d := &desk{inspector: inspect(t)}
	d.serve()
	address, instead := d.between("/v1/status")
	d.open("http://" + address + "/")
	d.says("#tiles .good", "0\n.*as it must be")
	d.until("document.querySelector('#reload').hidden")
	const process = `"version":"v0.1.0","now":"2026-01-02T03:04:05Z",
		"started_at":"2026-01-02T03:00:00Z","uptime_s":245,`
	instead.Store(answer(200, "application/json",
		`{`+process+`"state":"serving","sessions":{"total":7}}`))
	d.until(tile("Sessions") + " === 7")
	d.says("#reload", "^Reload$")
	d.says("#tiles", "Early\n–")
	d.says("#app", "tool calls running\t*–")
	d.says("#wheel-read", "does not show")
	instead.Store(answer(200, "application/json", `{`+process+`"state":"draining",
		"drain":{}, "sessions":{"total":8,"ended":{"bored":3},"resume_refused":null},
		"expiry":{"early":0,"lateness_buckets":null,"wheel":{"levels":[null,{"cursor":1}]}},
		"connections":{"closed":[null,{"code":4999,"side":"server","count":2}],"refused":[]},
		"memory":"much","loops":[{"connections":2}],"weather":{"is":"fine"}}`))
	d.until(tile("Sessions") + " === 8")
	d.says("#turnover", "ended: bored\t*3")
	d.says("#closes", "4999 , by server\t*2")
	d.says("#drain-text", "^Draining: ")
	instead.Store(nil)
	d.says("#tiles .good", "0\n.*as it must be")
	d.admin = address
	d.quiet()
}

// TestDashboard_EventsOfNobody are not listened to: what is not a stream of events is said so.
func TestDashboard_EventsOfNobody(t *testing.T) {
	t.Parallel()
	d := &desk{inspector: inspect(t)}
	d.serve()
	address, instead := d.between("/v1/events")
	instead.Store(answer(200, "text/html", strings.Repeat("<p>Welcome</p>\n", 9)))
	d.open("http://" + address + "/")
	d.says("#event-text", "^What answers is not a Curfew daemon$")
	silence := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	instead.Store(&silence)
	var why string
	d.module("stream.js", `return m.listen('v1/events', new AbortController().signal, () => {},
		() => {}, 1).then(() => 'it ends', (e) => e.name + ': ' + e.message);`, &why)
	if why != "Problem: Nothing was heard of the stream of events." {
		t.Errorf("where nobody answers: %s", why)
	}
	d.admin = address
	d.quiet()
}
