package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/config"
	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// running is a daemon in this process.
type running struct {
	t       *testing.T
	addr    string
	admin   string // the operator's API
	signals chan os.Signal
	log     *logLines
	done    chan struct{} // closed when the daemon has ended, with err
	err     error
}

// start runs the daemon on a free port and waits until it listens.
func start(t *testing.T, args, env []string) *running {
	t.Helper()
	r := &running{
		t: t, signals: make(chan os.Signal, 8), done: make(chan struct{}),
		log: &logLines{lines: make(chan map[string]any, 10_000)},
	}
	ctx, cancel := context.WithCancel(t.Context())
	args = append([]string{
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json",
	}, args...)
	go func() {
		defer close(r.done)
		r.err = Run(ctx, Process{
			Args: args, Env: env, Stdout: io.Discard, Stderr: r.log,
			Signals: r.signals, Version: "test",
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-r.done:
		case <-time.After(patience):
			t.Error("the daemon does not stop")
		}
	})
	line := r.logged("listening")
	r.addr, r.admin = line["address"].(string), line["admin"].(string)
	return r
}

// wait waits for the end of the daemon.
func (r *running) wait() error {
	r.t.Helper()
	select {
	case <-r.done:
		return r.err
	case <-time.After(patience):
		r.t.Fatal("the daemon does not stop")
		return nil
	}
}

// logged waits for the next line with that message.
func (r *running) logged(message string) map[string]any {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		var line map[string]any
		select {
		case line = <-r.log.lines:
		case <-timeout:
			r.t.Fatalf("the daemon does not log %q", message)
		case <-r.done:
			select {
			case line = <-r.log.lines: // what it logged before
			default:
				r.t.Fatalf("the daemon ended with %v and did not log %q", r.err, message)
			}
		}
		if line["msg"] == message {
			return line
		}
	}
}

// logLines takes a log in JSON apart.
type logLines struct {
	lines chan map[string]any

	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	var line map[string]any
	if err := json.Unmarshal(p, &line); err != nil {
		return 0, fmt.Errorf("%q is no line of JSON: %w", p, err)
	}
	l.lines <- line
	return len(p), nil
}

// hello connects and gets a session.
func (r *running) hello(fields string) (c *netlooptest.Client, session string) {
	r.t.Helper()
	c = netlooptest.Dial(r.t, r.addr, "/ws")
	c.Text(`{"op":"hello"` + fields + `}`)
	var ack struct {
		SessionID string `json:"session_id"`
	}
	text := strings.TrimPrefix(c.Next(), "text ")
	if err := json.Unmarshal([]byte(text), &ack); err != nil || ack.SessionID == "" {
		r.t.Fatalf("hello is answered by %s", text)
	}
	return c, ack.SessionID
}

func wantExpired(c *netlooptest.Client, session string) {
	c.Want(`text {"op":"session_expired","session_id":"`+session+`","reason":"idle"}`,
		"close 4200 session idle")
	c.Close(1000)
	c.Want("eof")
}

// The three tests by which the old daemon's cleanup was validated, on sockets, with its variables.

func TestOldDaemon_ActiveSessionIsPreserved(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	r := start(t, nil, []string{"SESSION_TIMEOUT_SECS=2", "SESSION_CLEANUP_INTERVAL=1"})
	c, session := r.hello("")
	begin := time.Now()
	for time.Since(begin) < 3*timeout {
		c.Text(`{"op":"message","data":"active"}`)
		c.Want(`text {"op":"message_res","data":"active"}`)
		c.Quiet(timeout / 8)
	}
	c.Text(`{"op":"session_info"}`)
	if got := c.Next(); !strings.Contains(got, session) {
		t.Errorf("after three timeouts the active session is %s", got)
	}
}

func TestOldDaemon_InactiveSessionIsCleanedUp(t *testing.T) {
	t.Parallel()
	r := start(t, nil, []string{"SESSION_TIMEOUT_SECS=1", "SESSION_CLEANUP_INTERVAL=1"})
	begin := time.Now()
	c, session := r.hello("")
	wantExpired(c, session)
	if d := time.Since(begin); d < time.Second {
		t.Errorf("the session of 1s was cleaned up after %v", d)
	}
	if line := r.logged("sessions expired"); line["expired"] != 1.0 || line["live"] != 0.0 {
		t.Errorf("logged %v, want 1 expired and none live", line)
	}
}

func TestOldDaemon_TenSessionsAreCleanedUp(t *testing.T) {
	t.Parallel()
	r := start(t, nil, []string{"SESSION_TIMEOUT_SECS=1", "SESSION_CLEANUP_INTERVAL=0.5"})
	var clients sync.WaitGroup
	for range 10 {
		begin := time.Now()
		c, session := r.hello("")
		clients.Go(func() {
			wantExpired(c, session)
			if d := time.Since(begin); d < time.Second {
				t.Errorf("a session of 1s was cleaned up after %v", d)
			}
		})
	}
	clients.Wait()
	for sum := 0.0; sum < 10; {
		sum += r.logged("sessions expired")["expired"].(float64)
		if sum > 10 {
			t.Errorf("%v sessions were cleaned up, want 10", sum)
		}
	}
}

