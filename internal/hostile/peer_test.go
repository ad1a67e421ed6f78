//go:build linux

package hostile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// Opcodes of RFC 6455.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opReserved     = 3
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// raw asks for a protocol in which whatever is sent comes back.
const raw = "Sec-WebSocket-Protocol: curfew.raw"

// How a connection ended, or did not, in the words of next.
const (
	endOfFile = "eof"
	wasReset  = "reset"
	timedOut  = "timeout"
)

// peer is a client that may do as it likes: what goes wrong with it is an answer, not a failure.
type peer struct {
	nc       net.Conn
	br       *bufio.Reader
	header   http.Header // of the answer to the upgrade
	patience time.Duration

	writing sync.Mutex // around each whole write: a reader answers pings
}

// newPeer speaks over a connection.
func newPeer(nc net.Conn) *peer {
	return &peer{nc: nc, br: bufio.NewReader(nc), patience: patience}
}

// connect connects and sends nothing.
func connect(addr string) (*peer, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return newPeer(nc), nil
}

// reach connects, for as long as the test runs.
func reach(t *testing.T, addr string) *peer {
	t.Helper()
	p, err := connect(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.nc.Close() })
	return p
}

// dial connects and upgrades to the raw protocol, for as long as the test runs.
func dial(t *testing.T, addr string, headers ...string) *peer {
	t.Helper()
	p := reach(t, addr)
	status, err := p.upgrade(headers...)
	if err != nil || status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d, %v", status, err)
	}
	return p
}

// upgrade asks for the raw protocol, and more, and gives the status of the answer.
func (p *peer) upgrade(headers ...string) (status int, err error) {
	return p.ask(netlooptest.Handshake("/ws", append([]string{raw}, headers...)...))
}

// hello asks for the JSON protocol and a session that is idle after a time of its own, so that the
// neighbour's may be quiet for longer.
func (p *peer) hello(idle time.Duration) error {
	status, err := p.ask(netlooptest.Handshake("/ws"))
	if err != nil || status != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade: %d, %w", status, err)
	}
	hello := fmt.Sprintf(`{"op":"hello","want":{"idle_s":%g}}`, idle.Seconds())
	if err := p.text(hello); err != nil {
		return err
	}
	if got := p.said(); !strings.HasPrefix(got, `text {"op":"hello_ack","ok":true`) {
		return fmt.Errorf("hello is answered by %q", got)
	}
	return nil
}

// ask sends a request as it is and reads the answer.
func (p *peer) ask(request string) (status int, err error) {
	if err := p.write([]byte(request)); err != nil {
		return 0, err
	}
	return p.answer()
}

// answer reads an answer to a request, and the body where one must be. An answer that breaks off is
// an io.ErrUnexpectedEOF, wherever it does.
func (p *peer) answer() (status int, err error) {
	if err := p.nc.SetReadDeadline(time.Now().Add(p.patience)); err != nil {
		return 0, err
	}
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		line, err := p.br.ReadBytes('\n')
		head = append(head, line...)
		if errors.Is(err, io.EOF) {
			return 0, io.ErrUnexpectedEOF
		} else if err != nil {
			return 0, err
		}
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return 0, err
	}
	p.header = r.Header
	if r.StatusCode != http.StatusSwitchingProtocols {
		_, err = io.CopyN(io.Discard, p.br, r.ContentLength)
	}
	return r.StatusCode, err
}

// write sends bytes as they are.
func (p *peer) write(b []byte) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.nc.SetWriteDeadline(time.Now().Add(p.patience)); err != nil {
		return err
	}
	_, err := p.nc.Write(b)
	return err
}

// trickle sends a few bytes at a time until they are over, the other side lets go, or done is
// closed.
func (p *peer) trickle(b []byte, step int, pace time.Duration, done <-chan struct{}) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for ; len(b) > 0; b = b[min(step, len(b)):] {
		select {
		case <-tick.C:
		case <-done:
			return
		}
		if p.write(b[:min(step, len(b))]) != nil {
			return
		}
	}
}

// text sends a text message.
func (p *peer) text(s string) error {
	return p.write(netlooptest.Frame(opText, true, []byte(s)))
}

// close sends a close frame with 1000.
func (p *peer) close() error {
	payload := binary.BigEndian.AppendUint16(nil, 1000)
	return p.write(netlooptest.Frame(opClose, true, payload))
}

