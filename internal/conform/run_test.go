package conform_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/conform"
)

// TestSections holds the number of cases, section by section, against the Autobahn testsuite.
func TestSections(t *testing.T) {
	want := map[string]int{
		"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1,
		"12": 90, "13": 126,
		"14": 59, // ours
	}
	got := map[string]int{}
	seen := map[string]bool{}
	for _, c := range conform.Cases() {
		section, _, _ := strings.Cut(c.ID, ".")
		got[section]++
		if seen[c.ID] {
			t.Errorf("%s stands there twice", c.ID)
		}
		seen[c.ID] = true
		if !strings.HasPrefix(c.RFC, "RFC ") || !strings.HasSuffix(c.Description, "("+c.RFC+")") {
			t.Errorf("%s: RFC %q, description %q", c.ID, c.RFC, c.Description)
		}
	}
	for section, n := range want {
		if got[section] != n {
			t.Errorf("section %s has %d cases, want %d", section, got[section], n)
		}
		delete(got, section)
	}
	if len(got) > 0 {
		t.Errorf("sections nobody asked for: %v", got)
	}
}

func TestOnly(t *testing.T) {
	url := referenceEcho(t, faultless)
	for _, tt := range []struct {
		only string
		want int
	}{{"7.9.3", 1}, {"7.9.*", 9}, {"3.*", 7}, {"[34].*", 17}} {
		rep := run(t, url, conform.Options{Only: tt.only, Timeout: patient})
		if len(rep.Cases) != tt.want || rep.Passed != tt.want {
			t.Errorf("Only %q: %d cases, %d passed, want %d", tt.only, len(rep.Cases), rep.Passed,
				tt.want)
		}
	}
	for _, only := range []string{"7.9", "8.*", "[", "1.1.1 "} {
		_, err := conform.Run(t.Context(), url, conform.Options{Only: only})
		if !errors.Is(err, conform.ErrNoCase) {
			t.Errorf("Only %q: %v, want ErrNoCase", only, err)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	_, err := conform.Run(t.Context(), "ws://127.0.0.1:1", conform.Options{
		Parallel: -1, Timeout: -1,
	})
	for _, part := range []string{"Parallel", "Timeout"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Run = %v, want a word on %s", err, part)
		}
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	silent := "ws://" + l.Addr().String() // Accepts, by the kernel, and never answers.
	plain := overHTTP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	for _, tt := range []struct{ name, url, want string }{
		{"nobody listens", "ws://127.0.0.1:1/", "connection refused"},
		{"no answer", silent, "timeout"},
		{"no WebSocket", plain, "404"},
		{"a wrong accept", referenceEcho(t, wrongAccept), "Sec-WebSocket-Accept is wrong"},
		{"no URL", "http://127.0.0.1/", "ws:// or wss://"},
		{"no host", "ws:///", "want ws://host:port/path"},
		{"no TLS", "wss" + strings.TrimPrefix(plain, "ws"), "tls"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rep, err := conform.Run(t.Context(), tt.url, conform.Options{})
			if !errors.Is(err, conform.ErrNoServer) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run(%s) = %v, %v, want ErrNoServer with %q", tt.url, rep, err, tt.want)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	url, trust := referenceTLS(t)
	rep := run(t, url, conform.Options{Only: "[235].*", Timeout: patient, TLS: trust})
	wantFailed(t, rep, nil)
}

func TestHandshakeOptions(t *testing.T) {
	asked := make(chan http.Header, 64)
	url := overHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header
		w.WriteHeader(http.StatusTeapot)
	})
	_, err := conform.Run(t.Context(), url, conform.Options{
		Subprotocol: "curfew.raw", Header: http.Header{"Authorization": {"Bearer x"}},
	})
	h := <-asked
	if h.Get("Sec-Websocket-Protocol") != "curfew.raw" || h.Get("Authorization") != "Bearer x" {
		t.Errorf("the handshake had %v, want the subprotocol and the header", h)
	}
	if !errors.Is(err, conform.ErrNoServer) {
		t.Errorf("Run = %v, want ErrNoServer", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stop := errors.New("enough")
	o := conform.Options{Only: "1.*", Parallel: 1, Timeout: time.Minute}
	o.Progress = func(conform.Result) { cancel() }
	rep, err := conform.Run(ctx, referenceEcho(t, faultless), o)
	if !errors.Is(err, context.Canceled) || rep == nil || len(rep.Cases) == 0 {
		t.Errorf("Run = %v, %v, want the results so far and why there are no more", rep, err)
	}
	ctx2, cancel2 := context.WithCancelCause(t.Context())
	cancel2(stop)
	if _, err := conform.Run(ctx2, referenceEcho(t, faultless), o); err == nil {
		t.Error("Run with an ended context = nil, want an error")
	}
}

func TestJSON(t *testing.T) {
	url := referenceEcho(t, noPong)
	o := conform.Options{Only: "2.[17]", Timeout: impatient}
	var announced []string
	o.Progress = func(r conform.Result) { announced = append(announced, r.ID) }
	rep := run(t, url, o)
	if len(announced) != 2 {
		t.Errorf("Progress was called for %v, want each case once", announced)
	}
	b, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	cases, _ := got["cases"].([]any)
	if len(got) != 5 || got["server"] != url || got["passed"] != 1.0 || got["failed"] != 1.0 ||
		got["skipped"] != 0.0 || len(cases) != 2 {
		t.Fatalf("JSON = %s", b)
	}
	first, _ := cases[0].(map[string]any)
	if len(first) != 4 || first["id"] != "2.1" || first["result"] != "fail" ||
		first["description"] == "" || first["detail"] == "" {
		t.Errorf("case = %v", first)
	}
}
