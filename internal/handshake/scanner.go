package handshake

import "bytes"

const (
	// MaxHeadBytes is how long a head may be.
	MaxHeadBytes = 8 << 10

	headerLinesMax = 64
)

// Scanner finds the end of a head while it arrives, and what is wrong with it early. The zero value
// is ready; a Scanner is for one head. It is 6 bytes, so that a connection without a buffer of its
// own can hold it.
type Scanner struct {
	seen  uint16 // bytes looked at
	start uint16 // of the line that is under way
	lines uint8
}

// Scan looks at what is new in b, which is all that came, with or without what follows the head.
// end is the head's length, 0 while it is not whole. After a refusal there is nothing to scan.
func (s *Scanner) Scan(b []byte) (end int, r *Refusal) {
	b = b[:min(len(b), MaxHeadBytes)]
	for {
		i := bytes.IndexByte(b[s.seen:], '\n')
		if i < 0 {
			s.seen = uint16(len(b))
			if len(b) == MaxHeadBytes {
				return 0, refusedLong
			}
			return 0, nil
		}
		lf := int(s.seen) + i
		s.seen = uint16(lf + 1)
		if lf == 0 || b[lf-1] != '\r' {
			return 0, refusedLineFeed
		}
		if lf-1 == int(s.start) {
			return lf + 1, nil
		}
		s.start = uint16(lf + 1)
		if s.lines++; s.lines > 1+headerLinesMax {
			return 0, refusedLines
		}
	}
}
