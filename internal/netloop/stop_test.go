package netloop

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
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

// idleListener is one at which nobody comes.
type idleListener struct{ closed chan struct{} }

func (l idleListener) Accept() (net.Conn, error) { <-l.closed; return nil, net.ErrClosed }

func (l idleListener) Close() error { close(l.closed); return nil }

func (l idleListener) Addr() net.Addr { return &net.UnixAddr{} }

// Who stops waits for nothing where nobody is connected, and else for the last one to leave.
func TestStop_WaitsForNobody(t *testing.T) {
	for _, clients := range []int{0, 2} {
		bubble(t, options(&echo{}), func(r *room) {
			served := make(chan error, 1)
			go func() { served <- r.Serve(idleListener{make(chan struct{})}) }()
			var all []*netlooptest.Client
			for range clients {
				all = append(all, r.upgrade())
			}
			synctest.Wait()
			from := r.elapsed()
			r.Stop()
			for i, c := range all {
				synctest.Wait()
				select {
				case <-r.Gone():
					r.t.Errorf("%d of %d are connected", clients-i, clients)
				default:
				}
				c.Close(1000)
				c.Want("close 1000", "eof")
			}
			if err := r.Wait(r.t.Context()); err != nil || r.elapsed() != from {
				r.t.Errorf("Wait = %v after %v", err, r.elapsed()-from)
			}
			if err := <-served; err != nil {
				r.t.Errorf("Serve = %v", err)
			}
		})
	}
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

// Some listeners of one server begin, stop and are closed at the same time.
func TestStop_WhileServingBegins(t *testing.T) {
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				o := options(&echo{})
				o.Mode, o.Loops = mode, 2
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				var all sync.WaitGroup
				for range 4 {
					l, err := Listen(t.Context(), "127.0.0.1:0")
					if err != nil {
						t.Fatal(err)
					}
					all.Go(func() {
						if err := s.Serve(l); err != nil && !errors.Is(err, ErrStopped) {
							t.Errorf("Serve = %v", err)
						}
					})
				}
				all.Go(s.Stop)
				all.Go(func() { _ = s.Close() })
				all.Wait()
				<-s.Gone()
			}
		})
	}
}
