//go:build linux

package hostile

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// The hello timeout runs from accept and nothing that arrives moves it.
func TestSlowloris_Request(t *testing.T) {
	const timeout, pace = 700 * time.Millisecond, 50 * time.Millisecond
	long := netlooptest.Handshake("/ws", raw, "X: "+strings.Repeat("y", 4000))
	whole := netlooptest.Handshake("/ws")
	hello := string(netlooptest.Frame(opText, true, []byte(`{"op":"hello"}`)))
	eachMode(t, setup{args: []string{
		"--hello-timeout", timeout.String(),
	}}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		for _, c := range []struct {
			name         string
			atOnce, slow string
			status       int    // of the answer; 0: none
			then         string // said after it
		}{
			{
				name: "a byte at a time", slow: long,
				status: http.StatusRequestTimeout, then: endOfFile,
			},
			{name: "one byte", atOnce: "G", status: http.StatusRequestTimeout, then: endOfFile},
			{name: "nothing", then: endOfFile},
			{
				name: "the last byte is missing", atOnce: whole[:len(whole)-1],
				status: http.StatusRequestTimeout, then: endOfFile,
			},
			{
				name: "no hello", atOnce: whole, status: http.StatusSwitchingProtocols,
				then: "close 4002 no hello",
			},
			{
				name: "a hello a byte at a time", atOnce: whole, slow: hello + hello + hello,
				status: http.StatusSwitchingProtocols, then: "close 4002 no hello",
			},
		} {
			for range 5 {
				begin := time.Now()
				p := reach(t, d.addr)
				attack.Go(func() {
					done := make(chan struct{})
					defer close(done)
					if err := p.write([]byte(c.atOnce)); err != nil {
						t.Errorf("%s: %v", c.name, err)
					}
					go p.trickle([]byte(c.slow), 1, pace, done)
					status, err := p.answer()
					if c.status == 0 && errors.Is(err, io.ErrUnexpectedEOF) {
						err = nil
					}
					if status != c.status || err != nil {
						t.Errorf("%s: %d, %v, want %d", c.name, status, err, c.status)
						return
					}
					if got := p.said(); got != c.then {
						t.Errorf("%s: then %q, want %q", c.name, got, c.then)
					}
					if d := time.Since(begin); d < timeout {
						t.Errorf("%s: over after %v, before %v", c.name, d, timeout)
					}
				})
			}
		}
		attack.Wait()
	})
}

// A request that cannot become a good one is refused as soon as that is sure, not when it is over.
func TestEndlessRequest_IsRefusedEarly(t *testing.T) {
	const headBytesMax, headerLinesMax = 8 << 10, 64
	line := "GET /ws HTTP/1.1\r\n"
	eachMode(t, setup{args: []string{
		"--hello-timeout", "1h",
	}}, func(d *daemon) {
		t := d.t
		for _, c := range []struct{ name, fine, last string }{
			{"request line", "GET /" + strings.Repeat("a", headBytesMax-6), "a"},
			{"header line", line + "X: " + strings.Repeat("a", headBytesMax-4-len(line)), "a"},
			{"header lines", line + strings.Repeat("X: y\r\n", headerLinesMax), "X: y\r\n"},
			{"empty lines of LF", line, "\n"},
		} {
			p := reach(t, d.addr)
			if err := p.write([]byte(c.fine)); err != nil {
				t.Fatal(err)
			}
			p.patience = 50 * time.Millisecond
			if _, err := p.answer(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: answered before its fault: %v", c.name, err)
			}
			p = reach(t, d.addr)
			want := http.StatusRequestHeaderFieldsTooLarge
			if c.last == "\n" {
				want = http.StatusBadRequest
			}
			if status, err := p.ask(c.fine + c.last); status != want || err != nil {
				t.Errorf("%s: %d, %v, want %d", c.name, status, err, want)
			}
		}
	})
}

// Whoever goes on sending after the refusal is cut off.
func TestEndlessRequest_IsCutOff(t *testing.T) {
	eachMode(t, setup{args: []string{
		"--hello-timeout", "1h",
	}}, func(d *daemon) {
		t := d.t
		const enough = 64 << 20 // more than the kernel keeps for a connection
		for _, part := range []string{"a", "X: y\r\n", "\n", "\x00", "\x16\x03\x01"} {
			p := reach(t, d.addr)
			block := bytes.Repeat([]byte(part), (64<<10)/len(part))
			sent := 0
			for ; sent < enough; sent += len(block) {
				if p.write(block) != nil {
					break
				}
			}
			if sent >= enough {
				t.Errorf("%q: %d bytes were taken", part, sent)
			}
		}
		d.settle()
	})
}

// What two readers of HTTP could read differently is refused, and what follows it is no request.
func TestSmuggling_IsRefused(t *testing.T) {
	head := netlooptest.Handshake("/ws", raw)
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		for _, c := range []struct {
			name, old, new string
			want           int
		}{
			{"a folded line", "Host: localhost", "Host: localhost\r\n folded", 400},
			{"a folded line of a tab", "Host: localhost", "Host: localhost\r\n\tfolded", 400},
			{"a bare LF", "\r\nHost", "\nHost", 400},
			{"a bare LF at the end", "\r\n\r\n", "\r\n\n", 400},
			{"a bare CR", "localhost", "local\rX: y", 400},
			{"a zero byte", "localhost", "local\x00host", 400},
			{"a space before the colon", "Host:", "Host :", 400},
			{"a space before the name", "Host:", " Host:", 400},
			{"no colon", "Host", "Junk\r\nHost", 400},
			{"two hosts", "Host", "Host: localhost\r\nHost", 400},
			{"two hosts, other case", "Host", "hOST: evil\r\nHost", 400},
			{"no host", "Host: localhost\r\n", "", 400},
			{"two keys", "Upgrade:", "Sec-WebSocket-Key: " + netlooptest.Key + "\r\nUpgrade:", 400},
			{"two versions", "Upgrade:", "Sec-WebSocket-Version: 13\r\nUpgrade:", 400},
			{"a body", "Host", "Content-Length: 5\r\nHost", 413},
			{"a body of many zeros", "Host", "Content-Length: 000000005\r\nHost", 413},
			{"chunks", "Host", "Transfer-Encoding: chunked\r\nHost", 413},
			{"no chunks", "Host", "Transfer-Encoding: identity\r\nHost", 413},
			{
				"a length and chunks", "Host",
				"Content-Length: 0\r\nTransfer-Encoding: chunked\r\nHost", 413,
			},
			{"two lengths", "Host", "Content-Length: 0\r\nContent-Length: 5\r\nHost", 400},
			{"a length of two", "Host", "Content-Length: 0, 5\r\nHost", 400},
			{"a negative length", "Host", "Content-Length: -1\r\nHost", 400},
			{"another method", "GET", "POST", 405},
			{"an old HTTP", "HTTP/1.1", "HTTP/1.0", 505},
			{"a preface of HTTP/2", head, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		} {
			p := reach(t, d.addr)
			status, err := p.ask(strings.Replace(head, c.old, c.new, 1) + head)
			if status != c.want || err != nil {
				t.Errorf("%s: %d, %v, want %d", c.name, status, err, c.want)
			}
			if b, err := p.br.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("%s: something follows the refusal: %q, %v", c.name, b, err)
			}
			_ = p.nc.Close()
		}
		d.settle()
	})
}
