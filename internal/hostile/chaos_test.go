//go:build linux

package hostile

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

var (
	chaosTime = flag.Duration("chaos", 4*time.Second, "how long clients connect in the chaos run")
	chaosSeed = flag.Uint64("seed", 0, "faults of the chaos run; 0: others each time")
)

const (
	chaosClients = 200
	chaosWindow  = 8   // messages under way on a connection
	chaosLength  = 100 // messages of a connection, at most
)

// TestChaos lets clients live through all that a network does to connections, and compares what
// each got with what it sent.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	eachMode(t, setup{args: []string{
		"--hello-timeout", "5s", "--idle-timeout", "4s",
		"--ping-interval", "1500ms", "--ping-timeout", "2s",
	}}, func(d *daemon) {
		t := d.t
		t.Logf("-seed %d", seed)
		c := &chaos{seed: seed, proxy: newProxy(t, d.addr), end: time.Now().Add(*chaosTime)}
		var clients sync.WaitGroup
		for id := range chaosClients {
			clients.Go(func() {
				for n := 0; time.Now().Before(c.end) && !t.Failed(); n++ {
					if err := c.life(id, n); err != nil {
						t.Errorf("client %d, connection %d: %v", id, n, err)
					}
				}
			})
		}
		clients.Wait()
		c.proxy.pumps.Wait()
		d.settle()
		c.sessions.Range(func(id, _ any) bool {
			if !d.log.has(id.(string)) {
				t.Errorf("session %v was given out and is not in the log", id)
			}
			return true
		})
		c.report(t)
	})
}

// chaos is one chaos run.
type chaos struct {
	seed  uint64
	proxy *proxy
	end   time.Time

	sessions sync.Map // IDs that clients were given
	lives    atomic.Int64
	whole    atomic.Int64 // lives that ended as their client wanted
	echoes   atomic.Int64
	breaks   sync.Map // how the others ended, to *atomic.Int64
}

func (c *chaos) report(t *testing.T) {
	t.Helper()
	if c.whole.Load() == 0 || c.whole.Load() == c.lives.Load() {
		t.Errorf("of %d connections %d ended well: no chaos", c.lives.Load(), c.whole.Load())
	}
	var text strings.Builder
	for f := range c.proxy.did {
		fmt.Fprintf(&text, ", %s %d", faultNames[f], c.proxy.did[f].Load())
	}
	c.breaks.Range(func(how, n any) bool {
		fmt.Fprintf(&text, "; %s: %d", how, n.(*atomic.Int64).Load())
		return true
	})
	t.Logf("%d connections, %d ended well, %d echoes%s",
		c.lives.Load(), c.whole.Load(), c.echoes.Load(), text.String())
}

// life is the n-th connection of a client, from dial to end. An error is the daemon's fault.
func (c *chaos) life(id, n int) error {
	c.lives.Add(1)
	seed := rand.New(rand.NewPCG(c.seed, uint64(id)<<32|uint64(n))).Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	l := &life{
		name: fmt.Sprintf("%d/%d", id, n), json: rng.IntN(2) == 0, gentle: rng.IntN(3) == 0,
		count: 1 + rng.IntN(chaosLength), ending: ending(rng.IntN(int(endings))),
	}
	if l.ending == endIdle && rng.IntN(8) > 0 {
		l.ending = endClose // waiting takes long
	}
	nc, err := c.proxy.dial(seed, l.gentle)
	if err != nil {
		return err
	}
	l.peer = newPeer(nc)
	defer l.peer.nc.Close()
	err = l.run()
	c.echoes.Add(int64(l.echoed))
	if l.session != "" {
		if _, twice := c.sessions.LoadOrStore(l.session, l.name); twice {
			return fmt.Errorf("session %s was given out twice", l.session)
		}
	}
	var how broken
	switch {
	case err == nil:
		c.whole.Add(1)
	case errors.As(err, &how) && l.excused(how):
		n, _ := c.breaks.LoadOrStore(string(how), new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	default:
		return fmt.Errorf("%w, after %d of %d echoes (JSON %v, gentle %v, ending %d)",
			err, l.echoed, l.count, l.json, l.gentle, l.ending)
	}
	return nil
}

// ending is how a client ends its connection, if the connection lives until then.
type ending int

const (
	endClose ending = iota // by a close frame
	endReset
	endHalf // it says that it sends no more, and reads on
	endBye
	endIdle // its session expires
	endings
)

// life is one connection of a client.
type life struct {
	// Set before run, then only read.
	name   string
	json   bool // it speaks curfew.v1
	gentle bool // nothing on the way may break it
	count  int
	ending ending
	peer   *peer

	session string
	echoed  int
}

// broken is how a connection ended that was to go on.
type broken string

func (b broken) Error() string { return string(b) }

// excused says whether a connection may end in such a way when the network breaks it: whoever is
// stalled may be held for silent, slow or idle.
func (l *life) excused(how broken) bool {
	return !l.gentle && slices.Contains([]broken{
		endOfFile, wasReset, "408", "close 4002 no hello", "close 4101 too slow",
		"close 4102 no pong", "close 4200 session idle",
	}, how)
}

func (l *life) run() error {
	if err := l.begin(); err != nil {
		return err
	}
	window := make(chan struct{}, chaosWindow)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range l.count {
			select {
			case window <- struct{}{}:
			case <-stop:
				return
			}
			if l.peer.write(l.request(i)) != nil {
				return // the reader meets the reason
			}
		}
	})
	err := l.read(window)
	close(stop)
	if err != nil {
		_ = l.peer.nc.Close()
	}
	writer.Wait()
	if err != nil {
		return err
	}
	return l.finish()
}

