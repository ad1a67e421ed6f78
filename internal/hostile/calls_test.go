//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// sleepCall is a call of a tool that returns when everything else is over.
func sleepCall(requestID int) string {
	return fmt.Sprintf(`{"op":"call_tool","name":"sleep","request_id":%d,`+
		`"arguments":{"ms":86400000}}`, requestID)
}

// forever is settings by which calls run until they are given up.
var forever = []string{"--backend-timeout", "24h", "--buffer-total-bytes", "67108864"}

// caller is a client that floods the daemon with calls.
type caller struct {
	*peer
	accepted map[string]bool // by request_id
	refused  map[string]bool
}

// callOut sends calls, all at once, and reads what becomes of each.
func (c *caller) callOut(calls int) error {
	c.accepted, c.refused = make(map[string]bool), make(map[string]bool)
	sent := make(chan error, 1)
	go func() {
		for n := range calls {
			if err := c.text(sleepCall(n)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for len(c.accepted)+len(c.refused) < calls {
		f, err := c.frame()
		if err != nil {
			return err
		}
		id := string(f.RequestID)
		switch {
		case f.Op == "progress" && c.accepted[id]:
		case c.accepted[id], c.refused[id], id == "":
			return fmt.Errorf("request %s got %+v, not for the first time", id, f)
		case f.Op == "call_tool_ack":
			c.accepted[id] = true
		case f.Op == "error" && f.code() == "OVER_CAPACITY":
			c.refused[id] = true
		default:
			return fmt.Errorf("a call gets %+v", f)
		}
	}
	return <-sent
}

// canCall says whether a call is served.
func canCall(p *peer, requestID string) bool {
	err := p.text(`{"op":"call_tool","name":"echo","request_id":"` + requestID +
		`","arguments":{"text":"x"}}`)
	if err != nil {
		return false
	}
	f, err := p.frameOf("call_tool_res", "error")
	return err == nil && f.Op == "call_tool_res"
}

// One client that calls by the thousand has eight calls running and is told of each other one, and
// when it is gone, so are its calls.
func TestCalls_FloodOfOne(t *testing.T) {
	const calls, perSession = 2000, 8
	eachMode(t, setup{args: append([]string{
		"--global-max-inflight", "8", "--resume-window", "300ms",
	}, forever...)}, func(d *daemon) {
		t := d.t
		other, _ := begin(t, d.addr, `{"op":"hello"}`)
		for n, hello := range []string{`{"op":"hello"}`, resumable, resumable} {
			p, ack := begin(t, d.addr, hello)
			c := &caller{peer: p}
			if err := c.callOut(calls); err != nil {
				t.Fatal(err)
			}
			if len(c.accepted) != perSession {
				t.Errorf("%d calls of one session run, want %d", len(c.accepted), perSession)
			}
			if canCall(other, fmt.Sprint("early", n)) {
				t.Error("a call is served beside as many as may run")
			}
			if n == 2 {
				_ = p.text(`{"op":"bye"}`)
			} else {
				p.cut(n)
			}
			eventually(t, "the session ends", func() bool {
				return d.log.of(ack.SessionID).ended > 0
			})
			tries := 0
			eventually(t, "another one's call is served", func() bool {
				tries++
				return canCall(other, fmt.Sprint(n, "/", tries))
			})
			if tries > 5 {
				t.Errorf("it took %d tries", tries)
			}
		}
		_ = other.nc.Close()
		d.settle()
	})
}

// Many that call have no more calls running than may run in all, each at most its own share, and
// what one did not get another may.
func TestCalls_FloodOfMany(t *testing.T) {
	const clients, calls, perSession, inAll = 30, 40, 8, 24
	eachMode(t, setup{args: append([]string{"--resume-window", "300ms"}, forever...)},
		func(d *daemon) {
			t := d.t
			list := make([]*caller, clients)
			for i := range list {
				hello := `{"op":"hello"}`
				if i%2 == 0 {
					hello = resumable
				}
				p, _ := begin(t, d.addr, hello)
				list[i] = &caller{peer: p}
			}
			for len(list) > 0 {
				var attack sync.WaitGroup
				var accepted atomic.Int64
				for _, c := range list {
					attack.Go(func() {
						if err := c.callOut(calls); err != nil {
							t.Error(err)
						}
						accepted.Add(int64(len(c.accepted)))
						if n := len(c.accepted); n > perSession {
							t.Errorf("%d calls of one session run", n)
						}
					})
				}
				attack.Wait()
				if n := accepted.Load(); n != inAll {
					t.Errorf("%d calls of %d sessions run, want %d", n, len(list), inAll)
				}
				for i, c := range list {
					c.cut(i)
				}
				eventually(t, "the sessions end", func() bool {
					return d.log.live() == d.base.live
				})
				some := list[:0]
				if len(list) == clients {
					some = list[:inAll/perSession] // as few as may have all there is
				}
				for i := range some {
					p, _ := begin(t, d.addr, `{"op":"hello"}`)
					some[i] = &caller{peer: p}
				}
				list = some
			}
			d.settle()
		})
}

// A call whose client is away goes on, and its result is there when the client comes back, once.
func TestCalls_ResultsOutliveConnections(t *testing.T) {
	const clients, perSession = 20, 8
	eachMode(t, setup{args: []string{
		"--global-max-inflight", fmt.Sprint(clients * perSession),
	}}, func(d *daemon) {
		t := d.t
		var attack sync.WaitGroup
		for range clients {
			attack.Go(func() {
				if err := callAndLeave(d, perSession); err != nil {
					t.Error(err)
				}
			})
		}
		attack.Wait()
		d.settle()
	})
}

// bye says bye and waits for the close: a reset before it would take the bye away with it.
func (p *peer) bye() error {
	if err := p.text(`{"op":"bye"}`); err != nil {
		return err
	}
	for {
		switch said := p.said(); {
		case strings.HasPrefix(said, "close "):
			return nil
		case said == endOfFile, said == wasReset:
			return fmt.Errorf("bye gets %q", said)
		}
	}
}

// callAndLeave calls, goes, comes again several times while the calls run, asks again each time for
// what has not come, and wants one result of each in the end.
func callAndLeave(d *daemon, calls int) error {
	p, err := open("", d.addr)
	if err != nil {
		return err
	}
	defer func() { p.reset() }()
	ack, err := p.greet(resumable)
	if err != nil {
		return err
	}
	results := make(map[string]uint64) // seq by request_id
	for visit := range 4 {
		for n := range calls {
			if results[fmt.Sprint(n)] > 0 {
				continue
			}
			err := p.text(fmt.Sprintf(`{"op":"call_tool","name":"sleep","request_id":%d,`+
				`"arguments":{"ms":%d}}`, n, 40*n))
			if err != nil {
				return err
			}
		}
		if err := p.text(`{"op":"ping"}`); err != nil {
			return err
		}
		if err := p.collect(results, visit == 3, calls); err != nil || visit == 3 {
			return errors.Join(err, p.bye())
		}
		p.reset()
		d.detached(ack.SessionID, visit+1)
		if p, err = open("", d.addr); err != nil {
			return err
		}
		ack, err = p.greet(resuming(ack.ResumeToken, fmt.Sprint(len(results))))
		if err != nil || !ack.OK || ack.Gap {
			return fmt.Errorf("resume: %+v, %w", ack, err)
		}
	}
	return nil
}

// collect takes results until a pong comes, or, where it is to be all, all are there.
func (p *peer) collect(results map[string]uint64, all bool, calls int) error {
	for !all || len(results) < calls {
		f, err := p.frame()
		switch id := string(f.RequestID); {
		case err != nil:
			return err
		case f.Op == "pong" && !all:
			return nil
		case f.Op == "call_tool_res" && results[id] == f.Seq: // we asked when it was on its way
		case f.Op == "call_tool_res" && results[id] == 0 &&
			f.Seq == uint64(len(results)+1):
			results[id] = f.Seq
		case f.Op == "call_tool_res" || f.Seq > 0:
			return fmt.Errorf("after %v came %+v", results, f)
		}
	}
	return nil
}
