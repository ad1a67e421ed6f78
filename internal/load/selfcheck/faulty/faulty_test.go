package faulty

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// client is one WebSocket client of another's making.
type client struct {
	t    *testing.T
	conn net.Conn
	r    io.Reader
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dial(s *Server, protocols ...string) (net.Conn, *bufio.Reader, error) {
	d := ws.Dialer{Protocols: protocols, Timeout: 10 * time.Second}
	conn, br, _, err := d.Dial(context.Background(), "ws://"+s.Address()+"/ws")
	return conn, br, err
}

func join(t *testing.T, s *Server) *client {
	t.Helper()
	var protocols []string
	if s.o.V1 {
		protocols = []string{subprotocolV1}
	}
	conn, br, err := dial(s, protocols...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	c := &client{t: t, conn: conn, r: conn}
	if br != nil {
		c.r = br
	}
	return c
}

func (c *client) say(text string) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.conn, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// hear is the next message, "close CODE" or an error in words.
func (c *client) hear() string {
	c.t.Helper()
	b, _, err := wsutil.ReadServerData(struct {
		io.Reader
		io.Writer
	}{c.r, c.conn})
	var closed wsutil.ClosedError
	switch {
	case errors.As(err, &closed):
		return "close " + strconv.Itoa(int(closed.Code))
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "eof"
	case err != nil:
		return err.Error()
	}
	return string(b)
}

// hears checks what comes next, a line each.
func (c *client) hears(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.hear(); got != w {
			c.t.Fatalf("heard %q, want %q", got, w)
		}
	}
}

// TestMessages has each fault of messages strike the second of three, on one connection.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		want  []string // what is heard after "first"
	}{
		{None, []string{"second", "third"}},
		{Awkward, []string{"second", "third"}},
		{Withhold, []string{"third"}},
		{Flip, []string{"secxnd", "third"}},
		{FlipFirst, []string{"xecond", "third"}},
		{Truncate, []string{"secon", "third"}},
		{Extend, []string{"secondx", "third"}},
		{Empty, []string{"", "third"}},
		{Twice, []string{"second", "second", "third"}},
		{TwiceLater, []string{"second", "third", "second"}},
		{Reorder, []string{"third", "second"}},
		{Late, []string{"third", "second"}},
		{Push, []string{"second", "nobody asked for this", "third"}},
		{Reset, []string{"reset"}},
		{Vanish, []string{"eof"}},
		{VanishIdle, []string{"second", "eof"}},
		{Close, []string{"close 1011"}},
		{CloseIdle, []string{"second", "close 1011"}},
		{Expire, []string{"second", "close 4200"}},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			s := start(t, Options{Fault: c.fault, At: 2})
			client := join(t, s)
			client.say("first")
			client.hears("first")
			client.say("second")
			goesOn := strings.Contains(strings.Join(c.want, " "), "third")
			if goesOn {
				client.say("third")
			}
			client.hears(c.want...)
			want := uint64(1)
			if kinds[c.fault] == nothing {
				want = 0
			}
			if l := s.Ledger(); l.Struck != want || l.Messages < 2 {
				t.Errorf("ledger %+v, want %d struck", l, want)
			}
		})
	}
}

func TestSwap(t *testing.T) {
	s := start(t, Options{Fault: Swap, At: 1})
	a, b := join(t, s), join(t, s)
	a.say("of a")
	b.say("of b")
	a.hears("of b")
	b.hears("of a")
	a.say("again")
	a.hears("again")
}

