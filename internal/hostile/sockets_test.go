//go:build linux

package hostile

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// Connections that are broken off at any moment leave nothing behind.
func TestResetStorm(t *testing.T) {
	const workers, storms = 8, 400
	head := netlooptest.Handshake("/ws", raw)
	hello := netlooptest.Frame(opText, true, []byte(`{"op":"hello"}`))
	text := netlooptest.Frame(opText, true, []byte("x"))
	// What is sent before the reset; nothing of the answer is read.
	storm := [][]byte{
		nil,
		[]byte("G"),
		[]byte(head[:len(head)-2]),
		[]byte(head),
		append([]byte(head), text...),
		append([]byte(head), bytes.Repeat(text, 100)...),
		append([]byte(head), text[:3]...),
		append([]byte(netlooptest.Handshake("/ws")), hello...),
		[]byte("GET / HTTP/1.0\r\n\r\n"),
		append([]byte(head), announce(0x82, 1<<62)...),
	}
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		for w := range workers {
			attack.Go(func() {
				for i := range storms {
					p, err := connect(d.addr)
					if err != nil {
						t.Errorf("connection %d: %v", i, err)
						return
					}
					sent := storm[(w+i)%len(storm)]
					_ = p.write(sent) // the server may be faster
					if i%3 == 0 && bytes.Contains(sent, []byte("\r\n\r\n")) {
						_, _ = p.answer() // some have got through before they go
					}
					p.reset()
				}
			})
		}
		attack.Wait()
		d.settle()
	})
}

// The number of a file that was closed is given to the next connection. What was meant for the one
// before must not reach it.
func TestReusedDescriptors_KeepConnectionsApart(t *testing.T) {
	const workers, lives, messages = 24, 60, 20
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		for w := range workers {
			attack.Go(func() {
				for life := range lives {
					name := fmt.Sprintf("%d/%d", w, life)
					if err := shortLife(d.addr, name, messages); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		attack.Wait()
		d.settle()
	})
}

// shortLife connects, reads half of its echoes, and breaks off while the rest is under way.
func shortLife(addr, name string, messages int) error {
	p, err := connect(addr)
	if err != nil {
		return err
	}
	defer p.reset()
	var all []byte
	text := func(i int) string {
		return fmt.Sprintf("%s/%d ", name, i) + strings.Repeat("x", i*100)
	}
	for i := range messages {
		all = append(all, netlooptest.Frame(opText, true, []byte(text(i)))...)
	}
	request := append([]byte(netlooptest.Handshake("/ws", raw)), all...)
	if err := p.write(request); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if status, err := p.answer(); status != http.StatusSwitchingProtocols || err != nil {
		return fmt.Errorf("%s: upgrade: %d, %w", name, status, err)
	}
	for i := range messages / 2 {
		if got, want := p.said(), "text "+text(i); got != want {
			return fmt.Errorf("%s: got %.40q, want %.40q", name, got, want)
		}
	}
	return nil
}
