//go:build linux

package hostile

import (
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// Sessions whose connections go at the moment at which they expire end once; the log that is
// audited when the daemon stops says so.
func TestEnds_ExpiryMeetsTheClient(t *testing.T) {
	const clients, rounds, timeout = 100, 8, 200 * time.Millisecond
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		for range clients {
			attack.Go(func() {
				for range rounds {
					if !meetExpiry(t, d.addr, timeout) {
						return
					}
				}
			})
		}
		attack.Wait()
		d.settle()
		if n := d.log.count("session began"); n <= clients {
			t.Errorf("%d sessions began", n)
		}
	})
}

// meetExpiry connects and does something at about the time at which its session expires.
func meetExpiry(t *testing.T, addr string, timeout time.Duration) bool {
	t.Helper()
	p, err := connect(addr)
	if err != nil {
		t.Error(err)
		return false
	}
	defer p.nc.Close()
	if err := p.hello(timeout); err != nil {
		t.Error(err)
		return false
	}
	p.patience = timeout - 10*time.Millisecond + rand.N(20*time.Millisecond)
	if frame := p.next(); frame != timedOut {
		return true // it was too late to do anything
	}
	p.patience = patience
	switch rand.IntN(4) {
	case 0:
		p.reset()
		return true
	case 1:
		_ = p.nc.(*net.TCPConn).CloseWrite()
	case 2:
		_ = p.close()
	case 3:
		_ = p.text(`{"op":"message","data":"alive?"}`) // which is in time, or not
	}
	for {
		switch frame := p.said(); {
		case frame == endOfFile, frame == wasReset, strings.HasPrefix(frame, "close "):
			return true
		case frame == timedOut:
			t.Error("nothing ends the connection")
			return false
		}
	}
}

// Whoever fills the daemon with sessions keeps newcomers out no longer than they last.
func TestEnds_FullTableComesBack(t *testing.T) {
	const sessions = 40
	eachMode(t, setup{args: []string{"--max-sessions", strconv.Itoa(sessions)}}, func(d *daemon) {
		t := d.t
		for range 3 {
			held := make([]*peer, 0, sessions)
			for range sessions - 1 { // one is the neighbour's
				held = append(held, dial(t, d.addr))
			}
			for range sessions {
				p := reach(t, d.addr)
				status, err := p.upgrade()
				if status != http.StatusServiceUnavailable || p.header.Get("Retry-After") == "" {
					t.Fatalf("one too many gets %d, %v", status, err)
				}
				_ = p.nc.Close()
			}
			for _, p := range held {
				p.reset()
			}
			d.settle()
		}
	})
}

// Clients that do not let go do not keep the daemon from stopping.
func TestEnds_StopAmongClientsThatStay(t *testing.T) {
	const floodBytes = 12 << 20 // beyond what the kernel takes
	flood := netlooptest.Frame(opBinary, true, make([]byte, floodBytes))
	head := netlooptest.Handshake("/ws", raw)
	eachMode(t, setup{args: []string{
		"--max-message-bytes", strconv.Itoa(floodBytes), "--hello-timeout", "1h",
		"--ping-interval", "1h", "--ping-timeout", "1h",
	}}, func(d *daemon) {
		t := d.t
		for range 5 {
			for _, sent := range []string{
				"", "G", head[:len(head)-1], head, head + string(flood), head + string(flood[:99]),
				netlooptest.Handshake("/ws"), "GET / HTTP/1.1\r\n\n",
			} {
				p, err := connect(d.addr)
				if err != nil {
					t.Fatal(err)
				}
				d.stay = append(d.stay, p)
				if err := p.write([]byte(sent)); err != nil {
					t.Fatal(err)
				}
			}
		}
		eventually(t, "they all have their sessions", func() bool {
			return d.log.live() == d.base.live+15
		})
	})
}
