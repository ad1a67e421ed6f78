package conform_test

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// fault is one thing that the reference server does wrong, or does in another way.
type fault int

const (
	faultless fault = iota
	noPong
	emptyPong
	pongToPong
	wrongPayload
	wrongType
	acceptsBare
	acceptsRSV
	acceptsReserved
	acceptsLongControl
	acceptsPartedControl
	acceptsLostContinuation
	acceptsInterruption
	acceptsBadText
	acceptsCloseOfOneByte
	acceptsBadCodes
	acceptsLongLengths
	acceptsBadHandshake
	noCloseAnswer
	wrongCloseAnswer
	emptyCloseAnswer
	talksAfterClose
	staysOpen
	silence
	silenceAfterFault
	wrongCode
	drops
	lateText
	masks
	longLengths
	setsRSV
	partsWrongly
	limit32KiB
	parts
	pingsFirst
	wrongAccept
	readsOnce // takes what one read returns for a whole frame
)

// faultError is what the reference server fails a connection for.
type faultError uint16

func (e faultError) Error() string { return "fault" }

const (
	protocol faultError = 1002
	data     faultError = 1007
	size     faultError = 1009
)

// The opcodes, once more: what tests the suite takes no word of it for granted.
const (
	opContinuation, opText, opBinary = 0, 1, 2
	opClose, opPing, opPong          = 8, 9, 10
)

// referenceEcho starts an echo server that is as strict as the suite wants, but for one fault.
// It shares no code with the suite.
func referenceEcho(t *testing.T, f fault) string {
	t.Helper()
	s := httptest.NewServer(referenceHandler(f))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// referenceTLS is the same with TLS; it returns a configuration that trusts it, too.
func referenceTLS(t *testing.T) (string, *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(referenceHandler(faultless))
	t.Cleanup(s.Close)
	trust := s.Client().Transport.(*http.Transport).TLSClientConfig
	return "wss" + strings.TrimPrefix(s.URL, "https"), trust
}

func referenceHandler(f fault) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := badHandshake(r); status != 0 && f != acceptsBadHandshake {
			w.Header().Set("Sec-WebSocket-Version", "13")
			http.Error(w, "no", status)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		key := r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
		sum := sha1.Sum([]byte(key))
		if f == wrongAccept {
			sum[0]++
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
			"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: "+
			base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
		e := &echo{fault: f, c: c, r: rw.Reader}
		e.serve()
	})
}

// badHandshake returns the status with which a request is refused, or 0.
func badHandshake(r *http.Request) int {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed
	case r.ProtoMinor == 0:
		return http.StatusHTTPVersionNotSupported
	case r.Header.Get("Upgrade") != "websocket", r.Header.Get("Sec-WebSocket-Version") != "13":
		return http.StatusUpgradeRequired
	case r.Header.Get("Connection") != "Upgrade", err != nil, len(key) != 16:
		return http.StatusBadRequest
	}
	return 0
}

// echo is one connection of the reference server.
type echo struct {
	fault fault
	c     net.Conn
	r     *bufio.Reader
	op    byte // of the message under way, 0 between messages
	parts []byte
	tail  []byte // of its text: a code point that is not complete
}

func (e *echo) serve() {
	if e.fault == pingsFirst {
		e.write(0x80|opPing, []byte("are you there?"))
	}
	for {
		err := e.frame()
		var fault faultError
		switch {
		case err == nil:
			continue
		case !errors.As(err, &fault):
			return
		case e.fault == silenceAfterFault:
			_, _ = io.Copy(io.Discard, e.r)
		case e.fault == drops:
		case e.fault == wrongCode:
			e.write(0x80|opClose, closeBody(1000))
		default:
			e.write(0x80|opClose, closeBody(uint16(fault)))
		}
		return
	}
}

var errDone = errors.New("done")

// frame reads one frame and answers what has to be answered.
func (e *echo) frame() error {
	if e.fault == readsOnce {
		if _, err := e.r.Peek(1); err != nil || e.r.Buffered() < 8 {
			return errDone
		}
	}
	h, err := e.header()
	if err != nil {
		return err
	}
	if err := e.check(h); err != nil {
		return err
	}
	p := make([]byte, h.length)
	if err := e.payload(h, p); err != nil {
		return err
	}
	if e.fault == silence {
		return nil
	}
	if h.op >= opClose {
		return e.control(h.op, p)
	}
	e.parts = append(e.parts, p...)
	if e.op == opText && h.fin && e.fault != acceptsBadText && !utf8.Valid(e.parts) {
		return data
	}
	if h.fin {
		e.echo(e.op, e.parts)
		e.op, e.parts = 0, nil
	}
	return nil
}

// payload reads a payload and looks at its text as it comes in.
func (e *echo) payload(h head, p []byte) error {
	if h.op == opText || h.op == opBinary {
		e.op, e.tail = h.op, nil
	}
	eager := e.op == opText && h.op < opClose && e.fault != acceptsBadText && e.fault != lateText
	for got := 0; got < len(p); {
		n, err := e.r.Read(p[got:])
		from := got
		got += n
		unmask(p[from:got], h.key, from)
		if err != nil {
			return err
		}
		if eager && e.badText(p[from:got]) {
			return data
		}
	}
	return nil
}

