package backend

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// rude starts a server that does not speak HTTP unless its handler does.
func rude(t *testing.T, o HTTPOptions, handler func(net.Conn)) *HTTP {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				handler(c)
			})
		}
	})
	o.URL = "http://" + l.Addr().String()
	h := open(t, o)
	t.Cleanup(func() {
		l.Close()
		closeNow(t, h)
		wg.Wait()
	})
	return h
}

// answering reads requests and answers each with the same bytes.
func answering(answer string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
			if strings.HasSuffix(answer, cut) {
				return
			}
		}
	}
}

// cut at the end of an answer stands for the end of the connection.
const cut = "\u2702"

func TestHTTP_AnswersThatAreNone(t *testing.T) {
	const (
		ok      = "HTTP/1.1 200 OK\r\n"
		head    = ok + "Content-Type: text/plain\r\n"
		chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
		hint    = "HTTP/1.1 103 Early Hints\r\n\r\n"
	)
	for name, c := range map[string]struct {
		answer string
		want   string // the message; "": none, the application is not available
	}{
		"nothing":             {answer: cut},
		"no HTTP":             {answer: "220 mail.example.org ESMTP\r\n\r\n"},
		"bytes":               {answer: "\x16\x03\x01\x00\xff\x00\n\n\n\n" + cut},
		"a status of letters": {answer: "HTTP/1.1 abc OK\r\n\r\n" + cut},
		"cut in the head":     {answer: "HTTP/1.1 200 OK\r\nContent-" + cut},
		"cut in the body":     {answer: head + "Content-Length: 10\r\n\r\nhello" + cut},
		"cut in a chunk":      {answer: chunked + "5\r\nhel" + cut},
		"no last chunk":       {answer: chunked + "5\r\nhello\r\n" + cut},
		"a bad chunk":         {answer: chunked + "zz\r\nhello\r\n" + cut},
		"two lengths": {
			answer: head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + cut,
		},
		"a negative length":    {answer: head + "Content-Length: -1\r\n\r\n" + cut},
		"an endless length":    {answer: head + "Content-Length: 9223372036854775807\r\n\r\n"},
		"a header without end": {answer: ok + "X: " + strings.Repeat("x", 1<<20) + cut},
		"headers without end":  {answer: ok + strings.Repeat("X: y\r\n", 1<<18) + cut},
		"early hints for ever": {answer: strings.Repeat(hint, 1<<16) + cut},
		"another protocol": {
			answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n" +
				"Connection: upgrade\r\n\r\n" + cut,
		},
		"too large": {
			answer: head + "Content-Length: 1048577\r\n\r\n" + strings.Repeat("x", 1<<20+1),
		},
		"too large in chunks": {
			answer: chunked +
				strings.Repeat("10000\r\n"+strings.Repeat("x", 1<<16)+"\r\n", 17) + "0\r\n\r\n",
		},
		"compressed all the same": {
			answer: head + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
		},
		"as large as it may be": {
			answer: head + "Content-Length: 1048576\r\n\r\n" + strings.Repeat("x", 1<<20),
			want:   strings.Repeat("x", 1<<20),
		},
		"chunks": {
			answer: chunked + "2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nT: x\r\n\r\n",
			want:   "hello",
		},
		"until the end": {answer: head + "\r\nhello" + cut, want: "hello" + cut},
		"a hint first": {
			answer: hint + head + "Content-Length: 5\r\n\r\nhello",
			want:   "hello",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := rude(t, HTTPOptions{}, answering(c.answer))
			for range 2 {
				m, err := h.Message(t.Context(), ann, Message{Kind: Text, Data: []byte("hi")})
				if c.want == "" {
					var e *Error
					if !errors.As(err, &e) || e.Code != CodeUnavailable {
						t.Errorf("Message = %.80q, %v", m.Data, err)
					}
				} else if err != nil || string(m.Data) != c.want {
					t.Errorf("Message = %.80q, %v; want %.80q", m.Data, err, c.want)
				}
			}
		})
	}
}

func TestHTTP_NobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	h := open(t, HTTPOptions{URL: "http://" + l.Addr().String()})
	_, err = h.Connect(t.Context(), ann, Newcomer{})
	wantCode(t, "Connect", err, CodeUnavailable, 0)
	if n := h.Stats().EndsWaiting; n > 0 {
		t.Errorf("%d ends wait of a session that nobody heard of", n)
	}
	_, err = h.Call(t.Context(), ann, Call{Name: "dig"})
	wantCode(t, "Call", err, CodeUnavailable, 0)
	_, err = h.Tools(t.Context())
	wantCode(t, "Tools", err, CodeUnavailable, 0)
}

