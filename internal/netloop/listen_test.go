package netloop

import (
	"net"
	"testing"
)

func TestListen_Families(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here")
	} else {
		_ = l.Close()
	}
	for address, want := range map[string]string{
		"0.0.0.0:0": "0.0.0.0", "127.0.0.1:0": "127.0.0.1", "[::]:0": "::", ":0": "::",
	} {
		l, err := Listen(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		if got, _, _ := net.SplitHostPort(l.Addr().String()); got != want {
			t.Errorf("%s listens at %s, want %s", address, got, want)
		}
	}
}
