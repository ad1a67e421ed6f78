package load

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// behaviour is what a test's server does with a message: the bytes it answers, nil to hang up.
type behaviour func(message []byte) []byte

func echo(m []byte) []byte {
	return wsframe.Server.AppendMessage(nil, 0, wsframe.OpBinary, m)
}

// serve starts a server of binary messages and returns its address.
func serve(t *testing.T, answer behaviour) string {
	t.Helper()
	return serveKind(t, wsframe.Binary, answer)
}

// serveText is serve for text.
func serveText(t *testing.T, answer behaviour) string {
	t.Helper()
	return serveKind(t, wsframe.Text, answer)
}

func serveKind(t *testing.T, kind wsframe.Kind, answer behaviour) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go converse(conn, kind, answer)
		}
	}()
	return l.Addr().String()
}

func converse(conn net.Conn, kind wsframe.Kind, answer behaviour) {
	defer conn.Close()
	u := ws.Upgrader{Protocol: func([]byte) bool { return true }}
	if _, err := u.Upgrade(conn); err != nil {
		return
	}
	var p wsframe.Parser
	rules := wsframe.Rules{MaxMessageBytes: bytesMax}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		for e, b := p.Next(&rules, buf[:n]); e.Kind != wsframe.None; e, b = p.Next(&rules, b) {
			if e.Kind != kind {
				return
			}
			out := answer(e.Payload)
			if out == nil {
				return
			}
			if _, err := conn.Write(out); err != nil {
				return
			}
		}
	}
}

// connect makes a client with connections to a server.
func connect(t *testing.T, address string, n int) *Client {
	t.Helper()
	c, err := New(Options{Address: address, Sources: []netip.Addr{
		netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	report, err := c.Connect(ConnectOptions{Connections: n, Rate: 5000})
	if err != nil || report.OK != n || report.Failed > 0 || c.Open() != n {
		t.Fatalf("Connect(%d) = %+v, %v", n, report, err)
	}
	return c
}

func TestClient_Echo(t *testing.T) {
	c := connect(t, serve(t, echo), 20)
	for _, o := range []EchoOptions{
		{Count: 1000},
		{Count: 1000, Bytes: 1},
		{Count: 200, Bytes: bytesMax},
		{Count: 1000, Connections: 7, InFlight: 3},
		{Count: 300, Rate: 10000},
		{Duration: 50 * time.Millisecond},
		{Duration: 50 * time.Millisecond, Rate: 2000},
	} {
		r, err := c.Echo(o)
		if err != nil || r.Sent == 0 || r.Received != r.Sent || r.Lost+r.Wrong+r.Unsent != 0 {
			t.Errorf("Echo(%+v) = %+v, %v", o, r, err)
		}
		if o.Count > 0 && r.Sent != o.Count || r.Latency.Count != uint64(r.Sent) || r.Wall <= 0 {
			t.Errorf("Echo(%+v) = %+v", o, r)
		}
	}
	if c.Open() != 20 || len(c.partial) > 0 {
		t.Errorf("%d open and %d unfinished, want 20 and 0", c.Open(), len(c.partial))
	}
}

func TestClient_CountsWhatIsWrongAndLost(t *testing.T) {
	t.Parallel()
	give := 100 * time.Millisecond
	c := connect(t, serve(t, func(m []byte) []byte { return echo(slices.Concat(m, m)) }), 3)
	r, err := c.Echo(EchoOptions{Count: 9, GiveUp: give})
	if err != nil || r.Wrong != 3 || r.Lost != 3 || r.Received != 0 {
		t.Errorf("doubled answers: %+v, %v, want 3 wrong and lost", r, err)
	}
	c = connect(t, serve(t, func([]byte) []byte { return []byte{} }), 3)
	r, err = c.Echo(EchoOptions{Count: 3, GiveUp: give})
	if err != nil || r.Lost != 3 || r.Wrong != 0 {
		t.Errorf("no answers: %+v, %v, want 3 lost", r, err)
	}
	c = connect(t, serve(t, func([]byte) []byte { return nil }), 3)
	r, err = c.Echo(EchoOptions{Count: 9, GiveUp: give})
	want := map[string]int{"eof": 3}
	if err != nil || r.Lost != 3 || !maps.Equal(r.Closes, want) || c.Open() != 0 {
		t.Errorf("hung up on: %+v, %v, want 3 lost and closed", r, err)
	}
}

func TestClient_Hold(t *testing.T) {
	t.Parallel()
	c := connect(t, serve(t, func([]byte) []byte {
		b := wsframe.Server.AppendFrame(nil, wsframe.OpPing, true, nil)
		return wsframe.Server.AppendClose(append(b, echo([]byte("hi"))...), 4200, "")
	}), 3)
	for slot := range uint32(3) {
		if !c.send(slot, []byte("x")) {
			t.Fatal("a connection broke")
		}
	}
	r, err := c.Hold(200 * time.Millisecond)
	want := map[string]int{"4200": 3}
	if err != nil || r.Open != 0 || r.Messages != 3 || !maps.Equal(r.Closes, want) {
		t.Errorf("Hold() = %+v, %v, want 3 closed with 4200", r, err)
	}
}

func TestClient_CountsWhatDoesNotConnect(t *testing.T) {
	for name, answer := range map[string]string{
		"upgrade_404":      "HTTP/1.1 404 Not Found\r\n\r\n",
		"wrong_accept_key": switched + "\r\n",
		"eof":              "HTTP/1.1 101 \r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = conn.Write([]byte(answer))
			}
		}()
		c, err := New(Options{Address: l.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Connect(ConnectOptions{Connections: 1})
		if err != nil || r.Failed != 1 || r.Errors[name] != 1 || c.Open() != 0 {
			t.Errorf("Connect() = %+v, %v, want %q", r, err, name)
		}
		c.Close()
		l.Close()
		c, err = New(Options{Address: l.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		r, err = c.Connect(ConnectOptions{Connections: 2})
		if err != nil || r.Failed != 2 || r.Errors["econnrefused"] != 2 {
			t.Errorf("Connect() = %+v, %v, want it refused", r, err)
		}
		c.Close()
	}
}

func TestOptions_Validate(t *testing.T) {
	_, err := New(Options{Address: "localhost", Path: "/a b", Dialing: -1, Resume: true})
	if err == nil || len(err.Error()) < 130 {
		t.Errorf("New() = %v, want four problems", err)
	}
	for _, o := range []Options{{Protocol: 2}, {Protocol: JSON, AckEvery: -1}} {
		o.Address = "127.0.0.1:1"
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v) gives no error", o)
		}
	}
	for _, o := range []EchoOptions{
		{}, {Count: 1}, {Count: 1, Bytes: -1, Connections: 1}, {Rate: -1, Count: 1, Connections: 1},
	} {
		if err := o.validate(); err == nil {
			t.Errorf("%+v is fine, want an error", o)
		}
	}
}

func TestProcess(t *testing.T) {
	p := Process(1)
	if _, err := p.AnonBytes(); err != nil {
		t.Skip("no process 1 to look at")
	}
	cpu, err := p.CPU()
	if err != nil || cpu <= 0 {
		t.Errorf("CPU() = %v, %v", cpu, err)
	}
	if _, err := Process(1 << 28).CPU(); err == nil {
		t.Error("CPU() of nobody gives no error")
	}
}
