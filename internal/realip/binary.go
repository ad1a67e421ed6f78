package realip

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// headBytes is what stands before the addresses in a header of version 2:
//
//	 0          12                13                14        16
//	| signature | version:command | family:protocol | length | addresses, then extensions
//
// length counts what follows it. Numbers are big-endian.
const headBytes = len(signature2) + 4

// Values of the two bytes that are halves.
const (
	version2     = 0x2
	commandLocal = 0x0
	commandProxy = 0x1

	familyUnspec = 0x0
	familyINET   = 0x1
	familyINET6  = 0x2
	familyUnix   = 0x3

	protocolUnspec = 0x0
	protocolStream = 0x1
	protocolDgram  = 0x2
)

// addressBytes is how many bytes both addresses and both ports of each family take.
var addressBytes = [...]int{
	familyUnspec: 0, familyINET: 2*4 + 2*2, familyINET6: 2*16 + 2*2, familyUnix: 2 * 108,
}

// parseBinary reads a header of version 2.
func parseBinary(b []byte) (h ProxyHeader, n int, err error) {
	if !likeSignature(b, signature2) {
		return h, 0, errSignature
	}
	if len(b) <= len(signature2) {
		return h, 0, nil
	}
	version, command := b[12]>>4, b[12]&0xf
	if version != version2 || command > commandProxy {
		return h, 0, errCommand
	}
	if len(b) < 14 {
		return h, 0, nil
	}
	family, protocol := b[13]>>4, b[13]&0xf
	if command == commandLocal {
		family = familyUnspec // whatever stands there, it is to be ignored
	} else if !knownFamily(family, protocol) {
		return h, 0, errFamily
	}
	if len(b) < headBytes {
		return h, 0, checkLengthByte(b)
	}
	n = headBytes + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case n > MaxProxyBytes:
		return h, 0, errLong
	case n < headBytes+addressBytes[family]:
		return h, 0, errShort
	case len(b) < n:
		return h, 0, nil
	}
	if family == familyUnspec {
		return ProxyHeader{Local: true}, n, nil
	}
	if err := checkTLVs(b[:n], headBytes+addressBytes[family]); err != nil {
		return h, 0, err
	}
	if family == familyUnix || protocol == protocolDgram {
		return ProxyHeader{Local: true}, n, nil
	}
	return readAddresses(b[headBytes:], addressBytes[family]/2-2), n, nil
}

// knownFamily says whether the protocol permits a combination. Without a family the protocol means
// nothing; with one it must be there.
func knownFamily(family, protocol byte) bool {
	return family == familyUnspec && protocol <= protocolDgram ||
		family <= familyUnix && (protocol == protocolStream || protocol == protocolDgram)
}

// checkLengthByte judges the first byte of the length, where it is all there is.
func checkLengthByte(b []byte) error {
	if len(b) == headBytes-1 && headBytes+int(b[14])<<8 > MaxProxyBytes {
		return errLong
	}
	return nil
}

// readAddresses reads source and destination, then their ports.
func readAddresses(b []byte, size int) ProxyHeader {
	at := func(i int) netip.AddrPort {
		a, _ := netip.AddrFromSlice(b[i*size : (i+1)*size])
		return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(b[2*size+2*i:]))
	}
	return ProxyHeader{Source: at(0), Destination: at(1)}
}

// Extensions: a byte of type, two of length, the value.
const (
	tlvHeadBytes = 3
	tlvCRC32C    = 0x03
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeros      = make([]byte, crc32.Size) // only read; one in each call would be an allocation
)

// checkTLVs walks over the extensions of a whole header, which begin at from.
func checkTLVs(header []byte, from int) error {
	summed := false
	for at := from; at < len(header); {
		if len(header)-at < tlvHeadBytes {
			return errTLV
		}
		value := at + tlvHeadBytes
		next := value + int(binary.BigEndian.Uint16(header[at+1:]))
		if next > len(header) {
			return errTLV
		}
		if header[at] == tlvCRC32C {
			if summed || next-value != crc32.Size {
				return errTLV
			}
			summed = true
			if binary.BigEndian.Uint32(header[value:]) != checksum(header, value) {
				return errChecksum
			}
		}
		at = next
	}
	return nil
}

// checksum is the CRC32c of a header whose own checksum, at the place given, counts as zeros.
func checksum(header []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, header[:at])
	sum = crc32.Update(sum, castagnoli, zeros)
	return crc32.Update(sum, castagnoli, header[at+crc32.Size:])
}
