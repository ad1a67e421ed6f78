package conform_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
)

// peer is an echo server written on a library as its users write one.
type peer struct {
	name  string
	start func(t *testing.T) string // returns its ws:// URL
}

// overHTTP starts an HTTP server for a handler.
func overHTTP(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/echo"
}

func gorillaEcho(compress bool) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		u := gorilla.Upgrader{EnableCompression: compress}
		return overHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			c, err := u.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer c.Close()
			for {
				kind, p, err := c.ReadMessage()
				if err != nil || c.WriteMessage(kind, p) != nil {
					return
				}
			}
		})
	}
}

func coderEcho(mode coder.CompressionMode, limit int64) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		return overHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: mode})
			if err != nil {
				return
			}
			defer c.CloseNow()
			if limit != 0 {
				c.SetReadLimit(limit)
			}
			for {
				kind, p, err := c.Read(context.Background())
				if err != nil || c.Write(context.Background(), kind, p) != nil {
					return
				}
			}
		})
	}
}

// gobwasEcho is the echo server of the library's README, on plain TCP.
func gobwasEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := ws.Upgrade(c); err != nil {
					return
				}
				for {
					p, op, err := wsutil.ReadClientData(c)
					if err != nil || wsutil.WriteServerMessage(c, op, p) != nil {
						return
					}
				}
			}()
		}
	}()
	return "ws://" + l.Addr().String() + "/"
}

var _ = io.EOF