func TestSignal_DrainsAndSumsUp(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"--drain-window", "10ms"}, nil)
	expired, session := r.hello(`,"want":{"idle_s":0.05}`)
	wantExpired(expired, session)
	idle := netlooptest.Dial(t, r.addr, "/ws") // no hello, no session
	c, _ := r.hello("")
	r.signals <- syscall.SIGTERM
	got := c.Next()
	if !strings.HasPrefix(got, `text {"op":"goodbye","retry_after_ms":`) {
		t.Errorf("at the signal the server said %s", got)
	}
	c.Want("close 4100 draining")
	c.Close(1000)
	c.Want("eof")
	idle.Want("close 4100 draining")
	idle.Close(1000)
	idle.Want("eof")
	if line := r.logged("sessions expired"); line["expired"] != 1.0 {
		t.Errorf("at the end the log says %v, want the one that was not summed up", line)
	}
	if err := r.wait(); err != nil {
		t.Errorf("Run = %v after a drain", err)
	}
	if nc, err := net.Dial("tcp", r.addr); err == nil {
		_ = nc.Close()
		t.Error("the drained daemon still listens")
	}
}

func TestSignal_SecondOneEndsAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"--drain-window", "1h", "--loops", "1"}, nil) // of one loop, in order
	a, _ := r.hello("")
	b, _ := r.hello("")
	r.signals <- syscall.SIGINT
	a.Next()
	a.Want("close 4100 draining")
	a.Close(1000)
	r.signals <- syscall.SIGHUP // not a second one
	r.logged("nothing is read again in a drain")
	b.Text(`{"op":"ping"}`)
	b.Next()
	r.signals <- syscall.SIGTERM
	b.Want("close 1001 going away")
	err := r.wait()
	if !errors.Is(err, ErrInterrupted) || ExitCode(err) != 1 {
		t.Errorf("Run = %v, exit code %d, want 1", err, ExitCode(err))
	}
}

func TestSignal_AtOnceWhenNobodyIsConnected(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"--drain-window", "1h"}, nil)
	r.signals <- syscall.SIGTERM
	if err := r.wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// What the configuration lets pass is served with.
func TestStart_MostLoops(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"--mode", "epoll", "--loops", "255"}, nil)
	if _, session := r.hello(""); session == "" {
		t.Error("there is no session")
	}
}

func TestSignal_HangupReadsTokensAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tokens")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2\n")
	r := start(t, []string{"--token-file", file}, nil)
	refused := func(token string) {
		t.Helper()
		c := netlooptest.Dial(t, r.addr, "/ws")
		c.Text(`{"op":"hello","token":"` + token + `"}`)
		c.Want(`text {"op":"hello_ack","ok":false,"error":"unauthorized"}`,
			"close 4003 unauthorized")
	}
	r.hello(`,"token":"hunter2"`)
	refused("hunter3")
	write("hunter3\nhunter4\n")
	r.signals <- syscall.SIGHUP
	r.logged("tokens read again")
	r.hello(`,"token":"hunter3"`)
	r.hello(`,"token":"hunter4"`)
	refused("hunter2")
	write("")
	r.signals <- syscall.SIGHUP
	if line := r.logged("the old settings stay"); !strings.Contains(line["error"].(string), file) {
		t.Errorf("logged %v, want the name of the file", line)
	}
	r.hello(`,"token":"hunter3"`)
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	if strings.Contains(r.log.text.String(), "hunter") {
		t.Errorf("a token is in the log: %s", r.log.text.String())
	}
}

// TestConnections_AreJudgedAsConfigured looks through the flags that the wire shows.
func TestConnections_AreJudgedAsConfigured(t *testing.T) {
	t.Parallel()
	r := start(t, []string{
		"--path", "/", "--path", "/a", "--origin", "https://app.example.com",
		"--max-message-bytes", "100", "--max-sessions", "1",
	}, nil)
	for _, c := range []struct {
		path, origin string
		want         int
	}{
		{"/", "https://app.example.com", 101},
		{"/a", "http://localhost", 101},
		{"/ws", "http://localhost", 404},
		{"/", "https://evil.example.com", 403},
	} {
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		client := netlooptest.New(t, nc)
		client.Patience = patience
		if got := client.Upgrade(c.path, "Origin: "+c.origin).StatusCode; got != c.want {
			t.Errorf("%s from %s: %d, want %d", c.path, c.origin, got, c.want)
		}
		if err := nc.Close(); err != nil {
			t.Error(err)
		}
	}
	raw := netlooptest.Dial(t, r.addr, "/", "Sec-WebSocket-Protocol: curfew.raw")
	full := netlooptest.Dial(t, r.addr, "/")
	full.Text(`{"op":"hello"}`)
	full.Want(`text {"op":"hello_ack","ok":false,"error":"session_limit","retry_after":5}`,
		"close 4302 session_limit")
	raw.Text(strings.Repeat("x", 100))
	raw.Want("text " + strings.Repeat("x", 100))
	raw.Text(strings.Repeat("x", 101))
	raw.Want("close 1009 message is too big")
}

