package command

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// looked is a daemon whose answers to looks are scripted: one function for each, the last one for
// those that follow.
func looked(t *testing.T, answers ...http.HandlerFunc) *httptest.Server {
	t.Helper()
	looks := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"draining":true}`)
			return
		}
		answer := answers[min(looks, len(answers)-1)]
		looks++
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// left is a look at process 7, which so many of 100 connections have not left yet.
func left(remaining int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"pid":7,"state":"draining","now":"2026-05-05T05:10:20Z",`+
			`"started_at":"2026-05-04T03:00:00Z","drain":{"started_at":"2026-05-05T05:10:12Z",`+
			`"window_s":30,"connections":100,"remaining":%d}}`, remaining)
	}
}

// cut ends the connection without an answer, as a tunnel does with nobody at its other end.
func cut(w http.ResponseWriter, _ *http.Request) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

// A connection that was cut is not yet the end of a process; one after the other is, and so is a
// proxy that finds nobody.
func TestDrainWait_Gone(t *testing.T) {
	badGateway := func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>", http.StatusBadGateway)
	}
	const left40, left10 = "draining: 60 of 100 connections gone, for 8s of 30s\n",
		"draining: 90 of 100 connections gone, for 8s of 30s\n"
	for name, tt := range map[string]struct {
		answers []http.HandlerFunc
		stderr  string
	}{
		"blinks": {
			[]http.HandlerFunc{
				left(100), left(40), cut, cut, left(10), cut,
			},
			left40 + left10,
		},
		"proxy": {[]http.HandlerFunc{left(100), left(40), badGateway}, left40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := looked(t, tt.answers...)
			got := curfew(t, "drain", "--wait", "--admin", s.URL)
			if got != (outcome{0, "process 7 is gone\n", tt.stderr}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Somebody else who answers in its place is no daemon that is gone.
func TestDrainWait_Foreign(t *testing.T) {
	s := looked(t, left(100), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok":true}`)
	})
	got := curfew(t, "drain", "--wait", "--admin", s.URL)
	if got.code != exitUsage || got.stdout != "" ||
		!strings.Contains(got.stderr, "correct --admin") {
		t.Errorf("%+v", got)
	}
}

// A line that is drawn again and again never fills the terminal's last column.
func TestLiveLine(t *testing.T) {
	var b bytes.Buffer
	width := 20
	l := liveLine{w: &b, width: func() int { return width }}
	l.draw("draining: 60 of 100 connections gone")
	width = 1 // it was made smaller meanwhile
	l.draw("draining")
	l.clear()
	l.clear()
	if got, want := b.String(), "\r\x1b[Kdraining: 60 of 100\r\x1b[K\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Reset()
	none := Process{}.newLiveLine(&b)
	none.draw("x")
	none.clear()
	if b.Len() > 0 {
		t.Errorf("no terminal is told %q", &b)
	}
}