func TestDeaf(t *testing.T) {
	s := start(t, Options{Fault: Deaf, At: 2})
	a, b := join(t, s), join(t, s)
	a.say("1")
	a.hears("1")
	a.say("2")
	for s.Ledger().Struck == 0 {
		// A ping is no message, so it is not what is struck.
		if err := wsutil.WriteClientMessage(b.conn, ws.OpPing, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := ws.ReadHeader(b.r); err != nil { // of a pong without payload
			t.Fatal(err)
		}
	}
	b.say("3")
	b.hears("3")
	_ = a.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	large := make([]byte, 1<<20)
	for range 64 {
		if err := wsutil.WriteClientBinary(a.conn, large); err != nil {
			return
		}
	}
	t.Error("64 MiB were read by a server that reads nothing")
}

func TestRefuse(t *testing.T) {
	s := start(t, Options{Fault: Refuse, At: 2, Every: 2})
	for i := range 4 {
		_, _, err := dial(s)
		var status ws.StatusError
		if refused := errors.As(err, &status) && status == 503; refused != (i%2 == 1) {
			t.Errorf("connection %d: %v", i+1, err)
		}
	}
	if l := s.Ledger(); l.Struck != 2 || l.Upgraded != 2 {
		t.Errorf("ledger %+v", l)
	}
}

func TestSubprotocol(t *testing.T) {
	s := start(t, Options{V1: true, Fault: Subprotocol})
	if _, _, err := dial(s, subprotocolV1); err == nil {
		t.Error("a subprotocol that was not offered was accepted")
	}
}

func TestSessions(t *testing.T) {
	const expired = `{"op":"session_expired","session_id":"session-000000000000000000000001",` +
		`"reason":"idle"}`
	misnamed := strings.Replace(expired, `1"`, `1x"`, 1)
	for _, c := range []struct {
		fault Fault
		want  []string
	}{
		{None, []string{expired, "close 4200"}},
		{Early, []string{expired, "close 4200"}},
		{Overdue, []string{expired, "close 4200"}},
		{Untold, []string{"close 4200"}},
		{Misnamed, []string{misnamed, "close 4200"}},
		{Miscode, []string{expired, "close 1000"}},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			idle := 40 * time.Millisecond
			s := start(t, Options{V1: true, Idle: idle, Fault: c.fault, Delay: idle})
			client := join(t, s)
			begin := time.Now()
			client.say(`{"op":"hello"}`)
			client.hear()
			client.hears(c.want...)
			least := map[Fault]time.Duration{Early: idle / 2, Overdue: 2 * idle}[c.fault]
			if least == 0 {
				least = idle
			}
			if took := time.Since(begin); took < least {
				t.Errorf("ended after %v, want at least %v", took, least)
			}
		})
	}
}

func TestStay(t *testing.T) {
	s := start(t, Options{Idle: 10 * time.Millisecond, Fault: Stay, At: 1})
	stays, ends := join(t, s), join(t, s)
	ends.hears("close 4200")
	stays.say("still there")
	stays.hears("still there")
}

// TestResumes loses a connection with two answers unseen, and resumes.
func TestResumes(t *testing.T) {
	type ack struct {
		SessionID string `json:"session_id"`
		Token     string `json:"resume_token"`
		OK        bool   `json:"ok"`
		Resumed   bool   `json:"resumed"`
		Gap       bool   `json:"gap"`
	}
	one, two := `{"op":"message_res","seq":1,"data":"1"}`, `{"op":"message_res","seq":2,"data":"2"}`
	three := `{"op":"message_res","seq":3,"data":"3"}`
	for _, c := range []struct {
		fault           Fault
		ok, resumed, ap bool
		want            []string
	}{
		{None, true, true, false, []string{one, two, three}},
		{Forget, false, false, false, []string{"close 4203"}},
		{Change, true, false, false, []string{`{"op":"message_res","seq":1,"data":"3"}`}},
		{Omit, true, true, false, []string{two, three}},
		{Lose, true, true, true, []string{two, three}},
		{Replay, true, true, false, []string{one, one, two, three}},
		{FalseGap, true, true, true, []string{one, two, three}},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			s := start(t, Options{V1: true, Fault: c.fault})
			hello := func(client *client, frame string) (a ack) {
				client.say(frame)
				if err := json.Unmarshal([]byte(client.hear()), &a); err != nil {
					t.Fatal(err)
				}
				return a
			}
			first := join(t, s)
			a := hello(first, `{"op":"hello","want":{"resume":true}}`)
			first.say(`{"op":"message","data":"1"}`)
			first.say(`{"op":"message","data":"2"}`)
			first.hears(one, two)
			first.conn.Close()
			second := join(t, s)
			b := hello(second, `{"op":"hello","resume":{"token":"`+a.Token+`","seq":0}}`)
			if b.OK != c.ok || b.Resumed != c.resumed || b.Gap != c.ap ||
				c.ok && (b.SessionID == a.SessionID) != c.resumed {
				t.Errorf("resumed with %+v after %+v", b, a)
			}
			if c.ok {
				second.say(`{"op":"message","data":"3"}`)
			}
			second.hears(c.want...)
		})
	}
}

