package netloop

import (
	"crypto/tls"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// Nobody is connected but somebody who has not asked for anything yet.
func TestStop_AnswersWhoAsksLate(t *testing.T) {
	bubble(t, options(&echo{}), func(r *room) {
		time.Sleep(r.o.HelloTimeout) // it counts for each connection anew
		from := r.elapsed()
		c, mute := r.dial(), r.dial()
		synctest.Wait()
		r.Stop()
		time.Sleep(lateTimeout / 2)
		c.Write([]byte(netlooptest.Handshake("/ws")))
		if a := c.ReadResponse(); a.StatusCode != http.StatusServiceUnavailable {
			r.t.Errorf("who asks late is answered by %s", a.Status)
		}
		c.Want("eof")
		_ = c.Conn.Close()
		mute.Want("eof")
		if past := r.elapsed() - from; past != lateTimeout {
			r.t.Errorf("who does not ask is let go after %v", past)
		}
		if err := r.Wait(r.t.Context()); err != nil {
			r.t.Errorf("Wait = %v", err)
		}
	})
}

// TLS is in the middle of its handshake when the server stops.
func TestStop_AnswersWhoShakesHands(t *testing.T) {
	bubble(t, options(&echo{}), func(r *room) {
		time.Sleep(r.o.HelloTimeout)
		client := netlooptest.New(r.t, tls.Client(r.dialSecure(serverTLS(r.t)), trusting()))
		synctest.Wait()
		r.Stop()
		client.Write([]byte(netlooptest.Handshake("/ws")))
		if a := client.ReadResponse(); a.StatusCode != http.StatusServiceUnavailable {
			r.t.Errorf("who was shaking hands is answered by %s", a.Status)
		}
	})
}

// Whoever has closed a server may listen where it did, at once.
func TestClose_LeavesTheAddress(t *testing.T) {
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			o := options(&echo{})
			o.Mode = mode
			addr := "127.0.0.1:0"
			for range 200 {
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				l, err := Listen(t.Context(), addr)
				if err != nil {
					t.Fatal(err)
				}
				addr = l.Addr().String()
				served := make(chan error, 1)
				go func() { served <- s.Serve(l) }()
				c := netlooptest.Dial(t, addr, "/ws")
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				_ = c.Conn.Close()
			}
		})
	}
}
