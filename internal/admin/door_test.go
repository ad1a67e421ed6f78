package admin

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// dialN opens connections to addr, which stay open until the test is over.
func dialN(t *testing.T, addr net.Addr, n int) []net.Conn {
	t.Helper()
	all := make([]net.Conn, n)
	for i := range all {
		c, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		all[i] = c
	}
	return all
}

// isClosed waits for the other side to end a connection on which nothing comes.
func isClosed(c net.Conn) bool {
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// The next connection takes the place of the one that has been quiet the longest; where none is
// quiet it waits.
func TestDoor(t *testing.T) {
	inner, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(inner, 2)
	accept := func() *guest {
		c, err := d.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c.(*guest)
	}
	peers := dialN(t, inner.Addr(), 4)
	first, second := accept(), accept()
	first.begin()
	first.end() // so it has been quiet for less time than the second
	third := accept()
	if !isClosed(peers[1]) {
		t.Error("the second is open, which was quiet for the longest time")
	}
	if err := second.Close(); err == nil || d.mu.open != 2 {
		t.Errorf("closed again: %v, %d connections count, want an error and 2", err, d.mu.open)
	}
	first.begin()
	third.begin()
	fourth := make(chan *guest, 1)
	go func() { fourth <- accept() }()
	select {
	case <-fourth:
		t.Fatal("a connection took the place of one that is being answered")
	case <-time.After(patience / 1000):
	}
	third.end()
	if (<-fourth).begin(); !isClosed(peers[2]) {
		t.Error("the third is open, which was the only quiet one")
	}
	closed := make(chan error, 1)
	dialN(t, inner.Addr(), 1)
	go func() {
		_, err := d.Accept()
		closed <- err
	}()
	d.Close()
	if err := <-closed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed door gives %v", err)
	}
}

// Those who open connections faster than others can use them wait.
func TestDoor_SwapsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		d := newDoor(l, 1)
		const pauses = 4
		go func() {
			for range 1 + pauses*swapsMax + 1 {
				l.connect()
			}
		}()
		begun := time.Now()
		var last net.Conn
		for range 1 + pauses*swapsMax + 1 {
			c, err := d.Accept()
			if err != nil {
				t.Fatal(err)
			}
			last = c
		}
		if took := time.Since(begun); took < pauses*swapPause || took > (pauses+1)*swapPause {
			t.Errorf("%d swaps took %v, want %v", pauses*swapsMax+1, took, pauses*swapPause)
		}
		last.Close()
		if d.mu.open != 0 || d.mu.quiet.Len() != 0 {
			t.Errorf("%d connections count in the end, %d are quiet", d.mu.open, d.mu.quiet.Len())
		}
		d.Close()
	})
}

// Whoever holds connections and asks for nothing, or for nothing whole, or has no token, keeps
// nobody out.
func TestServe_HeldConnections(t *testing.T) {
	for name, said := range map[string]string{
		"nothing":        "",
		"half a request": "GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\n",
		"kept alive":     "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"body, no token": "POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
		"body, no token asked": "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n" +
			"Content-Length: 9\r\n\r\nx",
	} {
		_, addr := serve(t, "127.0.0.1:0", func(o *Options) {
			if name != "body, no token asked" {
				o.Tokens = []string{"one"}
			}
		})
		held := dialN(t, addr, connectionsMax)
		for _, c := range held {
			if _, err := io.WriteString(c, said); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			r, err := http.NewRequest(get, "http://"+addr.String()+"/v1/sessions/a", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer one")
			answer, err := client(t, addr).Do(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			answer.Body.Close()
			if answer.StatusCode != 200 {
				t.Errorf("%s: %d", name, answer.StatusCode)
			}
		}
		for _, c := range held {
			c.Close()
		}
	}
}

// Requests may be sent before the answers to others came.
func TestServe_Pipelined(t *testing.T) {
	_, addr := serve(t, "127.0.0.1:0", func(*Options) {})
	c := dialN(t, addr, 1)[0]
	const n = 100
	const request = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
	if _, err := io.WriteString(c, strings.Repeat(request, n)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(c)
	for i := range n {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("answer %d: %v, %v", i, answer, err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
	}
}
