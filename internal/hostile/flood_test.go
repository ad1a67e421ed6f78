//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// writeBufferBytes is the daemon's default for what waits for one client. What a flood may cost is
// some times that: a part is being written while another waits, buffers are larger than what is in
// them, and of those that grew the collector has not seen all.
const writeBufferBytes = 256 << 10

// Pings are answered, or the newest is, or their sender is cut off; memory does not grow with them.
func TestFlood_Pings(t *testing.T) {
	const floods = 4
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		peers := make([]*peer, floods)
		for i := range peers {
			p := dial(t, d.addr)
			peers[i] = p
			attack.Go(func() { floodPings(p) })
		}
		attack.Wait()
		if grown := d.grown(); grown > floods*2*writeBufferBytes {
			t.Errorf("%d floods cost %d bytes of heap", floods, grown)
		}
		for _, p := range peers {
			readPongs(t, p, pings-1)
			p.reset()
		}
		d.settle()
	})
}

// readPongs reads pongs up to the newest or to the end of the connection, and gives their numbers.
func readPongs(t *testing.T, p *peer, newest int) (numbers []int) {
	t.Helper()
	for {
		frame := p.said()
		if frame == endOfFile || frame == wasReset {
			return numbers // cut off: allowed
		}
		n, err := strconv.Atoi(strings.TrimPrefix(frame, "pong "))
		if err != nil || n > newest {
			t.Errorf("the server said %.20q, want a pong up to %d", frame, newest)
			return numbers
		}
		if numbers = append(numbers, n); n == newest {
			return numbers
		}
	}
}

// What is answered is answered in order.
func TestFlood_PongsInOrder(t *testing.T) {
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		p := dial(t, d.addr)
		var flood sync.WaitGroup
		flood.Go(func() { floodPings(p) })
		pongs := readPongs(t, p, pings-1)
		flood.Wait()
		for i := 1; i < len(pongs); i++ {
			if pongs[i] <= pongs[i-1] {
				t.Fatalf("pong %d follows pong %d", pongs[i], pongs[i-1])
			}
		}
	})
}

// pings are those of one flood, numbered.
const pings = 100_000

func floodPings(p *peer) {
	var batch []byte
	for n := range pings {
		payload := fmt.Sprintf("%0125d", n)
		batch = append(batch, netlooptest.Frame(opPing, true, []byte(payload))...)
		if len(batch) > 32<<10 || n == pings-1 {
			if p.write(batch) != nil {
				return
			}
			batch = batch[:0]
		}
	}
}

// A client that does not read is let go, whatever it goes on sending.
func TestFlood_NeverReading(t *testing.T) {
	const floods, wait = 8, time.Second
	message := netlooptest.Frame(opBinary, true, make([]byte, 16<<10))
	eachMode(t, setup{args: []string{
		"--ping-interval", wait.String(), "--ping-timeout", wait.String(),
	}}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		for range floods {
			p := dial(t, d.addr)
			attack.Go(func() {
				for {
					if err := p.write(message); errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error("the server neither reads nor lets go")
						return
					} else if err != nil {
						return
					}
				}
			})
		}
		stop := make(chan struct{})
		var most int
		var watch sync.WaitGroup
		watch.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					most = max(most, d.grown())
				}
			}
		})
		attack.Wait()
		close(stop)
		watch.Wait()
		if limit := floods * 8 * writeBufferBytes; most > limit {
			t.Errorf("%d clients cost %d bytes of heap, want at most %d", floods, most, limit)
		}
		d.settle() // nobody has closed anything on this side
	})
}

// The frame that says why may be lost on a client that does not read; one that begins to read again
// in time gets it.
func TestFlood_SlowClientIsTold(t *testing.T) {
	message := netlooptest.Frame(opBinary, true, make([]byte, 16<<10))
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		p := dial(t, d.addr)
		var flood sync.WaitGroup
		flood.Go(func() {
			for p.write(message) == nil {
			}
		})
		eventually(t, "the session ends", func() bool { return d.log.live() == d.base.live })
		var frame string
		for frame = p.said(); strings.HasPrefix(frame, "binary "); frame = p.said() {
		}
		if frame != "close 4101 too slow" && frame != wasReset {
			t.Errorf("the server said %.60q at the end", frame)
		}
		p.reset()
		flood.Wait()
		d.settle()
	})
}

