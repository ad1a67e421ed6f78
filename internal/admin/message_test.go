package admin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

func TestPush_KindByContentType(t *testing.T) {
	for _, c := range []struct {
		contentType, body string
		status            int
		kind              Kind // of what was pushed
	}{
		{"application/json", ` {"a":1} `, 200, JSON},
		{"Application/JSON; charset=UTF-8", `1e400`, 200, JSON},
		{"application/problem+json", `"x"`, 200, JSON},
		{"application/json", `{"a":1}{}`, 400, 0},
		{"application/json", ``, 400, 0},
		{"application/json", "\"\xff\"", 400, 0},
		{"application/json; charset=utf-16", `1`, 415, 0},
		{"text/plain", "grüße", 200, Text},
		{"text/plain", "", 200, Text},
		{"text/html; charset=us-ascii", "<p>", 200, Text},
		{"text/plain; charset=utf-8", "\xc3", 400, 0},
		{"text/plain; charset=latin1", "x", 415, 0},
		{"", "\xff\x00", 200, Binary},
		{"application/octet-stream", "\xff", 200, Binary},
		{"application/x-thing; charset=latin1", "\xff", 200, Binary},
		{"image/png", "", 200, Binary},
		{"text/plain; charset", "x", 400, 0},
		{"/", "x", 400, 0},
	} {
		a := &member{Session: Session{ID: "a"}, room: 1}
		s := newServer(t, options(newMemory(a)))
		headers := []string{"Content-Type: " + c.contentType}
		if c.contentType == "" {
			headers = nil
		}
		w := ask(s, post, "/v1/sessions/a/messages", c.body, headers...)
		switch {
		case c.status != 200:
			wantError(t, w, c.status, map[int]string{
				400: "bad_request", 415: "unsupported_media_type",
			}[c.status])
			if len(a.queued) > 0 {
				t.Errorf("%s %q was pushed", c.contentType, c.body)
			}
		case len(a.queued) != 1:
			t.Errorf("%s %q: %d %s", c.contentType, c.body, w.Code, w.Body)
		default:
			wantAnswer(t, w, 200, `{"sent":1,"refused":0}`)
			if got := a.queued[0]; got.Kind != c.kind || string(got.Data) != c.body {
				t.Errorf("%s %q was pushed as %d %q", c.contentType, c.body, got.Kind, got.Data)
			}
		}
	}
}

func TestPush_WhatASessionRefuses(t *testing.T) {
	s := newServer(t, options(newMemory(
		&member{Session: Session{ID: "json"}, json: true, room: 1},
		&member{Session: Session{ID: "full"}},
	)))
	wantError(t, ask(s, post, "/v1/sessions/none/messages", "x"), 404, "not_found")
	wantError(t, ask(s, post, "/v1/sessions/json/messages", "x"), 415, "unsupported_media_type")
	w := ask(s, post, "/v1/sessions/full/messages", "x")
	wantError(t, w, 429, "over_capacity")
	if w.Header().Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	wantError(t, ask(s, post, "/v1/sessions/json/messages", "x", "Content-Encoding: gzip",
		"Content-Type: text/plain"), 415, "unsupported_media_type")
}

func TestPush_TooLarge(t *testing.T) {
	a := &member{Session: Session{ID: "a"}, room: 9}
	o := options(newMemory(a))
	o.MaxMessageBytes = 10
	s := newServer(t, o)
	for _, path := range []string{
		"/v1/sessions/a/messages", "/v1/users/u/messages", "/v1/messages",
	} {
		wantAnswer(t, ask(s, post, path, strings.Repeat("x", 10)), 200, `{"sent":`)
		wantError(t, ask(s, post, path, strings.Repeat("x", 11)), 413, "too_large")
		for _, c := range []struct {
			body   io.Reader
			status int
			code   string
		}{
			{strings.NewReader(strings.Repeat("x", 11)), 413, "too_large"},
			{iotest.TimeoutReader(strings.NewReader("x")), 400, "bad_request"},
		} {
			r := httptest.NewRequest(post, path, c.body)
			r.Host, r.ContentLength = "localhost", -1 // chunked: nobody knows beforehand
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			wantError(t, w, c.status, c.code)
		}
	}
	if len(a.queued) != 2 {
		t.Errorf("%d messages were pushed, want the 2 that fit", len(a.queued))
	}
	for _, m := range a.queued {
		if len(m.Data) != 10 {
			t.Errorf("pushed %q", m.Data)
		}
	}
}

func TestPushAll_Filter(t *testing.T) {
	sessions := []*member{
		{Session: Session{ID: "1", State: StateLive, User: "ada"}, room: 9},
		{Session: Session{ID: "2", State: StateGrace, User: "ada"}, room: 9},
		{Session: Session{ID: "3", State: StateLive}, room: 9},
		{Session: Session{ID: "4", State: StateLive}},
	}
	s := newServer(t, options(newMemory(sessions...)))
	for query, want := range map[string]string{
		"":                      `{"sent":3,"refused":1}`,
		"?state=&user=":         `{"sent":3,"refused":1}`,
		"?state=live":           `{"sent":2,"refused":1}`,
		"?user=ada":             `{"sent":2,"refused":0}`,
		"?user=ada&state=grace": `{"sent":1,"refused":0}`,
		"?user=eve":             `{"sent":0,"refused":0}`,
	} {
		wantAnswer(t, ask(s, post, "/v1/messages"+query, "x"), 200, want)
	}
	for _, bad := range []string{"?state=dead", "?limit=1", "?user=a&user=b"} {
		wantError(t, ask(s, post, "/v1/messages"+bad, "x"), http.StatusBadRequest, "bad_request")
	}
}