// begin upgrades and gets a session.
func (l *life) begin() error {
	headers := []string{raw}
	if l.json {
		headers = nil
	}
	status, err := l.peer.ask(netlooptest.Handshake("/ws", headers...))
	switch {
	case err != nil:
		return broken(endOf(err))
	case status != http.StatusSwitchingProtocols:
		return broken(fmt.Sprint(status))
	case !l.json:
		l.session = l.peer.header.Get("Curfew-Session")
		return nil
	}
	if l.peer.text(`{"op":"hello"}`) != nil {
		return broken(wasReset)
	}
	frame := l.next()
	text, ok := strings.CutPrefix(frame, "text ")
	if !ok {
		return broken(frame)
	}
	var ack struct {
		ID string `json:"session_id"`
	}
	if err := json.Unmarshal([]byte(text), &ack); err != nil || ack.ID == "" {
		return fmt.Errorf("hello is answered by %q", text)
	}
	l.session = ack.ID
	return nil
}

// next is the next frame that is no ping or pong. What tells a client that its session is idle is
// left out too: the close frame says so again.
func (l *life) next() string {
	for {
		f := l.peer.said()
		if !strings.HasPrefix(f, "pong") && !strings.HasPrefix(f, `text {"op":"session_expired"`) {
			return f
		}
	}
}

// payload is what the i-th message says; no other connection says it, nor this one twice.
func (l *life) payload(i int) string {
	text := fmt.Sprintf("%s/%d ", l.name, i)
	filler := rand.New(rand.NewPCG(uint64(len(text)), uint64(i))).IntN(3000)
	return text + strings.Repeat("x", filler)
}

// request is the i-th message as it is sent: whole, or in two fragments with a ping between.
func (l *life) request(i int) []byte {
	text := l.payload(i)
	if l.json {
		text = fmt.Sprintf(`{"op":"message","data":%q,"request_id":%d}`, text, i)
	}
	if i%5 > 0 {
		return netlooptest.Frame(opText, true, []byte(text))
	}
	half := len(text) / 2
	return slices.Concat(netlooptest.Frame(opText, false, []byte(text[:half])),
		netlooptest.Frame(opPing, true, []byte("between")),
		netlooptest.Frame(opContinuation, true, []byte(text[half:])))
}

// read wants all echoes in order.
func (l *life) read(window <-chan struct{}) error {
	for i := range l.count {
		want := "text " + l.payload(i)
		if l.json {
			want = fmt.Sprintf(`text {"op":"message_res","request_id":%d,"data":%q}`,
				i, l.payload(i))
		}
		got := l.next()
		switch {
		case got == want:
			l.echoed++
			<-window
		case strings.HasPrefix(got, "text "):
			return fmt.Errorf("got %.60q, want %.60q", got, want)
		default:
			return broken(got)
		}
	}
	return nil
}

// finish ends the connection and wants what must follow.
func (l *life) finish() error {
	want := "close 1000 "
	switch l.ending {
	case endReset:
		l.peer.reset()
		return nil
	case endHalf:
		want = endOfFile
		if half, ok := l.peer.nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
			return broken(wasReset)
		}
	case endIdle:
		want = "close 4200 session idle"
	case endBye:
		if l.json {
			if l.peer.text(`{"op":"bye"}`) != nil {
				return broken(wasReset)
			}
			break
		}
		fallthrough
	default:
		if l.peer.close() != nil {
			return broken(wasReset)
		}
	}
	if got := l.next(); got != want {
		return broken(got)
	}
	return nil
}
