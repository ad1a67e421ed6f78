package netloop

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// TestLedger_OnceHoweverTheyRace ends hundreds of connections from both sides and from outside at
// the same time: each is told of once.
func TestLedger_OnceHoweverTheyRace(t *testing.T) {
	o := options(&echo{})
	inModes(t, o, func(r *room) {
		const n = 300
		var clients sync.WaitGroup
		begin := make(chan struct{})
		for i := range n {
			clients.Go(func() {
				c := netlooptest.Dial(r.t, r.addr, "/ws")
				<-begin
				// What a client writes may meet a connection that is gone.
				switch i % 5 {
				case 0:
					_ = c.Conn.Close()
					return
				case 1:
					_ = c.Conn.(*net.TCPConn).SetLinger(0)
					_ = c.Conn.Close()
					return
				case 2:
					_, _ = c.Conn.Write(netlooptest.Frame(8, true, nil))
				case 3:
					_, _ = c.Conn.Write(netlooptest.Frame(1, true, []byte("close")))
				case 4:
					_, _ = c.Conn.Write(netlooptest.Frame(netlooptest.OpReserved, true, nil))
				}
				for got := c.Next(); got != "eof" && got != "reset"; got = c.Next() {
					_, _ = c.Conn.Write(netlooptest.Frame(8, true, nil))
				}
			})
		}
		r.until("all are open", func() bool { return r.openNow() == n })
		var outside sync.WaitGroup
		for range 3 {
			outside.Go(func() {
				for c := range r.All() {
					if rand.IntN(2) == 0 {
						c.Send(Text, []byte("pushed"))
						c.Close(4200, "from outside")
					}
				}
			})
		}
		close(begin)
		clients.Wait()
		outside.Wait()
		r.until("all are gone", func() bool { return r.Len() == 0 })
		if got := r.echo.count(); got != n {
			r.t.Errorf("%d ends of %d connections", got, n)
		}
	})
}

// TestLedger_CloseCutsAllOff in whatever they are.
func TestLedger_CloseCutsAllOff(t *testing.T) {
	inModes(t, options(&echo{}), func(r *room) {
		const n = 50
		for i := range n {
			c := r.upgrade()
			switch i % 4 {
			case 0:
				c.Write(netlooptest.Frame(1, false, make([]byte, 1000)))
			case 1:
				c.Text("flood") // and does not read
			case 2:
				c.Text("close") // and does not answer
			}
			r.dial()
			r.dial().Write([]byte("GET /ws HTTP/1.1\r\n"))
		}
		r.until("all are there", func() bool { return r.Stats().Accepted == 3*n })
		if err := r.Close(); err != nil {
			r.t.Error(err)
		}
		if err := r.Close(); err != nil {
			r.t.Errorf("closing again: %v", err)
		}
		if got := r.echo.count(); got != n {
			r.t.Errorf("%d ends of %d connections", got, n)
		}
		for range r.All() {
			r.t.Error("a closed server has a connection")
		}
	})
}

// TestLedger_StopRacesWithUpgrades stops while clients connect.
func TestLedger_StopRacesWithUpgrades(t *testing.T) {
	inModes(t, options(&echo{}), func(r *room) {
		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() {
				nc, err := net.Dial("tcp", r.addr)
				if err != nil {
					return
				}
				defer nc.Close()
				_, _ = nc.Write([]byte(netlooptest.Handshake("/ws")))
				_, _ = nc.Read(make([]byte, 1000))
			})
		}
		r.until("some were there", func() bool { return r.Stats().Upgraded > 10 })
		r.Stop()
		clients.Wait()
		stop(r.t, r.Server)
	})
}

// TestServer_PanicsTakeOneConnectionOnly in each call of the handler.
func TestServer_PanicsTakeOneConnectionOnly(t *testing.T) {
	everywhere(t, options(&echo{}), func(r *room) {
		other := r.upgrade()
		c := r.upgrade()
		c.Write(netlooptest.Frame(1, false, []byte("pan"))) // in pieces, so that memory is held
		c.Write(netlooptest.Frame(0, true, []byte("ic")))
		c.Want("close 1011 internal error", "eof")
		c = r.dial()
		if a := c.Upgrade("/ws?panic"); a.StatusCode != 500 {
			r.t.Errorf("a panic in Open is answered by %s", a.Status)
		}
		c.Want("eof")
		both := append(netlooptest.Frame(1, false, []byte("pan")),
			netlooptest.Frame(0, true, []byte("ic"))...)
		c = r.upgrade()
		c.Write(both) // in one read
		c.Want("close 1011 internal error", "eof")
		c = r.upgrade()
		c.Close(4321) // Closed panics
		c.Want("close 4321", "eof")
		other.Text("still here")
		other.Want("text still here")
		r.until("memory is given back", func() bool { return r.holders.pool.Held() == 0 })
	})
}

func TestStats(t *testing.T) {
	everywhere(t, options(&echo{}), func(r *room) {
		c := r.upgrade()
		c.Close(1000)
		c.Want("close 1000", "eof")
		c = r.upgrade()
		c.Text("close")
		c.Want("close 4999 as you wish")
		refused := r.dial()
		refused.Upgrade("/other")
		refused.Want("eof")
		st := r.Stats()
		if st.Accepted != 3 || st.Upgraded != 2 || st.Refused[404] != 1 {
			r.t.Errorf("Stats = %+v, want 3 accepted, 2 upgraded, 1 refused with 404", st)
		}
		if st.Ended[CausePeer] != 1 || st.Ended[CauseClosed] != 1 || len(st.Ended) != 2 {
			r.t.Errorf("ended %v, want one for each of two causes", st.Ended)
		}
	})
}
