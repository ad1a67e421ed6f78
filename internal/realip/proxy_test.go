package realip

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// v2 is a header of version 2; addresses are what stands behind the length, extensions included.
func v2(versionCommand, familyProtocol byte, addresses ...byte) []byte {
	b := append([]byte(signature2), versionCommand, familyProtocol)
	b = binary.BigEndian.AppendUint16(b, uint16(len(addresses)))
	return append(b, addresses...)
}

// inet4 and inet6 are the addresses of the samples, in bytes.
var (
	inet4 = []byte{192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0x01, 0xbb}
	inet6 = append(append(
		addr("2001:db8::1").AsSlice(), addr("2001:db8::2").AsSlice()...), 0x30, 0x39, 0x01, 0xbb)
	mapped = append(append(
		mapped16("192.0.2.1"), mapped16("198.51.100.2")...), 0x30, 0x39, 0x01, 0xbb)
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func mapped16(s string) []byte {
	b := addr(s).As16()
	return b[:]
}

// summed appends a checksum extension to a header of version 2, before others.
func summed(header []byte, others ...byte) []byte {
	at := len(header) + tlvHeadBytes
	header = append(header, tlvCRC32C, 0, 4, 0, 0, 0, 0)
	header = append(header, others...)
	binary.BigEndian.PutUint16(header[14:], uint16(len(header)-headBytes))
	binary.BigEndian.PutUint32(header[at:], checksum(header, at))
	return header
}

func spoiled(header []byte, at int) []byte {
	header[at] ^= 0x10
	return header
}

var (
	from4 = ProxyHeader{
		Source:      netip.MustParseAddrPort("192.0.2.1:12345"),
		Destination: netip.MustParseAddrPort("198.51.100.2:443"),
	}
	from6 = ProxyHeader{
		Source:      netip.MustParseAddrPort("[2001:db8::1]:12345"),
		Destination: netip.MustParseAddrPort("[2001:db8::2]:443"),
	}
	local = ProxyHeader{Local: true}
)

// unixPair is two paths, as bytes that must not be taken for addresses.
var unixPair = []byte(strings.Repeat("/run/curfew.sock", 14)[:2*108])

var goodHeaders = []struct {
	name   string
	header string
	want   ProxyHeader
}{
	{"TCP4", "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n", from4},
	{"TCP6", "PROXY TCP6 2001:db8::1 2001:0DB8:0:0::2 12345 443\r\n", from6},
	{"TCP6 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 12345 443\r\n", from4},
	{"longest TCP6", "PROXY TCP6 " + strings.Repeat("ffff:", 7) + "ffff " +
		strings.Repeat("ffff:", 7) + "ffff 65535 65535\r\n", ProxyHeader{
		Source:      netip.AddrPortFrom(addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 65535),
		Destination: netip.AddrPortFrom(addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 65535),
	}},
	{"port 0", "PROXY TCP4 0.0.0.0 255.255.255.255 0 0\r\n", ProxyHeader{
		Source:      netip.MustParseAddrPort("0.0.0.0:0"),
		Destination: netip.MustParseAddrPort("255.255.255.255:0"),
	}},
	{"UNKNOWN", "PROXY UNKNOWN\r\n", local},
	{"UNKNOWN with a tail", "PROXY UNKNOWN ffff::1 \x00what ever\r\n", local},
	{"longest UNKNOWN", "PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r\n", local},

	{"stream over IPv4", string(v2(0x21, 0x11, inet4...)), from4},
	{"stream over IPv6", string(v2(0x21, 0x21, inet6...)), from6},
	{"mapped", string(v2(0x21, 0x21, mapped...)), from4},
	{"datagrams", string(v2(0x21, 0x12, inet4...)), local},
	{"Unix", string(v2(0x21, 0x31, unixPair...)), local},
	{"LOCAL", string(v2(0x20, 0x00)), local},
	{"LOCAL with what it likes", string(v2(0x20, 0xff, 1, 2, 3)), local},
	{"AF_UNSPEC", string(v2(0x21, 0x00, 1, 2, 3)), local},
	{"extensions", string(v2(0x21, 0x11, append(inet4[:12:12], 4, 0, 0, 0x20, 0, 1, 9)...)), from4},
	{"checksum", string(summed(v2(0x21, 0x11, inet4...), 4, 0, 2, 1, 1)), from4},
	{"checksum, IPv6", string(summed(v2(0x21, 0x21, inet6...))), from6},
	{"HAProxy 2.6 with crc32c", signature2 + "!\x11\x00\x16" +
		"\x7f\x00\x00\x01\x7f\x00\x00\x01\xa12J:" +
		"\x03\x00\x04\x02\v\xda\xc3\x05\x00\x00", ProxyHeader{
		Source:      netip.MustParseAddrPort("127.0.0.1:41266"),
		Destination: netip.MustParseAddrPort("127.0.0.1:19002"),
	}},
	{"HAProxy 2.6 checks", signature2 + " \x00\x00\a\x03\x00\x04\xa9\xb8~\x8f", local},
	{"longest", string(v2(0x20, 0x00, make([]byte, MaxProxyBytes-headBytes)...)), local},
}

func TestParseProxy_Good(t *testing.T) {
	for _, c := range goodHeaders {
		for _, tail := range []string{"", "G", "GET / HTTP/1.1\r\n\r\n", c.header} {
			h, n, err := ParseProxy([]byte(c.header + tail))
			if h != c.want || n != len(c.header) || err != nil {
				t.Errorf("%s, then %q: %+v, %d, %v, want %+v, %d", c.name, tail, h, n, err,
					c.want, len(c.header))
			}
		}
		for cut := range len(c.header) {
			h, n, err := ParseProxy([]byte(c.header[:cut]))
			if n != 0 || err != nil || h != (ProxyHeader{}) {
				t.Errorf("%s: %d of %d bytes: %+v, %d, %v, want a call for more",
					c.name, cut, len(c.header), h, n, err)
			}
		}
	}
}

// Each bad header is refused at its last byte and at no byte before it.
func TestParseProxy_BadAtTheFirstWrongByte(t *testing.T) {
	tooLong := strings.Repeat("x", 107-len("PROXY UNKNOWN "))
	for _, c := range []struct {
		name   string
		header string
		want   error
	}{
		{"HTTP", "G", errSignature},
		{"POST", "PO", errSignature},
		{"lower case", "PROXy", errSignature},
		{"TLS", "\x16", errSignature},
		{"a line before", "\r\nG", errSignature},
		{"v1 protocol", "PROXY S", errLine},
		{"v1 UDP4", "PROXY UD", errLine},
		{"v1 TCP5", "PROXY TCP5", errLine},
		{"v1 UNKNOWNX", "PROXY UNKNOWNX", errLine},
		{"v1 UNKNOWN, bare LF", "PROXY UNKNOWN x\n", errLine},
		{"v1 UNKNOWN, bare CR", "PROXY UNKNOWN x\rx", errLine},
		{"v1 UNKNOWN too long", "PROXY UNKNOWN " + tooLong, errLong},
		{"v1 nothing", "PROXY TCP4\r", errLine},
		{"v1 two spaces", "PROXY TCP4  ", errLine},
		{"v1 IPv6 as IPv4", "PROXY TCP4 :", errLine},
		{"v1 IPv4 as IPv6", "PROXY TCP6 1.2.3.4 ", errLine},
		{"v1 short address", "PROXY TCP4 1.2.3 ", errLine},
		{"v1 large octet", "PROXY TCP4 1.2.3.256 ", errLine},
		{"v1 leading zero", "PROXY TCP4 1.2.3.04 ", errLine},
		{"v1 long address", "PROXY TCP4 1111.2222.3333.4", errLine},
		{"v1 zone", "PROXY TCP6 fe80::1%", errLine},
		{"v1 two gaps", "PROXY TCP6 1::2::3 ", errLine},
		{"v1 no port", "PROXY TCP4 1.2.3.4 1.2.3.4\r", errLine},
		{"v1 large port", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 ", errLine},
		{"v1 long port", "PROXY TCP4 1.2.3.4 1.2.3.4 100000", errLine},
		{"v1 signed port", "PROXY TCP4 1.2.3.4 1.2.3.4 +", errLine},
		{"v1 zero before a port", "PROXY TCP4 1.2.3.4 1.2.3.4 080 ", errLine},
		{"v1 a space at the end", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ", errLine},
		{"v1 bare LF", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", errLine},
		{"v1 bare CR", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx", errLine},

		{"v2 version", signature2 + "\x11", errCommand},
		{"v2 command", signature2 + "\x22", errCommand},
		{"v2 family", signature2 + "\x21\x41", errFamily},
		{"v2 protocol", signature2 + "\x21\x13", errFamily},
		{"v2 family without protocol", signature2 + "\x21\x10", errFamily},
		{"v2 far too long", signature2 + "\x21\x11\x10", errLong},
		{"v2 a byte too long", signature2 + "\x20\x00\x0f\xf1", errLong},
		{"v2 short for IPv4", signature2 + "\x21\x11\x00\x0b", errShort},
		{"v2 short for IPv6", signature2 + "\x21\x21\x00\x23", errShort},
		{"v2 short for Unix", signature2 + "\x21\x31\x00\xd7", errShort},
		{"v2 head of an extension", string(v2(0x21, 0x11, append(inet4[:12:12], 4, 0)...)), errTLV},
		{"v2 extension", string(v2(0x21, 0x11, append(inet4[:12:12], 4, 0, 2, 1)...)), errTLV},
		{
			"v2 checksum of 3 bytes",
			string(v2(0x21, 0x11, append(inet4[:12:12], 3, 0, 3, 1, 1, 1)...)), errTLV,
		},
		{"v2 checksum", string(spoiled(summed(v2(0x21, 0x11, inet4...)), 16)), errChecksum},
		{
			"v2 two checksums",
			string(summed(v2(0x21, 0x11, inet4...), 3, 0, 4, 1, 1, 1, 1)), errTLV,
		},
	} {
		b := []byte(c.header)
		for cut := range b {
			if _, n, err := ParseProxy(b[:cut]); n != 0 || err != nil {
				t.Errorf("%s: the first %d bytes %q: %d, %v, want a call for more",
					c.name, cut, b[:cut], n, err)
			}
		}
		h, n, err := ParseProxy(b)
		if !errors.Is(err, c.want) || !errors.Is(err, ErrProxy) || n != 0 || h != (ProxyHeader{}) {
			t.Errorf("%s: %+v, %d, %v, want %v", c.name, h, n, err, c.want)
		}
	}
}

func TestParseProxy_AllocatesNothing(t *testing.T) {
	trusted, err := ParseNetworks("10.0.0.0/8,192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	header := summed(v2(0x21, 0x21, inet6...))
	bad := []byte("GET / HTTP/1.1\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		h, _, _ := ParseProxy(header)
		trusted.Contains(h.Source.Addr())
		_, _, _ = ParseProxy(bad)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// reference reads a whole header in the plainest way. Not ok: there is none at the beginning of b,
// or it is not whole.
func reference(b []byte) (h ProxyHeader, n int, ok bool) {
	if rest, ok := strings.CutPrefix(string(b), "PROXY "); ok {
		return referenceLine(rest)
	}
	if !strings.HasPrefix(string(b), signature2) || len(b) < 16 {
		return h, 0, false
	}
	n = 16 + int(b[14])<<8 + int(b[15])
	if n > 4096 || len(b) < n {
		return h, 0, false
	}
	if b[12] == 0x20 {
		return local, n, true
	}
	size, known := map[byte]int{
		0x00: 0, 0x01: 0, 0x02: 0, 0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216,
	}[b[13]]
	if b[12] != 0x21 || !known || n < 16+size {
		return h, 0, false
	}
	if size > 0 && checkTLVs(b[:n], 16+size) != nil {
		return h, 0, false
	}
	p := b[16:]
	switch b[13] {
	case 0x11:
		return referenceHeader(p[:4], p[4:8], p[8:10], p[10:12]), n, true
	case 0x21:
		return referenceHeader(p[:16], p[16:32], p[32:34], p[34:36]), n, true
	}
	return local, n, true
}

func referenceHeader(source, destination, sourcePort, destinationPort []byte) ProxyHeader {
	at := func(ip, port []byte) netip.AddrPort {
		a, _ := netip.AddrFromSlice(ip)
		return netip.AddrPortFrom(a.Unmap(), uint16(port[0])<<8+uint16(port[1]))
	}
	return ProxyHeader{at(source, sourcePort), at(destination, destinationPort), false}
}

func referenceLine(rest string) (h ProxyHeader, n int, ok bool) {
	line, _, whole := strings.Cut(rest, "\r\n")
	n = len("PROXY ") + len(line) + 2
	if !whole || n > 107 || strings.ContainsAny(line, "\r\n") {
		return h, 0, false
	}
	if line == "UNKNOWN" || strings.HasPrefix(line, "UNKNOWN ") {
		return local, n, true
	}
	f := strings.Split(line, " ")
	if len(f) != 5 || strings.Contains(line, "%") {
		return h, 0, false
	}
	at := func(ip, port string) netip.AddrPort {
		if strings.Contains(ip, ":") != (f[0] == "TCP6") || len(port) > 1 && port[0] == '0' {
			return netip.AddrPort{}
		}
		a, err := netip.ParseAddrPort("[" + ip + "]:" + port)
		if f[0] == "TCP4" {
			a, err = netip.ParseAddrPort(ip + ":" + port)
		}
		if err != nil {
			return netip.AddrPort{}
		}
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	h = ProxyHeader{Source: at(f[1], f[3]), Destination: at(f[2], f[4])}
	known := f[0] == "TCP4" || f[0] == "TCP6"
	if !known || !h.Source.IsValid() || !h.Destination.IsValid() {
		return ProxyHeader{}, 0, false
	}
	return h, n, true
}

// FuzzParseProxy cuts an input at every byte: there is one verdict, it stays, and a header is found
// at its last byte. It is the one that the reference finds.
func FuzzParseProxy(f *testing.F) {
	for _, c := range goodHeaders {
		f.Add([]byte(c.header + "GET"))
	}
	f.Add([]byte("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"))
	f.Add(v2(0x21, 0x11, append(inet4[:12:12], 3, 0, 4, 1, 1, 1, 1)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), MaxProxyBytes+64)]
		var h ProxyHeader
		var n int
		var err error
		for cut := range len(b) + 1 {
			nowH, nowN, nowErr := ParseProxy(b[:cut])
			switch {
			case nowErr != nil && !errors.Is(nowErr, ErrProxy):
				t.Fatalf("ParseProxy(%q) = %v, which is no ErrProxy", b[:cut], nowErr)
			case (n > 0 || err != nil) && (nowH != h || nowN != n || !errors.Is(nowErr, err)):
				t.Fatalf("ParseProxy(%q) = %+v, %d, %v, with a byte less it was %+v, %d, %v",
					b[:cut], nowH, nowN, nowErr, h, n, err)
			case n == 0 && nowN > 0 && nowN != cut:
				t.Fatalf("ParseProxy(%q) found %d bytes when %d were there", b[:cut], nowN, cut)
			case (nowN == 0 || nowErr != nil) && nowH != (ProxyHeader{}):
				t.Fatalf("ParseProxy(%q) = %+v without a header", b[:cut], nowH)
			}
			h, n, err = nowH, nowN, nowErr
		}
		wantH, wantN, ok := reference(b)
		if !ok {
			wantH, wantN = ProxyHeader{}, 0
		}
		if h != wantH || n != wantN {
			t.Fatalf("ParseProxy(%q) = %+v, %d, %v, want %+v, %d", b, h, n, err, wantH, wantN)
		}
	})
}
