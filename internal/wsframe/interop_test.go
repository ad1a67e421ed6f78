package wsframe

import (
	"fmt"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// TestDeflateInterop: servers of others inflate what we send as a client, and we what they send.
func TestDeflateInterop(t *testing.T) {
	var input []byte
	var texts, want []string
	for _, n := range []int{0, 10, 200, 5000, 60_000} {
		text := strings.ToValidUTF8(strings.Repeat("größer ", n/8+1)[:n], "")
		texts = append(texts, text)
		want = append(want, line(Event{Kind: Text, Payload: []byte(text)}))
	}
	for _, s := range texts {
		input = Client.AppendMessage(input, maxWindowBits, OpText, []byte(s))
	}
	t.Run("gorilla", func(t *testing.T) {
		conn := memory(input)
		u := gorilla.Upgrader{EnableCompression: true}
		c, err := u.Upgrade(&hijacked{conn: conn}, upgradeRequest(DeflateOffer), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range texts {
			kind, message, err := c.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.WriteMessage(kind, message); err != nil {
				t.Fatal(err)
			}
		}
		checkEchoed(t, conn, want)
	})
	t.Run("coder", func(t *testing.T) {
		conn := memory(input)
		c, err := coder.Accept(&hijacked{conn: conn}, upgradeRequest(DeflateOffer),
			&coder.AcceptOptions{CompressionMode: coder.CompressionNoContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for range texts {
			kind, message, err := c.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Write(t.Context(), kind, message); err != nil {
				t.Fatal(err)
			}
		}
		checkEchoed(t, conn, want)
	})
}

// checkEchoed reads what a server has written: its answer to the request, and the messages.
func checkEchoed(t *testing.T, conn *memoryConn, want []string) {
	t.Helper()
	out := conn.out.String()
	if head, frames, ok := strings.Cut(out, "\r\n\r\n"); ok {
		for field := range strings.Lines(head) {
			name, value, _ := strings.Cut(strings.TrimSpace(field), ": ")
			if !strings.EqualFold(name, "Sec-WebSocket-Extensions") {
				continue
			}
			if d, err := AcceptDeflate(value); !d.On() || err != nil {
				t.Errorf("AcceptDeflate(%q) = %d, %v", value, d, err)
			}
		}
		out = frames
	}
	if !strings.Contains(fmt.Sprintf("%x", out), "c1") {
		t.Error("nothing is compressed")
	}
	got := transcript(t, Rules{Role: Client, Deflate: true}, []byte(out))
	if got != lines(want...) {
		t.Errorf("transcript\n%s\nwant\n%s", got, lines(want...))
	}
}
