package server

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/admin"
	"github.com/curfew-go/curfew/internal/gateway"
)

// What time ends expires, and whatever else ends is a disconnect.
func TestPublish(t *testing.T) {
	d := new(daemon)
	s, err := admin.New(admin.Options{
		Addr:     net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:1")),
		Sessions: sessions{}, Ready: d.ready, Drain: func() {}, Status: func() admin.Status {
			return admin.Status{}
		},
		Settings: func() []admin.Setting { return nil }, LogLevel: new(slog.LevelVar),
		Events: &d.events, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	answer, err := http.Get(server.URL + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	want := []string{"create", "resume", "detach"}
	for _, e := range want {
		d.publish(gateway.Event{Type: gateway.EventType(e), Session: "a"})
	}
	for _, reason := range []gateway.Reason{
		gateway.ReasonIdle, gateway.ReasonLifetime, gateway.ReasonWindow, gateway.ReasonBye,
		gateway.ReasonClosed, gateway.ReasonLost, gateway.ReasonSlow, gateway.ReasonRevoked,
		gateway.ReasonEvicted, gateway.ReasonPolicy, gateway.ReasonDrained,
	} {
		d.publish(gateway.Event{Type: gateway.EventEnd, Session: "a", Reason: reason})
	}
	want = append(want, "expire", "expire", "expire")
	want = append(want, slices.Repeat([]string{"disconnect"}, 8)...)
	var got []string
	lines := bufio.NewScanner(answer.Body)
	for len(got) < len(want) && lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			got = append(got, name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
