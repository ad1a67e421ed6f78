package netloop

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

func TestServer_HelloTimeoutRunsFromAccept(t *testing.T) {
	bubble(t, options(&echo{silent: true}), func(r *room) {
		t := r.t
		start := time.Now()
		mute, slow := r.dial(), r.dial()
		time.Sleep(10 * time.Second)
		slow.Upgrade("/ws")
		slow.Text("not ready")
		slow.Want("text not ready", "close 4002 no hello")
		if d := time.Since(start); d != 15*time.Second {
			t.Errorf("the hello timeout of 15s came after %v", d)
		}
		slow.Close(4002)
		slow.Want("eof")
		mute.Want("eof") // who sent nothing is not answered
	})
}

func TestServer_PingsTheSilentOnly(t *testing.T) {
	one(t, options(&echo{}), func(r *room, c *netlooptest.Client) {
		t := r.t
		start := time.Now()
		for range 5 { // a talker is not pinged
			time.Sleep(29 * time.Second)
			c.Text("x")
			c.Want("text x")
		}
		c.Want("ping")
		if d := time.Since(start); d != 5*29*time.Second+30*time.Second {
			t.Errorf("pinged after %v", d)
		}
		time.Sleep(9 * time.Second)
		c.Write(netlooptest.Frame(ws.OpPong, true, nil))
		c.Want("ping", "close 4102 no pong") // no answer to the second one
		if d := time.Since(start); d != 5*29*time.Second+(30+9+30+10)*time.Second {
			t.Errorf("closed after %v", d)
		}
		c.Want("eof")
		if got, want := r.end(), (End{CauseSilent, CodeNoPong}); got != want {
			t.Errorf("end %+v, want %+v", got, want)
		}
	})
}

// TestServer_HalfAFrameIsNoSignOfLife trickles the bytes of one frame.
func TestServer_HalfAFrameIsNoSignOfLife(t *testing.T) {
	for _, interval := range []time.Duration{30 * time.Second, 0} {
		o := options(&echo{})
		o.PingInterval = interval
		one(t, o, func(r *room, c *netlooptest.Client) {
			t := r.t
			start := time.Now()
			trickled := make(chan struct{})
			go func() {
				defer close(trickled)
				for _, b := range netlooptest.Frame(ws.OpText, true, make([]byte, 100)) {
					if _, err := c.Conn.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			if interval > 0 {
				c.Want("ping")
			}
			if got := c.Next(); !strings.HasPrefix(got, "close 4102 ") {
				t.Errorf("interval %v: %q, want a close with 4102", interval, got)
			}
			if d := time.Since(start); d != 40*time.Second {
				t.Errorf("interval %v: closed after %v, want 40s", interval, d)
			}
			<-trickled
		})
	}
}

// TestServer_FragmentsAreNoSignOfLife sends whole frames of a message that does not end.
func TestServer_FragmentsAreNoSignOfLife(t *testing.T) {
	for _, interval := range []time.Duration{30 * time.Second, 0} {
		o := options(&echo{})
		o.PingInterval = interval
		one(t, o, func(r *room, c *netlooptest.Client) {
			t := r.t
			start := time.Now()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				op := ws.OpText
				for {
					fragment := netlooptest.Frame(op, false, []byte("x"))
					if _, err := c.Conn.Write(fragment); err != nil {
						return
					}
					op = ws.OpContinuation
					time.Sleep(time.Second)
				}
			}()
			if interval > 0 {
				c.Want("ping")
			}
			if got := c.Next(); !strings.HasPrefix(got, "close 4102 ") {
				t.Errorf("interval %v: %q, want a close with 4102", interval, got)
			}
			if d := time.Since(start); d != 40*time.Second {
				t.Errorf("interval %v: closed after %v, want 40s", interval, d)
			}
			c.Want("eof")
			<-sent
		})
	}
}

// TestServer_WhoNeverReadsIsCutOff blocks the writer for good.
func TestServer_WhoNeverReadsIsCutOff(t *testing.T) {
	bubble(t, options(&echo{}), func(r *room) {
		t, s := r.t, r.Server
		start := time.Now()
		c := r.dial()
		c.Upgrade("/ws")
		c.Text("one message that waits")
		synctest.Wait()
		for s.Len() > 0 {
			time.Sleep(time.Second)
		}
		if d := time.Since(start); d < 40*time.Second || d > 46*time.Second {
			t.Errorf("cut off after %v, want between 40s and 46s", d)
		}
	})
}
