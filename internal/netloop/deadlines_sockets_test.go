package netloop

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// Over sockets time is real: nothing may come early, and how late it comes is for the machine to
// say.

// turnMax is how long a turn of a loop may take here: what happens in it is as if it had happened
// when it began, so a connection's deadline may be met that much sooner. (Sessions have a clock of
// their own, by which none ends early.)
const turnMax = 10 * time.Millisecond

// notBefore ends the test where something came early.
func notBefore(t *testing.T, what string, start time.Time, want time.Duration) {
	t.Helper()
	if d := time.Since(start); d < want-turnMax || d > want+patience {
		t.Errorf("%s came after %v, want no less than %v", what, d, want)
	}
}

// shortTimes are options whose times pass in a test.
func shortTimes() Options {
	o := options(&echo{})
	o.HelloTimeout = 100 * time.Millisecond
	o.PingInterval, o.PingTimeout = 60*time.Millisecond, 50*time.Millisecond
	return o
}

func TestSockets_HelloTimeoutRunsFromAccept(t *testing.T) {
	o := shortTimes()
	o.Handler = &echo{silent: true}
	o.HelloTimeout, o.PingInterval = 150*time.Millisecond, time.Hour
	inModes(t, o, func(r *room) {
		start := time.Now()
		mute, half, slow := r.dial(), r.dial(), r.dial()
		half.Write([]byte("GET /ws HTTP/1.1\r\n"))
		if a := slow.Upgrade("/ws"); a.StatusCode != 101 {
			r.t.Skip("the machine is too slow for a hello timeout of 150ms")
		}
		slow.Want("close 4002 no hello")
		notBefore(r.t, "the end of the hello timeout", start, o.HelloTimeout)
		if a := half.ReadResponse(); a.StatusCode != 408 {
			r.t.Errorf("half a request is answered by %s", a.Status)
		}
		notBefore(r.t, "the answer to half a request", start, o.HelloTimeout)
		mute.Want("eof")
		notBefore(r.t, "the end of a silent connection", start, o.HelloTimeout)
		if got, want := r.end(), (End{CauseHello, CodeHelloTimeout}); got != want {
			r.t.Errorf("end %+v, want %+v", got, want)
		}
	})
}

// TestSockets_PingsTheSilent also checks that who answers is asked again and again.
func TestSockets_PingsTheSilent(t *testing.T) {
	o := shortTimes()
	o.PingTimeout = 300 * time.Millisecond
	inModes(t, o, func(r *room) {
		c := r.upgrade()
		start := time.Now()
		for range 4 {
			c.Want("ping")
			notBefore(r.t, "a ping", start, o.PingInterval)
			start = time.Now()
			c.Write(netlooptest.Frame(ws.OpPong, true, nil))
		}
		c.Want("ping", "close 4102 no pong")
		notBefore(r.t, "the end", start, o.PingInterval+o.PingTimeout)
		if got, want := r.end(), (End{CauseSilent, CodeNoPong}); got != want {
			r.t.Errorf("end %+v, want %+v", got, want)
		}
		c.Close(1000)
		c.Want("eof")
	})
}

// TestSockets_PiecesAreNoSignOfLife trickles a frame, and fragments of a message.
func TestSockets_PiecesAreNoSignOfLife(t *testing.T) {
	bytes := netlooptest.Frame(ws.OpText, true, make([]byte, 100_000))
	for name, piece := range map[string]func(i int) []byte{
		"bytes": func(i int) []byte { return bytes[i : i+1] },
		"fragments": func(i int) []byte {
			if i == 0 {
				return netlooptest.Frame(ws.OpText, false, []byte("x"))
			}
			return netlooptest.Frame(ws.OpContinuation, false, []byte("x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := shortTimes()
			o.MaxMessageBytes = len(bytes)
			inModes(t, o, func(r *room) {
				start := time.Now()
				c := r.upgrade()
				trickle := time.NewTicker(5 * time.Millisecond)
				defer trickle.Stop()
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					for i := 0; ; i++ {
						if _, err := c.Conn.Write(piece(i)); err != nil {
							return
						}
						<-trickle.C
					}
				}()
				c.Want("ping")
				if got := c.Next(); !strings.HasPrefix(got, "close 4102 ") {
					r.t.Errorf("%q, want a close with 4102", got)
				}
				notBefore(r.t, "the end", start, o.PingInterval+o.PingTimeout)
				if got := c.Next(); got != "eof" && got != "reset" { // pieces came all the time
					r.t.Errorf("%q, want the end", got)
				}
				_ = c.Conn.Close()
				<-gone
			})
		})
	}
}

// TestSockets_SlowButAliveIsKept stops reading, goes on in time, and is not cut off.
func TestSockets_SlowButAliveIsKept(t *testing.T) {
	o := shortTimes()
	o.PingInterval, o.PingTimeout = 5*time.Second, 5*time.Second
	o.WriteBufferBytes = 64 << 20
	inModes(t, o, func(r *room) {
		c := r.upgrade()
		large := strings.Repeat("x", 1<<20)
		conn := r.only()
		for range 12 {
			if !conn.Send(Text, []byte(large)) {
				r.t.Fatal("Send gave false although there is room")
			}
		}
		for i := range 12 {
			if got := c.Next(); got != "text "+large {
				r.t.Fatalf("message %d came as %d bytes %.20q", i, len(got), got)
			}
		}
		c.Close(1000)
		c.Want("close 1000", "eof")
	})
}

// TestSockets_PingsDoNotWaitForOtherDeadlines has others that are far away.
func TestSockets_PingsDoNotWaitForOtherDeadlines(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"hello timeout": func(o *Options) { o.HelloTimeout = time.Hour },
		"ping timeout":  func(o *Options) { o.PingTimeout = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			o := shortTimes()
			change(&o)
			inModes(t, o, func(r *room) {
				c := r.upgrade()
				for range 3 {
					c.Want("ping")
					c.Write(netlooptest.Frame(ws.OpPong, true, nil))
				}
			})
		})
	}
}
