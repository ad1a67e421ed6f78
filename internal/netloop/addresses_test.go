package netloop

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
	"github.com/curfew-go/curfew/internal/realip"
)

// remotes is an echo that answers with its peer's address.
type remotes struct{ echo }

func (h *remotes) inner() *echo { return &h.echo }

func (h *remotes) Message(c Conn, _ Kind, _ []byte) {
	c.Send(Text, []byte(c.Remote().String()))
}

func networksOf(t *testing.T, list string) realip.Networks {
	t.Helper()
	n, err := realip.ParseNetworks(list)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eachMode is inModes with a handler of another kind, new for each.
func eachMode(t *testing.T, o Options, handler func() Handler, f func(r *room)) {
	t.Helper()
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Mode, o.Handler = mode, handler()
			overSockets(t, o, f)
		})
	}
}

func newRemotes() Handler { return &remotes{} }

func TestAddresses_MaxConnectionsPerIP(t *testing.T) {
	o := options(&echo{})
	o.MaxConnectionsPerIP = 3
	inModes(t, o, func(r *room) {
		r.upgrade()
		r.dial() // counts too
		r.until("it is there", func() bool { return r.Len() == 2 })
		first := r.upgrade()
		refused := r.dial()
		if a := refused.Upgrade("/ws"); a.StatusCode != 429 {
			r.t.Errorf("one too many is answered by %s", a.Status)
		}
		refused.Want("eof")
		_ = first.Conn.Close()
		r.until("the count comes back", func() bool { return r.Len() == 2 })
		r.upgrade()
		if a := r.dial().Upgrade("/ws"); a.StatusCode != 429 {
			r.t.Errorf("one too many is answered by %s", a.Status)
		}
	})
}

// TestAddresses_CountIsExact connects at the same time, and nothing is left in the end.
func TestAddresses_CountIsExact(t *testing.T) {
	o := options(&echo{})
	o.MaxConnectionsPerIP = 10
	o.TrustedProxies = networksOf(t, "127.0.0.0/8")
	inModes(t, o, func(r *room) {
		for range 5 {
			var clients sync.WaitGroup
			var opened, refused sync.Map
			all := make(chan struct{})
			var answered sync.WaitGroup
			answered.Add(40)
			for i := range 40 {
				clients.Go(func() {
					from := "X-Forwarded-For: 192.0.2." + string(rune('1'+i%2))
					c := r.dial()
					if a := c.Upgrade("/ws", from); a.StatusCode == 101 {
						opened.Store(i, true)
					} else {
						refused.Store(i, a.StatusCode)
					}
					answered.Done()
					<-all
					_ = c.Conn.Close()
				})
			}
			answered.Wait()
			close(all)
			clients.Wait()
			n := 0
			opened.Range(func(any, any) bool { n++; return true })
			if n != 20 {
				r.t.Errorf("%d connections of two addresses were let in, want 20", n)
			}
			refused.Range(func(_, status any) bool {
				if status != 429 {
					r.t.Errorf("refused with %v", status)
				}
				return true
			})
			r.until("all are gone", func() bool { return r.Len() == 0 })
		}
		r.addresses.mu.Lock()
		defer r.addresses.mu.Unlock()
		if n := len(r.addresses.mu.counts); n != 0 {
			r.t.Errorf("%d addresses are counted in the end", n)
		}
	})
}

// TestAddresses_LimitMoves while connections are there: each is counted out as it was counted in,
// whatever the limit is by then.
func TestAddresses_LimitMoves(t *testing.T) {
	o := options(&echo{})
	o.MaxConnectionsPerIP = 2
	inModes(t, o, func(r *room) {
		refused := func() {
			c := r.dial()
			if a := c.Upgrade("/ws"); a.StatusCode != 429 {
				r.t.Errorf("one too many is answered by %s", a.Status)
			}
			_ = c.Conn.Close()
		}
		counted := func() (n int) {
			r.addresses.mu.Lock()
			defer r.addresses.mu.Unlock()
			for _, k := range r.addresses.mu.counts {
				n += k
			}
			return n
		}
		all := []*netlooptest.Client{r.upgrade(), r.upgrade()}
		refused()
		r.SetMaxConnectionsPerIP(1)
		refused()
		r.SetMaxConnectionsPerIP(0)
		all = append(all, r.upgrade(), r.upgrade())
		r.SetMaxConnectionsPerIP(3)
		all = append(all, r.upgrade())
		refused()
		if n := counted(); n != 3 {
			r.t.Errorf("%d are counted, want 3", n)
		}
		_ = all[0].Conn.Close()
		r.until("the count comes back", func() bool { return counted() == 2 })
		all = append(all, r.upgrade())
		r.SetMaxConnectionsPerIP(0)
		for _, c := range all {
			_ = c.Conn.Close()
		}
		r.until("all are gone", func() bool { return r.Len() == 0 })
		if n := len(r.addresses.mu.counts); n != 0 {
			r.t.Errorf("%d addresses are counted in the end", n)
		}
		r.SetMaxConnectionsPerIP(1)
		r.upgrade()
		refused()
	})
}

