//go:build linux

package hostile

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// messageBytesMax is the daemon's default.
const messageBytesMax = 64 << 10

// announce is the header of a masked frame whose length takes eight bytes.
func announce(first byte, length uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, length)
	return append(b, 1, 2, 3, 4)
}

// Bytes of a frame that is not whole are no sign of life, nor are fragments. That the hello timeout
// is longer than the pings' deadlines must not put those off.
func TestSlowloris_Frames(t *testing.T) {
	const wait, pace = time.Second, 20 * time.Millisecond
	frame := netlooptest.Frame(opText, true, bytes.Repeat([]byte("x"), 60_000))
	text := bytes.Repeat(netlooptest.Frame(opContinuation, false, nil), 60_000)
	eachMode(t, setup{args: []string{
		"--ping-interval", wait.String(), "--ping-timeout", wait.String(), "--hello-timeout", "1h",
	}}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		for name, c := range map[string]struct {
			atOnce, slow []byte
			step         int // bytes at a time
		}{
			"nothing":             {},
			"one byte":            {atOnce: frame[:1]},
			"half a header":       {atOnce: announce(0x82, 1000)[:7]},
			"a byte at a time":    {slow: frame, step: 1},
			"a byte after much":   {atOnce: frame[:30_000], slow: frame[30_000:], step: 1},
			"pong without an end": {atOnce: netlooptest.Frame(opPong, true, []byte("xyz"))[:8]},
			"empty fragments": {
				atOnce: netlooptest.Frame(opText, false, nil), slow: text, step: 6,
			},
		} {
			begin := time.Now()
			p := dial(t, d.addr)
			attack.Go(func() {
				done := make(chan struct{})
				defer close(done)
				if err := p.write(c.atOnce); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				go p.trickle(c.slow, c.step, pace, done)
				got, last := endWithoutPongs(p)
				if want := "close 4102 no pong"; got != "ping" || last != want {
					t.Errorf("%s: %q and %q, want ping and %q", name, got, last, want)
				}
				if took := time.Since(begin); took < 2*wait {
					t.Errorf("%s: over after %v, before twice %v", name, took, wait)
				}
			})
		}
		attack.Wait()
		d.settle()
	})
}

// endWithoutPongs reads two frames and answers no ping.
func endWithoutPongs(p *peer) (first, second string) {
	read := func() string {
		if err := p.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return endOf(err)
		}
		op, payload, err := readFrame(p.br)
		switch {
		case err != nil:
			return endOf(err)
		case op == opClose && len(payload) >= 2:
			return "close " + closeText(payload)
		case op == opPing:
			return "ping"
		}
		return "something else"
	}
	return read(), read()
}

// A length is judged when it is announced, and nothing is held for it.
func TestBombs_AreRefusedByTheirHeader(t *testing.T) {
	fragment := netlooptest.Frame(opBinary, false, make([]byte, messageBytesMax/2))
	more := netlooptest.Frame(opContinuation, false, make([]byte, messageBytesMax/2))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	const (
		big    = "close 1009 message is too big"
		length = "close 1002 malformed length"
	)
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		for _, c := range []struct {
			name string
			sent []byte
			want string
		}{
			{"2^62 bytes", announce(0x82, 1<<62), big},
			{"all but the top bit", announce(0x82, 1<<63-1), big},
			{"the top bit", announce(0x82, 1<<63), length},
			{"all bits", announce(0x82, 1<<64-1), length},
			{"a byte too many", announce(0x82, messageBytesMax+1), big},
			{"a length for fewer", announce(0x82, 65_535), length},
			{"a length for few", []byte{0x82, 0x80 | 126, 0, 125, 1, 2, 3, 4}, length},
			{"a long ping", announce(0x89, 126), "close 1002 malformed control frame"},
			{"fragments", join(fragment, more, announce(0, 1<<16)), big},
			{
				"fragments, by a byte",
				join(fragment, more, netlooptest.Frame(opContinuation, true, []byte("x"))), big,
			},
			{"2^62 and what is there", join(fragment, announce(0, 1<<62)), big},
			{
				"a frame without a mask",
				[]byte{0x81, 1, 'x'},
				"close 1002 frames from client to server must be masked",
			},
			{
				"an opcode of the future", netlooptest.Frame(opReserved, true, nil),
				"close 1002 reserved opcode",
			},
		} {
			p := dial(t, d.addr)
			if err := p.write(c.sent); err != nil {
				t.Fatal(err)
			}
			if got := p.said(); got != c.want {
				t.Errorf("%s: the server said %q, want %q", c.name, got, c.want)
			}
			_ = p.nc.Close()
		}
		d.settle()
	})
}

// Who announces much and sends nothing costs no more than who is idle.
func TestBombs_AnnouncedBytesAreNotHeld(t *testing.T) {
	const connections = 200
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		peers := make([]*peer, connections)
		for i := range peers {
			peers[i] = dial(t, d.addr)
		}
		idle := d.grown()
		for _, p := range peers {
			if err := p.write(append(announce(0x82, messageBytesMax), 'x')); err != nil {
				t.Fatal(err)
			}
		}
		grown := 0
		for range 5 { // who reads last has read by then
			grown = max(grown, d.grown()-idle)
		}
		if most := connections * messageBytesMax / 16; grown > most {
			t.Errorf("%d announcements of %d bytes cost %d bytes, want at most %d",
				connections, messageBytesMax, grown, most)
		}
		for _, p := range peers {
			p.reset()
		}
		d.settle()
	})
}

// A message counts as long as it is, not as it came.
func TestBombs_Deflated(t *testing.T) {
	needs(t, "--compression", "on")
	deflated := func(s string) []byte {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
	}
	compressed := func(payload []byte) []byte {
		f := netlooptest.Frame(opBinary, true, payload)
		f[0] |= 0x40
		return f
	}
	eachMode(t, setup{args: []string{
		"--compression", "on",
	}}, func(d *daemon) {
		t := d.t
		for _, c := range []struct {
			name string
			sent []byte
			want string
		}{
			{
				"a mebibyte of nothing", compressed(deflated(strings.Repeat("\x00", 1<<20))),
				"close 1009 message is too big",
			},
			{
				"a byte too many", compressed(deflated(strings.Repeat("x", messageBytesMax+1))),
				"close 1009 message is too big",
			},
			{
				"no such block", compressed([]byte{0x07, 0xff, 0xff}),
				"close 1007 malformed compressed data",
			},
			{
				"a stored block of the wrong length", compressed([]byte{0x00, 5, 0, 0, 0, 'x'}),
				"close 1007 malformed compressed data",
			},
			{
				"a distance before the beginning", compressed([]byte{0x03, 0x02, 0x00, 0xff}),
				"close 1007 malformed compressed data",
			},
		} {
			p := dial(t, d.addr, "Sec-WebSocket-Extensions: permessage-deflate")
			if got := p.header.Get("Sec-WebSocket-Extensions"); !strings.Contains(got, "deflate") {
				t.Fatalf("the server agreed on %q", got)
			}
			if err := p.write(c.sent); err != nil {
				t.Fatal(err)
			}
			if got := p.said(); got != c.want {
				t.Errorf("%s: the server said %q, want %q", c.name, got, c.want)
			}
			_ = p.nc.Close()
		}
		d.settle()
	})
}
