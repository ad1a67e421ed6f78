package command

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"
)

// TestMain is the command itself where the test binary is started as that, which it does to have
// workers, and a process to interrupt.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "load" {
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
		os.Exit(Run(context.Background(), Process{
			Args: os.Args[1:], Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout,
			Stderr: os.Stderr, Signals: signals, Version: "v1.2.3",
		}))
	}
	os.Exit(m.Run())
}

// outcome is what came of a command.
type outcome struct {
	code           int
	stdout, stderr string
}

// curfew runs a command in this process.
func curfew(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), Process{
		Args: args, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Version: "v1.2.3",
	})
	return outcome{code, stdout.String(), stderr.String()}
}

// server is a WebSocket server that echoes, but where a test wants it to do otherwise.
type server struct {
	*httptest.Server
	messages atomic.Int64
}

// url is that of the server, with whatever follows the host.
func (s *server) url(rest string) string {
	return "ws" + strings.TrimPrefix(s.URL, "http") + rest
}

// echo is what a server does with a message: it sends what is returned, unless that is nil.
type echo func(n int64, message []byte) []byte

func faithful(_ int64, message []byte) []byte { return message }

// handler serves WebSocket.
func (s *server) handler(answer echo) http.Handler {
	u := websocket.Upgrader{Subprotocols: []string{"curfew.raw"}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer c.Close()
		for {
			kind, message, err := c.ReadMessage()
			if err != nil {
				return
			}
			if message = answer(s.messages.Add(1), message); message == nil {
				continue
			}
			if c.WriteMessage(kind, message) != nil {
				return
			}
		}
	})
}

func serve(t *testing.T, answer echo) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewServer(s.handler(answer))
	t.Cleanup(s.Close)
	return s
}

// closedAddress is an address at which nothing listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	return "127.0.0.1:1" // a port that is not given to others meanwhile
}
