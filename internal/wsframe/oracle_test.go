package wsframe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
)

// oracle is another implementation that reads, as a server, what we read, and how it is known to
// differ.
type oracle struct {
	name string

	// read returns the events and how it ended: cut, close, or fail.
	read func(tb testing.TB, input []byte) (events []string, end string)

	// lenient are faults that it does not see, or sees later.
	lenient []Fault

	// refuses are close codes, valid by the registry of IANA, that it does not know.
	refuses []Code
}

const oracleLimit = 1 << 16

var oracles = []oracle{
	{
		name: "gobwas", read: readGobwas,
		// Lengths need not be in their shortest form; codes from 5000 on are accepted; bad UTF-8 is
		// found, but only when a read returns.
		lenient: []Fault{FaultLength, FaultCloseCode, FaultUTF8},
		refuses: []Code{CodeServiceRestart, CodeTryAgainLater, CodeBadGateway},
	},
	{
		name: "gorilla", read: readGorilla,
		// Text is not checked, nor the form of a length; a close frame of one byte counts as empty.
		lenient: []Fault{FaultLength, FaultUTF8, FaultClosePayload},
		refuses: []Code{CodeBadGateway},
	},
	{
		name: "coder", read: readCoder,
		// Neither text nor a close reason is checked, nor the form of a length.
		lenient: []Fault{FaultLength, FaultUTF8, FaultCloseReason},
	},
}

// compare checks that an oracle accepts the same messages and comes to the same end, but for the
// known differences.
func (o oracle) compare(tb testing.TB, input []byte) {
	tb.Helper()
	s := newSession(tb, Rules{MaxMessageBytes: oracleLimit})
	ours, end, last := s.read(input)
	if end == "fail" {
		// Faults are found as soon as they show; others read the frame first.
		input = append(bytes.Clone(input), make([]byte, 200)...)
	}
	theirs, theirEnd := o.read(tb, input)
	complain := func() {
		tb.Helper()
		tb.Fatalf("input %x\nours:\n%s, %s %v\n%s:\n%s, %s", input, lines(ours...), end, last.Fault,
			o.name, lines(theirs...), theirEnd)
	}
	switch {
	case slices.Contains(o.lenient, last.Fault):
		if len(theirs) < len(ours) || !slices.Equal(theirs[:len(ours)], ours) {
			complain()
		}
	case !slices.Equal(theirs, ours):
		complain()
	case end == "close" && slices.Contains(o.refuses, last.Code):
		if theirEnd != "fail" {
			complain()
		}
	case last.Fault == FaultTooBig && theirEnd == "cut":
	case theirEnd != end:
		complain()
	}
}

// read is what oracle.read is, of ours.
func (s *session) read(input []byte) (events []string, end string, last Event) {
	b := bytes.Clone(input)
	for {
		var e Event
		switch e, b = s.p.Next(&s.rules, b); e.Kind {
		case None:
			return events, "cut", e
		case Closing:
			return events, "close", e
		case Failed:
			return events, "fail", e
		default:
			events = append(events, line(e))
		}
	}
}

func readGobwas(_ testing.TB, input []byte) (events []string, end string) {
	r := wsutil.Reader{
		Source: memory(input), State: ws.StateServerSide, CheckUTF8: true,
		MaxMessageSize: oracleLimit,
	}
	onControl := func(h ws.Header, src io.Reader) error {
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(src, payload); err != nil {
			return err
		}
		if h.OpCode != ws.OpClose {
			kind := map[ws.OpCode]Kind{ws.OpPing: Ping, ws.OpPong: Pong}[h.OpCode]
			events = append(events, line(Event{Kind: kind, Payload: payload}))
			return nil
		}
		if len(payload) > 0 {
			if err := ws.CheckCloseFrameData(ws.ParseCloseFrameData(payload)); err != nil {
				return err
			}
		}
		return errClosed
	}
	r.OnIntermediate = onControl
	err := func() error {
		for {
			h, err := r.NextFrame()
			if err != nil {
				return err
			}
			if h.OpCode.IsControl() {
				if err = onControl(h, &r); err != nil {
					return err
				}
				if h.Length == 0 {
					if err = r.Discard(); err != nil {
						return err
					}
				}
				continue
			}
			payload, err := io.ReadAll(&r)
			if err != nil {
				return err
			}
			kind := map[ws.OpCode]Kind{ws.OpText: Text, ws.OpBinary: Binary}[h.OpCode]
			events = append(events, line(Event{Kind: kind, Payload: payload}))
		}
	}()
	return events, ending(err, errors.Is(err, errClosed))
}

var (
	errClosed = errors.New("closed")
	errCut    = errors.New("cut")
)

// ending names how a reader ended by its error.
func ending(err error, closed bool) string {
	switch {
	case closed:
		return "close"
	case errors.Is(err, errCut):
		return "cut"
	default:
		return "fail"
	}
}

