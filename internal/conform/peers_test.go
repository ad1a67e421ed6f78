package conform_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"

	"github.com/curfew-go/curfew/internal/conform"
)

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

// TestRefusedOffers: whoever refuses a whole handshake for an offer of compression that must be
// declined has not accepted it.
func TestRefusedOffers(t *testing.T) {
	u := gorilla.Upgrader{EnableCompression: true}
	url := overHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if x := r.Header.Get("Sec-Websocket-Extensions"); x != "" && !strings.HasSuffix(x,
			"client_no_context_takeover; client_max_window_bits") {
			http.Error(w, "no such offer", http.StatusBadRequest)
			return
		}
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
	for only, passed := range map[string]int{"14.7.*": 7, "13.3.1": 0} {
		rep := run(t, url, conform.Options{Only: only, Timeout: patient})
		if rep.Passed != passed || rep.Skipped > 0 {
			t.Errorf("%s: %+v, want %d passed", only, rep.Cases, passed)
		}
		for _, c := range rep.Cases {
			if want := "400 Bad Request: no such offer"; !strings.Contains(c.Detail, want) {
				t.Errorf("%s = %q, want %q in it", c.ID, c.Detail, want)
			}
		}
	}
}

// TestPeers holds what is known of three libraries, as their users write an echo server on them,
// so that a change of the suite is seen. Of what moves many bytes there is a sample.
func TestPeers(t *testing.T) {
	const sample = "1[23].*.[28]"
	most := []string{"[^9]*", "9.[1-8].1"}
	// They leave it to their user to look at text.
	for _, p := range []struct {
		name   string
		start  func(*testing.T) string
		only   []string
		failed []string
	}{
		{
			name: "gorilla", start: gorillaEcho(false), only: most,
			failed: []string{
				refusedText,
				"7.3.2",  // Answers a close frame of one byte by an empty one.
				"14.4.2", // Neither it nor net/http minds HTTP/1.0.
			},
		},
		{
			name: "gorilla with compression", start: gorillaEcho(true),
			only: []string{sample, "14.*"},
			failed: []string{
				"13.[35].*", // Says yes to an offer of which it has read the name only.
				"14.4.2", "14.7.*",
				"14.5.[123]", // RSV 1 may stand anywhere once compression is agreed.
				"14.5.6",
			},
		},
		{
			name: "coder", start: coderEcho(coder.CompressionDisabled, 1<<25), only: most,
			failed: []string{refusedText, "7.5.1"}, // Does not look at reasons either.
		},
		{
			name:  "coder with compression",
			start: coderEcho(coder.CompressionContextTakeover, 1<<25),
			only:  []string{sample, "14.*"},
			failed: []string{
				"14.5.6",
				"14.7.[47]", // Does not look at the value, nor for a second one.
			},
		},
		{
			name: "gobwas", start: gobwasEcho, only: most,
		},
	} {
		t.Run(p.name, func(t *testing.T) {
			url := p.start(t)
			for _, only := range p.only {
				rep := run(t, url, conform.Options{Only: only, Timeout: patient})
				wantFailed(t, rep, p.failed)
				t.Logf("%q: %d passed, %d failed, %d skipped", only, rep.Passed, rep.Failed,
					rep.Skipped)
			}
		})
	}
}
