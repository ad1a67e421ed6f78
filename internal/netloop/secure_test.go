package netloop

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// farFuture is when the certificates of these tests end.
var farFuture = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// trusting is the client's settings; who the server is does not matter here.
func trusting() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
}

func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(netlooptest.Certificate(t, 1, farFuture))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

// dialSecure connects to a server that speaks TLS, and does not shake hands.
func (r *room) dialSecure(c *tls.Config) net.Conn {
	server, client := net.Pipe()
	deadline := now().Add(r.o.HelloTimeout)
	go r.ServeConn(secure(server, c, deadline))
	r.t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestSecure_Echo(t *testing.T) {
	bubble(t, options(&echo{}), func(r *room) {
		client := tls.Client(r.dialSecure(serverTLS(r.t)), trusting())
		c := netlooptest.New(r.t, client)
		c.Upgrade("/ws")
		c.Text("hello")
		c.Want("text hello")
		time.Sleep(31 * time.Second) // a read that timed out is not the end of TLS
		c.Want("ping")
		c.Write(netlooptest.Frame(10, true, nil))
		c.Close(1000)
		c.Want("close 1000", "eof")
		r.wantFlow(traffic{ // what TLS adds is not in it
			framesIn: 3, messagesIn: 1, bytesIn: 11 + 6 + 8,
			framesOut: 3, messagesOut: 1, bytesOut: 7 + 2 + 4,
		})
		if s := client.ConnectionState(); s.Version != tls.VersionTLS13 {
			r.t.Errorf("spoke %s", tls.VersionName(s.Version))
		}
	})
}

// A handshake that does not come to its end is over at the hello timeout, wherever it hangs.
func TestSecure_HandshakeIsBoundedByTheHelloTimeout(t *testing.T) {
	hello := clientHello(t)
	for name, attack := range map[string]func(net.Conn){
		"silent":          func(net.Conn) {},
		"half a hello":    func(nc net.Conn) { write(nc, hello[:100]) },
		"does not read":   func(nc net.Conn) { write(nc, hello) },
		"does not answer": func(nc net.Conn) { write(nc, hello); _, _ = io.Copy(io.Discard, nc) },
		"byte by byte": func(nc net.Conn) {
			for i := range hello {
				if _, err := nc.Write(hello[i : i+1]); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, options(&echo{}), func(r *room) {
				start := time.Now()
				var attacker sync.WaitGroup
				client := r.dialSecure(serverTLS(r.t))
				attacker.Go(func() { attack(client) })
				synctest.Wait()
				for r.Len() > 0 {
					time.Sleep(time.Second)
				}
				if d := time.Since(start); d < 15*time.Second || d > 16*time.Second {
					r.t.Errorf("gone after %v, want the hello timeout of 15s", d)
				}
				attacker.Wait()
			})
		})
	}
}

// Who speaks no TLS, or does not want ours, is counted; who says nothing, or goes later, is not.
func TestSecure_CountsHandshakesThatFail(t *testing.T) {
	wary, old, fine := trusting(), trusting(), trusting()
	wary.InsecureSkipVerify, wary.ServerName = false, "localhost"
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	fine.MaxVersion = tls.VersionTLS12 // whose server says nothing after the handshake
	hello := clientHello(t)
	shake := func(c *tls.Config) func(net.Conn) {
		return func(nc net.Conn) { _ = tls.Client(nc, c).Handshake() }
	}
	for name, c := range map[string]struct {
		attack func(nc net.Conn)
		want   uint64
	}{
		"plain HTTP":      {func(nc net.Conn) { write(nc, []byte("GET / HTTP/1.1\r\n\r\n")) }, 1},
		"half a hello":    {func(nc net.Conn) { write(nc, hello[:100]) }, 1},
		"distrusts us":    {shake(wary), 1},
		"TLS 1.1":         {shake(old), 1},
		"silent":          {func(net.Conn) {}, 0},
		"goes afterwards": {shake(fine), 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(&echo{})
			o.TLS = serverTLS(t)
			bubble(t, o, func(r *room) {
				server, client := net.Pipe()
				go r.ServeConn(server)
				c.attack(client)
				_ = client.Close()
				synctest.Wait()
				if got := r.Stats(); got.TLSFailed != c.want || got.Accepted != 1 {
					r.t.Errorf("%d of %d handshakes failed, want %d of 1", got.TLSFailed,
						got.Accepted, c.want)
				}
			})
		})
	}
}

func write(nc net.Conn, b []byte) { _, _ = nc.Write(b) }

// clientHello is the first record that a client sends.
func clientHello(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	go func() { _ = tls.Client(client, trusting()).Handshake() }()
	b := make([]byte, 16<<10)
	n, err := server.Read(b)
	if err != nil || n < 200 {
		t.Fatalf("a hello of %d bytes, %v", n, err)
	}
	return b[:n]
}

// TLS answers a peer's new key while it reads, when the deadline of the last write is long over.
func TestPlainConn_OwnWritesHaveTheirOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer server.Close()
		defer client.Close()
		p := &plainConn{Conn: server}
		if err := p.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		p.spent.Store(true)
		time.Sleep(time.Minute)
		go func() { _, _ = client.Read(make([]byte, 1)) }()
		if _, err := p.Write([]byte("x")); err != nil {
			t.Errorf("a write after the deadline of another: %v", err)
		}
		start := time.Now()
		_, err := p.Write([]byte("x")) // nobody reads
		if d := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || d != ownWriteTimeout {
			t.Errorf("a write that nobody reads: %v after %v, want %v", err, d, ownWriteTimeout)
		}
		if err := p.SetWriteDeadline(time.Now().Add(-1)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write whose own deadline is over: %v", err)
		}
	})
}

// TestSecure_NeverReadingSocketIsReset fills the kernel's buffers; no goodbye of TLS is waited for.
func TestSecure_NeverReadingSocketIsReset(t *testing.T) {
	o := options(&echo{})
	o.WriteBufferBytes = 16 << 20
	o.PingInterval, o.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
	o.TLS = serverTLS(t)
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(plain) }()
	nc, err := net.Dial("tcp", plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := netlooptest.New(t, tls.Client(nc, trusting()))
	c.Patience = 10 * time.Second
	c.Upgrade("/ws")
	c.Text("flood")
	start := time.Now()
	stop(t, s)
	if d := time.Since(start); d > ownWriteTimeout {
		t.Errorf("the connection was gone after %v", d)
	}
	if _, err := io.Copy(io.Discard, nc); err == nil {
		t.Error("the connection ended cleanly, want a reset")
	}
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// TestSecure_CrowdIsLetGo: whoever is one too many and does not even shake hands is not held.
func TestSecure_CrowdIsLetGo(t *testing.T) {
	o := options(&echo{})
	o.TLS, o.MaxConnectionsPerIP, o.HelloTimeout = serverTLS(t), 1, 200*time.Millisecond
	s, addr := serve(t, o)
	for range 5 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if err := nc.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1)); isTimeout(err) {
			t.Fatal("a connection that never shook hands is still there after 10 seconds")
		}
	}
	stop(t, s)
}
