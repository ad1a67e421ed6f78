//go:build linux

package hostile

import (
	"encoding/binary"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// Addresses of attackers, which are not the neighbour's.
const (
	attacker      = "127.0.0.66"
	otherAttacker = "127.0.0.67"
)

// reachFrom connects from an address, for as long as the test runs.
func reachFrom(t *testing.T, from, addr string) *peer {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	nc, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(nc)
	t.Cleanup(func() { _ = nc.Close() })
	return p
}

// An address has its connections, whatever it says of whom it speaks for; others have theirs.
func TestAddresses_ConnectionsOfOne(t *testing.T) {
	const most = 10
	needs(t, "--max-connections-per-ip", strconv.Itoa(most))
	eachMode(t, setup{args: []string{
		"--max-connections-per-ip", strconv.Itoa(most),
	}}, func(d *daemon) {
		t := d.t
		for range 3 {
			var held []*peer
			for range most {
				p := reachFrom(t, attacker, d.addr)
				if status, err := p.upgrade(); status != http.StatusSwitchingProtocols {
					t.Fatalf("one of %d gets %d, %v", most, status, err)
				}
				held = append(held, p)
			}
			for i := range most {
				p := reachFrom(t, attacker, d.addr)
				status, err := p.upgrade("X-Forwarded-For: 10.0.0."+strconv.Itoa(i),
					"Forwarded: for=10.0.0.1", "X-Real-IP: 10.0.0.2")
				if status != http.StatusTooManyRequests {
					t.Errorf("one too many gets %d, %v", status, err)
				}
				_ = p.nc.Close()
			}
			if status, err := reachFrom(t, otherAttacker, d.addr).upgrade(); err != nil ||
				status != http.StatusSwitchingProtocols {
				t.Errorf("another address gets %d, %v", status, err)
			}
			for _, p := range held {
				p.reset()
			}
			eventually(t, "the connections are gone", func() bool {
				return d.log.live() <= d.base.live+3 // those of the other address stay
			})
		}
	})
}

// Whoever guesses tokens is stopped, and nobody else is.
func TestAddresses_RefusedHellos(t *testing.T) {
	const most, token = 5, "correct horse"
	needs(t, "--max-refused-hellos", strconv.Itoa(most))
	wrong, good := "Authorization: Bearer ", "Authorization: Bearer "+token
	eachMode(t, setup{
		args:    []string{"--max-refused-hellos", strconv.Itoa(most), "--token", token},
		headers: []string{good},
	}, func(d *daemon) {
		t := d.t
		guess := func(from, header string) int {
			p := reachFrom(t, from, d.addr)
			defer p.nc.Close()
			status, err := p.upgrade(header)
			if err != nil {
				t.Fatal(err)
			}
			return status
		}
		guesses := 0
		for guess(attacker, wrong+strconv.Itoa(guesses)) == http.StatusUnauthorized {
			if guesses++; guesses > 3*most { // the minute may have ended on the way, once
				t.Fatalf("%d guesses were allowed", guesses)
			}
		}
		if guesses < most {
			t.Errorf("stopped after %d guesses, want %d at least", guesses, most)
		}
		if status := guess(otherAttacker, good); status != http.StatusSwitchingProtocols {
			t.Errorf("another address with the right token gets %d", status)
		}
	})
}

// A header of the PROXY protocol is believed from those who must send one, and is read as strictly
// and as impatiently as a request.
func TestAddresses_ProxyHeaders(t *testing.T) {
	needs(t, "--proxy-protocol", attacker)
	head := netlooptest.Handshake("/ws", raw)
	v2 := func(command byte, length int, rest string) string {
		b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, 0x11)
		return string(binary.BigEndian.AppendUint16(b, uint16(length))) + rest
	}
	addresses := "\x0a\x00\x00\x01\x7f\x00\x00\x01\x04\xd2\x1f\x90"
	eachMode(t, setup{args: []string{
		"--proxy-protocol", attacker, "--hello-timeout", "2s",
	}}, func(d *daemon) {
		t := d.t
		for _, c := range []struct {
			name, from, sent string
			want             int // 0: no upgrade
		}{
			{"version 1", attacker, "PROXY TCP4 10.0.0.1 127.0.0.1 1234 8080\r\n" + head, 101},
			{"version 2", attacker, v2(0x21, 12, addresses) + head, 101},
			{"a header of nobody", otherAttacker, "PROXY TCP4 1.1.1.1 1.1.1.1 1 2\r\n" + head, 0},
			{"version 2 of nobody", otherAttacker, v2(0x21, 12, addresses) + head, 0},
			{"no header", attacker, head, 0},
			{"an endless version 1", attacker, "PROXY TCP4 " + strings.Repeat("1", 9000), 0},
			{"an unfinished version 1", attacker, "PROXY TCP4 10.0.0.1", 0},
			{"half a signature", attacker, "\r\n\r\n\x00\r\nQU", 0},
			{"a version 2 of 64 KiB", attacker, v2(0x21, 0xffff, strings.Repeat("x", 9000)), 0},
			{"a version 2 too short", attacker, v2(0x21, 4, addresses[:4]) + head, 0},
			{"a version 3", attacker, v2(0x31, 12, addresses) + head, 0},
			{"two headers", attacker, "PROXY TCP4 10.0.0.1 127.0.0.1 1 2\r\n" +
				"PROXY TCP4 10.0.0.1 127.0.0.1 1 2\r\n" + head, 0},
		} {
			p := reachFrom(t, c.from, d.addr)
			status, err := p.ask(c.sent)
			switch {
			case c.want == 0 && status == http.StatusSwitchingProtocols:
				t.Errorf("%s: upgraded", c.name)
			case c.want == 0 && err != nil && endOf(err) == timedOut:
				t.Errorf("%s: nothing came of it", c.name)
			case c.want != 0 && status != c.want:
				t.Errorf("%s: %d, %v, want %d", c.name, status, err, c.want)
			}
			_ = p.nc.Close()
		}
		d.settle()
	})
}