// TestHTTP_DataIsGivenBack answers before the request is read: the data of a message is the
// caller's again when Message returns, whoever still writes it.
func TestHTTP_DataIsGivenBack(t *testing.T) {
	var mu sync.Mutex
	var got bytes.Buffer
	proceed := make(chan bool)
	h := rude(t, HTTPOptions{}, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 1))
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		<-proceed
		mu.Lock()
		defer mu.Unlock()
		io.Copy(&got, c)
	})
	data := bytes.Repeat([]byte("a"), 8<<20)
	goOn := sync.OnceFunc(func() { close(proceed) })
	defer goOn()
	if _, err := h.Message(t.Context(), ann, Message{Kind: Binary, Data: data}); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = 'b'
	}
	goOn()
	closeNow(t, h)
	mu.Lock()
	defer mu.Unlock()
	if bytes.Contains(got.Bytes(), []byte("bbbb")) {
		t.Error("the application read what the caller wrote after Message had returned")
	}
}

func TestHTTP_StalledServerCostsTheDeadline(t *testing.T) {
	stalls := map[string]string{
		"before the head": "",
		"in the head":     "HTTP/1.1 200 OK\r\nContent-",
		"in the body":     "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
	}
	for name, answer := range stalls {
		t.Run(name, func(t *testing.T) {
			h := rude(t, HTTPOptions{Timeout: 50 * time.Millisecond}, func(c net.Conn) {
				io.ReadFull(c, make([]byte, 1))
				io.WriteString(c, answer)
				io.Copy(io.Discard, c)
			})
			_, err := h.Message(t.Context(), ann, Message{Kind: Text, Data: []byte("hi")})
			wantCode(t, "Message", err, CodeTimeout, 0)
		})
	}
}

func TestHTTP_CloseEndsWhatIsUnderWay(t *testing.T) {
	var once sync.Once
	begun := make(chan bool)
	h := rude(t, HTTPOptions{}, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 1))
		once.Do(func() { close(begun) })
		io.Copy(io.Discard, c)
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := h.Call(t.Context(), ann, Call{Name: "dig"})
		wantCode(t, "Call", err, CodeUnavailable, 0)
	})
	wg.Go(func() {
		_, err := h.Tools(t.Context())
		wantCode(t, "Tools", err, CodeUnavailable, 0)
	})
	<-begun
	h.Ended(Session{ID: "s-2"}, End{Reason: "bye"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.Close(ctx)
	wg.Wait()
	if s := h.Stats(); s.EndsDropped != 1 || s.EndsWaiting != 0 || s.InFlight != 0 {
		t.Errorf("after Close: %+v", s)
	}
	for strings.Contains(stacks(), "persistConn") {
		waitALittle(t)
	}
}

// stacks are the stacks of all goroutines.
func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}

func TestHTTP_LogIsBounded(t *testing.T) {
	var log bytes.Buffer
	h := rude(t, HTTPOptions{
		Token: "hush", Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, answering("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{"))
	start := time.Now()
	for range 100 {
		h.Message(t.Context(), ann, Message{Kind: JSON, Data: []byte("1")})
	}
	closeNow(t, h)
	if n := strings.Count(log.String(), "\n"); n < 1 || n > 2+int(time.Since(start)/time.Second) {
		t.Errorf("100 bad answers gave %d lines of log, want one a second:\n%s", n, log.String())
	}
	if text := log.String(); !strings.Contains(text, errNotJSON.Error()) ||
		strings.Contains(text, "hush") {
		t.Errorf("the log says %s", text)
	}
}

// FuzzServer answers a message with whatever it is given.
func FuzzServer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"HTTP/1.1 503 No\r\nRetry-After: 1\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		h := open(t, HTTPOptions{URL: "http://h", Timeout: time.Second})
		h.link.conns.dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if req, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
					io.Copy(io.Discard, req.Body)
					theirs.Write(answer)
				}
			}()
			return ours, nil
		}
		m, err := h.Message(t.Context(), ann, Message{Kind: Text, Data: []byte("hi")})
		var e *Error
		switch {
		case err != nil && (!errors.As(err, &e) || m.Kind != 0):
			t.Errorf("Message = %v, %v", m, err)
		case err == nil && m.Kind != 0 && m.Kind.Check(m.Data) != nil:
			t.Errorf("Message = %v, %q", m.Kind, m.Data)
		}
	})
}
