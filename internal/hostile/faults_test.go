//go:build linux

package hostile

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Newcomers about whom the application does not decide, and who have gone again, do not keep it
// from those who are connected: here the neighbour, whose messages go there.
func TestStarving_ByNewcomers(t *testing.T) {
	const newcomers, messages = 300, 500
	eachMode(t, setup{app: true, args: []string{"--backend-timeout", "1h"}}, func(d *daemon) {
		t := d.t
		defer d.app.release()
		d.app.behave(func(_ http.ResponseWriter, q *question) bool {
			if q.event == "connect" {
				d.app.hang(q)
			}
			return q.event == "connect"
		})
		for range newcomers {
			p, err := open("", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.text(`{"op":"hello"}`); err != nil {
				t.Fatal(err)
			}
			_ = p.nc.Close()
		}
		now := d.app.asked.Load()
		for enough := now + newcomers + messages; now <= enough; now = d.app.asked.Load() {
			eventually(t, "the neighbour goes on", func() bool { return d.app.asked.Load() > now })
		}
	})
}

// Calls of one client that take too long cost nobody else anything: here the neighbour, whose
// messages are answered all the time.
func TestStarving_ByOneWhoseCallsTakeTooLong(t *testing.T) {
	const calls, rounds = 8, 4
	eachMode(t, setup{app: true, args: []string{"--backend-timeout", "2s"}}, func(d *daemon) {
		t := d.t
		d.app.behave(func(_ http.ResponseWriter, q *question) bool {
			if q.tool() == "slow" {
				d.app.hang(q)
			}
			return q.tool() == "slow"
		})
		p, _ := begin(t, d.addr, `{"op":"hello"}`)
		for range rounds {
			for n := range calls {
				err := p.text(fmt.Sprintf(`{"op":"call_tool","name":"slow","request_id":%d}`, n))
				if err != nil {
					t.Fatal(err)
				}
			}
			for range calls {
				f, err := p.frameOf("error")
				if err != nil || f.code() != "TIMEOUT" {
					t.Fatalf("a call that takes too long gets %s, %v", f.Error, err)
				}
			}
		}
	})
}

// Clients that go on talking do not keep the daemon from its end.
func TestDrain_AmongClientsThatTalk(t *testing.T) {
	const clients, underWay, pace = 3, 8, 5 * time.Millisecond
	eachMode(t, setup{app: true, asks: true}, func(d *daemon) {
		t := d.t
		tick := time.NewTicker(pace) // until after the daemon's end
		d.app.behave(func(_ http.ResponseWriter, q *question) bool {
			if q.event == "message" {
				<-tick.C
			}
			return false
		})
		for range clients {
			p, err := open("", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			d.stay = append(d.stay, p)
			if ack, err := p.greet(`{"op":"hello"}`); err != nil || !ack.OK {
				t.Fatalf("hello gets %+v, %v", ack, err)
			}
			window := make(chan struct{}, underWay)
			go func() {
				for n := 0; p.say(n, 10) == nil; n++ {
					window <- struct{}{}
				}
			}()
			go func() {
				for {
					if _, err := p.frameOf("message_res"); err != nil {
						return
					}
					<-window
				}
			}()
		}
		eventually(t, "they talk", func() bool { return d.app.asked.Load() > 50 })
	})
}

// Who upgrades first and guesses then does not guess more often.
func TestAddresses_GuessesAfterManyUpgrades(t *testing.T) {
	const most, guesses, token = 5, 300, "correct horse"
	eachMode(t, setup{
		args:    []string{"--max-refused-hellos", strconv.Itoa(most), "--token", token},
		headers: []string{"Authorization: Bearer " + token},
	}, func(d *daemon) {
		t := d.t
		list := make([]*peer, guesses)
		for i := range list {
			p, err := open(attacker, d.addr)
			if err != nil {
				t.Fatal(err)
			}
			list[i] = p
		}
		for i, p := range list {
			guess := strconv.Itoa(i)
			if i == guesses-1 {
				guess = token
			}
			f, err := p.greet(fmt.Sprintf(`{"op":"hello","token":%q}`, guess))
			if err == nil && f.OK {
				t.Errorf("guess %d is heard, and good", i)
			}
			p.reset()
		}
	})
}

// Operators who push side by side to whoever does not read end no session either.
func TestAdmin_PushesSideBySide(t *testing.T) {
	const size, workers, refusals = 60_000, 16, 20
	eachMode(t, setup{args: operators}, func(d *daemon) {
		t := d.t
		for name, a := range addressees(t, d) {
			var taken atomic.Int64
			var attack sync.WaitGroup
			for range workers {
				attack.Go(func() {
					for refused := 0; refused < refusals; {
						switch status, err := d.push(a.session, 7, size); {
						case err == nil && status == http.StatusOK:
							taken.Add(1)
						case err == nil && status == http.StatusTooManyRequests:
							refused++
						default:
							t.Errorf("%s: a push gets %d, %v", name, status, err)
							return
						}
					}
				})
			}
			attack.Wait()
			if life := d.log.of(a.session); life.ended+life.detached > 0 {
				t.Errorf("%s: the session lived so: %+v", name, life)
			}
			for n := range taken.Load() {
				said := a.said()
				if got, ok := a.pushed(said); !ok || got != pushed(7, size) {
					t.Errorf("%s: %.60q came, want push %d of %d", name, said, n, taken.Load())
					break
				}
			}
			_ = a.nc.Close()
		}
		http.DefaultClient.CloseIdleConnections()
	})
}