func readGorilla(tb testing.TB, input []byte) (events []string, end string) {
	tb.Helper()
	u := gorilla.Upgrader{ReadBufferSize: 512, WriteBufferSize: 512}
	c, err := u.Upgrade(&hijacked{conn: memory(input)}, upgradeRequest(""), nil)
	if err != nil {
		tb.Fatal(err)
	}
	c.SetReadLimit(oracleLimit)
	c.SetPingHandler(func(s string) error {
		events = append(events, line(Event{Kind: Ping, Payload: []byte(s)}))
		return nil
	})
	c.SetPongHandler(func(s string) error {
		events = append(events, line(Event{Kind: Pong, Payload: []byte(s)}))
		return nil
	})
	for {
		kind, payload, err := c.ReadMessage()
		if err != nil {
			var closed *gorilla.CloseError
			return events, ending(err, errors.As(err, &closed))
		}
		events = append(events, line(Event{Kind: Kind(kind), Payload: payload}))
	}
}

func readCoder(tb testing.TB, input []byte) (events []string, end string) {
	tb.Helper()
	c, err := coder.Accept(&hijacked{conn: memory(input)}, upgradeRequest(""), &coder.AcceptOptions{
		CompressionMode: coder.CompressionDisabled,
		OnPingReceived: func(_ context.Context, b []byte) bool {
			events = append(events, line(Event{Kind: Ping, Payload: b}))
			return false
		},
		OnPongReceived: func(_ context.Context, b []byte) {
			events = append(events, line(Event{Kind: Pong, Payload: b}))
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(oracleLimit)
	for {
		kind, payload, err := c.Read(tb.Context())
		if err != nil {
			return events, ending(err, coder.CloseStatus(err) != -1)
		}
		events = append(events, line(Event{Kind: Kind(kind), Payload: payload}))
	}
}

// TestKindsMatch: both libraries number messages as RFC 6455 does, and so do our kinds.
func TestKindsMatch(t *testing.T) {
	if Text != gorilla.TextMessage || Binary != gorilla.BinaryMessage ||
		Kind(coder.MessageText) != Text || Kind(coder.MessageBinary) != Binary {
		t.Error("kinds differ")
	}
}

func upgradeRequest(extensions string) *http.Request {
	r := &http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host: "localhost", Header: http.Header{
			"Connection":            {"Upgrade"},
			"Upgrade":               {"websocket"},
			"Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
		},
	}
	if extensions != "" {
		r.Header.Set("Sec-Websocket-Extensions", extensions)
	}
	return r
}

// memoryConn is a connection whose peer has sent all it will and reads nothing.
type memoryConn struct {
	net.Conn // nil: what is not here is not called
	in       *bytes.Reader
	out      bytes.Buffer
}

func memory(input []byte) *memoryConn { return &memoryConn{in: bytes.NewReader(input)} }

// Read ends with an error of its own: coder takes io.EOF between two fragments for the end of the
// message.
func (c *memoryConn) Read(b []byte) (int, error) {
	if c.in.Len() == 0 {
		return 0, errCut
	}
	return c.in.Read(b)
}

func (c *memoryConn) Write(b []byte) (int, error)      { return c.out.Write(b) }
func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

// hijacked is a ResponseWriter that gives its connection away.
type hijacked struct {
	conn   *memoryConn
	header http.Header
}

func (h *hijacked) Header() http.Header {
	if h.header == nil {
		h.header = http.Header{}
	}
	return h.header
}
func (h *hijacked) Write(b []byte) (int, error) { return h.conn.Write(b) }
func (h *hijacked) WriteHeader(int)             {}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// TestOracles reads the tables of this package's other tests, where they are for a server.
func TestOracles(t *testing.T) {
	c := fromClient
	inputs := [][]byte{
		c().text("Hello").binary("x").ping("1").pong("").close(1000, "bye").b,
		c().frame(0x01, "a").ping("1").frame(0x00, "b").frame(0x80, "c").b,
		c().frame(0x01, "\xf0\x9f").frame(0x80, "\x98\x80").text("\xff").b,
		c().frame(0x01, "a").text("b").b, c().frame(0x80, "a").b, c().frame(0x88, "").b,
		c().frame(0x88, "x").b, c().close(1000, "\xff").b, (&wire{}).text("x").b,
		c().text(strings.Repeat("x", oracleLimit)).b,
		c().text(strings.Repeat("x", oracleLimit+1)).b,
		c().raw(0x82, 0xFE, []byte{0, 5}, "12345").b,
		c().raw(0x82, 0xFF, []byte{0x80, 0, 0, 0, 0, 0, 0, 5}, "12345").b,
		c().frame(0x01, "a").close(1000, "").frame(0x80, "").b,
	}
	for first := range 256 {
		inputs = append(inputs, c().frame(byte(first), "").text("after").b)
		inputs = append(inputs, c().frame(0x01, "a").frame(byte(first), "").text("after").b)
	}
	for code := 990; code < 1030; code++ {
		inputs = append(inputs, c().close(uint16(code), "").b)
	}
	for _, code := range []uint16{0, 1, 2999, 3000, 3999, 4000, 4999, 5000, 65535} {
		inputs = append(inputs, c().close(code, "x").b)
	}
	for _, s := range scripts {
		inputs = append(inputs, script([]byte(s)))
	}
	for _, o := range oracles {
		t.Run(o.name, func(t *testing.T) {
			for _, in := range inputs {
				o.compare(t, in)
			}
		})
	}
}

func FuzzOracles(f *testing.F) {
	for _, s := range scripts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		input := script(data)
		for _, o := range oracles {
			o.compare(t, input)
		}
	})
}