// TestHelloTimeout_IsAsConfigured: who says nothing is cut off, not before.
func TestHelloTimeout_IsAsConfigured(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	r := start(t, []string{"--hello-timeout", timeout.String()}, nil)
	begin := time.Now()
	silent, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := silent.SetReadDeadline(begin.Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := silent.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("who says nothing gets %d bytes, %v, want to be cut off", n, err)
	}
	if d := time.Since(begin); d < timeout {
		t.Errorf("the hello timeout of %v came after %v", timeout, d)
	}
}

func TestRun_Commands(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  []string
		want string // in what is printed
		code int
	}{
		{args: []string{"version"}, want: "curfewd test go"},
		{args: []string{"--help"}, want: "--idle-timeout DURATION"},
		{args: []string{"config", "check"}, want: "the configuration is good"},
		{
			args: []string{"config", "check"}, env: []string{"CURFEW_X=1"},
			want: "warning: CURFEW_X: unknown variable",
		},
		{args: []string{"config", "explain", "--tick", "20ms"}, want: "20ms"},
		{args: []string{"config", "check", "--tick", "0"}, want: "--tick: must be", code: 2},
		{args: []string{"--listen", "nowhere"}, want: "--listen: ", code: 2},
		{env: []string{"SESSION_TIMEOUT_SECS=soon"}, want: "SESSION_TIMEOUT_SECS: ", code: 2},
	} {
		var out strings.Builder
		err := Run(t.Context(), Process{
			Args: c.args, Env: c.env, Stdout: &out, Stderr: &out, Version: "test",
		})
		text := out.String()
		if err != nil {
			text += err.Error()
		}
		if ExitCode(err) != c.code || !strings.Contains(text, c.want) {
			t.Errorf("%q %q: exit code %d and %q, want %d and %q",
				c.args, c.env, ExitCode(err), text, c.code, c.want)
		}
	}
	var bad *config.Error
	if err := Run(t.Context(), Process{Args: []string{"--x"}}); !errors.As(err, &bad) {
		t.Errorf("Run(--x) = %v", err)
	}
}

func TestRun_PortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"--listen", []string{"--listen", l.Addr().String(), "--admin", ""}},
		{"EXAI_WS_PORT", []string{"--admin", ""}},
		{"--admin", []string{"--listen", "127.0.0.1:0", "--admin", l.Addr().String()}},
	} {
		err := Run(t.Context(), Process{
			Args: c.args, Env: []string{"EXAI_WS_PORT=" + port},
			Stdout: io.Discard, Stderr: io.Discard,
		})
		if ExitCode(err) != 1 || !errors.Is(err, syscall.EADDRINUSE) ||
			!strings.HasPrefix(err.Error(), c.name+": ") {
			t.Errorf("Run on a port in use = %v, want %s to be named", err, c.name)
		}
	}
}

func TestRun_TextLog(t *testing.T) {
	t.Parallel()
	read, write := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Process{
			Args: []string{"--listen", "127.0.0.1:0", "--admin", ""}, Env: []string{"EXAI_WS_X=1"},
			Stdout: io.Discard, Stderr: write, Version: "test",
		})
		_ = write.Close()
	}()
	var log strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(log.String(), "msg=listening") {
		n, err := read.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(buf[:n])
	}
	cancel()
	rest, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(rest)
	if err := <-done; err != nil {
		t.Errorf("Run = %v after its context ended", err)
	}
	for _, want := range []string{
		`level=WARN msg=configuration problem="EXAI_WS_X: has no meaning here, not read"`,
		`msg=draining reason="context ended"`, "msg=stopped",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}

func TestMaxRefusedHellos(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"--max-refused-hellos", "2", "--token", "right"}, nil)
	friend, _ := r.hello(`,"token":"right"`)
	waiting := netlooptest.Dial(t, r.addr, "/ws")
	for range 2 {
		c := netlooptest.Dial(t, r.addr, "/ws")
		c.Text(`{"op":"hello","token":"wrong"}`)
		c.Want(`text {"op":"hello_ack","ok":false,"error":"unauthorized"}`,
			"close 4003 unauthorized")
	}
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := netlooptest.New(t, nc)
	answer := c.Upgrade("/ws")
	if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
		t.Errorf("after two refused hellos: %s %v, want 429", answer.Status, answer.Header)
	}
	// Connections that were open before are no way around: nothing is said of their token.
	waiting.Text(`{"op":"hello","token":"right"}`)
	if got := waiting.Next(); !strings.Contains(got, `"error":"unavailable","retry_after":`) {
		t.Errorf("the hello of an open connection is answered by %s", got)
	}
	waiting.Want("close 1013 unavailable")
	friend.Text(`{"op":"ping"}`) // who is in stays in
	if got := friend.Next(); !strings.Contains(got, `"op":"pong"`) {
		t.Errorf("a ping is answered by %s", got)
	}
}
