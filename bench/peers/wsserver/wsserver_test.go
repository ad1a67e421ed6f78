package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

func TestKinds(t *testing.T) {
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) { testEcho(t, start) })
	}
	for kind, start := range conforming {
		t.Run("conform/"+kind, func(t *testing.T) { testEcho(t, start) })
	}
}

// testEcho starts a server and has some messages echoed by it.
func testEcho(t *testing.T, start func(string) error) {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = serve(start, address) }() // it ends with the process
	c := dial(t, "ws://"+address+path)
	defer c.Close()
	for _, m := range []string{"x", strings.Repeat("y", 1000), strings.Repeat("z", 9000)} {
		if err := wsutil.WriteClientText(c, []byte(m)); err != nil {
			t.Fatal(err)
		}
		got, err := wsutil.ReadServerText(c)
		if err != nil || string(got) != m {
			t.Fatalf("%d bytes came back as %d, %v", len(m), len(got), err)
		}
	}
	for _, f := range []ws.Frame{
		ws.NewFrame(ws.OpBinary, false, []byte("ab")),
		ws.NewFrame(ws.OpContinuation, true, []byte("cd")),
	} {
		if err := ws.WriteFrame(c, ws.MaskFrame(f)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := wsutil.ReadServerBinary(c); err != nil || string(got) != "abcd" {
		t.Fatalf("two fragments came back as %q, %v", got, err)
	}
}

// dial connects to a server that may not listen yet.
func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		c, _, _, err := ws.Dial(ctx, url)
		if err == nil {
			return c
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
