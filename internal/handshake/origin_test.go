package handshake

import (
	"net"
	"testing"
)

func TestSameOrigin(t *testing.T) {
	for _, c := range []struct {
		allowed      []string
		loopback     bool
		origin, host string
		want         bool
	}{
		{nil, false, "https://a.example", "a.example", true},
		{nil, false, "https://a.example", "a.example:443", true},
		{nil, false, "http://A.example:8079", "a.example:8079", true},
		{nil, false, "http://a.example:8080", "a.example:8079", false},
		{nil, false, "http://a.example", "b.example", false},
		{nil, false, "http://a.example", "a.example:8079", false},
		{nil, false, "null", "a.example", false},
		{nil, false, "", "", false},
		{nil, true, "http://localhost:8079", "localhost:8079", true},
		{nil, true, "http://127.0.0.1:8079", "127.0.0.1:8079", true},
		{nil, true, "http://[::1]", "[::1]", true},
		{nil, true, "http://rebound.example:8079", "rebound.example:8079", false},
		{[]string{"https://a.example"}, true, "https://a.example", "localhost", true},
		{[]string{"https://a.example:443"}, false, "HTTPS://A.example", "x", true},
		{[]string{"https://a.example"}, false, "http://a.example", "x", false},
		{[]string{"https://a.example"}, false, "http://b.example", "b.example", true},
		{[]string{"null"}, false, "null", "x", true},
		{[]string{"*"}, true, "http://evil.example", "x", true},
	} {
		rule := SameOrigin(c.allowed, c.loopback)
		if got := rule([]byte(c.origin), []byte(c.host)); got != c.want {
			t.Errorf("SameOrigin(%q, %v)(%q, %q) = %v, want %v",
				c.allowed, c.loopback, c.origin, c.host, got, c.want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false,
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := IsLoopback(a); got != want {
			t.Errorf("IsLoopback(%s) = %v, want %v", addr, got, want)
		}
	}
	if IsLoopback(&net.UnixAddr{Name: "/x"}) {
		t.Error("a path is taken for a loopback address")
	}
}
