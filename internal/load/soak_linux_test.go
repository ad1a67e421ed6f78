package load

import (
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// serveSessions starts a server that echoes, agrees to part, and closes with 4200 what was silent.
func serveSessions(t *testing.T, idle time.Duration) string {
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
			go keepSession(conn, idle)
		}
	}()
	return l.Addr().String()
}

func keepSession(conn net.Conn, idle time.Duration) {
	defer conn.Close()
	if _, err := ws.Upgrade(conn); err != nil {
		return
	}
	var p wsframe.Parser
	rules := wsframe.Rules{}
	buf := make([]byte, 16<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(idle))
		n, err := conn.Read(buf)
		if err != nil {
			_, _ = conn.Write(wsframe.Server.AppendClose(nil, 4200, ""))
			return
		}
		var out []byte
		for e, b := p.Next(&rules, buf[:n]); e.Kind != wsframe.None; e, b = p.Next(&rules, b) {
			if e.Kind == wsframe.Closing {
				out = wsframe.Server.AppendClose(out, e.Code, "")
			} else {
				out = wsframe.Server.AppendMessage(out, 0, wsframe.OpBinary, e.Payload)
			}
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

func TestClient_Soak(t *testing.T) {
	t.Parallel()
	const idle = 600 * time.Millisecond // more than a busy machine is likely to stand still
	o := SoakOptions{Connections: 300, Rate: 5000, Duration: 2500 * time.Millisecond, Idle: idle}
	o.Late = 5 * time.Second
	c, err := New(Options{Address: serveSessions(t, idle)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Soak(o)
	if err != nil || r.Balanced() != nil {
		t.Fatalf("Soak() = %+v, %v, %v", r, err, r.Balanced())
	}
	if r.Expired < 100 || r.Parted < 100 || r.Floods == 0 || r.Open < 200 || r.Sent < 1000 {
		t.Errorf("Soak() = %+v, want more of each", r)
	}
	// A server that is a quarter too early is found out.
	c, err = New(Options{Address: serveSessions(t, idle*3/4)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err = c.Soak(o); err != nil || r.Early == 0 || r.Balanced() == nil {
		t.Errorf("early server: Soak() = %+v, %v, want early ones", r, err)
	}
	// As is one that never expires, and one that answers wrong.
	c, err = New(Options{Address: serveSessions(t, time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.Late = time.Millisecond
	if r, err = c.Soak(o); err != nil || r.Missing == 0 || r.Dropped != r.Missing {
		t.Errorf("server without expiry: Soak() = %+v, %v, want missing ones", r, err)
	}
	c = connect(t, serve(t, func(m []byte) []byte { return echo(m[1:]) }), 1)
	r, err = c.Soak(o)
	if err != nil || r.Wrong == 0 || r.Sent != r.Received+r.Lost || c.Open() != 1 {
		t.Errorf("wrong answers: Soak() = %+v, %v, want them counted", r, err)
	}
}
