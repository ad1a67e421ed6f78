package load

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFindTarget(t *testing.T) {
	for _, c := range []struct{ url, address, host, path string }{
		{"ws://127.0.0.1:8079/ws", "127.0.0.1:8079", "127.0.0.1:8079", "/ws"},
		{"ws://127.0.0.1", "127.0.0.1:80", "127.0.0.1", "/"},
		{"wss://127.0.0.1", "127.0.0.1:443", "127.0.0.1", "/"},
		{"ws://[::1]:81/a?b=c&d", "[::1]:81", "[::1]:81", "/a?b=c&d"},
		{"wss://[::1]", "[::1]:443", "[::1]", "/"},
		{"ws://user:secret@127.0.0.1:1/x%20y", "127.0.0.1:1", "127.0.0.1:1", "/x%20y"},
		{"ws://127.0.0.1:1?a=b", "127.0.0.1:1", "127.0.0.1:1", "/?a=b"},
	} {
		p := goodPlan()
		p.URL = c.url
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		got, err := findTarget(t.Context(), p)
		if err != nil || got.address.String() != c.address || got.host != c.host ||
			got.path != c.path || (got.tls != nil) != strings.HasPrefix(c.url, "wss") {
			t.Errorf("%s: %+v, %v, want %+v", c.url, got, err, c)
		}
		o := p.options(got)
		if err := o.withDefaults().validate(); err != nil {
			t.Errorf("%s: %v", c.url, err)
		}
	}
}

func TestFindTarget_Address(t *testing.T) {
	p := goodPlan()
	p.URL, p.Address = "wss://example.test/ws", "127.0.0.9:99"
	got, err := findTarget(t.Context(), p)
	if err != nil || got.address.String() != p.Address || got.host != "example.test" ||
		got.tls.ServerName != "example.test" || got.tls.InsecureSkipVerify {
		t.Errorf("findTarget() = %+v, %v", got, err)
	}
	p.Address = "localhost:99"
	if _, err := findTarget(t.Context(), p); err == nil {
		t.Error("an address that is a name gives no error")
	}
}

func TestFindTarget_Localhost(t *testing.T) {
	p := goodPlan()
	p.URL = "ws://localhost:7/"
	got, err := findTarget(t.Context(), p)
	if err != nil || got.address.String() != "127.0.0.1:7" || got.host != "localhost:7" {
		t.Errorf("findTarget() = %+v, %v, want IPv4 first", got, err)
	}
}

func TestFindTarget_Refuses(t *testing.T) {
	for want, change := range map[string]func(p *Plan){
		"has no address": func(p *Plan) { p.URL = "ws://nobody.invalid/" },
		"is no port":     func(p *Plan) { p.URL = "ws://127.0.0.1:65536/" },
		"no certificate in PEM": func(p *Plan) {
			p.URL, p.Roots = "wss://127.0.0.1/", []byte("nonsense")
		},
	} {
		p := goodPlan()
		change(&p)
		_, err := findTarget(t.Context(), p)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("findTarget(%s) = %v, want %q", p.URL, err, want)
		}
	}
}

func TestSourcesFor(t *testing.T) {
	local, far := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")
	p := goodPlan()
	for _, c := range []struct {
		connections int
		server      netip.Addr
		want        int
	}{
		{portsPerSource, local, 0},
		{portsPerSource + 1, local, 2},
		{10 * portsPerSource, local, 11},
		{1 << 24, local, sourcesMax},
		{1 << 24, far, 0},
		{1 << 24, netip.IPv6Loopback(), 0},
	} {
		p.Connections = c.connections
		got := sourcesFor(p, c.server)
		if len(got) != c.want {
			t.Errorf("%d sources for %d connections to %v, want %d", len(got), c.connections,
				c.server, c.want)
		}
		if len(got)*28000 < c.connections && c.want > 0 && c.want < sourcesMax {
			t.Errorf("%d sources are too few for %d", len(got), c.connections)
		}
		for i, a := range got {
			if !a.IsLoopback() || slices.Contains(got[:i], a) {
				t.Errorf("source %v is of another network, or there twice", a)
			}
		}
	}
	p.Sources = []netip.Addr{far}
	if got := sourcesFor(p, local); len(got) != 1 || got[0] != far {
		t.Errorf("the plan's sources became %v", got)
	}
}