// reset breaks the connection off at once.
func (p *peer) reset() {
	if t, ok := p.nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = p.nc.Close()
}

// next is the next frame in words: "text hello", "ping", which it has answered, "close 4200
// session idle", or how the connection ended.
func (p *peer) next() string {
	if p.nc.SetReadDeadline(time.Now().Add(p.patience)) != nil {
		return wasReset
	}
	op, payload, err := readFrame(p.br)
	if err != nil {
		return endOf(err)
	}
	switch op {
	case opText:
		return "text " + string(payload)
	case opBinary:
		return "binary " + string(payload)
	case opPing:
		_ = p.write(netlooptest.Frame(opPong, true, payload)) // the next read meets the error
		return strings.TrimSpace("ping " + string(payload))
	case opPong:
		return strings.TrimSpace("pong " + string(payload))
	case opClose:
		if len(payload) < 2 {
			return "close"
		}
		return "close " + closeText(payload)
	}
	return fmt.Sprintf("opcode %d", op)
}

// closeText is the code and the reason of a close frame.
func closeText(payload []byte) string {
	return fmt.Sprintf("%d %s", binary.BigEndian.Uint16(payload), payload[2:])
}

// said is the next frame that is no ping.
func (p *peer) said() string {
	for {
		if frame := p.next(); frame != "ping" {
			return frame
		}
	}
}

// echo sends a text and wants it back.
func (p *peer) echo(s string) error {
	if err := p.text(s); err != nil {
		return err
	}
	if got := p.said(); got != "text "+s {
		return fmt.Errorf("%.60q is answered by %.60q", s, got)
	}
	return nil
}

// serverFrame is one that only a broken server sends.
var errServerFrame = errors.New("a frame that no server may send")

// readFrame reads one frame of a server that speaks no extension and does not fragment.
func readFrame(r *bufio.Reader) (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, errServerFrame
	}
	var ext [8]byte
	length := uint64(head[1])
	switch length {
	case 126:
		_, err = io.ReadFull(r, ext[6:])
		length = binary.BigEndian.Uint64(ext[:])
	case 127:
		_, err = io.ReadFull(r, ext[:])
		length = binary.BigEndian.Uint64(ext[:])
	}
	if err != nil {
		return 0, nil, err
	}
	if length > 1<<30 {
		return 0, nil, errServerFrame
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(r, payload)
	return head[0] & 0x0f, payload, err
}

// endOf is what an error of a read means, in the words of next.
func endOf(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return timedOut
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return endOfFile
	case isReset(err), errors.Is(err, net.ErrClosed):
		return wasReset
	}
	return err.Error()
}

// isReset says whether an error means that the other side has let go.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// neighbour is a client that behaves well and must not notice what others do.
type neighbour struct {
	stop     chan struct{}
	done     chan struct{} // closed at the end; before it the rest is its goroutine's
	answered int
	err      error
}

// neighbourPace is how often the neighbour speaks.
const neighbourPace = 5 * time.Millisecond

// welcome connects a neighbour. When the test ends it must not have noticed anything.
func welcome(t *testing.T, addr string, headers ...string) {
	t.Helper()
	p := dial(t, addr, headers...)
	if err := p.echo("first"); err != nil {
		t.Fatalf("the neighbour: %v", err)
	}
	n := &neighbour{stop: make(chan struct{}), done: make(chan struct{})}
	go n.run(p, n.saying)
	n.watch(t)
}

// watch looks after a neighbour until the test ends.
func (n *neighbour) watch(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		close(n.stop)
		<-n.done
		if n.err != nil {
			t.Errorf("the neighbour noticed, after %d messages: %v", n.answered, n.err)
		}
	})
}

// saying says the next thing.
func (n *neighbour) saying(p *peer) error {
	return p.echo(fmt.Sprintf("neighbour %d", n.answered))
}

func (n *neighbour) run(p *peer, speak func(p *peer) error) {
	defer close(n.done)
	tick := time.NewTicker(neighbourPace)
	defer tick.Stop()
	for n.err == nil {
		select {
		case <-n.stop:
			n.err = p.close()
			if got := p.said(); n.err == nil && got != "close 1000 " {
				n.err = fmt.Errorf("the goodbye is answered by %q", got)
			}
			return
		case <-tick.C:
		}
		if n.err = speak(p); n.err == nil {
			n.answered++
		}
	}
}
