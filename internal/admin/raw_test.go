package admin

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What is asked in ways that no Go client knows is answered as well, by an error in JSON.
func TestServe_RawErrors(t *testing.T) {
	_, addr := serve(t, "127.0.0.1:0", func(o *Options) { o.MaxMessageBytes = 8 })
	const host = " HTTP/1.1\r\nHost: localhost\r\n"
	const push = "POST /v1/messages HTTP/1.1\r\nHost: a\r\n"
	chunked := strings.Replace(push, "Host: a", "Host: localhost\r\nTransfer-Encoding: chunked", 1)
	for _, c := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"1.0", "GET /v1/none HTTP/1.0\r\nHost: localhost\r\n\r\n", 404, "not_found"},
		{"no Host", "GET /v1/none HTTP/1.0\r\n\r\n", 403, "forbidden"},
		{"0.9", "GET /livez\r\n\r\n", 400, "bad_request"},
		{"2.0", "GET /livez HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, "bad_request"},
		{"absolute", "GET http://localhost/v1/none" + host + "\r\n", 404, "not_found"},
		{
			"absolute elsewhere", "GET http://evil.example/v1/sessions" + host + "\r\n", 403,
			"forbidden",
		},
		{
			"absolute of another scheme", "GET ftp://localhost/v1/none" + host + "\r\n", 404,
			"not_found",
		},
		{"authority", "CONNECT localhost:80" + host + "\r\n", 404, "not_found"},
		{"star", "OPTIONS *" + host + "\r\n", 404, "not_found"},
		{"no Host at all", "GET /livez HTTP/1.1\r\n\r\n", 400, "bad_request"},
		{"no name", "GET /livez HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "bad_request"},
		{"bad escape", "GET /v1/sessions/%zz" + host + "\r\n", 400, "bad_request"},
		{"cut escape", "DELETE /v1/sessions/%" + host + "\r\n", 400, "bad_request"},
		{"two hosts", "GET /livez" + host + "Host: localhost\r\n\r\n", 400, "bad_request"},
		{
			"lengths that differ", push + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400,
			"bad_request",
		},
		{"negative length", push + "Content-Length: -1\r\n\r\n", 400, "bad_request"},
		{"another coding", push + "Transfer-Encoding: gzip\r\n\r\n", 501, "bad_request"},
		{"bad chunk", chunked + "\r\nzz\r\nxx\r\n", 400, "bad_request"},
		{"huge chunk", chunked + "\r\nffffffff\r\n" + strings.Repeat("x", 4096), 413, "too_large"},
		{"chunk cut", chunked + "\r\n5\r\nab\r\n0\r\n\r\n", 400, "bad_request"},
		{"continue, refused", strings.Replace(push, "Host: a", "Host: evil\r\n"+
			"Expect: 100-continue\r\nContent-Length: 9", 1) + "\r\n", 403, "forbidden"},
		{"continue, too large", strings.Replace(push, "Host: a", "Host: localhost\r\n"+
			"Expect: 100-continue\r\nContent-Length: 9", 1) + "\r\n", 413, "too_large"},
		{"another expectation", "GET /livez" + host + "Expect: tea\r\n\r\n", 417, "bad_request"},
		{
			"another expectation of 1.0", "POST /v1/drain HTTP/1.0\r\nHost: localhost\r\n" +
				"Expect: tea\r\nContent-Length: 1\r\n\r\nx", 417, "bad_request",
		},
		{
			"many headers", "GET /livez" + host + strings.Repeat("X: y\r\n", 9999) + "\r\n", 431,
			"too_large",
		},
		{"long path", "GET /" + strings.Repeat("x", 64<<10) + host + "\r\n", 431, "too_large"},
		{"control bytes", "GET /v1/\x01" + host + "\r\n", 400, "bad_request"},
		{"a header of no name", "GET /livez" + host + ": x\r\n\r\n", 400, "bad_request"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"},
	} {
		conn := dialN(t, addr, 1)[0]
		_, _ = io.WriteString(conn, c.request) // it may be answered, and closed, before that
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		body, _ := io.ReadAll(io.LimitReader(answer.Body, max(answer.ContentLength, 0)))
		var e struct{ Error struct{ Code string } }
		_ = json.Unmarshal(body, &e)
		if kind := answer.Header.Get("Content-Type"); kind != jsonType {
			t.Errorf("%s: Content-Type: %s", c.name, kind)
		}
		if answer.StatusCode != c.status || e.Error.Code != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, answer.StatusCode, body, c.status, c.code)
		}
		conn.Close()
	}
}

