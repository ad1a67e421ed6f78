package handshake

import (
	"errors"
	"io"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
)

var errNoHandshake = errors.New("handshake: the last request was refused or is not there")

// bufferBytes are the upgrader's, which come from its pool.
const bufferBytes = 512

// answer has gobwas/ws answer a handshake. It is given a request with what was found and nothing
// of what was checked already or what it reads less strictly.
type answer struct {
	upgrader ws.Upgrader // made by the first answer; its functions refer to this answer
	in       []byte      // what it is still to read, of request
	out      []byte      // what it wrote
	request  [256]byte

	key      [keyChars]byte
	protocol string
	accepted [1]httphead.Option // the extension, where there is one
	deflate  bool
	ready    bool

	header []byte // further lines
}

func (a *answer) reset() { a.ready = false }

// prepare keeps what the answer to a proper request depends on.
func (a *answer) prepare(r *Request, key []byte) {
	copy(a.key[:], key)
	a.protocol, a.deflate, a.ready = r.Protocol, r.Deflate.On(), true
}

// AppendAnswer appends the 101 for the request that was parsed last, whose head need not be there
// any more. header holds further lines, each ended by \r\n.
func (p *Parser) AppendAnswer(dst, header []byte) ([]byte, error) {
	a := &p.answer
	if !a.ready {
		return dst, errNoHandshake
	}
	if a.upgrader.Header == nil {
		a.upgrader = ws.Upgrader{
			ReadBufferSize: bufferBytes, WriteBufferSize: bufferBytes,
			Header:          (*lines)(a),
			ProtocolCustom:  func([]byte) (string, bool) { return a.protocol, true },
			ExtensionCustom: a.extensions,
		}
	}
	a.in, a.out, a.header = a.ask(), dst, header
	_, err := a.upgrader.Upgrade((*memory)(a))
	out := a.out
	a.in, a.out, a.header = nil, nil, nil
	if err != nil {
		return dst, err
	}
	return out, nil
}

// ask is the request that the upgrader reads. Where it asks for a protocol or an extension, the
// answer does not depend on which.
func (a *answer) ask() []byte {
	b := append(a.request[:0], "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	b = append(b, a.key[:]...)
	if a.protocol != "" {
		b = append(b, "\r\nSec-WebSocket-Protocol: x"...)
	}
	if a.deflate {
		b = append(b, "\r\nSec-WebSocket-Extensions: x"...)
	}
	return append(b, "\r\n\r\n"...)
}

// extensions gives what was negotiated. The upgrader's Negotiate would allocate the option anew.
func (a *answer) extensions(_ []byte, _ []httphead.Option) ([]httphead.Option, bool) {
	return a.accepted[:], true
}

// memory is an answer as a connection that never blocks.
type memory answer

// Read reads what the peer is thought to have sent.
func (m *memory) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.in)
	m.in = m.in[n:]
	return n, nil
}

// Write keeps what the peer is to be sent.
func (m *memory) Write(p []byte) (int, error) {
	m.out = append(m.out, p...)
	return len(p), nil
}

// lines are an answer's further header lines.
type lines answer

// WriteTo implements ws.HandshakeHeader.
func (l *lines) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(l.header)
	return int64(n), err
}
