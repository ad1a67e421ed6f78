package conform

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// windowBitsMax is the largest window of DEFLATE, and the one that holds where nobody names one.
const windowBitsMax = 15

// offer is one offer of permessage-deflate (RFC 7692, 7.1).
type offer struct {
	serverNoTakeover bool // the server shall forget between messages
	clientNoTakeover bool // a hint that the client will
	serverBits       int  // the largest window that the server may use; 0: not named
	clientBits       int  // the same of the client; 0: not named; anyBits: the server may choose

	raw string // where not "": what is sent instead, to be declined
}

// anyBits is client_max_window_bits without a value.
const anyBits = -1

// String writes an offer as the header wants it.
func (o offer) String() string {
	if o.raw != "" {
		return o.raw
	}
	s := "permessage-deflate"
	if o.serverNoTakeover {
		s += "; server_no_context_takeover"
	}
	if o.clientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if o.serverBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(o.serverBits)
	}
	switch {
	case o.clientBits == anyBits:
		s += "; client_max_window_bits"
	case o.clientBits != 0:
		s += "; client_max_window_bits=" + strconv.Itoa(o.clientBits)
	}
	return s
}

// offerLine joins offers, the preferred one first.
func offerLine(offers []offer) string {
	all := make([]string, len(offers))
	for i, o := range offers {
		all[i] = o.String()
	}
	return strings.Join(all, ", ")
}

// offered says what was offered, for a report.
func offered(offers []offer) string {
	if len(offers) == 0 {
		return ""
	}
	return ", offered " + offerLine(offers)
}

// agreed is what a server has accepted. A parameter that it left out is 0 or false.
type agreed struct {
	serverNoTakeover bool
	clientNoTakeover bool
	serverBits       int
	clientBits       int
}

// agree returns what a server has answered to offers: nil where it declined them all, an error
// where its answer is none that RFC 7692, 7.1 allows.
func agree(offers []offer, answer http.Header) (*agreed, error) {
	line := strings.Join(answer.Values("Sec-WebSocket-Extensions"), ",")
	if strings.TrimSpace(line) == "" {
		return nil, nil
	}
	if len(offers) == 0 {
		return nil, fmt.Errorf("the server answers %q to no offer (RFC 6455, 9.1)", line)
	}
	a, err := parseAgreed(line)
	if err != nil {
		return nil, fmt.Errorf("the server answers %q: %w", line, err)
	}
	for _, o := range offers {
		if err = a.fits(o); err == nil {
			return a, nil
		}
	}
	return nil, fmt.Errorf("the server answers %q to %q: %w", line, offerLine(offers), err)
}

