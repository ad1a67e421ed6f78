//go:build linux

package hostile

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fault is what a proxy does with a piece of a stream.
type fault int

const (
	faultNone  fault = iota
	faultDelay       // holds it back for a moment
	faultSplit       // cuts it anywhere
	faultChoke       // passes a few bytes at a time
	// The rest may break the connection.
	faultStall // holds it back for long
	faultHalf  // ends this direction
	faultReset // breaks the connection off
	faults
)

var faultNames = [faults]string{"none", "delay", "split", "choke", "stall", "half", "reset"}

// odds are how often of 1,000 pieces a fault happens. A gentle link has none that may break it.
var odds = [faults]int{
	faultDelay: 250, faultSplit: 300, faultChoke: 20,
	faultStall: 6, faultHalf: 3, faultReset: 6,
}

const (
	delayMax     = 10 * time.Millisecond
	chokeBytes   = 48
	chokePace    = time.Millisecond
	stallMax     = 300 * time.Millisecond
	longStallMax = 8 * time.Second // every tenth: past the deadlines of the daemon under chaos
	pieceBytes   = 4 << 10
)

// proxy stands between clients and a daemon, and is where a network would go wrong.
type proxy struct {
	daemon   string
	listener net.Listener
	pumps    sync.WaitGroup
	did      [faults]atomic.Int64

	dialing sync.Mutex // so that a link knows whose it is
}

func newProxy(t *testing.T, daemon string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &proxy{daemon: daemon, listener: l}
}

// dial gives a client a link to the daemon. What goes wrong with it follows from the seed alone.
func (p *proxy) dial(seed uint64, gentle bool) (net.Conn, error) {
	client, inner, err := p.pair()
	if err != nil {
		return nil, err
	}
	outer, err := net.Dial("tcp", p.daemon)
	if err != nil {
		return nil, errors.Join(err, client.Close(), inner.Close())
	}
	l := &link{
		proxy: p, gentle: gentle, broken: make(chan struct{}),
		client: inner.(*net.TCPConn), daemon: outer.(*net.TCPConn),
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(l.daemon, l.client, rand.New(rand.NewPCG(seed, 1))) })
	both.Go(func() { l.pump(l.client, l.daemon, rand.New(rand.NewPCG(seed, 2))) })
	p.pumps.Go(func() {
		both.Wait()
		_ = l.client.Close()
		_ = l.daemon.Close()
	})
	return client, nil
}

// pair is the two ends of a connection to the proxy itself.
func (p *proxy) pair() (client, inner net.Conn, err error) {
	p.dialing.Lock()
	defer p.dialing.Unlock()
	client, err = net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	inner, err = p.listener.Accept()
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return client, inner, nil
}

// link is one connection through the proxy.
type link struct {
	proxy          *proxy
	gentle         bool
	client, daemon *net.TCPConn
	breaking       sync.Once
	broken         chan struct{} // closed when it was broken off
}

// pump carries one direction of a link until it ends.
func (l *link) pump(dst, src *net.TCPConn, rng *rand.Rand) {
	var buf [pieceBytes]byte
	for {
		n, err := src.Read(buf[:1+rng.IntN(pieceBytes)])
		if n > 0 && !l.pass(dst, src, buf[:n], rng) {
			return
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = dst.CloseWrite() // or it is gone
			return
		case err != nil:
			l.breakOff()
			return
		}
	}
}

// pass passes a piece on, or does to it what the dice say. It gives false at the direction's end.
func (l *link) pass(dst, src *net.TCPConn, b []byte, rng *rand.Rand) bool {
	f := l.roll(rng)
	l.proxy.did[f].Add(1)
	switch f {
	case faultDelay:
		l.wait(time.Duration(rng.Int64N(int64(delayMax))))
	case faultSplit:
		for len(b) > 1 {
			n := 1 + rng.IntN(len(b)-1)
			if !l.write(dst, b[:n]) {
				return false
			}
			b = b[n:]
		}
	case faultChoke:
		for ; len(b) > chokeBytes; b = b[chokeBytes:] {
			if !l.write(dst, b[:chokeBytes]) {
				return false
			}
			l.wait(chokePace)
		}
	case faultStall:
		longest := stallMax
		if rng.IntN(10) == 0 {
			longest = longStallMax
		}
		l.wait(time.Duration(rng.Int64N(int64(longest))))
	case faultHalf:
		_ = dst.CloseWrite()
		_, _ = io.Copy(io.Discard, src)
		return false
	case faultReset:
		l.breakOff()
		return false
	}
	return l.write(dst, b)
}

func (l *link) roll(rng *rand.Rand) fault {
	n := rng.IntN(1000)
	for f := faultDelay; f < faults; f++ {
		if l.gentle && f >= faultStall {
			break
		}
		if n -= odds[f]; n < 0 {
			return f
		}
	}
	return faultNone
}

func (l *link) write(dst *net.TCPConn, b []byte) bool {
	if _, err := dst.Write(b); err != nil {
		l.breakOff()
		return false
	}
	return true
}

// wait holds a direction back, but not when the link is broken.
func (l *link) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.broken:
	}
}

// breakOff resets both sides.
func (l *link) breakOff() {
	l.breaking.Do(func() {
		for _, nc := range []*net.TCPConn{l.client, l.daemon} {
			_ = nc.SetLinger(0)
			_ = nc.Close()
		}
		close(l.broken)
	})
}
