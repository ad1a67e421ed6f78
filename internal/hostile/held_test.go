//go:build linux

package hostile

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// Clients about whom the application does not decide are told so in time, and do not disturb those
// who are connected. Those who go while it is asked leave nothing behind.
func TestApplication_ConnectHangs(t *testing.T) {
	const clients = 300
	unavailable := `text {"op":"hello_ack","ok":false,"error":"unavailable"}, ` +
		"close 1013 unavailable"
	eachMode(t, setup{app: true, asks: true, args: []string{
		"--backend-timeout", "2s", "--hello-timeout", "10s",
	}}, func(d *daemon) {
		t := d.t
		var asleep atomic.Bool
		d.app.behave(func(_ http.ResponseWriter, q *question) bool {
			if q.event != "connect" || !asleep.Load() {
				return false
			}
			d.app.hang(q)
			return true
		})
		friend, _ := begin(t, d.addr, resumable)
		asleep.Store(true)
		var attack sync.WaitGroup
		for i := range clients {
			attack.Go(func() {
				if i%3 == 0 {
					p, err := connect(d.addr)
					if err != nil {
						t.Error(err)
						return
					}
					defer p.reset()
					status, err := p.upgrade()
					if status != http.StatusServiceUnavailable {
						t.Errorf("a raw client gets %d, %v", status, err)
					}
					return
				}
				p, err := open("", d.addr)
				if err != nil {
					t.Error(err)
					return
				}
				defer p.reset()
				if i%3 == 1 {
					_ = p.text(resumable) // and goes
					return
				}
				if got := p.refusal(resumable); got != unavailable {
					t.Errorf("a client gets %q", got)
				}
			})
		}
		for n := range 50 {
			if err := friend.text(fmt.Sprintf(`{"op":"ping","request_id":%d}`, n)); err != nil {
				t.Fatal(err)
			}
			f, err := friend.frameOf("pong")
			if err != nil || string(f.RequestID) != fmt.Sprint(n) {
				t.Fatalf("who is connected gets %+v, %v", f, err)
			}
		}
		attack.Wait()
		asleep.Store(false)
		eventually(t, "a newcomer is let in", func() bool {
			p, err := open("", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer p.reset()
			ack, err := p.greet(`{"op":"hello"}`)
			return err == nil && ack.OK
		})
		_ = friend.text(`{"op":"bye"}`)
		d.settle()
	})
}

// Raw clients that say more than the application takes are held, and all that they said is answered
// in order when it does.
func TestApplication_RawFlood(t *testing.T) {
	const clients, messages, size = 8, 400, 12 << 10 // more than waits and the kernel takes
	eachMode(t, setup{app: true, asks: true, args: []string{
		"--backend-timeout", "1h", "--ping-interval", "1s", "--ping-timeout", "1s",
	}}, func(d *daemon) {
		t := d.t
		awake := make(chan struct{})
		var once sync.Once
		wake := func() { once.Do(func() { close(awake) }) }
		defer wake()
		d.app.behave(func(_ http.ResponseWriter, q *question) bool {
			if q.event == "message" {
				<-awake
			}
			return false
		})
		text := func(client, n int) string { return fmt.Sprintf("%d/%0*d", client, size, n) }
		var flood sync.WaitGroup
		for i := range clients {
			p := dial(t, d.addr)
			flood.Go(func() {
				for n := range messages {
					frame := netlooptest.Frame(opText, true, []byte(text(i, n)))
					if err := p.write(frame); err != nil {
						t.Errorf("client %d, message %d: %v", i, n, err)
						return
					}
				}
			})
			flood.Go(func() {
				for n := range messages {
					if got := p.said(); got != "text "+text(i, n) {
						t.Errorf("client %d gets %.40q, want message %d", i, got, n)
						return
					}
				}
				_ = p.close()
				_ = p.said()
				_ = p.nc.Close()
			})
		}
		eventually(t, "each asks the application", func() bool {
			return d.app.asked.Load() >= clients+1+clients // the others connected
		})
		most := 0
		for range 20 {
			most = max(most, d.grown())
		}
		wake()
		if limit := clients * 3 << 20; most > limit {
			t.Errorf("%d floods cost %d bytes, want at most %d", clients, most, limit)
		}
		flood.Wait()
		d.settle()
	})
}

// JSON clients that say more than the application takes are told which messages are too many, and
// the others are answered in order.
func TestApplication_JSONFlood(t *testing.T) {
	const clients, messages, waiting = 8, 500, 64
	eachMode(t, setup{app: true, asks: true, args: []string{"--backend-timeout", "1h"}},
		func(d *daemon) {
			t := d.t
			awake := make(chan struct{})
			var once sync.Once
			wake := func() { once.Do(func() { close(awake) }) }
			defer wake()
			d.app.behave(func(_ http.ResponseWriter, q *question) bool {
				if q.event == "message" {
					<-awake
				}
				return false
			})
			var flood sync.WaitGroup
			var refused sync.WaitGroup
			refused.Add(clients)
			for i := range clients {
				p, _ := begin(t, d.addr, []string{`{"op":"hello"}`, resumable}[i%2])
				flood.Go(func() {
					for n := range messages {
						if err := p.say(n, 100); err != nil {
							t.Error(err)
						}
					}
				})
				flood.Go(func() {
					for n := waiting; n < messages; n++ {
						if err := p.errorFor(fmt.Sprint(n), "OVER_CAPACITY"); err != nil {
							t.Error(err)
							break
						}
					}
					refused.Done()
					for n := range waiting {
						if _, err := p.heard(n); err != nil {
							t.Error(err)
							break
						}
					}
					_ = p.text(`{"op":"bye"}`)
				})
			}
			refused.Wait()
			wake()
			flood.Wait()
			d.settle()
		})
}