func parseAgreed(line string) (*agreed, error) {
	parts := strings.Split(line, ";")
	if strings.TrimSpace(parts[0]) != "permessage-deflate" || strings.Contains(line, ",") {
		return nil, errors.New("this is not what was offered (RFC 6455, 9.1)")
	}
	a := &agreed{}
	seen := map[string]bool{}
	for _, part := range parts[1:] {
		name, value, valued := strings.Cut(strings.TrimSpace(part), "=")
		if seen[name] {
			return nil, fmt.Errorf("%s stands there twice (RFC 7692, 7.1)", name)
		}
		seen[name] = true
		if err := a.set(name, strings.Trim(value, `"`), valued); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *agreed) set(name, value string, valued bool) error {
	switch name {
	case "server_no_context_takeover":
		a.serverNoTakeover = true
	case "client_no_context_takeover":
		a.clientNoTakeover = true
	case "server_max_window_bits", "client_max_window_bits":
		n, err := strconv.Atoi(value)
		if err != nil || n < 8 || n > windowBitsMax || value[0] == '0' {
			return fmt.Errorf("%s is not 8 to 15 (RFC 7692, 7.1.2)", name)
		}
		if name[0] == 's' {
			a.serverBits = n
		} else {
			a.clientBits = n
		}
		return nil
	default:
		return fmt.Errorf("%s is no parameter (RFC 7692, 7.1)", name)
	}
	if valued {
		return fmt.Errorf("%s takes no value (RFC 7692, 7.1.1)", name)
	}
	return nil
}

// fits returns why an answer is none to an offer.
func (a *agreed) fits(o offer) error {
	switch {
	case o.raw != "":
		return errors.New("this offer must be declined (RFC 7692, 7.1)")
	case o.serverNoTakeover && !a.serverNoTakeover:
		return errors.New("server_no_context_takeover was asked for (RFC 7692, 7.1.1.1)")
	case o.serverBits != 0 && a.serverBits == 0 && o.serverBits < windowBitsMax:
		return errors.New("server_max_window_bits was asked for (RFC 7692, 7.1.2.1)")
	case o.serverBits != 0 && a.serverBits > o.serverBits:
		return errors.New("server_max_window_bits is larger than offered (RFC 7692, 7.1.2.1)")
	case a.clientBits != 0 && o.clientBits == 0:
		return errors.New("client_max_window_bits was not offered (RFC 7692, 7.1.2.2)")
	case o.clientBits > 0 && a.clientBits > o.clientBits:
		return errors.New("client_max_window_bits is larger than offered (RFC 7692, 7.1.2.2)")
	}
	return nil
}

// bits returns a window that may have been left out.
func bits(n int) int {
	if n == 0 {
		return windowBitsMax
	}
	return n
}

// flushTail ends every flushed run of DEFLATE blocks. It does not travel (RFC 7692, 7.2.1).
const flushTail = "\x00\x00\xff\xff"

// deflater compresses messages as a client that keeps to what was agreed.
type deflater struct {
	w        *flate.Writer
	out      bytes.Buffer
	bits     int
	takeover bool
}

func newDeflater(a *agreed) *deflater {
	d := &deflater{bits: bits(a.clientBits), takeover: !a.clientNoTakeover}
	d.w = deflaters.Get().(*flate.Writer)
	d.w.Reset(&d.out)
	return d
}

// free gives back what a deflater has borrowed. It is of no use then.
func (d *deflater) free() {
	deflaters.Put(d.w)
	d.w = nil
}

// deflaters keeps writers, whose tables take 1.2 MB each.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.DefaultCompression) // This level is one.
	return w
}}

// message returns the compressed payload of a message.
//
// compress/flate knows one window, that of 32 KiB. A smaller one is kept to by starting over
// after as many bytes as it holds: no reference reaches back further than what it was told of.
func (d *deflater) message(p []byte) []byte {
	d.out.Reset()
	run := len(p)
	if d.bits < windowBitsMax {
		run = min(run, 1<<d.bits)
	}
	for first := true; first || len(p) > 0; first = false {
		if !d.takeover || d.bits < windowBitsMax {
			d.w.Reset(&d.out)
		}
		_, _ = d.w.Write(p[:run]) // A bytes.Buffer takes all.
		_ = d.w.Flush()
		p = p[run:]
		run = min(run, len(p))
	}
	return bytes.Clone(bytes.TrimSuffix(d.out.Bytes(), []byte(flushTail)))
}

// inflater restores the messages of a server.
type inflater struct {
	r        io.ReadCloser
	window   []byte // the last bytes of what came before, as many as the server may refer to
	bits     int
	takeover bool
}

func newInflater(a *agreed) *inflater {
	return &inflater{bits: bits(a.serverBits), takeover: !a.serverNoTakeover}
}

// message returns what a compressed payload was. The window ends where the agreement ends it, so
// that a reference from one message past it into another is an error.
func (d *inflater) message(p []byte) ([]byte, error) {
	// The tail, and an empty last block, without which the reader would wait for more.
	in := io.MultiReader(bytes.NewReader(p), strings.NewReader(flushTail+"\x01\x00\x00\xff\xff"))
	if d.r == nil {
		d.r = flate.NewReaderDict(in, d.window)
	} else if err := d.r.(flate.Resetter).Reset(in, d.window); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(d.r, messageBytesMax+1))
	if err == nil && len(out) > messageBytesMax {
		err = fmt.Errorf("it is over %d bytes long", messageBytesMax)
	}
	if err != nil {
		return nil, err
	}
	if d.takeover {
		d.window = append(d.window, out...)
		if over := len(d.window) - 1<<d.bits; over > 0 {
			d.window = append(d.window[:0], d.window[over:]...)
		}
	}
	return out, nil
}
