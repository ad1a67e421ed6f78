package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// serve serves a server with one session at addr until the test is over.
func serve(t *testing.T, addr string, change func(*Options)) (*Server, net.Addr) {
	t.Helper()
	l, err := Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	o := options(newMemory(&member{Session: Session{ID: "a"}, room: 1 << 20}))
	o.Addr = l.Addr()
	change(&o)
	s := newServer(t, o)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l.Addr()
}

// client asks at one address, whatever the URL says.
func client(t *testing.T, addr net.Addr) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, addr.Network(), addr.String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// fetch asks and gives the status and the body.
func fetch(t *testing.T, c *http.Client, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestServe_TCP(t *testing.T) {
	_, addr := serve(t, "127.0.0.1:0", func(o *Options) { o.MaxMessageBytes = 100 })
	c := client(t, addr)
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{get, "/livez", "", 200},
		{http.MethodHead, "/v1/sessions", "", 200},
		{get, "/v1/sessions/%61", "", 200},
		{get, "/v1/sessions/%2f", "", 404},
		{get, "//v1/sessions", "", 404},
		{post, "/v1/sessions/a/messages", "x", 200},
		{post, "/v1/sessions/a/messages", strings.Repeat("x", 1<<20), 413},
		{remove, "/v1/sessions/a", "", 204},
	} {
		if status, body := fetch(t, c, r.method, "http://"+addr.String()+r.path, r.body); status !=
			r.status {
			t.Errorf("%s %s: %d %s, want %d", r.method, r.path, status, body, r.status)
		}
	}
	if status, _ := fetch(t, c, get, "http://example.com/v1/sessions", ""); status != 403 {
		t.Errorf("under another name: %d, want 403", status)
	}
}

// What no Go client sends is answered as well.
func TestServe_Raw(t *testing.T) {
	_, addr := serve(t, "127.0.0.1:0", func(*Options) {})
	for request, want := range map[string]string{
		"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n":                  "HTTP/1.1 403 ",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n":                     "HTTP/1.1 404 ",
		"CONNECT example.com:80 HTTP/1.1\r\nHost: localhost\r\n\r\n":        "HTTP/1.1 403 ",
		"GET http://evil.example/v1/sessions HTTP/1.1\r\nHost: a\r\n\r\n":   "HTTP/1.1 403 ",
		"GET http://localhost/v1/sessions HTTP/1.1\r\nHost: evil\r\n\r\n":   "HTTP/1.1 200 ",
		"GET /livez HTTP/1.0\r\n\r\n":                                       "HTTP/1.0 200 ",
		"GET /v1/sessions HTTP/1.0\r\n\r\n":                                 "HTTP/1.0 403 ",
		"GET /v1/sessions/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n":          "HTTP/1.1 400 ",
		"GET /livez HTTP/1.1\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n": "HTTP/1.1 431 ",
	} {
		c, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, request) // the server may have answered already, and closed
		line, err := bufio.NewReader(c).ReadString('\n')
		if !strings.HasPrefix(line, want) {
			t.Errorf("%.60q: %q, %v, want %q", request, line, err, want)
		}
		c.Close()
	}
}

func TestServe_Unix(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	s, addr := serve(t, "unix:"+socket, func(*Options) {})
	info, err := os.Stat(socket)
	if err != nil || info.Mode() != fs.ModeSocket|socketMode {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
	c := client(t, addr)
	if status, body := fetch(t, c, get, "http://curfew/v1/sessions", ""); status != 200 {
		t.Errorf("over the socket: %d %s", status, body)
	}
	_, err = Listen("unix:" + socket)
	if err == nil || !strings.Contains(err.Error(), "serves it") {
		t.Errorf("a second listener: %v, want that it is served", err)
	}
	if status, _ := fetch(t, c, get, "http://curfew/livez", ""); status != 200 {
		t.Errorf("after a second listener: %d", status)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end the socket is there: %v", err)
	}
}

func TestListen_SocketLeftBehind(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as who was killed
	dead.Close()
	l, err := Listen("unix:" + socket)
	if err != nil {
		t.Fatalf("a socket that nobody serves is in the way: %v", err)
	}
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	l.Close()
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("closed, the socket is there: %v", err)
	}
}

func TestListen_Refuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"unix:", "unix:@curfew", "unix:" + file, "unix:" + link, "unix:" + dir,
		"unix:" + filepath.Join(dir, "none", "s"), "unix:" + strings.Repeat("x", 200),
		"nowhere", "127.0.0.1", "127.0.0.1:99999",
	} {
		if l, err := Listen(bad); err == nil {
			t.Errorf("Listen(%q) = %v", bad, l.Addr())
			l.Close()
		}
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "precious" {
		t.Errorf("the file holds %q, %v", content, err)
	}
}

// The guards were made for one address.
func TestServe_ElsewhereIsRefused(t *testing.T) {
	s := newServer(t, options(newMemory()))
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err == nil {
		t.Error("served at an address that the guards do not know")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

func TestShutdown_WaitsForRequestsAndCutsThemOff(t *testing.T) {
	for _, patient := range []bool{true, false} {
		entered, release := make(chan struct{}), make(chan struct{})
		s, addr := serve(t, "127.0.0.1:0", func(o *Options) {
			o.Ready = func() error { close(entered); <-release; return nil }
		})
		c := client(t, addr)
		result := make(chan string, 1)
		go func() {
			response, err := c.Get("http://" + addr.String() + readyz)
			if err != nil {
				result <- "cut off"
				return
			}
			response.Body.Close()
			result <- fmt.Sprint(response.StatusCode)
		}()
		<-entered
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if !patient {
			cancel()
		}
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(ctx) }()
		if patient {
			close(release)
			if got, err := <-result, <-down; got != "200" || err != nil {
				t.Errorf("a request under way: %s, Shutdown %v", got, err)
			}
		} else {
			if got, err := <-result, <-down; got != "cut off" || !errors.Is(err, context.Canceled) {
				t.Errorf("when time is over: %s, Shutdown %v", got, err)
			}
			close(release)
		}
		cancel()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("a second Shutdown: %v", err)
		}
	}
}

// Whoever writes 0.0.0.0 does not want to be asked by IPv6.
func TestListen_IPv4Alone(t *testing.T) {
	l, err := Listen("0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := l.Addr().(*net.TCPAddr).IP; !got.Equal(net.IPv4zero) {
		t.Errorf("0.0.0.0 listens at %s", got)
	}
}
