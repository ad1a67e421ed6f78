package wsframe

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestAppendFrame(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 100_000} {
		payload := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		dst := []byte("before")
		got := Server.AppendFrame(dst, OpBinary, true, payload)
		want := append([]byte("before"), ws.MustCompileFrame(ws.NewBinaryFrame(payload))...)
		if !bytes.Equal(got, want) {
			t.Errorf("a server's frame of %d bytes is not what gobwas writes", n)
		}
		if got, want := len(got), len(dst)+Server.HeaderBytes(n)+n; got != want {
			t.Errorf("a server's frame of %d bytes: up to %d, want %d", n, got, want)
		}
		got = Client.AppendFrame(dst, OpBinary, true, payload)
		if got, want := len(got), len(dst)+Client.HeaderBytes(n)+n; got != want {
			t.Errorf("a client's frame of %d bytes: up to %d, want %d", n, got, want)
		}
		f, err := ws.ReadFrame(bytes.NewReader(got[len(dst):])) //nolint:staticcheck // An oracle.
		if err != nil || !f.Header.Masked {
			t.Fatalf("a client's frame of %d bytes: %+v, %v", n, f.Header, err)
		}
		if !bytes.Equal(ws.UnmaskFrame(f).Payload, payload) {
			t.Errorf("a client's frame of %d bytes has another payload", n)
		}
	}
}

// TestRoundTrip: what one side writes the other reads.
func TestRoundTrip(t *testing.T) {
	for _, side := range []struct{ from, to Role }{{Client, Server}, {Server, Client}} {
		var b []byte
		b = side.from.AppendFrame(b, OpText, false, []byte("Hel"))
		b = side.from.AppendFrame(b, OpPing, true, []byte("1"))
		b = side.from.AppendFrame(b, OpContinuation, true, []byte("lo"))
		b = side.from.AppendFrame(b, OpPong, true, nil)
		b = side.from.AppendMessage(b, 0, OpBinary, []byte{1, 2, 3})
		b = side.from.AppendClose(b, CodeGoingAway, "bye")
		want := lines(`ping "1"`, `text "Hello"`, `pong ""`, `binary "\x01\x02\x03"`,
			`close 1001 "bye"`)
		atEachSplit(t, Rules{Role: side.to}, b, want)
	}
}

func TestMaskingKeysDiffer(t *testing.T) {
	keys := map[[4]byte]bool{}
	for range 1000 {
		b := Client.AppendFrame(nil, OpPing, true, nil)
		keys[[4]byte(b[2:])] = true
	}
	if len(keys) < 990 {
		t.Errorf("%d keys in 1000 frames", len(keys))
	}
}

func TestAppendClose(t *testing.T) {
	full := strings.Repeat("x", 123)
	for _, c := range []struct {
		code   Code
		reason string
		want   string
	}{
		{NoCode, "not sent", `close 0 ""`},
		{CodeNormal, "", `close 1000 ""`},
		{4200, "session expired", `close 4200 "session expired"`},
		{CodeNormal, full + "y", long("close 1000", full)},
		{CodeNormal, full[:122] + "é", long("close 1000", full[:122])},
		{CodeNormal, "ab\xffcd", `close 1000 "ab"`},
	} {
		b := Server.AppendClose(nil, c.code, c.reason)
		if got := transcript(t, Rules{Role: Client}, b); got != c.want {
			t.Errorf("AppendClose(%d, %q): %s, want %s", c.code, c.reason, got, c.want)
		}
	}
}

func TestMisusePanics(t *testing.T) {
	for name, misuse := range map[string]func(){
		"long ping":        func() { Server.AppendFrame(nil, OpPing, true, make([]byte, 126)) },
		"fragmented pong":  func() { Server.AppendFrame(nil, OpPong, false, nil) },
		"close code 1005":  func() { Server.AppendClose(nil, 1005, "") },
		"close code 65535": func() { Server.AppendClose(nil, 65535, "") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "wsframe: ") {
					t.Errorf("recovered %q, want a panic of this package", got)
				}
			}()
			misuse()
		})
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool forgets under the race detector")
	}
	dst := make([]byte, 0, 1<<16)
	text := []byte(strings.Repeat("the quick brown fox ", 500))
	for _, r := range []Role{Server, Client} {
		for name, write := range map[string]func(){
			"frame":      func() { r.AppendFrame(dst, OpText, true, text) },
			"close":      func() { r.AppendClose(dst, CodeNormal, "bye") },
			"compressed": func() { r.AppendMessage(dst, 15, OpText, text) },
		} {
			if got := testing.AllocsPerRun(50, write); got >= 1 {
				t.Errorf("role %d, %s: %v allocations, want 0", r, name, got)
			}
		}
	}
}
