//go:build linux

package hostile

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// frame is a JSON frame of the daemon, of whatever op.
type frame struct {
	Op        string
	OK        bool
	Seq       uint64
	RequestID verbatim `json:"request_id"`
	Data      verbatim

	SessionID   string `json:"session_id"`
	ResumeToken string `json:"resume_token"`
	Resumed     bool
	Gap         bool
	Epoch       uint32
	RetryAfter  int `json:"retry_after"`

	// Error is a name in a hello_ack, and an object elsewhere.
	Error verbatim
}

// refused is the name of the error of a hello_ack.
func (f *frame) refused() string { return strings.Trim(string(f.Error), `"`) }

// code is the code of an error.
func (f *frame) code() string {
	var e struct{ Code string }
	if json.Unmarshal([]byte(f.Error), &e) != nil {
		return ""
	}
	return e.Code
}

// errNoFrame is met where something else comes than a JSON frame.
var errNoFrame = errors.New("no frame of JSON")

// frame is the next JSON frame.
func (p *peer) frame() (f frame, err error) {
	said := p.said()
	text, ok := strings.CutPrefix(said, "text ")
	if !ok {
		return f, fmt.Errorf("%w: %.200q", errNoFrame, said)
	}
	return frameFrom(text)
}

func frameFrom(text string) (f frame, err error) {
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, fmt.Errorf("%.200q: %w", text, err)
	}
	return f, nil
}

// frameOf is the next JSON frame of one of some ops; others, which may be only those of a call on
// its way, are passed over.
func (p *peer) frameOf(ops ...string) (frame, error) {
	for {
		f, err := p.frame()
		if err != nil {
			return f, err
		}
		if slices.Contains(ops, f.Op) {
			return f, nil
		}
		if f.Op != "call_tool_ack" && f.Op != "progress" {
			return f, fmt.Errorf("%+v came, of another op than %v", f, ops)
		}
	}
}

// open connects from an address ("": any) and upgrades to the JSON protocol.
func open(from, addr string) (*peer, error) {
	d := net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := newPeer(nc)
	status, err := p.ask(netlooptest.Handshake("/ws"))
	if err != nil || status != http.StatusSwitchingProtocols {
		return p, fmt.Errorf("upgrade: %d, %w", status, err)
	}
	return p, nil
}

// greet says hello and gives the hello_ack, whatever it says.
func (p *peer) greet(hello string) (frame, error) {
	if err := p.text(hello); err != nil {
		return frame{}, err
	}
	f, err := p.frame()
	if err == nil && f.Op != "hello_ack" {
		err = fmt.Errorf("hello is answered by %+v", f)
	}
	return f, err
}

// resumable is the hello of a client that will resume.
const resumable = `{"op":"hello","want":{"resume":true}}`

// resuming is the hello of a client that resumes; seq is JSON.
func resuming(token, seq string) string {
	return fmt.Sprintf(`{"op":"hello","resume":{"token":%q,"seq":%s}}`, token, seq)
}

// begin connects a client with a session, for as long as the test runs.
func begin(t *testing.T, addr, hello string) (*peer, frame) {
	t.Helper()
	p, err := open("", addr)
	if p != nil {
		t.Cleanup(func() { _ = p.nc.Close() })
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.greet(hello)
	if err != nil || !f.OK {
		t.Fatalf("hello is answered by %+v, %v", f, err)
	}
	return p, f
}

// refusal is a hello's way to be told no: the frames that a client sees.
func (p *peer) refusal(hello string) string {
	if err := p.text(hello); err != nil {
		return err.Error()
	}
	return p.said() + ", " + p.said()
}

// unknownToken is the only answer to a token that fits no session, whatever is wrong with it.
const unknownToken = `text {"op":"hello_ack","ok":false,"error":"resume_unknown"}, ` +
	`close 4203 resume_unknown`

// say sends a message of n bytes under a number.
func (p *peer) say(n, bytes int) error {
	return p.text(fmt.Sprintf(`{"op":"message","request_id":%d,"data":%q}`,
		n, strings.Repeat("x", bytes)))
}

// heard wants the answer to the message of that number next, and gives its seq.
func (p *peer) heard(n int) (uint64, error) {
	f, err := p.frameOf("message_res")
	if err == nil && string(f.RequestID) != fmt.Sprint(n) {
		err = fmt.Errorf("request %d is answered by %+.200v", n, f)
	}
	return f.Seq, err
}

// talk has messages answered, from one number up to another, which is not said.
func (p *peer) talk(from, to int) error {
	for n := from; n < to; n++ {
		if err := p.say(n, 10); err != nil {
			return err
		}
		if _, err := p.heard(n); err != nil {
			return err
		}
	}
	return nil
}

// welcomeAsking connects a neighbour who speaks JSON and asks the daemon, which needs no
// application for the answers.
func welcomeAsking(t *testing.T, addr string) {
	t.Helper()
	p, _ := begin(t, addr, `{"op":"hello"}`)
	n := &neighbour{stop: make(chan struct{}), done: make(chan struct{})}
	go n.run(p, n.asking)
	n.watch(t)
}

// asking asks for a pong and for what there is to say of the session.
func (n *neighbour) asking(p *peer) error {
	for _, op := range []string{"ping", "session_info"} {
		if err := p.text(fmt.Sprintf(`{"op":%q,"request_id":%d}`, op, n.answered)); err != nil {
			return err
		}
		f, err := p.frameOf("pong", "session_info_res", "message")
		for err == nil && f.Op == "message" { // which is for everybody
			f, err = p.frameOf("pong", "session_info_res", "message")
		}
		if err != nil {
			return err
		}
		if string(f.RequestID) != fmt.Sprint(n.answered) {
			return fmt.Errorf("%s %d is answered by %+v", op, n.answered, f)
		}
	}
	return nil
}

// cut ends a connection in one of the ways in which networks and clients do.
func (p *peer) cut(way int) {
	switch way % 4 {
	case 0:
		p.reset()
	case 1:
		_ = p.nc.Close()
	case 2:
		_ = p.close()
		_ = p.nc.Close()
	case 3:
		_ = p.nc.(*net.TCPConn).CloseWrite() // the daemon closes then
	}
}

// detached waits until the log says that a session has been detached so often.
func (d *daemon) detached(session string, times int) {
	d.t.Helper()
	eventually(d.t, "the session is detached", func() bool {
		return d.log.of(session).detached >= times
	})
}

// verbatim is JSON as it came.
type verbatim string

// UnmarshalJSON takes it.
func (v *verbatim) UnmarshalJSON(b []byte) error {
	*v = verbatim(b)
	return nil
}