// TestAgain sends a request twice, as a client does that lost the answer.
func TestAgain(t *testing.T) {
	s := start(t, Options{V1: true})
	c := join(t, s)
	c.say(`{"op":"hello","want":{"resume":true}}`)
	c.hear()
	for range 2 {
		c.say(`{"op":"message","data":"1","request_id":7}`)
		c.hears(`{"op":"message_res","seq":1,"request_id":7,"data":"1"}`)
	}
	c.say(`{"op":"message","data":"2","request_id":8}`)
	c.hears(`{"op":"message_res","seq":2,"request_id":8,"data":"2"}`)
}

// TestImpatience has clients that trickle and that answer no pings.
func TestImpatience(t *testing.T) {
	for _, o := range []Options{
		{Patience: 20 * time.Millisecond},
		{Patience: 20 * time.Millisecond, Ping: 20 * time.Millisecond},
	} {
		s := start(t, o)
		c := join(t, s)
		if o.Ping == 0 {
			if _, err := c.conn.Write([]byte{0x81}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.Copy(io.Discard, c.conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%+v: a client that stalls hears %v, want a reset", o, err)
		}
		if l := s.Ledger(); l.Cut != 1 {
			t.Errorf("%+v: ledger %+v", o, l)
		}
	}
}

func TestSlowReader(t *testing.T) {
	s := start(t, Options{Patience: 20 * time.Millisecond})
	c := join(t, s)
	large := make([]byte, 1<<20)
	for range 64 {
		if err := wsutil.WriteClientBinary(c.conn, large); err != nil {
			return
		}
	}
	t.Error("64 MiB of answers were written to a client that reads none")
}

func TestServe(t *testing.T) {
	in, feed := io.Pipe()
	out, told := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(`{"Fault":"withhold"}`, in, told)
		told.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("no address")
	}
	if _, _, err := net.SplitHostPort(lines.Text()); err != nil {
		t.Errorf("address %q", lines.Text())
	}
	feed.Close()
	var l Ledger
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &l) != nil {
		t.Errorf("ledger %q", lines.Text())
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := Serve(`{`, in, io.Discard); err == nil {
		t.Error("options that are no JSON were taken")
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"no fault \"strange\"": {Fault: "strange"},
		"give Idle":            {Fault: Early},
		"set V1":               {Fault: Lose},
		"does not fit":         {Fault: Stall, Delay: time.Second},
		"negative":             {Idle: -1},
	} {
		if _, err := Start("127.0.0.1:0", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start(%+v): %v, want %q", o, err, want)
		}
	}
}

// TestCorrupt spoils a JSON string and leaves it one.
func TestCorrupt(t *testing.T) {
	for _, f := range []Fault{Flip, FlipFirst, Truncate, Extend, Empty} {
		c := &conn{s: &Server{o: Options{V1: true, Fault: f}}}
		data := []byte(`"0123456789"`)
		got := c.corrupt(data)
		var s string
		if err := json.Unmarshal(got, &s); err != nil || bytes.Equal(got, data) {
			t.Errorf("%s: %q, %v", f, got, err)
		}
	}
}