// A session that expires while its client's buffers are full is let go of in bounded time.
func TestFullBuffers_AtClose(t *testing.T) {
	const messageBytes, clients = 12 << 20, 3 // beyond what the kernel takes
	message := fmt.Sprintf(`{"op":"message","data":%q}`, strings.Repeat("x", messageBytes-100))
	eachMode(t, setup{args: []string{
		"--max-message-bytes", strconv.Itoa(messageBytes),
	}}, func(d *daemon) {
		t := d.t
		for range clients {
			p := reach(t, d.addr)
			if err := p.hello(time.Second); err != nil {
				t.Fatal(err)
			}
			if err := p.text(message); err != nil {
				t.Fatal(err)
			}
		}
		if n := d.log.live(); n > d.base.live+clients {
			t.Errorf("%d sessions live", n)
		}
		d.settle()
		if n := d.log.count("session ended"); n != clients {
			t.Errorf("%d sessions ended, want %d", n, clients)
		}
	})
}

// hold connects a client and leaves a message of so many bytes unfinished.
func hold(t *testing.T, d *daemon, n int) *peer {
	t.Helper()
	p := dial(t, d.addr)
	if err := p.write(netlooptest.Frame(opBinary, false, make([]byte, n))); err != nil {
		t.Fatal(err)
	}
	return p
}

// Unfinished messages cost what was sent, and less than twice of it.
func TestUnfinished_CostWhatWasSent(t *testing.T) {
	const clients, each = 300, messageBytesMax - 1
	eachMode(t, setup{}, func(d *daemon) {
		t := d.t
		peers := make([]*peer, clients)
		for i := range peers {
			peers[i] = hold(t, d, each)
		}
		most := 0
		for range 5 {
			most = max(most, d.grown())
		}
		const besides = 16 << 10 // what an idle connection holds, generously
		if limit := clients * (2*each + besides); most > limit {
			t.Errorf("%d unfinished messages cost %d bytes, want at most %d", clients, most, limit)
		}
		for _, p := range peers {
			if err := p.write(netlooptest.Frame(opContinuation, true, []byte("!"))); err != nil {
				t.Fatal(err)
			}
		}
		want := "binary " + string(append(make([]byte, each), '!'))
		for i, p := range peers {
			if got := p.said(); got != want {
				t.Fatalf("message %d comes back as %.40q", i, got)
			}
			_ = p.nc.Close()
		}
		d.settle()
	})
}

// Above the bound on all buffers together the largest holder goes first.
func TestUnfinished_LargestHolderGoes(t *testing.T) {
	const total, clients, each = 4 << 20, 400, 14 << 10
	needs(t, "--buffer-total-bytes", strconv.Itoa(total))
	eachMode(t, setup{args: []string{
		"--buffer-total-bytes", strconv.Itoa(total),
	}}, func(d *daemon) {
		t := d.t
		largest := hold(t, d, messageBytesMax-1)
		small := make([]*peer, clients)
		for i := range small {
			small[i] = hold(t, d, each)
		}
		if got := largest.said(); !strings.HasPrefix(got, "close 4101 ") {
			t.Errorf("the largest holder is told %q, want a close with 4101", got)
		}
		if grown, limit := d.grown(), 2*total+clients*(16<<10); grown > limit {
			t.Errorf("the buffers take %d bytes, want at most %d", grown, limit)
		}
		closed, alive := 0, 0
		for _, p := range small {
			_ = p.write(netlooptest.Frame(opContinuation, true, []byte("!"))) // or it is closed
			switch got := p.said(); {
			case strings.HasPrefix(got, "binary "):
				alive++
			case strings.HasPrefix(got, "close 4101 "), got == endOfFile, got == wasReset:
				closed++
			default:
				t.Errorf("a small holder is told %.40q", got)
			}
			_ = p.nc.Close()
		}
		if alive == 0 || closed == 0 {
			t.Errorf("%d small holders were closed and %d served, want some of both", closed, alive)
		}
		d.settle()
	})
}