func TestPlan_Header(t *testing.T) {
	p := goodPlan()
	if h := p.header(); len(h) > 0 {
		t.Errorf("header() = %v, want none", h)
	}
	p.Token = "secret"
	for protocol, want := range map[string]string{
		SpeakJSON: "", SpeakRaw: "Bearer secret", SpeakPlain: "Bearer secret",
	} {
		p.Protocol = protocol
		if got := p.header().Get("Authorization"); got != want {
			t.Errorf("%s: Authorization %q, want %q", protocol, got, want)
		}
	}
	p.Header = http.Header{"Authorization": {"Basic x"}, "X-Y": {"1", "2"}}
	h := p.header()
	if h.Get("Authorization") != "Basic x" || len(h["X-Y"]) != 2 {
		t.Errorf("header() = %v, want that of the plan", h)
	}
	h.Set("X-Y", "3")
	if len(p.Header["X-Y"]) != 2 {
		t.Error("header() gives the plan's own")
	}
}

func TestOptions_Offers(t *testing.T) {
	for _, c := range []struct {
		offered, taken string
		want           bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "a", true},
		{"a", "", false},
		{"a", "A", false},
		{"a, b", "b", true},
		{"a,b", "a", true},
		{"a,b", "a,b", false},
		{"a,b", "c", false},
		{"a,,b", "", false},
	} {
		if got := (Options{Subprotocol: c.offered}).offers(c.taken); got != c.want {
			t.Errorf("offers %q, taken %q: %v, want %v", c.offered, c.taken, got, c.want)
		}
	}
}

func TestPlan_HabitOf(t *testing.T) {
	for profile, want := range map[Profile][2]habit{
		ProfileEcho: {talks, talks}, ProfileIdle: {isSilent, isSilent},
		ProfileChurn: {leaves, leaves}, ProfileStorm: {talks, isSilent},
		ProfileReconnect: {talks, talks}, ProfileChatty: {talks, isSilent},
		ProfileSlowReader: {talks, neverReads}, ProfileSlowloris: {talks, trickles},
		ProfileHalfOpen: {talks, vanishes},
	} {
		p := goodPlan()
		p.Profile, p.Connections, p.Processes = profile, 14, 3
		kinds := map[habit]int{}
		for p.Process = range p.Processes {
			mine := map[habit]int{}
			for i := range p.share(p.Connections) {
				first, then := p.habitOf(uint32(i*p.Processes + p.Process))
				if first != then && first != talks {
					t.Errorf("%s: %d, then %d", profile, first, then)
				}
				mine[then]++
				kinds[then]++
			}
			if profile.Splits() && (mine[talks] < 2 || mine[want[1]] < 2) {
				t.Errorf("%s: process %d has %v of both kinds", profile, p.Process, mine)
			}
		}
		if profile.Splits() && (kinds[talks] < 6 || kinds[want[1]] < 6) ||
			kinds[want[0]]+kinds[want[1]] < p.Connections {
			t.Errorf("%s: %v, want half and half of %v", profile, kinds, want)
		}
	}
}

func TestSeeded(t *testing.T) {
	a, b, c := seeded(1, 1000), seeded(1, 1000), seeded(2, 1000)
	if string(a) != string(b) || string(a) == string(c) || strings.ContainsAny(string(a), `"\`) {
		t.Error("the same seed gives something else, or another one the same, or it needs escapes")
	}
	p := goodPlan()
	p.Duration = time.Second
	r := newRun(&Client{dialect: plain{}}, p, nil)
	x, y := make([]byte, p.Size), make([]byte, p.Size)
	r.compose(x, 1, 1)
	r.compose(y, 1, 2)
	if string(x[stampBytes:]) == string(y[stampBytes:]) {
		t.Error("two messages have one body")
	}
}