// A body that is wanted is asked for.
func TestServe_Continue(t *testing.T) {
	_, addr := serve(t, "127.0.0.1:0", func(*Options) {})
	conn := dialN(t, addr, 1)[0]
	r := bufio.NewReader(conn)
	fmt.Fprintf(conn, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"+
		"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
	if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != 100 {
		t.Fatalf("first comes %v, %v", answer, err)
	}
	fmt.Fprint(conn, "x")
	if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != 200 {
		t.Errorf("then %v, %v", answer, err)
	}
}

// pipes is a listener whose connections are pipes, for bubbles.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.closed); return nil }

func (*pipes) Addr() net.Addr { return tcpAddr("127.0.0.1:8080") }

// connect is the client's end of a new connection.
func (p *pipes) connect() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// Nobody takes longer for a part of a request than that may take.
func TestServe_Slow(t *testing.T) {
	const head = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
	for _, c := range []struct {
		name, sent, answer string
		after              time.Duration
	}{
		{"says nothing", "", "", headerTimeout},
		{"half a header", head, "", headerTimeout},
		{"no body", head + "Content-Length: 9\r\n\r\n", "HTTP/1.1 400 ", readTimeout},
		{"half a body", head + "Content-Length: 9\r\n\r\nx", "HTTP/1.1 400 ", readTimeout},
		{
			"half a chunk", head + "Transfer-Encoding: chunked\r\n\r\n9\r\nx", "HTTP/1.1 400 ",
			readTimeout,
		},
		{
			"asks nothing more", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 ",
			idleTimeout,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
			s := newServer(t, options(newMemory()))
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			conn, begun := l.connect(), time.Now()
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(answer), c.answer) {
				t.Errorf("%s: %.60q, %v, want %q", c.name, answer, err, c.answer)
			}
			if took := time.Since(begun); took < c.after || took > c.after+time.Second {
				t.Errorf("%s: closed after %v, want %v", c.name, took, c.after)
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// A body that nobody reads is not waited for, whatever is asked: what is bounded would be held for
// as long as its sender likes.
func TestServe_WithheldBody(t *testing.T) {
	_, addr := serve(t, "127.0.0.1:0", func(o *Options) {
		at := o.Addr
		*o = joined(o.Sessions)
		o.Addr = at
	})
	for _, method := range []string{get, "HEAD"} {
		for _, path := range []string{
			livez, "/v1/sessions", "/v1/sessions?sort=deadline", "/v1/sessions/a", "/v1/events",
			"/v1/none", "/metrics", "/debug/pprof/heap", "/debug/pprof/trace?seconds=0.01",
		} {
			for _, body := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
				conn := dialN(t, addr, 1)[0]
				fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", method, path,
					body)
				_ = conn.SetReadDeadline(time.Now().Add(patience))
				r := bufio.NewReader(conn)
				answer, err := http.ReadResponse(r, &http.Request{Method: method})
				if err != nil || !answer.Close {
					t.Errorf("%s %s, %s: %+v, %v", method, path, body, answer, err)
				}
				conn.Close()
			}
		}
	}
	// One that is sent and is empty costs the connection nothing.
	conn := dialN(t, addr, 1)[0]
	fmt.Fprint(conn, "POST /v1/sessions/a/touch HTTP/1.1\r\nHost: localhost\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || answer.StatusCode != 204 || answer.Close {
		t.Errorf("an empty body: %+v, %v", answer, err)
	}
}

// Who does not read what is recorded keeps others from recording for so long, and no longer.
func TestServe_RecordingNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := newServer(t, options(newMemory()))
		endless := profileKind{name: "endless", handler: http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				for part := make([]byte, 4096); ; {
					if _, err := w.Write(part); err != nil {
						return
					}
				}
			})}
		s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = s.record(w, r, endless)
		})
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		conn := l.connect()
		const request = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if len(s.recording) != 1 {
			t.Error("nothing is being recorded")
		}
		time.Sleep(recordTimeout)
		if len(s.recording) != 0 {
			t.Error("it is still being recorded")
		}
		conn.Close()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-served
	})
}

// Who does not read an answer is let go.
func TestServe_NotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := newServer(t, options(newMemory()))
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		conn, begun := l.connect(), time.Now()
		const request = "GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		time.Sleep(writeTimeout + time.Second)
		_, err := io.ReadAll(conn)
		if took := time.Since(begun); err != nil || took > writeTimeout+2*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-served
	})
}