// headerV1 and headerV2 say 192.0.2.7:1234, localV2 says nothing.
var (
	headerV1 = "PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\n"
	headerV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" +
		"\xc0\x00\x02\x07\xc0\x00\x02\x08\x04\xd2\x00\x50"
	localV2 = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

// TestProxied_InPieces cuts the header and the request at each byte.
func TestProxied_InPieces(t *testing.T) {
	o := options(nil)
	o.ProxyProtocol = networksOf(t, "127.0.0.0/8")
	eachMode(t, o, newRemotes, func(r *room) {
		for _, header := range []string{headerV1, headerV2, localV2} {
			all := header + netlooptest.Handshake("/ws") +
				string(netlooptest.Frame(1, true, []byte("x")))
			for cut := 0; cut <= len(header)+2; cut++ {
				c := r.dial()
				want := "text 192.0.2.7:1234"
				if header == localV2 {
					want = "text " + c.Conn.LocalAddr().String()
				}
				c.Write([]byte(all[:cut]))
				if r.o.Mode == ModeEpoll && cut > 0 && cut < len(all) {
					r.until("the piece is read", func() bool { return r.heads.Held() > 0 })
				}
				c.Write([]byte(all[cut:]))
				if a := c.ReadResponse(); a.StatusCode != 101 {
					r.t.Fatalf("%q cut at %d: %s", header, cut, a.Status)
				}
				c.Want(want)
				_ = c.Conn.Close()
			}
		}
		c := r.dial() // byte by byte
		for _, b := range []byte(headerV1 + netlooptest.Handshake("/ws")) {
			c.Write([]byte{b})
		}
		c.ReadResponse()
		c.Text("x")
		c.Want("text 192.0.2.7:1234")
	})
}

func TestProxied_MissingHeaderIs400(t *testing.T) {
	o := options(nil)
	o.ProxyProtocol = networksOf(t, "127.0.0.0/8")
	eachMode(t, o, newRemotes, func(r *room) {
		for _, bad := range []string{
			netlooptest.Handshake("/ws"), "PROXY nonsense\r\n", "\r\n\r\n\x00\r\nQUIX",
		} {
			c := r.dial()
			c.Write([]byte(bad))
			if a := c.ReadResponse(); a.StatusCode != 400 {
				r.t.Errorf("%.20q is answered by %s", bad, a.Status)
			}
			c.Want("eof")
		}
	})
}

func TestForwardedFor(t *testing.T) {
	for name, c := range map[string]struct{ trusted, header, want string }{
		"believed": {"127.0.0.0/8", "198.51.100.9, 203.0.113.5", "203.0.113.5:0"},
		"over proxies": {
			"127.0.0.0/8, 203.0.113.0/24", "198.51.100.9, 203.0.113.5", "198.51.100.9:0",
		},
		"nobody's": {"10.0.0.0/8", "198.51.100.9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(nil)
			o.TrustedProxies = networksOf(t, c.trusted)
			eachMode(t, o, newRemotes, func(r *room) {
				client := r.upgrade("X-Forwarded-For: " + c.header)
				want := c.want
				if want == "" {
					want = client.Conn.LocalAddr().String()
				}
				client.Text("x")
				client.Want("text " + want)
			})
		})
	}
}

func TestAddresses_Claims(t *testing.T) {
	s := &Server{
		o: Options{TrustedProxies: networksOf(t, "10.0.0.0/8")},
	}
	s.addresses.limit.Store(1)
	proxy, client := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.2.1")
	for i, c := range []struct {
		claim claim
		ip    netip.Addr
		last  bool
		want  claim
	}{
		{claimNone, proxy, false, claimNone},
		{claimNone, client, false, claimCounted},
		{claimCounted, client, true, claimCounted}, // once a connection
		{claimNone, client, true, claimRefused},
		{claimNone, proxy, true, claimCounted}, // it asks for itself
		{claimNone, netip.Addr{}, true, claimNone},
	} {
		if got := s.admit(c.claim, c.ip, c.last); got != c.want {
			t.Errorf("step %d: admit = %d, want %d", i, got, c.want)
		}
	}
}
