package realip

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrProxy is returned when bytes are not the beginning of a PROXY protocol header. What ParseProxy
// returns wraps it and says more.
var ErrProxy = errors.New("realip: not a PROXY protocol header")

var (
	errSignature = fmt.Errorf("%w: wrong signature", ErrProxy)
	errLine      = fmt.Errorf("%w: bad line of version 1", ErrProxy)
	errLong      = fmt.Errorf("%w: too long", ErrProxy)
	errCommand   = fmt.Errorf("%w: unknown version or command", ErrProxy)
	errFamily    = fmt.Errorf("%w: unknown address family or protocol", ErrProxy)
	errShort     = fmt.Errorf("%w: shorter than its addresses", ErrProxy)
	errTLV       = fmt.Errorf("%w: broken extension", ErrProxy)
	errChecksum  = fmt.Errorf("%w: wrong checksum", ErrProxy)
)

// MaxProxyBytes is the longest header that is read. The protocol permits 65,551 bytes in version 2;
// what proxies send, TLS details included, is a small part of this.
const MaxProxyBytes = 4096

// ProxyHeader is what a proxy says about a connection.
type ProxyHeader struct {
	// Source is the client, Destination the address that it dialed. Neither is valid where Local.
	Source, Destination netip.AddrPort
	// Local says that the header names no addresses that mean anything here, so that those of the
	// connection itself count: a health check by the proxy (LOCAL), a protocol that the proxy does
	// not know (UNKNOWN, AF_UNSPEC), a Unix socket, or datagrams, which cannot be meant.
	Local bool
}

// The signatures by which the two versions begin.
const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// ParseProxy reads the header of version 1 or 2 at the beginning of b, which holds everything that
// was received: n is its length. As long as it is not whole, n is 0 and the error nil: come again
// with more bytes. An error, which wraps [ErrProxy], means that it is no header and that no further
// byte would make it one. Once there is a verdict, more bytes do not change it: it does not depend
// on how they arrive.
//
// Version 1 is held to the letter: no spaces to spare, no leading zeros, at most 107 bytes. Of
// version 2 the extensions (TLV) are checked to be whole and skipped, but for the CRC32c checksum,
// which is verified where there is one.
func ParseProxy(b []byte) (h ProxyHeader, n int, err error) {
	switch {
	case len(b) == 0:
		return h, 0, nil
	case b[0] == signature1[0]:
		return parseLine(b)
	default:
		return parseBinary(b)
	}
}

// likeSignature says whether b begins by a signature, or by so much of it as b has bytes for.
func likeSignature(b []byte, signature string) bool {
	n := min(len(b), len(signature))
	return string(b[:n]) == signature[:n]
}

// Limits of a line of version 1, from the protocol's own text.
const (
	lineBytesMax = 107
	portBytesMax = len("65535")
	ip4BytesMax  = len("255.255.255.255")
	// Proxies write an IPv4 address that came in over an IPv6 socket as ::ffff:192.0.2.1.
	ip6BytesMax = len("0000:0000:0000:0000:0000:0000:255.255.255.255")
)

// parseLine reads a header of version 1. Each field is judged when the byte behind it is there, and
// each byte as soon as it is.
func parseLine(b []byte) (h ProxyHeader, n int, err error) {
	if !likeSignature(b, signature1) {
		return h, 0, errSignature
	}
	if len(b) <= len(signature1) {
		return h, 0, nil
	}
	rest := b[len(signature1):]
	protocol := "UNKNOWN"
	if rest[0] == 'T' {
		protocol = "TCP4"
		if len(rest) >= len("TCP6") && rest[3] == '6' {
			protocol = "TCP6"
		}
	}
	if !likeSignature(rest, protocol) {
		return h, 0, errLine
	}
	if len(rest) <= len(protocol) {
		return h, 0, nil
	}
	line := lineReader{line: b[:min(len(b), lineBytesMax)], at: len(signature1) + len(protocol)}
	if protocol == "UNKNOWN" {
		h.Local = true
		line.skipToEnd()
	} else {
		line.addresses(&h, protocol == "TCP6")
	}
	switch {
	case line.bad:
		return ProxyHeader{}, 0, errLine
	case !line.short:
		return h, line.at, nil
	case len(b) >= lineBytesMax:
		return ProxyHeader{}, 0, errLong
	}
	return ProxyHeader{}, 0, nil
}

// lineReader walks along a line of version 1. Once it is bad or short, it stays so and stays put.
type lineReader struct {
	line  []byte
	at    int
	bad   bool // what was read cannot be a header
	short bool // what was read is good and not all
}

// byte expects one certain byte.
func (r *lineReader) byte(want byte) {
	switch {
	case r.bad || r.short:
	case r.at == len(r.line):
		r.short = true
	case r.line[r.at] != want:
		r.bad = true
	default:
		r.at++
	}
}

// skipToEnd ignores what stands before the line's end.
func (r *lineReader) skipToEnd() {
	if c := r.line[r.at]; c != ' ' && c != '\r' {
		r.bad = true
		return
	}
	end := bytes.IndexAny(r.line[r.at:], "\r\n")
	if end < 0 {
		r.short = true
		return
	}
	r.at += end
	r.end()
}

func (r *lineReader) end() {
	r.byte('\r')
	r.byte('\n')
}

// addresses reads all that follows TCP4 or TCP6.
func (r *lineReader) addresses(h *ProxyHeader, v6 bool) {
	r.byte(' ')
	source := r.address(v6)
	r.byte(' ')
	destination := r.address(v6)
	r.byte(' ')
	sourcePort := r.port()
	r.byte(' ')
	destinationPort := r.port()
	r.end()
	h.Source = netip.AddrPortFrom(source, sourcePort)
	h.Destination = netip.AddrPortFrom(destination, destinationPort)
}

func (r *lineReader) address(v6 bool) netip.Addr {
	alphabet, bytesMax := "0123456789.", ip4BytesMax
	if v6 {
		alphabet, bytesMax = "0123456789abcdefABCDEF:.", ip6BytesMax
	}
	field := r.field(alphabet, bytesMax)
	if field == nil {
		return netip.Addr{}
	}
	a, ok := parseAddr(field)
	// The family of the field, not of the address: a mapped one comes out as IPv4.
	r.bad = !ok || (bytes.IndexByte(field, ':') >= 0) != v6
	return a
}

func (r *lineReader) port() uint16 {
	field := r.field("0123456789", portBytesMax)
	if field == nil {
		return 0
	}
	port, ok := parsePort(field)
	r.bad = !ok
	return port
}

// field takes the bytes of an alphabet that come next, at least one; nil when they are bad or may
// go on.
func (r *lineReader) field(alphabet string, bytesMax int) []byte {
	if r.bad || r.short {
		return nil
	}
	n := 0
	for r.at+n < len(r.line) && strings.IndexByte(alphabet, r.line[r.at+n]) >= 0 {
		n++
	}
	switch {
	case n > bytesMax:
		r.bad = true
	case r.at+n == len(r.line):
		r.short = true
	case n == 0:
		r.bad = true
	default:
		r.at += n
		return r.line[r.at-n : r.at]
	}
	return nil
}