// unmask runs eight bytes at a time, since the race detector looks at each access.
func unmask(p []byte, key [4]byte, at int) {
	for ; len(p) > 0 && (at%4 != 0 || len(p) < 8); at++ {
		p[0] ^= key[at%4]
		p = p[1:]
	}
	if len(p) == 0 {
		return
	}
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k)
	}
	unmask(p, key, 0)
}

// badText says whether what has come so far can be no text, however it goes on.
func (e *echo) badText(p []byte) bool {
	p = append(e.tail, p...)
	for len(p) > 0 && utf8.FullRune(p) {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n <= 1 {
			return true
		}
		p = p[n:]
	}
	e.tail = slices.Clone(p)
	return false
}

func (e *echo) check(h head) error {
	control := h.op >= opClose
	switch {
	case h.length >= 1<<63, h.long && e.fault != acceptsLongLengths,
		!h.masked && e.fault != acceptsBare,
		h.rsv != 0 && e.fault != acceptsRSV,
		(h.op > opBinary && h.op < opClose || h.op > opPong) && e.fault != acceptsReserved,
		control && h.length > 125 && e.fault != acceptsLongControl,
		control && !h.fin && e.fault != acceptsPartedControl,
		h.op == opContinuation && e.op == 0 && e.fault != acceptsLostContinuation &&
			e.fault != acceptsPartedControl,
		(h.op == opText || h.op == opBinary) && e.op != 0 && e.fault != acceptsInterruption:
		return protocol
	case e.fault == limit32KiB && h.length+uint64(len(e.parts)) > 32<<10:
		return size
	}
	return nil
}

func (e *echo) control(op byte, p []byte) error {
	switch {
	case op == opPing && e.fault == emptyPong:
		e.write(0x80|opPong, nil)
	case op == opPing && e.fault != noPong, op == opPong && e.fault == pongToPong:
		e.write(0x80|opPong, p)
	case op == opClose:
		return e.close(p)
	}
	return nil
}

func (e *echo) close(p []byte) error {
	code, reason := uint16(0), []byte(nil)
	if len(p) > 1 {
		code, reason = binary.BigEndian.Uint16(p), p[2:]
	}
	valid := code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006 ||
		code >= 3000 && code < 5000
	switch {
	case len(p) == 1 && e.fault != acceptsCloseOfOneByte,
		len(p) > 1 && !valid && e.fault != acceptsBadCodes:
		return protocol
	case !utf8.Valid(reason) && e.fault != acceptsBadText:
		return data
	}
	switch e.fault {
	case noCloseAnswer:
		return errDone
	case wrongCloseAnswer:
		p = closeBody(1001)
	case emptyCloseAnswer:
		p = nil
	}
	if len(p) > 2 {
		p = p[:2]
	}
	e.write(0x80|opClose, p)
	if e.fault == talksAfterClose {
		e.write(0x80|opText, []byte("one more thing"))
	}
	if e.fault == staysOpen {
		_, _ = io.Copy(io.Discard, e.r)
	}
	return errDone
}

func (e *echo) echo(op byte, p []byte) {
	switch {
	case e.fault == wrongPayload && len(p) > 0:
		p[len(p)-1] ^= 1
	case e.fault == wrongType && op == opBinary:
		op = opText
	case e.fault == wrongType && op == opText:
		op = opBinary
	case e.fault == parts || e.fault == partsWrongly:
		half := len(p) / 2
		second := byte(opContinuation)
		if e.fault == partsWrongly {
			second = op
		}
		e.write(op, p[:half])
		e.write(0x80|second, p[half:])
		return
	}
	e.write(0x80|op, p)
}

// write sends a frame; FIN is in the opcode's byte. Where the client has gone, the next read says
// so.
func (e *echo) write(first byte, p []byte) {
	var bit byte
	switch e.fault {
	case masks:
		bit = 0x80 // The key is 0.
	case setsRSV:
		first |= 0x40
	}
	b := []byte{first, bit}
	switch {
	case len(p) > 0xFFFF:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
	case len(p) > 125 || e.fault == longLengths:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
	default:
		b[1] |= byte(len(p))
	}
	if bit != 0 {
		b = append(b, 0, 0, 0, 0)
	}
	_, _ = e.c.Write(append(b, p...))
}

func closeBody(code uint16) []byte {
	return binary.BigEndian.AppendUint16(nil, code)
}

// head is a frame's header.
type head struct {
	op, rsv     byte
	fin, masked bool
	long        bool // written longer than need be
	length      uint64
	key         [4]byte
}

func (e *echo) header() (head, error) {
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(e.r, b); err != nil {
			return nil
		}
		return b
	}
	b := read(2)
	if b == nil {
		return head{}, io.EOF
	}
	h := head{op: b[0] & 15, rsv: b[0] >> 4 & 7, fin: b[0] >= 0x80, masked: b[1] >= 0x80}
	switch n := b[1] & 0x7F; n {
	case 126:
		if b = read(2); b != nil {
			h.length = uint64(binary.BigEndian.Uint16(b))
			h.long = h.length < 126
		}
	case 127:
		if b = read(8); b != nil {
			h.length = binary.BigEndian.Uint64(b)
			h.long = h.length <= 0xFFFF || h.length >= 1<<63
		}
	default:
		h.length = uint64(n)
	}
	if h.masked && b != nil {
		b = read(4)
		copy(h.key[:], b)
	}
	if b == nil {
		return head{}, io.EOF
	}
	return h, nil
}
