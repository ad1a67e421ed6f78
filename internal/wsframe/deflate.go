package wsframe

import (
	"compress/flate"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// Deflate is what was negotiated of permessage-deflate (RFC 7692) for one connection: nothing, as
// the zero value, or compression without context takeover both ways, and the window that what we
// send must keep to. It is one byte, to be stored with the connection.
type Deflate uint8

const (
	minWindowBits = 8
	maxWindowBits = 15

	// minDeflateBytes is the shortest message to compress.
	minDeflateBytes = 64
)

// On says whether messages may be compressed. [Rules] of the connection then have Deflate set.
func (d Deflate) On() bool { return d != 0 }

// DeflateOffer is what a client offers in Sec-WebSocket-Extensions. What comes back goes to
// [AcceptDeflate].
const DeflateOffer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// NegotiateDeflate answers what a client offers in Sec-WebSocket-Extensions, several such headers
// being joined by commas. It takes the first offer that it can keep to; the answer is empty where
// there is none. What cannot be parsed is as if it were not there.
func NegotiateDeflate(offers string) (d Deflate, answer string) {
	options, ok := httphead.ParseOptions([]byte(offers), nil)
	if !ok {
		return 0, ""
	}
	for _, o := range options {
		accepted, _ := d.Negotiate(o) // It has no error to return.
		if d.On() {
			var b strings.Builder
			if _, err := httphead.WriteOptions(&b, []httphead.Option{accepted}); err != nil {
				return 0, ""
			}
			return d, b.String()
		}
	}
	return 0, ""
}

// Negotiate answers one offer, as ws.Upgrader wants it: with an option of no size, and no error,
// where it is declined, as are all that come after the first that was not. An offer that is
// malformed or has unknown parameters is declined (RFC 7692 section 7.1).
func (d *Deflate) Negotiate(offer httphead.Option) (httphead.Option, error) {
	p, ok := parseDeflate(offer)
	if d.On() || !ok {
		return httphead.Option{}, nil
	}
	*d = maxWindowBits
	if p.ServerMaxWindowBits.Defined() {
		*d = Deflate(p.ServerMaxWindowBits)
	}
	return wsflate.Parameters{
		ServerNoContextTakeover: true,
		ClientNoContextTakeover: true,
		ServerMaxWindowBits:     p.ServerMaxWindowBits,
	}.Option(), nil
}

var errDeflateAnswer = errors.New("wsframe: the server accepted an extension as it was not offered")

// AcceptDeflate reads a server's answer to [DeflateOffer]. Compression is off where that is empty.
func AcceptDeflate(answer string) (Deflate, error) {
	if answer == "" {
		return 0, nil
	}
	options, ok := httphead.ParseOptions([]byte(answer), nil)
	if !ok || len(options) != 1 {
		return 0, errDeflateAnswer
	}
	p, ok := parseDeflate(options[0])
	if !ok || !p.ServerNoContextTakeover || p.ClientMaxWindowBits.Defined() {
		return 0, errDeflateAnswer
	}
	return maxWindowBits, nil
}

// parseDeflate reads the parameters of an offer or an answer.
func parseDeflate(o httphead.Option) (p wsflate.Parameters, ok bool) {
	if string(o.Name) != wsflate.ExtensionName || p.Parse(o) != nil {
		return p, false
	}
	ok = true
	windows := 0 // client_max_window_bits, of which gobwas takes several that have no value
	o.Parameters.ForEach(func(key, value []byte) bool {
		if string(key) == "client_max_window_bits" {
			windows++
		}
		ok = windows < 2 && (len(value) == 0 || value[0] != '0') // "no leading zeros": 7.1.2.1
		return ok
	})
	return p, ok
}

// deflater compresses one message at a time.
type deflater struct {
	in  *wsflate.Writer
	out limited
}

var deflaters = sync.Pool{New: func() any {
	z := &deflater{}
	z.in = wsflate.NewWriter(&z.out, func(w io.Writer) wsflate.Compressor {
		c, err := flate.NewWriter(w, flate.BestSpeed)
		if err != nil {
			panic(err) // The level is valid.
		}
		return c
	})
	return z
}}

// limited appends to a slice until that is as long as it may be.
type limited struct {
	b   []byte
	max int
}

var errLimited = errors.New("wsframe: longer than it was")

// Write implements [io.Writer].
func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.max-len(l.b) {
		return 0, errLimited
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

// tail ends what a flush writes. The last one of a message is left out (RFC 7692 section 7.2.1).
const tail = "\x00\x00\xff\xff"

// appendDeflated appends a message compressed, or nothing where that would not make it shorter. The
// header must be written first and depends on the outcome, so room is left for the longest that it
// can be, and what was too much is closed up.
func (r Role) appendDeflated(dst []byte, d Deflate, op Op, message []byte) ([]byte, bool) {
	head := r.HeaderBytes(len(message))
	start := len(dst)
	var blank [ws.MaxHeaderSize]byte
	z := deflaters.Get().(*deflater)
	z.out = limited{b: append(dst, blank[:head]...), max: start + head + len(message) - 1}
	ok := z.deflate(message, 1<<d)
	out := z.out.b
	z.out = limited{}
	deflaters.Put(z)
	if !ok {
		return dst, false
	}
	payload := out[start+head:]
	framed := r.appendHeader(out[:start], op, true, rsv1, len(payload))
	framed = framed[:len(framed)+copy(framed[len(framed):cap(framed)], payload)]
	if r == Client {
		body := len(framed) - len(payload)
		ws.Cipher(framed[body:], [4]byte(framed[body-4:]), 0)
	}
	return framed, true
}

// deflate compresses a message so that no reference reaches back further than the window: a long
// message is cut, and nothing refers from one piece into another.
func (z *deflater) deflate(message []byte, window int) bool {
	for {
		n := min(window, len(message))
		if window == 1<<maxWindowBits {
			n = len(message) // It is what the compressor keeps to anyway.
		}
		z.in.Reset(&z.out)
		if _, err := z.in.Write(message[:n]); err != nil {
			return false
		}
		if z.in.Flush() != nil {
			return false
		}
		if message = message[n:]; len(message) == 0 {
			return true
		}
		if _, err := z.out.Write([]byte(tail)); err != nil {
			return false
		}
	}
}
